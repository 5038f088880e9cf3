import { useInfiniteQuery } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { Facts } from '@/components/trace/Facts'
import { Conversation } from '@/components/conversation/Conversation'
import { buttonClass, Button } from '@/components/ui/Button'
import { Copy } from '@/components/ui/Copy'
import { cx } from '@/components/ui/classes'
import { Elsewhere } from '@/components/ui/state/Elsewhere'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { useKeys } from '@/hooks/useKeys'
import { useProject } from '@/hooks/useProject'
import { useZone } from '@/hooks/useZone'
import { absoluteTime, formatCount, formatDuration, formatMoney } from '@/lib/format/format'
import { messagesOf, messagesOfRequest, type Message } from '@/lib/messages/messages'
import { optionalText } from '@/lib/search/search'
import { ApiError } from '@/services/http'
import { turnsQuery, type Turn } from '@/services/traces'

export const Route = createFileRoute('/dashboard/sessions/$sessionId')({
  validateSearch: z.object({ turn: optionalText() }),
  component: SessionPage,
})

const gapFrom = 10 * 60_000 // ms of silence that are said

function SessionPage() {
  const { sessionId } = Route.useParams()
  const { turn } = Route.useSearch()
  const project = useProject()
  const [zone] = useZone()
  const navigate = useNavigate()
  const list = useInfiniteQuery(turnsQuery(project.id, sessionId))
  const turns = useMemo(() => list.data?.pages.flatMap((page) => page.turns) ?? [], [list.data])
  const at = turns.findIndex((t) => t.id === turn)
  const go = (index: number) => {
    const target = turns[Math.min(Math.max(index, 0), turns.length - 1)]
    if (!target) return
    void navigate({ to: '.', search: (old) => ({ ...old, turn: target.id }), replace: true })
    document.getElementById(`turn-${target.id}`)?.scrollIntoView({ block: 'start' })
  }
  useKeys({
    n: () => go(at + 1), p: () => go(at - 1), j: () => go(at + 1), k: () => go(at - 1),
    Enter: () => turns[at] && void navigate({ to: '/dashboard/traces/$traceId', params: { traceId: turns[at].id } }),
  })

  if (list.isPending) return <Loading rows={16} label="Loading the session" />
  if (list.error && turns.length === 0) {
    if (list.error instanceof ApiError && list.error.status === 404) {
      return (
        <Elsewhere id={sessionId} what="session">
          <Link to="/dashboard/sessions" className="text-accent underline">
            All sessions
          </Link>
        </Elsewhere>
      )
    }
    return <ErrorState error={list.error} what="The session" onRetry={() => void list.refetch()} />
  }
  const first = turns[0]
  const last = turns.at(-1)
  const failed = turns.filter((t) => t.failed).length
  const cost = turns.reduce<number | null>((sum, t) => (t.costNanoUsd === null ? sum : (sum ?? 0) + t.costNanoUsd), null)
  const more = list.hasNextPage ? '+' : ''
  const span = first && last ? last.start.getTime() + (last.durationMs ?? 0) - first.start.getTime() : 0
  return (
    <>
      <PageHeader
        title={
          <>
            <Link to="/dashboard/sessions" className="text-muted no-underline hover:underline">
              Sessions
            </Link>
            <span className="text-faint">/</span>
            <span dir="auto" className="user-text truncate">
              {sessionId}
            </span>
          </>
        }
      >
        <Copy text={sessionId} label="Copy session id" quiet />
      </PageHeader>
      <Facts
        facts={[
          { value: `${formatCount(turns.length)}${more}`, label: 'turns' },
          { value: formatDuration(span), label: 'from begin to end' },
          { value: formatMoney(cost), label: 'cost' },
          { value: formatCount(turns.reduce((sum, t) => sum + (t.tokens ?? 0), 0)), label: 'tokens' },
          { value: formatCount(failed), label: failed === 1 ? 'failed turn' : 'failed turns', bad: failed > 0 },
          ...(first ? [{ value: absoluteTime(first.start, zone), label: 'begun' }] : []),
        ]}
      />
      <div className="min-h-0 flex-1 overflow-y-auto bg-surface">
        {turns.map((t, i) => {
          const before = turns[i - 1]
          const gap = before ? t.start.getTime() - before.start.getTime() - (before.durationMs ?? 0) : 0
          return (
            <section key={t.id} id={`turn-${t.id}`} aria-label={`Turn ${i + 1}`} className={cx('border-b', i === at && 'shadow-[inset_2px_0_var(--accent)]')}>
              {gap > gapFrom ? <p className="border-b bg-canvas py-1 text-center text-label text-faint">{formatDuration(gap)} later</p> : null}
              <div className={cx('flex flex-wrap items-center gap-x-3 bg-sunken px-3.5 py-1 text-label text-faint', t.failed && 'text-error')}>
                <span className="font-semibold">
                  {t.failed ? '✕ ' : ''}turn {i + 1}
                </span>
                <span>{absoluteTime(t.start, zone)}</span>
                {t.durationMs === null ? null : <span>{formatDuration(t.durationMs)}</span>}
                {t.toolCalls > 0 ? <span>{formatCount(t.toolCalls)} tool calls</span> : null}
                <span>{formatMoney(t.costNanoUsd)}</span>
                {t.model ? <span>{t.model}</span> : null}
                <Link to="/dashboard/traces/$traceId" params={{ traceId: t.id }} className={buttonClass('quiet', 'ml-auto !min-h-6')}>
                  open the trace
                </Link>
              </div>
              <Conversation messages={saidIn(t)} />
            </section>
          )
        })}
        {list.hasNextPage ? (
          <div className="p-3 text-center">
            <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              Show more turns
            </Button>
          </div>
        ) : null}
      </div>
    </>
  )
}

/** What a turn added: the last thing asked, and what was answered. What was said before stands in the turns above. */
function saidIn(turn: Turn): Message[] {
  const asked = turn.input !== null ? messagesOf(turn.input) : messagesOfRequest(turn.request)
  const answered = turn.output !== null ? messagesOf(turn.output, 'assistant') : turn.outputText ? messagesOf(turn.outputText, 'assistant') : []
  const question = asked.findLast((m) => m.role === 'user') ?? asked.at(-1)
  return [...(question ? [question] : []), ...answered]
}
