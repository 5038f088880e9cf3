import { useMutation, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, Link, redirect, useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import * as z from 'zod/mini'
import { AuthCard } from '@/components/ui/AuthCard'
import { Button } from '@/components/ui/Button'
import { Field } from '@/components/ui/Field'
import { optionalText } from '@/lib/search/search'
import { accountKey, accountQuery, signIn } from '@/services/auth'
import { ApiError } from '@/services/http'

const search = z.object({ next: optionalText() })

/** Only a path of this site: `next` stands in links that anybody can write. */
const nextPath = (next: string | undefined) => (next && /^\/(dashboard(?![^/?#])|invite\/[\w-]+$)/.test(next) ? next : '/dashboard')

export const Route = createFileRoute('/login')({
  validateSearch: search,
  beforeLoad: async ({ context, search: { next } }) => {
    if (await context.queryClient.fetchQuery(accountQuery).catch(() => null)) throw redirect({ href: nextPath(next) })
  },
  component: LoginPage,
})

function LoginPage() {
  const { next } = Route.useSearch()
  const router = useRouter()
  const queryClient = useQueryClient()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const login = useMutation({
    mutationFn: () => signIn(email.trim(), password),
    onSuccess: async () => {
      await queryClient.resetQueries({ queryKey: accountKey })
      router.history.push(nextPath(next))
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
