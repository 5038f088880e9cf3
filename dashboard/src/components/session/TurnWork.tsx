import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { formatCount, formatDuration } from '@/lib/format/format'
import { foldWork } from '@/lib/session/work'
import { treeQuery } from '@/services/spans'
import { lookOf } from '../trace/kinds'
import { cx } from '../ui/classes'
import { ErrorState } from '../ui/state/ErrorState'
import { Loading } from '../ui/state/Loading'

/** What a turn called, by name: read when somebody unfolds it. */
export function TurnWork({ projectId, traceId }: { projectId: string; traceId: string }) {
  const tree = useInfiniteQuery(treeQuery(projectId, traceId))
  if (tree.error && !tree.data) return <ErrorState error={tree.error} what="The work" onRetry={() => void tree.refetch()} />
  if (!tree.data) return <Loading rows={2} label="Loading the work" />
  const spans = tree.data.pages.flatMap((page) => page.spans)
  const work = foldWork(spans)
  const total = tree.data.pages[0]?.total ?? 0
  return (
    <ul className="mt-1 overflow-hidden rounded-control border bg-canvas">
      {work.map((w) => {
        const look = lookOf(w)
        return (
          <li key={`${w.kind} ${w.name}`} className="border-b last:border-b-0">
            <Link to="/dashboard/traces/$traceId" params={{ traceId }} search={{ span: w.spanId }} className="flex min-h-7 items-center gap-3 px-2.5 no-underline hover:bg-sunken">
              <span className={cx('w-5 flex-none font-semibold', w.failed > 0 && 'text-error')} style={w.failed > 0 ? undefined : { color: look.color }}>
                {w.failed > 0 ? '✕' : ''}
                {look.letter}
              </span>
              <span dir="auto" className="min-w-0 flex-1 truncate">
                {w.name}
              </span>
              {w.failed > 0 ? <span className="text-error">{formatCount(w.failed)} failed</span> : null}
              <span className="w-12 text-right text-muted">×{formatCount(w.count)}</span>
              <span className="w-16 text-right text-muted">{formatDuration(w.ms)}</span>
            </Link>
          </li>
        )
      })}
      {spans.length < total ? <li className="px-2.5 py-1 text-label text-faint">of the first {formatCount(spans.length)} of {formatCount(total)} spans</li> : null}
    </ul>
  )
}
