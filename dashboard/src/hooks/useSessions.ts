import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { parseFilter, printFilter, type Term } from '@/lib/filter/filter'
import type { SessionSort } from '@/lib/sort/sort'
import { facetsQuery } from '@/services/counts'
import { sessionsQuery } from '@/services/sessions'
import { useKeyNames } from './useKeyNames'
import { useNextPage } from './useNextPage'
import { useNow } from './useNow'
import { useProject } from './useProject'
import { useRange } from './useRange'
import { useZone } from './useZone'

/** A list of sessions that stands in the URL as `q` and `sort`; terms are those that always hold. */
export function useSessions(q: string, sort: SessionSort = 'recent', terms: Term[] = []) {
  const project = useProject()
  const { range, text } = useRange()
  const zone = useZone()
  const now = useNow()
  const navigate = useNavigate()
  const filter = printFilter([...terms, ...parseFilter(q).terms])
  // The range stands still while it is read page by page.
  const key = `${project.id} ${text.from} ${text.to} ${sort} ${filter}`
  const [anchor, setAnchor] = useState({ key: '', range })
  const still = anchor.key === key ? anchor.range : range
  if (anchor.key !== key) setAnchor({ key, range })
  const list = useInfiniteQuery(sessionsQuery(project.id, { filter, range: still, sort }))
  const { next, failed } = useNextPage(list)
  const facets = useQuery(facetsQuery(project.id, filter, still))
  const keys = useKeyNames()
  const sessions = useMemo(() => list.data?.pages.flatMap((page) => page.sessions), [list.data])
  const set = (values: Record<string, string | undefined>) => void navigate({ to: '.', search: (old) => ({ ...old, ...values }) })
  return {
    set,
    list: {
      sessions,
      total: list.data?.pages[0]?.total ?? null,
      scannedTo: list.data?.pages.at(-1)?.scannedTo ?? null,
      error: list.error,
      onRetry: () => void list.refetch(),
      filter: q,
      onFilter: (next: string) => set({ q: next || undefined }),
      suggest: (field: string) => (facets.data?.values[field] ?? []).flatMap((v) => (v.value ? [v.value] : [])),
      keys,
      sort,
      onSort: (next: SessionSort) => set({ sort: next === 'recent' ? undefined : next }),
      partial: list.hasNextPage,
      onEnd: next,
      failed,
      now,
      zone,
    },
  }
}
