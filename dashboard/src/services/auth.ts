import { queryOptions } from '@tanstack/react-query'
import { keep } from '@/lib/preference/preference'
import { sessionRequest } from '@/opening/asked'
import { signedInKey } from '@/opening/opening'
import { ApiError, request } from './http'

const loadClient = async () => {
  try {
    return (await import('better-auth/client')).createAuthClient({ baseURL: location.origin })
  } catch {
    client = undefined // to be tried again
    throw new ApiError(0, 'Pulse does not answer')
  }
}

let client: ReturnType<typeof loadClient> | undefined

/** The official client, against this page's own origin: for what people do, since no page needs it to be shown. */
const authClient = () => (client ??= loadClient())

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
    const session = (await request(sessionRequest.path)) as { user: Account } | null
    keepSignedIn(session !== null)
    if (!session) void authClient().catch(() => null) // which comes next is to sign in
    return session && { id: session.user.id, name: session.user.name, email: session.user.email }
  },
})

export const devicesQuery = queryOptions({
  queryKey: [...accountKey, 'devices'],
  queryFn: async (): Promise<Device[]> => {
    const { listSessions, getSession } = await authClient()
    const [sessions, own] = await Promise.all([listSessions(), getSession()])
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
  const { error } = await (await authClient()).signIn.email({ email, password })
  if (error) throw refused(error)
}

export async function signOut(): Promise<void> {
  const { error } = await (await authClient()).signOut()
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
  const { error } = await (await authClient()).updateUser({ name })
  if (error) throw refused(error)
}

export async function changePassword(currentPassword: string, newPassword: string): Promise<void> {
  const { error } = await (await authClient()).changePassword({ currentPassword, newPassword, revokeOtherSessions: true })
  if (error) throw refused(error)
}

export async function revokeDevice(token: string): Promise<void> {
  const { error } = await (await authClient()).revokeSession({ token })
  if (error) throw refused(error)
}
