import { useIsFetching, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useZone } from '@/hooks/useZone'
import { absoluteTime, formatCount, formatDuration } from '@/lib/format/format'
import { freshnessQuery } from '@/services/counts'

/** Up to when everything that was accepted is on the pages: the promise of the product, visible. */
export function FreshnessFoot({ projectId }: { projectId: string }) {
  // What the page shows comes first.
  const [settled, setSettled] = useState(false)
  const busy = useIsFetching() > 0
  useEffect(() => {
    if (settled || busy) return
    const timer = setTimeout(() => setSettled(true), 1_000)
    return () => clearTimeout(timer)
  }, [settled, busy])
  const { data } = useQuery({ ...freshnessQuery(projectId), enabled: settled })
  const zone = useZone()
  const refused = (data?.rejected ?? []).reduce((sum, r) => sum + r.count, 0)
  const behind = data && data.lagMs !== null && data.lagMs > 2_000 ? ` · ${formatDuration(data.lagMs)} behind` : ''
  return (
    // Its room is kept from the first: pages of the rail do not move when it comes.
    <div className="min-h-5 px-2 pt-1 text-label text-faint max-lg:hidden">
      {data?.completeTo ? (
        <p title="Everything that was accepted up to then can be read">
          complete to {absoluteTime(data.completeTo, zone).split(' ').at(-1)}
          {behind}
        </p>
      ) : null}
      {refused > 0 ? (
        <Link to="/dashboard/start" className="text-warn underline" title="What was refused in the last day, and why">
          {formatCount(refused)} refused today
        </Link>
      ) : null}
    </div>
  )
}
