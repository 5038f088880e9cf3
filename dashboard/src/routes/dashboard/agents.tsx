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
import { optionalText } from '@/lib/search/search'
import { sessionSorts } from '@/lib/sort/sort'
import { sessionsQuery } from '@/services/sessions'

export const Route = createFileRoute('/dashboard/agents')({
  validateSearch: z.object({ sort: z.catch(z.optional(z.enum(sessionSorts)), undefined), source: optionalText() }),
  component: AgentsPage,
})

const sources = [
  ['claude_code', 'Claude Code'],
  ['codex', 'Codex'],
  ['openclaw', 'OpenClaw'],
  ['opencode', 'OpenCode'],
] as const

function AgentsPage() {
  const { sort = 'recent', source } = Route.useSearch()
  const project = useProject()
  const { range } = useRange()
  const [zone] = useZone()
  const now = useNow()
  const navigate = useNavigate()
  const list = useInfiniteQuery(sessionsQuery(project.id, range, sort, source))
  return (
    <>
      <PageHeader title="Agents">
        <RangePicker />
      </PageHeader>
      <Sessions
        folders
        sessions={list.data?.pages.flatMap((page) => page.sessions)}
        total={list.data?.pages[0]?.total ?? 0}
        error={list.error}
        onRetry={() => void list.refetch()}
        sort={sort}
        onSort={(next) => void navigate({ to: '.', search: (old) => ({ ...old, sort: next }) })}
        more={list.hasNextPage ? () => void list.fetchNextPage() : null}
        controls={
          <label className="flex items-center gap-2 text-muted">
            Agent
            <select className="h-7 rounded-control border border-border-strong bg-surface px-1.5" value={source ?? ''} onChange={(event) => void navigate({ to: '.', search: (old) => ({ ...old, source: event.target.value || undefined }) })}>
              <option value="">all</option>
              {sources.map(([id, name]) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        }
        empty="Claude Code, Codex and other coding agents send their sessions by OpenTelemetry; “How to send traces” has their settings."
        now={now}
        zone={zone}
      />
    </>
  )
}
