import { ChevronDown, ChevronRight } from 'lucide-react'
import { useMemo } from 'react'
import { useRows } from '@/hooks/useRows'
import { formatDuration, formatMoney, formatOffset } from '@/lib/format/format'
import { hasNoEnd, skewed, type Bounds, type Row } from '@/lib/tree/tree'
import type { Span } from '@/services/spans'
import { cx } from '../ui/classes'
import { lookOf } from './kinds'

interface SpanTreeProps {
  spans: Span[]
  ends: Int32Array
  rows: Row[]
  /** What the waterfall shows. */
  window: Bounds
  origin: number
  selected: number
  collapsed: ReadonlySet<number>
  onSelect: (index: number) => void
  onToggle: (index: number) => void
  onOpenFold: (first: number) => void
}

/** The spans as a tree, each with its bar in time. Only the rows that can be seen are in the document. */
export function SpanTree({ spans, ends, rows, window: shown, origin, selected, collapsed, onSelect, onToggle, onOpenFold }: SpanTreeProps) {
  const position = rows.findIndex((row) => row.type === 'span' && row.index === selected)
  const { scroller, items, height, rowHeight } = useRows({ count: rows.length, dense: 26, at: position })

  const early = useMemo(() => skewed(spans), [spans])
  const width = Math.max(shown.end - shown.start, 0.001)
  const ticks = [0, 0.25, 0.5, 0.75].map((share) => (share === 0 && shown.start === origin ? '0' : formatOffset(shown.start + share * width - origin)))
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-7 flex-none items-center border-b pr-3 text-label text-faint" aria-hidden="true">
        <div className="w-[44%] flex-none pl-3.5 max-md:w-[60%]">span</div>
        <div className="flex flex-1 justify-between">
          {ticks.map((tick, i) => (
            <span key={i} className={cx('w-0 whitespace-nowrap', i % 2 === 1 && 'max-xl:invisible')}>
              {tick}
            </span>
          ))}
          <span />
        </div>
        <div className="w-16 flex-none text-right">time</div>
        <div className="w-20 flex-none text-right max-sm:hidden">cost</div>
      </div>
      <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto outline-none" role="tree" aria-label="Spans" tabIndex={0} aria-activedescendant={position >= 0 ? `span-${selected}` : undefined}>
        <div className="relative" style={{ height }}>
          {items.map((item) => {
            const row = rows[item.index]
            if (!row) return null
            const style = { transform: `translateY(${item.start}px)`, height: rowHeight }
            if (row.type === 'fold') {
              return (
                <div key={`fold-${row.first}`} role="treeitem" aria-level={row.depth + 1} aria-selected={false} aria-expanded={false} className="absolute inset-x-0 flex cursor-pointer items-center pr-3 text-muted hover:bg-sunken" style={style} onClick={() => onOpenFold(row.first)}>
                  <div className="flex w-[44%] flex-none items-center gap-1.5 overflow-hidden max-md:w-[60%]" style={{ paddingLeft: 14 + Math.min(row.depth, 16) * 12 }}>
                    <ChevronRight size={12} aria-hidden className="flex-none text-faint" />
                    <span className="truncate">
                      … {row.count} more · all ok
                    </span>
                  </div>
                  <Bar start={spans[row.first]?.start ?? 0} durationMs={row.durationMs} shown={shown} width={width} color="var(--border-strong)" />
                  <div className="w-16 flex-none text-right">{formatDuration(row.durationMs)}</div>
                  <div className="w-20 flex-none text-right max-sm:hidden">{row.costNanoUsd === null ? '' : formatMoney(row.costNanoUsd)}</div>
                </div>
              )
            }
            const span = spans[row.index]
            if (!span) return null
            const look = lookOf(span)
            const leaf = ends[row.index] === row.index + 1
            const closed = collapsed.has(row.index)
            return (
              <div
                key={row.index}
                id={`span-${row.index}`}
                role="treeitem"
                aria-level={span.depth + 1}
                aria-selected={row.index === selected}
                aria-expanded={leaf ? undefined : !closed}
                className={cx('absolute inset-x-0 flex cursor-pointer items-center pr-3', row.index === selected ? 'bg-select shadow-[inset_2px_0_var(--accent)]' : 'hover:bg-sunken')}
                style={style}
                onClick={() => onSelect(row.index)}
              >
                <div className="flex w-[44%] flex-none items-center gap-1 overflow-hidden max-md:w-[60%]" style={{ paddingLeft: 6 + Math.min(span.depth, 16) * 12 }}>
                  {leaf ? (
                    <span className="w-4 flex-none" />
                  ) : (
                    <span
                      className="flex h-5 w-4 flex-none items-center text-faint"
                      onClick={(event) => {
                        event.stopPropagation()
                        onToggle(row.index)
                      }}
                    >
                      {closed ? <ChevronRight size={12} aria-hidden /> : <ChevronDown size={12} aria-hidden />}
                    </span>
                  )}
                  <span className="w-6 flex-none text-center font-mono text-label font-bold" style={{ color: span.failed ? 'var(--error)' : look.color }} title={look.name}>
                    {span.failed ? '✕' : ''}
                    {look.letter}
                  </span>
                  <span dir="auto" title={span.name} className={cx('user-text truncate', span.failed && 'text-error')}>
                    {span.name}
                    {span.failed ? <span className="sr-only"> failed</span> : null}
                  </span>
                  {early[row.index] ? (
                    <span className="flex-none text-warn" title="It begins before the span around it: the clocks of their machines differ">
                      <span aria-hidden="true">⇤</span>
                      <span className="sr-only">clocks differ</span>
                    </span>
                  ) : null}
                </div>
                <Bar start={span.start} durationMs={span.durationMs} ttftMs={span.ttftMs} open={hasNoEnd(span)} shown={shown} width={width} color={span.failed ? 'var(--error)' : look.color} />
                <div className={cx('w-16 flex-none whitespace-nowrap text-right', span.failed && 'text-error')}>{hasNoEnd(span) ? <span title="Nobody told its end: it may still run">no end</span> : formatDuration(span.durationMs)}</div>
                <div className="w-20 flex-none text-right text-muted max-sm:hidden" title={span.counted ? undefined : 'In no sum: another span stands for this call'}>
                  {span.costNanoUsd === null ? '' : span.counted ? formatMoney(span.costNanoUsd) : `(${formatMoney(span.costNanoUsd)})`}
                </div>
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

interface BarProps {
  start: number
  durationMs: number | null
  ttftMs?: number | null
  /** It has no end that anybody told. */
  open?: boolean
  shown: Bounds
  width: number
  color: string
}

/** Time in the window: lighter while the first token was waited for, striped while nobody told an end. */
function Bar({ start, durationMs, ttftMs = null, open = false, shown, width, color }: BarProps) {
  const left = ((start - shown.start) / width) * 100
  const size = open ? Math.max(100 - left, 0) : ((durationMs ?? 0) / width) * 100
  const from = Math.max(left, 0)
  const to = Math.min(left + Math.max(size, 0), 100)
  if (left > 100 || left + size < 0) return <div className="flex-1" />
  const waited = ttftMs !== null && durationMs ? Math.min(ttftMs / durationMs, 1) : 0
  return (
    <div className="relative h-full flex-1 overflow-hidden" aria-hidden="true">
      <div
        className="absolute top-2 h-2.5 min-w-0.5 rounded-bar"
        style={{ left: `${Math.min(from, 99.5)}%`, width: `${Math.max(to - from, 0)}%`, background: open ? `repeating-linear-gradient(135deg, ${color} 0 3px, transparent 3px 6px)` : color }}
      >
        {waited > 0 ? <div className="h-full border-r-2 border-surface bg-surface/50" style={{ width: `${waited * 100}%` }} /> : null}
      </div>
    </div>
  )
}
