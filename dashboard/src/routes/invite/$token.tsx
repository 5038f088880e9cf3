import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { AuthCard } from '@/components/ui/AuthCard'
import { Button } from '@/components/ui/Button'
import { Field } from '@/components/ui/Field'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { useZone } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { signedIn } from '@/queryClient'
import { accountQuery, signIn } from '@/services/auth'
import { ApiError, faultAt, faultBeside } from '@/services/http'
import { acceptInvite, invitationQuery, type NewAccount } from '@/services/invites'
import { projectsKey } from '@/services/projects'

export const Route = createFileRoute('/invite/$token')({ component: InvitePage })

const minPassword = 8

function InvitePage() {
  const { token } = Route.useParams()
  const zone = useZone()
  const account = useQuery(accountQuery)
  const invitation = useQuery(invitationQuery(token))
  const home = (
    <Link to="/dashboard" className="text-accent underline">
      To the dashboard
    </Link>
  )
  if (invitation.error instanceof ApiError && invitation.error.status === 404) {
    return (
      <AuthCard title="This invite does not count" foot={home}>
        <p>It is unknown, has ended, was revoked or used. Ask whoever sent it for a new one.</p>
      </AuthCard>
    )
  }
  const failed = invitation.error ?? account.error
  if (failed) {
    return (
      <AuthCard title="Invite" foot={home}>
        <ErrorState error={failed} what="The invite" onRetry={() => void Promise.all([invitation.refetch(), account.refetch()])} />
      </AuthCard>
    )
  }
  if (!invitation.data || account.isPending) {
    return (
      <AuthCard title="Invite" foot={home}>
        <Loading rows={3} />
      </AuthCard>
    )
  }
  const { projectName, role, expiresAt } = invitation.data
  return (
    <AuthCard
      title={`Join ${projectName}`}
      foot={
        account.data ? (
          home
        ) : (
          <>
            Have an account?{' '}
            <Link to="/login" search={{ next: `/invite/${token}` }} className="text-accent underline">
              Sign in
            </Link>
          </>
        )
      }
    >
      <p className="mb-3 text-muted">
        As {role === 'admin' ? 'an administrator: keys and members too' : 'a member, who reads everything'}. The invite counts until {absoluteTime(expiresAt, zone)}.
      </p>
      {account.data ? <Accept token={token} email={account.data.email} /> : <Join token={token} />}
    </AuthCard>
  )
}

function useJoined() {
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  return async (projectId: string) => {
    await signedIn()
    await queryClient.invalidateQueries({ queryKey: projectsKey, refetchType: 'all' })
    await navigate({ to: '/dashboard', search: { p: projectId } })
  }
}

function Accept({ token, email }: { token: string; email: string }) {
  const accept = useMutation({ mutationFn: () => acceptInvite(token), onSuccess: useJoined() })
  return (
    <>
      <Button look="primary" className="w-full" busy={accept.isPending} onClick={() => accept.mutate()}>
        Join as {email}
      </Button>
      {accept.error ? (
        <p role="alert" className="mt-2 text-error">
          {accept.error.message}
        </p>
      ) : null}
    </>
  )
}

function Join({ token }: { token: string }) {
  const [values, setValues] = useState<NewAccount>({ name: '', email: '', password: '' })
  const join = useMutation({
    mutationFn: async () => {
      const account = { ...values, email: values.email.trim() }
      const projectId = await acceptInvite(token, account)
      await signIn(account.email, account.password)
      return projectId
    },
    onSuccess: useJoined(),
  })
  const refused = faultBeside(join.error, 'name', 'email', 'password')
  const field = (name: keyof NewAccount) => ({ name, value: values[name], error: faultAt(join.error, name), onChange: (event: { target: { value: string } }) => setValues({ ...values, [name]: event.target.value }) })
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        join.mutate()
      }}
    >
      <Field label="Name" autoComplete="name" required autoFocus {...field('name')} />
      <Field label="E-mail" type="email" autoComplete="username" required {...field('email')} />
      <Field label="Password" type="password" autoComplete="new-password" required minLength={minPassword} hint={`At least ${minPassword} characters`} {...field('password')} />
      {refused ? (
        <p role="alert" className="text-error">
          {refused}
        </p>
      ) : null}
      <Button type="submit" look="primary" busy={join.isPending} className="mt-1">
        Create account and join
      </Button>
    </form>
  )
}
