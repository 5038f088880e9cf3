import { queryOptions } from '@tanstack/react-query'
import { request } from './http'
import type { Role } from './projects'

interface MemberFromAPI {
  userId: string
  name: string
  email: string
  role: Role
  createdAt: string
}

export interface Member {
  userId: string
  name: string
  email: string
  role: Role
  since: Date
}

const apiMemberToMember = (m: MemberFromAPI): Member => ({ userId: m.userId, name: m.name, email: m.email, role: m.role, since: new Date(m.createdAt) })

export const membersKey = (project: string) => ['members', project] as const

export const membersQuery = (project: string) =>
  queryOptions({
    queryKey: membersKey(project),
    queryFn: async ({ signal }): Promise<Member[]> => {
      const body = (await request('/dashboard/api/users', { project, signal })) as { users: MemberFromAPI[] } // GET users
      return body.users.map(apiMemberToMember)
    },
  })

export interface NewMember {
  email: string
  role: Role
  /** Both are needed where nobody has an account with the address yet. */
  name?: string
  password?: string
}

export async function addMember(project: string, member: NewMember): Promise<Member> {
  const body = (await request('/dashboard/api/users', { method: 'POST', project, body: member })) as { user: MemberFromAPI } // POST users
  return apiMemberToMember(body.user)
}

export async function setRole(project: string, userId: string, role: Role): Promise<void> {
  await request(`/dashboard/api/users/${encodeURIComponent(userId)}`, { method: 'PATCH', project, body: { role } }) // PATCH users/:id
}

/** Removes a member; one's own id leaves the project. */
export async function removeMember(project: string, userId: string): Promise<void> {
  await request(`/dashboard/api/users/${encodeURIComponent(userId)}`, { method: 'DELETE', project }) // DELETE users/:id
}
