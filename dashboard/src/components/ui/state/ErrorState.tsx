import type { ErrorComponentProps } from '@tanstack/react-router'
import { ApiError } from '@/services/http'
import { Button } from '../Button'

/** What failed, the number of the request to tell an operator, and another try. */
export function ErrorState({ error, what, onRetry }: { error: Error; what: string; onRetry?: (() => void) | undefined }) {
  const requestId = error instanceof ApiError ? error.requestId : null
  const offline = error instanceof ApiError && error.offline
  return (
    <div role="alert" className="flex flex-col items-center gap-2 px-4 py-10 text-center">
      <p className="font-semibold">
        <span className="text-error">✕</span> {what} could not be read
      </p>
      <p className="max-w-[520px] text-muted">{offline ? 'Pulse does not answer. It is tried again by itself.' : error.message}</p>
      {requestId ? <p className="font-mono text-label text-faint">request {requestId}</p> : null}
      {onRetry ? <Button onClick={onRetry}>Try again</Button> : null}
    </div>
  )
}

/** The same for a page that could not even begin. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  return <ErrorState error={error instanceof Error ? error : new Error(String(error))} what="The page" onRetry={reset} />
}
