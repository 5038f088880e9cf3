import { useNow } from '@/hooks/useNow'
import { useZone } from '@/hooks/useZone'
import { absoluteTime, formatCount, relativeTime } from '@/lib/format/format'
import type { Rejection } from '@/services/counts'

/** What was refused in the last day, and what the sender was told. */
export function Refused({ rejected }: { rejected: Rejection[] }) {
  const now = useNow()
  const zone = useZone()
  return (
    <section aria-label="Refused in the last day" className="rounded-control border px-3 py-2">
      <h2 className="font-semibold">Refused in the last day</h2>
      <ul className="mt-1 flex flex-col gap-1">
        {rejected.map((r) => (
          <li key={`${r.at.getTime()} ${r.reason}`} className="flex gap-3">
            <span className="flex-none text-warn">×{formatCount(r.count)}</span>
            <span dir="auto" className="user-text min-w-0 flex-1">
              {r.reason}
            </span>
            <time dateTime={r.at.toISOString()} title={absoluteTime(r.at, zone)} className="flex-none text-faint">
              {relativeTime(r.at, now, zone)}
            </time>
          </li>
        ))}
      </ul>
    </section>
  )
}
