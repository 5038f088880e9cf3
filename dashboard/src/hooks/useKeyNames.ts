import { useQuery } from '@tanstack/react-query'
import type { KeyNames } from '@/lib/filter/label'
import { keyNamesQuery } from '@/services/keys'
import { useProject } from './useProject'

/** The names of the project's API keys; asked for where something shows one. */
export function useKeyNames(enabled = true): KeyNames | undefined {
  const project = useProject()
  return useQuery({ ...keyNamesQuery(project.id), enabled }).data
}
