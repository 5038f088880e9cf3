import { ChevronRight } from 'lucide-react'
import { useRows } from '@/hooks/useRows'
import { difference, type Pair } from '@/lib/diff/align'
import { formatCount, formatDuration } from '@/lib/format/format'
import type { Span } from '@/services/spans'
import { lookOf } from '../trace/kinds'
import { cx } from '../ui/classes'

export type StepRow = { type: 'pair'; place: number } | { type: 'fold'; first: number; count: number }

const foldFrom = 5
const around = 2

/** The pairs as rows: runs that are the same are one, but for what stands beside a difference or is selected. */
export function stepRows(pairs: readonly Pair[], left: readonly Span[], right: readonly Span[], selected: number, opened: ReadonlySet<number>): StepRow[] {
  const same = pairs.map((p, place) => place !== selected && difference(p.left === null ? undefined : left[p.left], p.right === null ? undefined : right[p.right]) === 'same')
  const rows: StepRow[] = []
  for (let i = 0; i < pairs.length; ) {
    let end = i
    while (end < pairs.length && same[end]) end++
    const from = i + (i === 0 ? 1 : around) // the root is always shown
    const to = end === pairs.length ? end : end - around
    if (to - from >= foldFrom && !opened.has(from)) {
      for (; i < from; i++) rows.push({ type: 'pair', place: i })
      rows.push({ type: 'fold', first: from, count: to - from })
      i = to
    }
    for (; i < end; i++) rows.push({ type: 'pair', place: i })
    if (i < pairs.length) rows.push({ type: 'pair', place: i++ })
  }
  return rows
}

interface StepListProps {
  pairs: Pair[]
  left: Span[]
  right: Span[]
  rows: StepRow[]
  selected: number
  onSelect: (place: number) => void
  onOpenFold: (first: number) => void
}

/** The steps of two traces, those that are the same step in one row. */
export function StepList({ pairs, left, right, rows, selected, onSelect, onOpenFold }: StepListProps) {
  const position = rows.findIndex((row) => row.type === 'pair' && row.place === selected)
  const { scroller, items, height, rowHeight } = useRows({ count: rows.length, at: position })
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="grid h-7 flex-none grid-cols-[minmax(0,1fr)_72px_minmax(0,1fr)_72px] max-sm:grid-cols-[minmax(0,1fr)_50px_minmax(0,1fr)_50px] items-center gap-x-2 border-b px-3.5 text-label text-faint" aria-hidden="true">
        <span>A</span>
        <span className="text-right">time</span>
        <span>B</span>
        <span className="text-right">time</span>
      </div>
      <div ref={scroller} role="listbox" aria-label="Steps of both traces" tabIndex={0} aria-activedescendant={position >= 0 ? `pair-${selected}` : undefined} className="min-h-0 flex-1 overflow-y-auto outline-none">
        <div className="relative" style={{ height }}>
          {items.map((item) => {
            const row = rows[item.index]
            if (!row) return null
            const style = { transform: `translateY(${item.start}px)`, height: rowHeight }
            if (row.type === 'fold') {
              return (
                <div key={`fold-${row.first}`} role="option" aria-selected={false} className="absolute inset-x-0 flex cursor-pointer items-center gap-1.5 px-3.5 text-muted hover:bg-sunken" style={style} onClick={() => onOpenFold(row.first)}>
                  <ChevronRight size={12} aria-hidden /> … {formatCount(row.count)} more · the same in both
                </div>
              )
            }
            const pair = pairs[row.place]
            const a = pair?.left === null || pair === undefined ? undefined : left[pair.left]
            const b = pair?.right === null || pair === undefined ? undefined : right[pair.right]
            const kind = difference(a, b)
            return (
              <div
                key={row.place}
                id={`pair-${row.place}`}
                role="option"
                aria-selected={row.place === selected}
                className={cx('absolute inset-x-0 grid cursor-pointer grid-cols-[minmax(0,1fr)_72px_minmax(0,1fr)_72px] max-sm:grid-cols-[minmax(0,1fr)_50px_minmax(0,1fr)_50px] items-center gap-x-2 px-3.5', row.place === selected ? 'bg-select shadow-[inset_2px_0_var(--accent)]' : 'hover:bg-sunken')}
                style={style}
                onClick={() => onSelect(row.place)}
              >
                <Side span={a} other={b} differs={kind !== 'same'} />
                <Side span={b} other={a} differs={kind !== 'same'} />
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function Side({ span, other, differs }: { span: Span | undefined; other: Span | undefined; differs: boolean }) {
  if (!span) {
    return (
      <>
        <span className="text-faint">—</span>
        <span />
      </>
    )
  }
  const look = lookOf(span)
  const slower = other !== undefined && (span.durationMs ?? 0) > 2 * (other.durationMs ?? 0) && (span.durationMs ?? 0) - (other.durationMs ?? 0) > 500
  return (
    <>
      <span className="flex min-w-0 items-center gap-1" style={{ paddingLeft: Math.min(span.depth, 10) * 8 }}>
        <span className="w-6 flex-none text-center font-mono text-label font-bold" style={{ color: span.failed ? 'var(--error)' : look.color }} title={look.name}>
          {span.failed ? '✕' : ''}
          {look.letter}
        </span>
        <span dir="auto" title={span.name} className={cx('user-text truncate', span.failed ? 'text-error' : !differs && 'text-muted', differs && 'font-semibold')}>
          {span.name}
          {span.failed ? <span className="sr-only"> failed</span> : null}
        </span>
      </span>
      <span className={cx('whitespace-nowrap text-right', slower ? 'font-semibold text-warn' : 'text-muted')}>{formatDuration(span.durationMs)}</span>
    </>
  )
}
