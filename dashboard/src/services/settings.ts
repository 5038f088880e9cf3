import { queryOptions } from '@tanstack/react-query'
import { request } from './http'

/** What a project sets for itself, as the API has it. */
export interface Settings {
  name: string
  /** Null keeps data as long as the server does. */
  retentionDays: number | null
  /** Null keeps them for ever. */
  serverRetentionDays: number | null
  /** A name like Europe/Berlin; empty for none. */
  timeZone: string
}

const path = '/dashboard/api/settings'

export const settingsKey = (project: string) => ['settings', project] as const

export const settingsQuery = (project: string) =>
  queryOptions({
    queryKey: settingsKey(project),
    queryFn: async ({ signal }): Promise<Settings> => (await request(path, { project, signal })) as Settings, // GET settings
  })

export async function putSettings(project: string, settings: Omit<Settings, 'serverRetentionDays'>): Promise<Settings> {
  return (await request(path, { method: 'PUT', project, body: settings })) as Settings // PUT settings
}
