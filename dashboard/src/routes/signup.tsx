import { useMutation } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { AuthCard } from '@/components/ui/AuthCard'
import { Button } from '@/components/ui/Button'
import { Field } from '@/components/ui/Field'
import { signedIn } from '@/queryClient'
import { signIn, signUp } from '@/services/auth'
import { faultAt } from '@/services/http'

export const Route = createFileRoute('/signup')({ component: SignUpPage })

const minPassword = 8

const fields = ['name', 'email', 'password', 'projectName'] as const
type FieldName = (typeof fields)[number]

/** Which field an answer speaks of: by name, or by what it says. */
function fieldOf(error: Error): FieldName | null {
  const { message } = error
  const named = fields.find((field) => faultAt(error, field) !== undefined)
  if (named) return named
  if (/password/i.test(message)) return 'password'
  if (/email|already exists/i.test(message)) return 'email'
  return null
}

function SignUpPage() {
  const navigate = useNavigate()
  const form = useRef<HTMLFormElement>(null)
  const [values, setValues] = useState({ name: '', email: '', password: '', projectName: 'My project' })
  const [invalid, setInvalid] = useState<{ field: FieldName | null; message: string } | null>(null)
  const join = useMutation({
    mutationFn: async () => {
      await signUp(values)
      await signIn(values.email.trim(), values.password)
    },
    onSuccess: async () => {
      await signedIn()
      await navigate({ to: '/dashboard/start', search: { fresh: '1' } })
    },
    onError: (error) => refuse(fieldOf(error), error.message),
  })
  function refuse(field: FieldName | null, message: string) {
    setInvalid({ field, message })
    if (field) form.current?.querySelector<HTMLInputElement>(`[name=${field}]`)?.focus()
  }
  const field = (name: FieldName) => ({
    name,
    value: values[name],
    error: invalid?.field === name ? invalid.message : undefined,
    onChange: (event: { target: { value: string } }) => setValues({ ...values, [name]: event.target.value }),
  })
  return (
    <AuthCard
      title="Create your account"
      foot={
        <>
          Have one already?{' '}
          <Link to="/login" className="text-accent underline">
            Sign in
          </Link>
        </>
      }
    >
      <form
        ref={form}
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          if (values.password.length < minPassword) return refuse('password', `The password needs at least ${minPassword} characters`)
          setInvalid(null)
          join.mutate()
        }}
      >
        <Field label="Name" autoComplete="name" required autoFocus {...field('name')} />
        <Field label="E-mail" type="email" autoComplete="username" required {...field('email')} />
        <Field label="Password" type="password" autoComplete="new-password" required hint={`At least ${minPassword} characters`} {...field('password')} />
        <Field label="Project" required hint="What you send is kept in projects; you can have more later" {...field('projectName')} />
        {invalid && !invalid.field ? (
          <p role="alert" className="text-error">
            {invalid.message}
          </p>
        ) : null}
        <Button type="submit" look="primary" busy={join.isPending} className="mt-1">
          Create account
        </Button>
      </form>
    </AuthCard>
  )
}
