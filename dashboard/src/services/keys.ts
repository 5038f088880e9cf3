import { queryOptions } from '@tanstack/react-query'
import { keyNames, type KeyNames } from '@/lib/filter/label'
import { request } from './http'

interface KeyFromAPI {
  id: string
  name: string
  createdAt: string
  lastUsedAt?: string
  last4?: string
}

/** An API key as lists show it: never its text, which is seen once. */
export interface Key {
  id: string
  name: string
  createdAt: Date
  lastUsedAt: Date | null
  last4: string | null
}

const apiKeyToKey = (k: KeyFromAPI): Key => ({
  id: k.id,
  name: k.name,
  createdAt: new Date(k.createdAt),
  lastUsedAt: k.lastUsedAt ? new Date(k.lastUsedAt) : null,
  last4: k.last4 ?? null,
})

const path = '/dashboard/api/api-keys'

export const keysKey = (project: string) => ['keys', project] as const

export const keysQuery = (project: string) =>
  queryOptions({
    queryKey: keysKey(project),
    queryFn: async ({ signal }): Promise<Key[]> => {
      const body = (await request(path, { project, signal })) as { keys: KeyFromAPI[] } // GET api-keys
      return body.keys.map(apiKeyToKey)
    },
  })

/** The names of a project's keys, for whoever reads its traces. */
export const keyNamesQuery = (project: string) =>
  queryOptions({
    queryKey: [...keysKey(project), 'names'],
    queryFn: async ({ signal }): Promise<KeyNames> => {
      const body = (await request('/dashboard/api/query/keys', { project, signal })) as { keys: { id: string; name: string }[] } // GET query/keys
      return keyNames(body.keys)
    },
  })

export interface CreatedKey {
  id: string
  name: string
  /** The key itself. It is kept in memory only, until what shows it is closed. */
  secret: string
}

export async function createKey(project: string, name: string): Promise<CreatedKey> {
  const body = (await request(path, { method: 'POST', project, body: { name } })) as { apiKey: string; id: string; name: string } // POST api-keys
  return { id: body.id, name: body.name, secret: body.apiKey }
}

export async function renameKey(project: string, id: string, name: string): Promise<void> {
  await request(`${path}/${encodeURIComponent(id)}`, { method: 'PATCH', project, body: { name } })
}

export async function revokeKey(project: string, id: string): Promise<void> {
  await request(`${path}/${encodeURIComponent(id)}`, { method: 'DELETE', project })
}
