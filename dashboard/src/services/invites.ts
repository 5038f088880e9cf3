import { queryOptions } from '@tanstack/react-query'
import { request } from './http'
import type { Role } from './projects'

interface InviteFromAPI {
  id: string
  role: Role
  email?: string
  createdAt: string
  expiresAt: string
}

/** A link that waits to be used. Its token is seen once, when it is made. */
export interface Invite {
  id: string
  role: Role
  email: string | null
  expiresAt: Date
}

const apiInviteToInvite = (i: InviteFromAPI): Invite => ({ id: i.id, role: i.role, email: i.email ?? null, expiresAt: new Date(i.expiresAt) })

const path = '/dashboard/api/invites'

export const invitesKey = (project: string) => ['invites', project] as const

export const invitesQuery = (project: string) =>
  queryOptions({
    queryKey: invitesKey(project),
    queryFn: async ({ signal }): Promise<Invite[]> => {
      const body = (await request(path, { project, signal })) as { invites: InviteFromAPI[] } // GET invites
      return body.invites.map(apiInviteToInvite)
    },
  })

export interface NewInvite {
  role: Role
  expiresInDays: number
  email?: string
}

/** Makes a link and gives it: of this page's own origin, whatever address the server takes for its own. */
export async function createInvite(project: string, invite: NewInvite): Promise<string> {
  const body = (await request(path, { method: 'POST', project, body: invite })) as { token: string } // POST invites
  return `${location.origin}/invite/${body.token}`
}

export async function revokeInvite(project: string, id: string): Promise<void> {
  await request(`${path}/${encodeURIComponent(id)}`, { method: 'DELETE', project }) // DELETE invites/:id
}

/** What an invite is for, as who has its token sees it. */
export interface Invitation {
  projectName: string
  role: Role
  expiresAt: Date
}

export const invitationQuery = (token: string) =>
  queryOptions({
    queryKey: ['invitation', token],
    retry: false,
    queryFn: async ({ signal }): Promise<Invitation> => {
      const body = (await request(`${path}/${encodeURIComponent(token)}`, { signal })) as { projectName: string; role: Role; expiresAt: string } // GET invites/:token
      return { ...body, expiresAt: new Date(body.expiresAt) }
    },
  })

export interface NewAccount {
  name: string
  email: string
  password: string
}

/** Joins the project as who is signed in, or as a new account, which it signs nobody in to. It gives the project's id. */
export async function acceptInvite(token: string, account?: NewAccount): Promise<string> {
  const body = (await request(`${path}/${encodeURIComponent(token)}/accept`, { method: 'POST', body: account ?? {} })) as { projectId: string } // POST invites/:token/accept
  return body.projectId
}
