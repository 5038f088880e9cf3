import { useMutation } from '@tanstack/react-query'
import { createFileRoute, Link, redirect, useLocation, useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import * as z from 'zod/mini'
import { AuthCard } from '@/components/ui/AuthCard'
import { Button } from '@/components/ui/Button'
import { Field } from '@/components/ui/Field'
import { optionalText } from '@/lib/search/search'
import { signedIn } from '@/queryClient'
import { accountQuery, signIn } from '@/services/auth'
import { ApiError } from '@/services/http'

const search = z.object({ next: optionalText() })

/** Only a path of this site: `next` stands in links that anybody can write. What stood behind its # comes along behind the own one, which reaches no log. */
const nextPath = (next: string | undefined, hash: string) => (next && /^\/(dashboard(?![^/?#])|invite\/[\w-]+$)/.test(next) ? next : '/dashboard') + (hash ? `#${hash}` : '')

export const Route = createFileRoute('/login')({
  validateSearch: search,
  beforeLoad: async ({ context, location, search: { next } }) => {
    if (await context.queryClient.fetchQuery(accountQuery).catch(() => null)) throw redirect({ href: nextPath(next, location.hash) })
  },
  component: LoginPage,
})

function LoginPage() {
  const { next } = Route.useSearch()
  const hash = useLocation({ select: (location) => location.hash })
  const router = useRouter()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const login = useMutation({
    mutationFn: () => signIn(email.trim(), password),
    onSuccess: async () => {
      await signedIn()
      router.history.push(nextPath(next, hash))
    },
  })
  return (
    <AuthCard
      title="Sign in"
      foot={
        <>
          No account yet?{' '}
          <Link to="/signup" className="text-accent underline">
            Create one
          </Link>
        </>
      }
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          login.mutate()
        }}
      >
        <Field label="E-mail" type="email" name="email" autoComplete="username" required autoFocus value={email} onChange={(e) => setEmail(e.target.value)} />
        <Field label="Password" type="password" name="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} error={login.error ? message(login.error) : undefined} />
        <Button type="submit" look="primary" busy={login.isPending} className="mt-1">
          Sign in
        </Button>
      </form>
    </AuthCard>
  )
}

function message(error: Error): string {
  if (error instanceof ApiError && error.status === 429) return 'Too many tries. Wait a minute and try again.'
  return error.message
}
