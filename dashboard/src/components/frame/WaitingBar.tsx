import { useIsFetching } from '@tanstack/react-query'
import { useRouterState } from '@tanstack/react-router'
import { useEffect, useState } from 'react'

const patience = 1_000 // ms

/** Lies over the top of the page while what somebody asked for has not come: what stands there is of before, or not all. */
export function WaitingBar() {
  const opening = useRouterState({ select: (state) => state.isLoading })
  const asked = useIsFetching({ predicate: (query) => query.state.data === undefined }) > 0
  const busy = opening || asked
  const [late, setLate] = useState(false)
  useEffect(() => {
    if (!busy) return setLate(false)
    const timer = setTimeout(() => setLate(true), patience)
    return () => clearTimeout(timer)
  }, [busy])
  if (!late) return null
  return (
    <div role="status" className="pointer-events-none absolute inset-x-0 top-0 z-30 flex justify-center">
      <span className="absolute inset-x-0 top-0 h-0.5 animate-pulse bg-accent" aria-hidden="true" />
      <span className="rounded-b-control border border-t-0 bg-surface px-2.5 text-label text-muted">Waiting for an answer…</span>
    </div>
  )
}
