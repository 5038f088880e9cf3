import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { Sessions } from '@/components/session/Sessions'
import { PageViews } from '@/components/views/PageViews'
import { useSessions } from '@/hooks/useSessions'
import { optionalText } from '@/lib/search/search'
import { sessionSorts } from '@/lib/sort/sort'

export const Route = createFileRoute('/dashboard/sessions/')({
  validateSearch: z.object({ q: optionalText(), sort: z.catch(z.optional(z.enum(sessionSorts)), undefined) }),
  component: SessionsPage,
})

function SessionsPage() {
  const { q = '', sort } = Route.useSearch()
  const { list, set } = useSessions(q, sort)
  return (
    <>
      <PageHeader title="Sessions">
        <PageViews page="sessions" />
        <RangePicker />
      </PageHeader>
      <Sessions
        {...list}
        onMonth={() => set({ from: '-30d', to: undefined })}
        empty="A session is what traces with the same session id add up to: a chat, a run of an agent, a day of work. Send one with your traces, and they are read as one conversation."
      />
    </>
  )
}
