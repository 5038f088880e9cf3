import type { Range } from '@/lib/time/range'

/** A request of the dashboard, to its own origin. */
export interface Asked {
  path: string
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  project?: string
  body?: unknown
}

// What script.ts asks for, and the services that want the answers. Nothing here may
// need a package: the script comes before all others.

export const sessionRequest: Asked = { path: '/api/auth/get-session' } // GET of Better Auth

export const projectsRequest: Asked = { path: '/dashboard/api/projects' } // GET projects

export const overviewRequest = (project: string, filter: string, range: Range): Asked => ({
  path: '/dashboard/api/query/overview', // POST query/overview
  method: 'POST',
  project,
  body: { q: filter, from: range.from.toISOString(), to: range.to.toISOString(), compare: true },
})

/** A page of a trace's spans, the first one without a cursor. */
export const treeRequest = (project: string, traceId: string, cursor: string): Asked => ({
  path: `/dashboard/api/query/traces/${encodeURIComponent(traceId)}/tree${cursor === '' ? '' : `?cursor=${encodeURIComponent(cursor)}`}`, // GET query/traces/:id/tree
  project,
})

/** The request as fetch takes it. */
export function initOf({ method = 'GET', project, body }: Asked): RequestInit {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (project) headers['X-Project-Id'] = project
  const init: RequestInit = { method, headers, credentials: 'same-origin' }
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json'
    init.body = JSON.stringify(body)
  }
  return init
}

/** What tells a request from others. */
export const keyOf = ({ path, method = 'GET', project = '', body }: Asked): string => `${method} ${path} ${project} ${body === undefined ? '' : JSON.stringify(body)}`
