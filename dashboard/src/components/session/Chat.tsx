import { Link } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef, useState } from 'react'
import { absoluteTime, formatDuration, formatMoney, type Zone } from '@/lib/format/format'
import { gapFrom } from '@/lib/session/ruler'
import { workLine } from '@/lib/session/work'
import { turnChars, type Turn } from '@/services/sessions'
import { Text } from '../conversation/Conversation'
import { cx } from '../ui/classes'
import { TurnWork } from './TurnWork'

interface ChatProps {
  projectId: string
  turns: Turn[]
  /** The turn that is read; it is scrolled to when it changes. */
  at: number
  zone: Zone
  onPick: (index: number) => void
  /** Called when the last turns come into view. */
  onEnd: () => void
}

/** A session as one conversation: what was said, and between it the work as a line. */
export function Chat({ projectId, turns, at, zone, onPick, onEnd }: ChatProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count: turns.length, getScrollElement: () => scroller.current, estimateSize: () => 180, overscan: 6, getItemKey: (i) => turns[i]?.id ?? i })
  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? 0
  useEffect(() => {
    if (last >= turns.length - 5) onEnd()
  }, [last, turns.length, onEnd])
  const shown = useRef(-1)
  useEffect(() => {
    if (at === shown.current) return
    // Only what was asked for moves the page: not the first look at its begin.
    if (shown.current >= 0 || at > 0) virtual.scrollToIndex(at, { align: 'start' })
    shown.current = at
  }, [at, virtual])
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto bg-surface" tabIndex={0} role="region" aria-label="Conversation">
      <ol className="relative" style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const turn = turns[item.index]
          if (!turn) return null
          const before = turns[item.index - 1]
          return (
            <li key={turn.id} ref={virtual.measureElement} data-index={item.index} aria-label={`Turn ${item.index + 1}`} aria-current={item.index === at || undefined} className="absolute inset-x-0" style={{ transform: `translateY(${item.start}px)` }} onPointerDown={() => {
                shown.current = item.index // it stays where it was clicked
                onPick(item.index)
              }}
            >
              <Gap ms={before ? turn.start - before.start - before.durationMs : 0} />
              <TurnView turn={turn} number={item.index + 1} current={item.index === at} projectId={projectId} zone={zone} />
            </li>
          )
        })}
      </ol>
    </div>
  )
}

function Gap({ ms }: { ms: number }) {
  if (ms < gapFrom) return null
  return (
    <p className="flex items-center gap-3 bg-canvas px-3.5 py-1 text-label text-faint">
      <span className="h-px flex-1 bg-border" />
      {formatDuration(ms)} later
      <span className="h-px flex-1 bg-border" />
    </p>
  )
}

const side = 'w-24 flex-none text-label text-faint max-md:w-16'

function TurnView({ turn, number, current, projectId, zone }: { turn: Turn; number: number; current: boolean; projectId: string; zone: Zone }) {
  const [open, setOpen] = useState(false)
  const line = workLine({ spans: turn.spanCount, toolCalls: turn.toolCalls, failedTools: turn.failedTools, worst: turn.failedTools > 0 ? (turn.worst?.name ?? null) : null })
  const time = absoluteTime(new Date(turn.start), zone)
  return (
    <article className={cx('border-b', current && 'shadow-[inset_3px_0_var(--accent)]')}>
      <div className="flex gap-3 px-3.5 pt-2.5">
        <div className={side}>
          <b className="block font-semibold text-muted">user</b>
          <time dateTime={turn.at} title={time}>
            {time.split(' ').at(-1)}
          </time>
        </div>
        <div className="min-w-0 flex-1">{turn.input === null ? <p className="text-faint">nothing was asked in words</p> : <Said text={turn.input} traceId={turn.id} />}</div>
        <span className={cx('flex-none text-label', turn.failed ? 'font-semibold text-error' : 'text-faint')}>
          {turn.failed ? '✕' : '●'} turn {number}
        </span>
      </div>
      <div className="flex gap-3 px-3.5 pb-2.5 pt-1.5">
        <div className={side}>
          <b className="block font-semibold text-muted">assistant</b>
          <span title={turn.ttftMs === null ? undefined : `first token after ${formatDuration(turn.ttftMs)}`}>+{formatDuration(turn.durationMs)}</span>
        </div>
        <div className="min-w-0 flex-1">
          <div className="mb-1 flex min-h-6 flex-wrap items-center gap-x-3 text-muted">
            {line === null ? (
              <span>{turn.model ?? turn.name}</span>
            ) : (
              <button type="button" aria-expanded={open} className={cx('min-h-6 text-left hover:underline', turn.failedTools > 0 && 'text-error')} onClick={() => setOpen(!open)}>
                {open ? '▾' : '▸'} {line}
              </button>
            )}
            <span>{formatMoney(turn.costNanoUsd)}</span>
            <Link to="/dashboard/traces/$traceId" params={{ traceId: turn.id }} search={turn.worst ? { span: turn.worst.spanId } : {}} className="inline-flex min-h-6 items-center text-accent no-underline hover:underline">
              open trace{current ? ' ⏎' : ''}
            </Link>
          </div>
          {open ? <TurnWork projectId={projectId} traceId={turn.id} /> : null}
          {turn.worst && (turn.output === null || turn.failedTools === 0) ? (
            <p dir="auto" className="user-text my-1 rounded-control border border-l-[3px] border-l-error bg-error-bg px-2.5 py-1 text-error">
              ✕ {turn.worst.error ?? `${turn.worst.name ?? 'it'} failed`}
            </p>
          ) : null}
          {turn.output === null ? turn.worst ? null : <p className="text-faint">nothing was answered in words</p> : <Said text={turn.output} traceId={turn.id} />}
        </div>
      </div>
    </article>
  )
}

/** What was said; what did not fit the turn is in its trace. */
function Said({ text, traceId }: { text: string; traceId: string }) {
  return (
    <>
      <Text text={text} quiet={false} />
      {text.length >= turnChars ? (
        <Link to="/dashboard/traces/$traceId" params={{ traceId }} className="text-accent">
          The rest is in the trace
        </Link>
      ) : null}
    </>
  )
}
