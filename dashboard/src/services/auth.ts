import { queryOptions } from '@tanstack/react-query'
import { createAuthClient } from 'better-auth/client'
import { keep } from '@/lib/preference/preference'
import { sessionRequest } from '@/opening/asked'
import { signedInKey, takeAnswer } from '@/opening/opening'
import { ApiError, request } from './http'

/** The official client, against this page's own origin. */
export const authClient = createAuthClient({
  baseURL: location.origin,
  fetchOptions: { customFetchImpl: (input, init) => (String(input).endsWith(sessionRequest.path) ? takeAnswer(sessionRequest) : undefined) ?? fetch(input, init) },
})

/** Keeps whether somebody is signed in, for the next time that a page is opened. */
const keepSignedIn = (is: boolean) => keep(signedInKey, is ? '1' : null)

export interface Account {
  id: string
  name: string
  email: string
}

export interface Device {
  token: string
  createdAt: Date
  expiresAt: Date
  userAgent: string | null
  ipAddress: string | null
  current: boolean
}

interface Refusal {
  status: number
  message?: string | undefined
}

/** The client returns its errors; here they are thrown, as those of every other service. */
function refused(error: Refusal): ApiError {
  return new ApiError(error.status, error.message || (error.status === 0 ? 'Pulse does not answer' : `Unexpected answer (${error.status})`))
}

export const accountKey = ['account'] as const

/** Who is signed in; null for nobody. */
export const accountQuery = queryOptions({
  queryKey: accountKey,
  staleTime: 60_000,
  queryFn: async (): Promise<Account | null> => {
    const { data, error } = await authClient.getSession()
    if (error) throw refused(error)
    keepSignedIn(data !== null)
    return data ? { id: data.user.id, name: data.user.name, email: data.user.email } : null
  },
})

export const devicesQuery = queryOptions({
  queryKey: [...accountKey, 'devices'],
  queryFn: async (): Promise<Device[]> => {
    const [sessions, own] = await Promise.all([authClient.listSessions(), authClient.getSession()])
    if (sessions.error) throw refused(sessions.error)
    return sessions.data.map((s) => ({
      token: s.token,
      createdAt: new Date(s.createdAt),
      expiresAt: new Date(s.expiresAt),
      userAgent: s.userAgent ?? null,
      ipAddress: s.ipAddress ?? null,
      current: s.token === own.data?.session.token,
    }))
  },
})

export async function signIn(email: string, password: string): Promise<void> {
  const { error } = await authClient.signIn.email({ email, password })
  if (error) throw refused(error)
}

export async function signOut(): Promise<void> {
  const { error } = await authClient.signOut()
  if (error) throw refused(error)
  keepSignedIn(false)
}

export interface SignUp {
  name: string
  email: string
  password: string
  projectName: string
}

/** Creates the account and its first project; the answer signs nobody in. */
export async function signUp(values: SignUp): Promise<void> {
  await request('/dashboard/api/signup', { method: 'POST', body: values })
}

export async function rename(name: string): Promise<void> {
  const { error } = await authClient.updateUser({ name })
  if (error) throw refused(error)
}

export async function changePassword(currentPassword: string, newPassword: string): Promise<void> {
  const { error } = await authClient.changePassword({ currentPassword, newPassword, revokeOtherSessions: true })
  if (error) throw refused(error)
}

export async function revokeDevice(token: string): Promise<void> {
  const { error } = await authClient.revokeSession({ token })
  if (error) throw refused(error)
}
