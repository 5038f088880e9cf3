import { useQueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { ApiError } from '@/services/http'

/** Stands above the page while the server does not answer; what was read stays on the screen. */
export function OfflineBar() {
  const cache = useQueryClient().getQueryCache()
  const offline = useSyncExternalStore(
    (listener) => cache.subscribe(listener),
    () => cache.getAll().some((query) => query.isActive() && [query.state.error, query.state.fetchFailureReason].some((error) => error instanceof ApiError && error.offline)),
  )
  if (!offline) return null
  return (
    <div role="alert" className="border-b bg-error-bg px-3.5 py-1.5 text-error">
      Pulse does not answer. What you see is what was read before; it is tried again.
    </div>
  )
}
