import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { failuresBelow, openingSpan, subtreeEnds } from '@/lib/tree/tree'
import { payloadQuery, treeQuery } from '@/services/spans'
import { SpanConversation } from '../trace/SpanConversation'
import { Button, buttonClass } from '../ui/Button'
import { ErrorState } from '../ui/state/ErrorState'
import { Loading } from '../ui/state/Loading'

/** The worst span of a trace beside the list. */
export function Peek({ projectId, traceId, onClose }: { projectId: string; traceId: string; onClose: () => void }) {
  const tree = useInfiniteQuery(treeQuery(projectId, traceId))
  const spans = tree.data?.pages.flatMap((page) => page.spans) ?? []
  const ends = subtreeEnds(spans)
  const span = spans[openingSpan(spans, ends, failuresBelow(spans, ends))]
  const payload = useQuery({ ...payloadQuery(projectId, traceId, span ?? { id: '', index: 0 }), enabled: span !== undefined })
  const error = tree.error ?? payload.error
  return (
    <aside aria-label="Peek" className="flex w-[min(480px,55%)] flex-none flex-col border-l bg-surface max-md:fixed max-md:inset-0 max-md:z-40 max-md:w-full">
      <div className="flex flex-none items-center gap-2 border-b px-3.5 py-1.5">
        <b className="min-w-0 flex-1 truncate font-semibold" title={span?.name}>
          {span?.name ?? '…'}
        </b>
        <Link to="/dashboard/traces/$traceId" params={{ traceId }} className={buttonClass()}>
          Open
        </Link>
        <Button look="quiet" aria-label="Close" onClick={onClose}>
          ✕
        </Button>
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto">
        {error ? (
          <ErrorState error={error} what="The trace" />
        ) : span && payload.data ? (
          <SpanConversation span={span} payload={payload.data} before={null} />
        ) : (
          <Loading rows={6} rowHeight={40} />
        )}
      </div>
    </aside>
  )
}
