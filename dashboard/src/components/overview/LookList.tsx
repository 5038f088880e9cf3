import { Link } from '@tanstack/react-router'
import type { Zone } from '@/lib/format/format'
import { formatDuration, formatMoney, relativeTime } from '@/lib/format/format'
import type { Trace } from '@/services/traces'
import { cx } from '../ui/classes'

export const lookNames = ['errors', 'slowest', 'costliest'] as const
/** Which traces are worth a look first. */
export type Look = (typeof lookNames)[number]

interface LookListProps {
  traces: Trace[]
  look: Look
  now: Date
  zone: Zone
}

/** Traces in lines: what failed and why, or what was asked, and the number they stand here for. */
export function LookList({ traces, look, now, zone }: LookListProps) {
  const measured = (trace: Trace) => (look === 'slowest' ? formatDuration(trace.durationMs) : look === 'costliest' ? formatMoney(trace.costNanoUsd) : relativeTime(trace.start, now, zone))
  return (
    <ul>
      {traces.map((trace) => {
        const below = trace.worst?.name && trace.worst.name !== trace.name ? trace.worst.name : null
        const text = trace.worst?.error ?? trace.input
        return (
          <li key={trace.id}>
            <Link to="/dashboard/traces/$traceId" params={{ traceId: trace.id }} title={text || undefined} className="flex min-h-7 items-center gap-2 rounded-control no-underline hover:bg-sunken">
              <span className={cx('w-3 flex-none text-center', trace.failed ? 'text-error' : 'text-faint')}>
                {trace.failed ? '✕' : '●'}
                <span className="sr-only">{trace.failed ? 'failed' : 'ok'}</span>
              </span>
              <span dir="auto" title={below ? `${trace.name} › ${below}` : trace.name} className="user-text min-w-0 max-w-[45%] flex-none truncate font-semibold">
                {trace.name}
                {below ? <span className="font-normal"> › {below}</span> : null}
              </span>
              <span dir="auto" className="user-text min-w-0 flex-1 truncate text-muted">
                {text}
              </span>
              <span className={cx('flex-none', look === 'errors' ? 'text-faint' : 'text-muted')}>{measured(trace)}</span>
            </Link>
          </li>
        )
      })}
    </ul>
  )
}
