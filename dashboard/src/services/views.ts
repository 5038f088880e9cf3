import { queryOptions } from '@tanstack/react-query'
import { request } from './http'

export type ViewPage = 'overview' | 'traces' | 'sessions' | 'agents' | 'analytics'

/** A page as somebody left it, as the API has it. */
export interface View {
  id: string
  name: string
  page: ViewPage
  /** The query of the page's URL, without project and without words that were searched for. */
  query: string
  shared: boolean
  /** A user's id. */
  createdBy: string
}

const path = '/dashboard/api/views'

export const viewsKey = (project: string) => ['views', project] as const

/** One's own views, and those that others share. */
export const viewsQuery = (project: string) =>
  queryOptions({
    queryKey: viewsKey(project),
    staleTime: 60_000,
    queryFn: async ({ signal }): Promise<View[]> => {
      const body = (await request(path, { project, signal })) as { views: View[] } // GET views
      return body.views
    },
  })

export type NewView = Pick<View, 'name' | 'page' | 'query' | 'shared'>

export async function createView(project: string, view: NewView): Promise<View> {
  return (await request(path, { method: 'POST', project, body: view })) as View // POST views
}

export async function changeView(project: string, id: string, change: Partial<Pick<View, 'name' | 'query' | 'shared'>>): Promise<View> {
  return (await request(`${path}/${encodeURIComponent(id)}`, { method: 'PATCH', project, body: change })) as View // PATCH views/:id
}

export async function deleteView(project: string, id: string): Promise<void> {
  await request(`${path}/${encodeURIComponent(id)}`, { method: 'DELETE', project }) // DELETE views/:id
}
