import { createContext, useContext } from 'react'
import type { Project } from '@/services/projects'

export const ProjectContext = createContext<Project | null>(null)

export const lastProject = 'pulse.project'

/**
 * The project of a page: the one that the URL names, or where it names none, the
 * one that was shown last, else any. Null for a name that is none of them: a link
 * to one project never shows the numbers of another.
 */
export function chooseProject(projects: readonly Project[], named: string | undefined, last: string | null): Project | null {
  if (named !== undefined) return projects.find((it) => it.id === named) ?? null
  return projects.find((it) => it.id === last) ?? projects[0] ?? null
}

/** The project that the page shows. The frame draws no page before there is one. */
export function useProject(): Project {
  const project = useContext(ProjectContext)
  if (!project) throw new Error('a page without a project')
  return project
}
