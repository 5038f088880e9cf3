import { queryOptions } from '@tanstack/react-query'
import { projectsRequest } from '@/opening/asked'
import { request } from './http'

export type Role = 'admin' | 'user'

interface ProjectFromAPI {
  id: string
  name: string
  createdAt: string
  role: Role
  timeZone: string
}

export interface Project {
  id: string
  name: string
  role: Role
  createdAt: Date
  /** A name like Europe/Berlin; empty for none. */
  timeZone: string
}

const apiProjectToProject = (p: ProjectFromAPI): Project => ({ id: p.id, name: p.name, role: p.role, createdAt: new Date(p.createdAt), timeZone: p.timeZone })

export const projectsKey = ['projects'] as const

export const projectsQuery = queryOptions({
  queryKey: projectsKey,
  staleTime: 60_000,
  queryFn: async ({ signal }): Promise<Project[]> => {
    const body = (await request(projectsRequest.path, { signal })) as { projects: ProjectFromAPI[] }
    return body.projects.map(apiProjectToProject)
  },
})

export interface CreatedProject {
  id: string
  apiKey: string
}

export async function createProject(name: string): Promise<CreatedProject> {
  const body = (await request('/dashboard/api/projects', { method: 'POST', body: { name } })) as { projectId: string; apiKey: string } // POST projects
  return { id: body.projectId, apiKey: body.apiKey }
}

const pathOf = (id: string) => `/dashboard/api/projects/${encodeURIComponent(id)}`

export async function renameProject(id: string, name: string): Promise<void> {
  await request(pathOf(id), { method: 'PATCH', body: { name } }) // PATCH projects/:id
}

/** Deletes a project: it is gone with the first answer, and its spans after as many as it takes. */
export async function deleteProject(id: string, name: string, onProgress: (deletedSpans: number) => void): Promise<void> {
  for (let deleted = 0; ; ) {
    const step = (await request(pathOf(id), { method: 'DELETE', body: { name } })) as { done: boolean; deletedSpans: number } // DELETE projects/:id
    deleted += step.deletedSpans
    onProgress(deleted)
    if (step.done) return
  }
}
