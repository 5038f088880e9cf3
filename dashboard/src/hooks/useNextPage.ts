import { useCallback } from 'react'

/** What is needed of an infinite query. */
interface Pages {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  isFetchNextPageError: boolean
  error: Error | null
  fetchNextPage: () => Promise<unknown>
}

interface NextPage {
  /** Reads on, where something follows, one page at a time, and not after a failure: what asks whenever the end is in sight would ask for ever. */
  next: () => void
  /** Why what follows could not be read, and another try. */
  failed: { error: Error; retry: () => void } | null
}

/** The page that follows in a list. */
export function useNextPage({ hasNextPage, isFetchingNextPage, isFetchNextPageError, error, fetchNextPage }: Pages): NextPage {
  const next = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage])
  return { next, failed: isFetchNextPageError && error ? { error, retry: () => void fetchNextPage() } : null }
}
