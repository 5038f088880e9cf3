import { ApiError } from '@/services/http'
import { Button } from '../Button'

/** Stands below what could be read of something, where the rest could not: what is there is not all. */
export function RestFailed({ failed, what }: { failed: { error: Error; retry: () => void } | null; what: string }) {
  if (!failed) return null
  const { error, retry } = failed
  return (
    <div role="alert" className="flex flex-none flex-wrap items-center justify-center gap-x-3 gap-y-1 border-t bg-surface px-3.5 py-1.5">
      <span>
        <span className="text-error">✕</span> {what} could not be read: {error.message}
      </span>
      {error instanceof ApiError && error.requestId ? <span className="font-mono text-label text-faint">request {error.requestId}</span> : null}
      <Button onClick={retry}>Try again</Button>
    </div>
  )
}
