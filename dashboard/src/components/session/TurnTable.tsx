import { Link } from '@tanstack/react-router'
import { useRows } from '@/hooks/useRows'
import { absoluteTime, formatCount, formatDuration, formatMoney, type Zone } from '@/lib/format/format'
import type { Turn } from '@/services/sessions'
import { cx } from '../ui/classes'

interface TurnTableProps {
  turns: Turn[]
  at: number
  zone: Zone
  onPick: (index: number) => void
  onEnd: () => void
}

const columns = 'grid-cols-[20px_36px_128px_72px_minmax(0,1fr)_132px_60px_60px_76px_76px_72px_76px] max-md:grid-cols-[20px_28px_minmax(0,1fr)_72px]'
const wide = 'max-md:hidden'

/** A session in rows: one turn each, with how long nobody said anything before it. */
export function TurnTable({ turns, at, zone, onPick, onEnd }: TurnTableProps) {
  const { scroller, items, height, rowHeight } = useRows({ count: turns.length, at, onEnd })
  const heads: [string, string?][] = [['#'], ['time', wide], ['after', wide], ['what was asked'], ['model', wide], ['spans', wide], ['tools', wide], ['duration'], ['first token', wide], ['tokens', wide], ['cost', wide]]
  return (
    <div role="table" aria-label="Turns" aria-rowcount={turns.length + 1} className="flex min-h-0 flex-1 flex-col bg-surface">
      <div role="rowgroup" className="flex-none">
        <div role="row" className={cx('grid h-7 items-center gap-2 border-b px-3.5 text-label text-faint', columns)}>
          <span role="columnheader" className="overflow-hidden">
            <span className="sr-only">status</span>
          </span>
          {heads.map(([name, more]) => (
            <span key={name} role="columnheader" className={cx(!['time', 'what was asked', 'model'].includes(name) && 'text-right', more)}>
              {name}
            </span>
          ))}
        </div>
      </div>
      <div ref={scroller} role="rowgroup" className="min-h-0 flex-1 overflow-y-auto" tabIndex={0}>
        <div className="relative" style={{ height }}>
          {items.map((item) => {
            const turn = turns[item.index]
            if (!turn) return null
            const before = turns[item.index - 1]
            const cells: [string, string | null, string?][] = [
              ['spans', formatCount(turn.spanCount), wide], ['tools', formatCount(turn.toolCalls), wide], ['duration', formatDuration(turn.durationMs)], ['ttft', formatDuration(turn.ttftMs), wide],
              ['tokens', formatCount(turn.tokens), wide], ['cost', formatMoney(turn.costNanoUsd), wide],
            ]
            return (
              <div key={turn.id} role="row" aria-rowindex={item.index + 2} className={cx('absolute inset-x-0 grid items-center gap-2 px-3.5', columns, item.index === at ? 'bg-select' : 'hover:bg-sunken')} style={{ transform: `translateY(${item.start}px)`, height: rowHeight }} onPointerDown={() => onPick(item.index)}>
                <span role="cell" className={turn.failed ? 'text-error' : 'text-faint'}>
                  {turn.failed ? '✕' : '●'}
                  <span className="sr-only">{turn.failed ? 'failed' : 'ok'}</span>
                </span>
                <span role="cell" className="text-right text-faint">
                  {item.index + 1}
                </span>
                <span role="cell" className={cx('truncate text-muted', wide)}>
                  {absoluteTime(new Date(turn.start), zone)}
                </span>
                <span role="cell" className={cx('text-right text-muted', wide)}>
                  {before ? formatDuration(Math.max(turn.start - before.start - before.durationMs, 0)) : ''}
                </span>
                <span role="cell" className="min-w-0">
                  <Link to="/dashboard/traces/$traceId" params={{ traceId: turn.id }} search={turn.worst ? { span: turn.worst.spanId } : {}} dir="auto" title={[turn.input ?? turn.name, turn.worst ? (turn.worst.error ?? turn.worst.name) : null].filter(Boolean).join('\n→ ')} className="user-text block truncate no-underline after:absolute after:inset-0">
                    {turn.input ?? turn.name}
                    {turn.worst ? <span className="text-error"> → {turn.worst.error ?? turn.worst.name}</span> : null}
                  </Link>
                </span>
                <span role="cell" className={cx('truncate text-muted', wide)} title={turn.model ?? undefined}>
                  {turn.model ?? '—'}
                </span>
                {cells.map(([name, text, more]) => (
                  <span key={name} role="cell" className={cx('text-right', more)}>
                    {text}
                  </span>
                ))}
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}
