import { useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { treeQuery } from '@/services/spans'

/** All spans of a trace, page after page: what failed may stand on the last. */
export function useTree(projectId: string, traceId: string) {
  const tree = useInfiniteQuery(treeQuery(projectId, traceId))
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = tree
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, fetchNextPage])
  const spans = useMemo(() => tree.data?.pages.flatMap((page) => page.spans) ?? [], [tree.data])
  return { spans, first: tree.data?.pages[0], complete: tree.data !== undefined && !hasNextPage, pending: tree.isPending, error: tree.error, retry: () => void tree.refetch() }
}
