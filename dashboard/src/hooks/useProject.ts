import { createContext, useContext } from 'react'
import type { Project } from '@/services/projects'

export const ProjectContext = createContext<Project | null>(null)

/** The project that the page shows. The frame draws no page before there is one. */
export function useProject(): Project {
  const project = useContext(ProjectContext)
  if (!project) throw new Error('a page without a project')
  return project
}
