import { useQuery } from '@tanstack/react-query'
import { useZone } from '@/hooks/useZone'
import { absoluteTime, formatDuration } from '@/lib/format/format'
import { freshnessQuery } from '@/services/counts'

/** Up to when everything that was accepted is on the pages: the promise of the product, visible. */
export function FreshnessFoot({ projectId }: { projectId: string }) {
  const { data } = useQuery(freshnessQuery(projectId))
  const [zone] = useZone()
  if (!data?.completeTo) return null
  const behind = data.lagMs !== null && data.lagMs > 2_000 ? ` · ${formatDuration(data.lagMs)} behind` : ''
  return (
    <p className="px-2 pt-1 text-label text-faint max-lg:hidden" title="Everything that was accepted up to then can be read">
      complete to {absoluteTime(data.completeTo, zone).split(' ').at(-1)}
      {behind}
    </p>
  )
}
