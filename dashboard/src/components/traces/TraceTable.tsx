import { Link } from '@tanstack/react-router'
import type { CSSProperties } from 'react'
import { useRows } from '@/hooks/useRows'
import { absoluteTime, formatCount, formatDuration, formatMoney, relativeTime, type Zone } from '@/lib/format/format'
import type { TraceSort } from '@/lib/sort/sort'
import { visible } from '@/lib/text/visible'
import type { Trace } from '@/services/traces'
import { cx } from '../ui/classes'

interface TraceTableProps {
  traces: Trace[]
  /** Of moreColumns; where there is room. */
  more: readonly MoreColumn[]
  now: Date
  zone: Zone
  sort: TraceSort
  onSort: (sort: TraceSort) => void
  active: number
  onActive: (index: number) => void
  selected: ReadonlySet<string>
  /** A row was chosen, or is no longer; with range all from the one before on. */
  onSelect: (index: number, range: boolean) => void
  /** Called when the last rows come into view. */
  onEnd: () => void
}

/** Columns that somebody may want beside those that are always there, and what is in them. */
export const moreColumns = {
  model: (trace: Trace) => trace.model,
  user: (trace: Trace) => trace.userId,
  session: (trace: Trace) => trace.sessionId,
  env: (trace: Trace) => trace.environment,
  service: (trace: Trace) => trace.services.join(', '),
  tag: (trace: Trace) => trace.tags.join(', '),
}
export type MoreColumn = keyof typeof moreColumns
export const mostMoreColumns = 4

// By the room of the table, not of the window: a pane may stand beside it.
const columns = 'grid-cols-[20px_92px_minmax(100px,1fr)_minmax(100px,1.7fr)_var(--more,)_84px_76px_68px_84px] @max-5xl:grid-cols-[20px_92px_minmax(100px,1fr)_minmax(100px,1.7fr)_84px_76px_68px_84px] @max-3xl:grid-cols-[20px_88px_minmax(80px,1.1fr)_minmax(80px,1fr)_76px_76px] @max-md:grid-cols-[20px_88px_minmax(80px,1fr)_72px]'

/** Traces in rows: what failed is marked, numbers stand right, with a thin bar behind what is slow or dear. */
export function TraceTable({ traces, more, now, zone, sort, onSort, active, onActive, selected, onSelect, onEnd }: TraceTableProps) {
  const { scroller, items, height, rowHeight } = useRows({ count: traces.length, at: active, onEnd })
  const slow = percentile(traces.map((t) => t.durationMs))
  const dear = percentile(traces.map((t) => Number(t.costNanoUsd ?? 0)))
  return (
    <div role="table" aria-label="Traces" aria-rowcount={traces.length + 1} className="@container flex min-h-0 min-w-0 flex-1 flex-col bg-surface" style={more.length > 0 ? ({ '--more': `repeat(${more.length}, minmax(48px, 0.6fr))` } as CSSProperties) : undefined /* which knows no variables */}>
      <div role="rowgroup" className="flex-none">
        <div role="row" className={cx('grid h-7 items-center gap-2 border-b px-3.5 text-label text-faint', columns)}>
          <span role="columnheader" className="overflow-hidden">
            <span className="sr-only">status</span>
          </span>
          <Header label="time" by="start" sort={sort} onSort={onSort} />
          <span role="columnheader" className="truncate" title="name › where it failed">
            name › where it failed
          </span>
          <span role="columnheader" className="@max-md:hidden">
            input → output
          </span>
          {more.map((column) => (
            <span key={column} role="columnheader" className="truncate @max-5xl:hidden" title={column}>
              {column}
            </span>
          ))}
          <Header label="latency" by="duration" sort={sort} onSort={onSort} right />
          <span role="columnheader" className="text-right @max-3xl:hidden">
            first token
          </span>
          <Header label="tokens" by="tokens" sort={sort} onSort={onSort} right className="@max-3xl:hidden" />
          <Header label="cost" by="cost" sort={sort} onSort={onSort} right className="@max-md:hidden" />
        </div>
      </div>
      <div ref={scroller} role="rowgroup" className="min-h-0 flex-1 overflow-y-auto" tabIndex={0}>
        <div className="relative" style={{ height }}>
          {items.map((item) => {
            const trace = traces[item.index]
            if (!trace) return null
            return (
              <div
                key={trace.id}
                role="row"
                aria-rowindex={item.index + 2}
                className={cx('group absolute inset-x-0 grid items-center gap-2 px-3.5', columns, item.index === active || selected.has(trace.id) ? 'bg-select' : 'hover:bg-sunken')}
                style={{ transform: `translateY(${item.start}px)`, height: rowHeight }}
                onPointerDown={() => onActive(item.index)}
              >
                  <span role="cell" className={cx('relative', trace.failed ? 'text-error' : 'text-faint')} title={trace.failed ? 'failed' : 'ok'}>
                    <span aria-hidden="true" className={selected.size > 0 ? 'invisible' : 'group-focus-within:invisible group-hover:invisible'}>
                      {trace.failed ? '✕' : '●'}
                    </span>
                    {/* Above the link, as large as a finger wants it. */}
                    <label className={cx('absolute -left-1.5 top-1/2 z-10 grid size-6 -translate-y-1/2 place-items-center', selected.size === 0 && 'opacity-0 focus-within:opacity-100 group-focus-within:opacity-100 group-hover:opacity-100')}>
                      <input type="checkbox" aria-label={`Select ${trace.name}`} checked={selected.has(trace.id)} onChange={(event) => onSelect(item.index, event.nativeEvent instanceof MouseEvent && event.nativeEvent.shiftKey)} />
                    </label>
                    <span className="sr-only">{trace.failed ? 'failed' : 'ok'}</span>
                  </span>
                  <span role="cell" className="truncate text-muted" title={absoluteTime(trace.start, zone, { millis: true })}>
                    {relativeTime(trace.start, now, zone)}
                  </span>
                  <span role="cell" className="flex min-w-0 items-baseline gap-2">
                    {/* The link covers its row. */}
                    <Link to="/dashboard/traces/$traceId" params={{ traceId: trace.id }} dir="auto" title={trace.worst?.name && trace.worst.name !== trace.name ? `${trace.name} › ${trace.worst.name}` : trace.name} className={cx('user-text truncate font-semibold no-underline after:absolute after:inset-0', trace.failed && 'text-error')}>
                      {trace.name}
                      {trace.worst?.name && trace.worst.name !== trace.name ? <span className="font-normal"> › {trace.worst.name}</span> : null}
                    </Link>
                    {trace.spanCount > 1 ? <span className="flex-none text-label text-faint @max-3xl:hidden">{formatCount(trace.spanCount)} spans</span> : null}
                  </span>
                  <span role="cell" dir="auto" className="user-text truncate text-muted @max-md:hidden" title={[trace.input, trace.worst?.error ?? trace.output].filter(Boolean).join('\n→ ')}>
                    {trace.input}
                    {trace.worst?.error ? <span className="text-error"> → {trace.worst.error}</span> : trace.output ? ` → ${trace.output}` : ''}
                  </span>
                  {more.map((column) => (
                    <span key={column} role="cell" dir="auto" className="user-text truncate text-muted @max-5xl:hidden" title={moreColumns[column](trace) || undefined}>
                      {visible(moreColumns[column](trace) ?? '') || '—'}
                    </span>
                  ))}
                  <Amount value={formatDuration(trace.durationMs)} share={slow > 0 ? trace.durationMs / slow : 0} />
                  <span role="cell" className="text-right text-muted @max-3xl:hidden">{formatDuration(trace.ttftMs)}</span>
                  <span role="cell" className="text-right text-muted @max-3xl:hidden">{formatCount(trace.tokens)}</span>
                  <Amount value={formatMoney(trace.costNanoUsd)} share={dear > 0 ? Number(trace.costNanoUsd ?? 0) / dear : 0} className="@max-md:hidden" />
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function Header({ label, by, sort, onSort, right = false, className }: { label: string; by: TraceSort; sort: TraceSort; onSort: (sort: TraceSort) => void; right?: boolean; className?: string }) {
  return (
    <span role="columnheader" aria-sort={sort === by ? 'descending' : undefined} className={cx(right && 'text-right', className)}>
      <button type="button" className={cx('min-h-6 min-w-6 hover:underline', sort === by && 'font-semibold text-text')} onClick={() => onSort(by)} title={by === 'start' ? 'Newest first' : 'Largest first'}>
        {label}
        {sort === by ? ' ↓' : ''}
      </button>
    </span>
  )
}

function Amount({ value, share, className }: { value: string; share: number; className?: string }) {
  return (
    <span role="cell" className={cx('relative block text-right', className)}>
      <span className="absolute bottom-0 right-0 h-0.5 rounded-bar bg-warn/50" style={{ width: `${Math.min(share, 1) * 100}%` }} aria-hidden="true" />
      {value}
    </span>
  )
}

/** The 99th percentile of what is shown. */
function percentile(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * 0.99)] ?? 0
}
