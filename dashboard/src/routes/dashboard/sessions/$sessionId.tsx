import { useInfiniteQuery } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useMemo, useRef } from 'react'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { AgentTimeline } from '@/components/session/AgentTimeline'
import { Chat } from '@/components/session/Chat'
import { Ruler } from '@/components/session/Ruler'
import { TurnTable } from '@/components/session/TurnTable'
import { Facts } from '@/components/trace/Facts'
import { Copy, copyText } from '@/components/ui/Copy'
import { Kbd } from '@/components/ui/Kbd'
import { cx } from '@/components/ui/classes'
import { Elsewhere } from '@/components/ui/state/Elsewhere'
import { Empty } from '@/components/ui/state/Empty'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { RestFailed } from '@/components/ui/state/RestFailed'
import { toast } from '@/components/ui/Toasts'
import { useKeys } from '@/hooks/useKeys'
import { useNextPage } from '@/hooks/useNextPage'
import { useProject } from '@/hooks/useProject'
import { useZone } from '@/hooks/useZone'
import { absoluteTime, formatCount, formatDuration, formatMoney, type Zone } from '@/lib/format/format'
import { agentParts, oneOf, sessionTabs } from '@/lib/search/names'
import { optionalText } from '@/lib/search/search'
import { agentRows, type AgentPart } from '@/lib/session/agent'
import { rulerOf } from '@/lib/session/ruler'
import { visible } from '@/lib/text/visible'
import { milliseconds } from '@/lib/time/exact'
import { ApiError } from '@/services/http'
import { sessionSpansQuery, turnsQuery, type Session, type Turn } from '@/services/sessions'

type Tab = (typeof sessionTabs)[number]
const tabs: Record<Tab, string> = { chat: 'Conversation', agent: 'Agent timeline', table: 'Table' }

export const Route = createFileRoute('/dashboard/sessions/$sessionId')({
  validateSearch: z.object({ turn: optionalText(), at: optionalText(), tab: optionalText(), only: optionalText() }),
  component: SessionPage,
})

// The ruler shows all turns, so they are read on up to here by themselves; more come with scrolling.
const readBySelf = 2_000

/** Which turn a moment is in: the last that had begun. */
function turnAt(turns: Turn[], time: number | null): number {
  return time === null ? 0 : Math.max(turns.findLastIndex((turn) => turn.start <= time), 0)
}

function SessionPage() {
  const { sessionId } = Route.useParams()
  const search = Route.useSearch()
  const { turn, at } = search
  const asked = oneOf(sessionTabs, search.tab)
  const only = oneOf(agentParts, search.only)
  const project = useProject()
  const zone = useZone()
  const navigate = useNavigate()
  const list = useInfiniteQuery(turnsQuery(project.id, sessionId))
  const turns = useMemo(() => list.data?.pages.flatMap((page) => page.turns) ?? [], [list.data])
  const { next: onEnd, failed: rest } = useNextPage(list)
  useEffect(() => {
    if (turns.length < readBySelf) onEnd()
  }, [turns.length, onEnd])

  const layout = useMemo(() => rulerOf(turns.map((t) => ({ start: t.start, end: t.start + t.durationMs }))), [turns])
  // What a coding agent did is in its timeline; its hooks tell little of what was said.
  const whole = list.data?.pages[0]?.session
  const tab = asked ?? (whole && whole.sources.length > 0 && !whole.sources.includes('sdk') ? 'agent' : 'chat')
  // Links of before named the turn.
  const moment = at ? milliseconds(at) : (turns.find((t) => t.id === turn)?.start ?? null)
  const playhead = moment === null || Number.isNaN(moment) ? null : moment
  const current = turnAt(turns, playhead)
  const set = (values: Record<string, string | undefined>) => void navigate({ to: '.', search: (old) => ({ ...old, ...values }), replace: true })
  const go = (index: number) => {
    const target = turns[index]
    if (target) set({ at: target.at, turn: undefined })
  }
  // Keys come faster than the URL follows, and none is lost.
  const here = useRef(current)
  useEffect(() => {
    here.current = current
  }, [current])
  const step = (by: number) => {
    const from = turns[here.current]?.start ?? 0
    const next = by > 0 ? turns.findIndex((t) => t.start > from) : turns.findLastIndex((t) => t.start < from)
    if (next < 0) return
    here.current = next
    go(next)
  }
  const open = turns[current]
  useKeys({
    n: () => step(1), p: () => step(-1), j: () => step(1), k: () => step(-1),
    v: () => set({ tab: sessionTabs[(sessionTabs.indexOf(tab) + 1) % sessionTabs.length], only: undefined }),
    y: () => void copyText(location.href).then(() => toast('Link copied')),
    Enter: () => open && void navigate({ to: '/dashboard/traces/$traceId', params: { traceId: open.id }, search: open.worst ? { span: open.worst.spanId } : {} }),
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
  const page = list.data?.pages[0]
  const failed = (page?.session.errors ?? 0) > 0 || turns.some((t) => t.failed)
  return (
    <>
      <PageHeader
        title={
          <>
            <Link to="/dashboard/sessions" className="inline-flex min-h-6 items-center text-muted no-underline hover:underline">
              Sessions
            </Link>
            <span className="text-faint">/</span>
            <span dir="auto" className="user-text truncate">
              {visible(sessionId)}
            </span>
            <span className={cx('flex-none font-normal', failed ? 'text-error' : 'text-faint')}>{failed ? '✕ with errors' : '● ok'}</span>
          </>
        }
      >
        <Copy text={sessionId} label="Copy session id" quiet />
        <div role="group" aria-label="View" className="flex items-center gap-1">
          {sessionTabs.map((id) => (
            <button key={id} type="button" aria-pressed={tab === id} className={cx('min-h-7 rounded-control px-2', tab === id ? 'bg-select font-semibold' : 'text-muted hover:bg-sunken')} onClick={() => set({ tab: id, only: undefined })}>
              {tabs[id]}
            </button>
          ))}
          <span className="max-md:hidden">
            <Kbd>v</Kbd>
          </span>
        </div>
      </PageHeader>
      {page ? <SessionFacts session={page.session} turns={turns} total={page.total} activeMs={layout.activeMs} wholeMs={layout.wholeMs} partial={turns.length < page.total} zone={zone} /> : null}
      <Ruler turns={turns} layout={layout} at={current} playhead={playhead} zone={zone} onMove={(time) => set({ at: new Date(Math.round(time)).toISOString(), turn: undefined })} onStep={step} />
      {page && turns.length < page.total ? (
        <p role="status" className="flex-none border-b bg-canvas px-3.5 py-1 text-label text-faint">
          {formatCount(turns.length)} of {formatCount(page.total)} turns are shown{list.isFetchingNextPage ? ', more are on their way' : rest ? '' : '; the rest comes with scrolling'}
        </p>
      ) : null}
      <Content tab={tab} only={only} turns={turns} current={current} onPick={go} onEnd={onEnd} onPart={(part) => set({ only: part })} sessionId={sessionId} folder={whole?.folder ?? null} zone={zone} />
      <RestFailed failed={rest} what="Further turns" />
    </>
  )
}

/** The larger of two sums of the same: spans may not name their session, and turns may not count what spans tell. */
const larger = (a: number | null, b: number | null) => (a === null && b === null ? null : Math.max(a ?? 0, b ?? 0))
const sum = (values: (number | null)[]) => values.reduce<number | null>((all, v) => (v === null ? all : (all ?? 0) + v), null)

function SessionFacts({ session, turns, total, activeMs, wholeMs, partial, zone }: { session: Session; turns: Turn[]; total: number; activeMs: number; wholeMs: number; partial: boolean; zone: Zone }) {
  const more = partial ? '+' : ''
  const failed = turns.filter((t) => t.failed).length
  const cost = larger(session.costNanoUsd === null ? null : Number(session.costNanoUsd), sum(turns.map((t) => (t.costNanoUsd === null ? null : Number(t.costNanoUsd)))))
  const tokens = larger(session.tokens, sum(turns.map((t) => t.tokens)))
  const tools = Math.max(session.toolCalls, sum(turns.map((t) => t.toolCalls)) ?? 0)
  return (
    <Facts
      facts={[
        { value: `${formatCount(failed)}${more}`, label: failed === 1 ? 'turn with errors' : 'turns with errors', bad: failed > 0 },
        { value: formatCount(total), label: total === 1 ? 'turn' : 'turns' },
        { value: `${formatDuration(activeMs)}${more}`, label: `active of ${formatDuration(partial ? session.durationMs : wholeMs)}` },
        { value: `${formatMoney(cost)}${more}`, label: 'cost' },
        { value: `${formatCount(tokens)}${more}`, label: 'tokens' },
        { value: `${formatCount(tools)}${more}`, label: tools === 1 ? 'tool call' : 'tool calls' },
        ...(session.files > 0 ? [{ value: formatCount(session.files), label: session.files === 1 ? 'file edited' : 'files edited' }] : []),
        { value: absoluteTime(session.first, zone), label: 'begun' },
        ...(session.folder ? [{ value: visible(session.folder), label: 'folder' }] : []),
      ]}
    />
  )
}

interface ContentProps {
  tab: Tab
  only: AgentPart | undefined
  turns: Turn[]
  current: number
  onPick: (index: number) => void
  onEnd: () => void
  onPart: (part: string | undefined) => void
  sessionId: string
  folder: string | null
  zone: Zone
}

function Content({ tab, only, turns, current, onPick, onEnd, onPart, sessionId, folder, zone }: ContentProps) {
  const project = useProject()
  const spans = useInfiniteQuery({ ...sessionSpansQuery(project.id, sessionId), enabled: tab === 'agent' })
  const rows = useMemo(() => agentRows(spans.data?.pages.flatMap((page) => page.spans) ?? []), [spans.data])
  const { next: moreSpans, failed: rest } = useNextPage(spans)
  if (tab === 'chat') return <Chat projectId={project.id} turns={turns} at={current} zone={zone} onPick={onPick} onEnd={onEnd} />
  if (tab === 'table') return <TurnTable turns={turns} at={current} zone={zone} onPick={onPick} onEnd={onEnd} />
  if (spans.error instanceof ApiError && spans.error.status === 404) return <Empty title="No agent worked here">This session is model calls alone: the conversation and the table have all of it.</Empty>
  if (spans.error && rows.length === 0) return <ErrorState error={spans.error} what="The agent's work" onRetry={() => void spans.refetch()} />
  if (spans.isPending) return <Loading rows={12} label="Loading the agent's work" />
  return (
    <>
      <AgentTimeline rows={rows} part={only} onPart={onPart} folder={folder} partial={spans.hasNextPage} zone={zone} onEnd={moreSpans} />
      <RestFailed failed={rest} what="More of the agent's work" />
    </>
  )
}
