import { useInfiniteQuery } from '@tanstack/react-query'
import { createFileRoute, useNavigate } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { Sessions } from '@/components/session/Sessions'
import { useNow } from '@/hooks/useNow'
import { useProject } from '@/hooks/useProject'
import { useRange } from '@/hooks/useRange'
import { useZone } from '@/hooks/useZone'
import { sessionSorts } from '@/lib/sort/sort'
import { sessionsQuery } from '@/services/sessions'

export const Route = createFileRoute('/dashboard/sessions/')({
  validateSearch: z.object({ sort: z.catch(z.optional(z.enum(sessionSorts)), undefined) }),
  component: SessionsPage,
})

function SessionsPage() {
  const { sort = 'recent' } = Route.useSearch()
  const project = useProject()
  const { range } = useRange()
  const [zone] = useZone()
  const now = useNow()
  const navigate = useNavigate()
  const list = useInfiniteQuery(sessionsQuery(project.id, range, sort))
  return (
    <>
      <PageHeader title="Sessions">
        <RangePicker />
      </PageHeader>
      <Sessions
        sessions={list.data?.pages.flatMap((page) => page.sessions)}
        total={list.data?.pages[0]?.total ?? 0}
        error={list.error}
        onRetry={() => void list.refetch()}
        sort={sort}
        onSort={(next) => void navigate({ to: '.', search: (old) => ({ ...old, sort: next }) })}
        more={list.hasNextPage ? () => void list.fetchNextPage() : null}
        empty="A session is what traces with the same session id add up to: a chat, a run of an agent, a day of work. Send one with your traces, and they are read as one conversation."
        now={now}
        zone={zone}
      />
    </>
  )
}
