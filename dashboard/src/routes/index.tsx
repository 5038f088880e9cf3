import { createFileRoute, redirect } from '@tanstack/react-router'
import { accountQuery } from '@/services/auth'

export const Route = createFileRoute('/')({
  beforeLoad: async ({ context }) => {
    const account = await context.queryClient.fetchQuery(accountQuery)
    throw redirect(account ? { to: '/dashboard' } : { to: '/login' })
  },
})
