import type { ReactNode } from 'react'
import type { Zone } from '@/lib/format/format'
import { formatCount } from '@/lib/format/format'
import { sessionSorts, type SessionSort } from '@/lib/sort/sort'
import type { Session } from '@/services/sessions'
import { Button } from '../ui/Button'
import { Empty } from '../ui/state/Empty'
import { ErrorState } from '../ui/state/ErrorState'
import { Loading } from '../ui/state/Loading'
import { SessionTable } from './SessionTable'

interface SessionsProps {
  sessions: Session[] | undefined
  total: number
  error: Error | null
  onRetry: () => void
  sort: SessionSort
  onSort: (sort: SessionSort) => void
  more: (() => void) | null
  folders?: boolean
  controls?: ReactNode
  empty: ReactNode
  now: Date
  zone: Zone
}

/** A list of sessions with its order, whichever sessions they are. */
export function Sessions({ sessions, total, error, onRetry, sort, onSort, more, folders = false, controls, empty, now, zone }: SessionsProps) {
  return (
    <>
      <div className="flex flex-none flex-wrap items-center gap-2 border-b px-3.5 py-2">
        <label className="flex items-center gap-2 text-muted">
          Order
          <select className="h-7 rounded-control border border-border-strong bg-surface px-1.5" value={sort} onChange={(event) => onSort(event.target.value as SessionSort) /* of the options below */}>
            {sessionSorts.map((it) => (
              <option key={it} value={it}>
                {it}
              </option>
            ))}
          </select>
        </label>
        {controls}
        <span className="ml-auto text-muted" role="status">
          {sessions ? `${formatCount(total)} sessions` : ''}
        </span>
      </div>
      {error && !sessions ? <ErrorState error={error} what="Sessions" onRetry={onRetry} /> : !sessions ? <Loading rows={16} /> : sessions.length === 0 ? <Empty title="No session in this range">{empty}</Empty> : <SessionTable sessions={sessions} now={now} zone={zone} folders={folders} />}
      {more ? (
        <div className="flex-none border-t p-2 text-center">
          <Button onClick={more}>Show more</Button>
        </div>
      ) : null}
    </>
  )
}
