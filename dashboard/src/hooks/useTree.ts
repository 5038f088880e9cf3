import { useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { treeQuery } from '@/services/spans'
import { useNextPage } from './useNextPage'

/** All spans of a trace, page after page: what failed may stand on the last. */
export function useTree(projectId: string, traceId: string) {
  const tree = useInfiniteQuery(treeQuery(projectId, traceId))
  const { next, failed } = useNextPage(tree)
  useEffect(next, [next])
  const spans = useMemo(() => tree.data?.pages.flatMap((page) => page.spans) ?? [], [tree.data])
  return { spans, first: tree.data?.pages[0], complete: tree.data !== undefined && !tree.hasNextPage, pending: tree.isPending, error: tree.error, retry: failed?.retry ?? (() => void tree.refetch()), failed }
}
