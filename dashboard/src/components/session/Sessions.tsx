import { useNavigate } from '@tanstack/react-router'
import { useState, type ReactNode } from 'react'
import { useKeys } from '@/hooks/useKeys'
import { absoluteTime, formatTotal, type Zone } from '@/lib/format/format'
import type { KeyNames } from '@/lib/filter/label'
import type { SessionSort } from '@/lib/sort/sort'
import type { Session } from '@/services/sessions'
import { FilterBar } from '../traces/FilterBar'
import { Button } from '../ui/Button'
import { Select } from '../ui/Select'
import { Empty } from '../ui/state/Empty'
import { ErrorState } from '../ui/state/ErrorState'
import { Loading } from '../ui/state/Loading'
import { RestFailed } from '../ui/state/RestFailed'
import { inOrder, SessionTable } from './SessionTable'

interface SessionsProps {
  sessions: Session[] | undefined
  total: { value: number; exact: boolean } | null
  /** When the oldest session ended that was looked at; null if all were. */
  scannedTo: Date | null
  error: Error | null
  onRetry: () => void
  filter: string
  onFilter: (filter: string) => void
  suggest: (field: string) => string[]
  keys: KeyNames | undefined
  sort: SessionSort
  onSort: (sort: SessionSort) => void
  /** There are more than these. */
  partial: boolean
  onEnd: () => void
  /** Why they could not be read. */
  failed: { error: Error; retry: () => void } | null
  folders?: boolean
  controls?: ReactNode
  /** Why there is none, where no filter is the reason. */
  empty: string
  /** Looks further back. */
  onMonth: () => void
  now: Date
  zone: Zone
}

// Sessions are found by what their traces are, not by what stands in payloads.
const without = ['', 'error', 'meta.']

const orders: Record<SessionSort, string> = { recent: 'newest', oldest: 'oldest', duration: 'longest', errors: 'most errors', volume: 'most spans', cost: 'costliest' }

/** A list of sessions with its filter and order, whichever sessions they are. */
export function Sessions({ sessions, total, scannedTo, error, onRetry, filter, onFilter, suggest, keys, sort, onSort, partial, onEnd, failed, folders = false, controls, empty, onMonth, now, zone }: SessionsProps) {
  const navigate = useNavigate()
  // Another list begins without a row chosen.
  const list = `${filter} ${sort}`
  const [chosen, setChosen] = useState({ list, row: -1 })
  const active = chosen.list === list ? chosen.row : -1
  const setActive = (row: number) => setChosen({ list, row })
  const ordered = sessions ? inOrder(sessions, folders) : []
  const current = ordered[active]
  const move = (step: number) => setActive(Math.min(Math.max(active + step, 0), ordered.length - 1))
  useKeys({
    j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
    Enter: () => current && void navigate({ to: '/dashboard/sessions/$sessionId', params: { sessionId: current.id } }),
    o: () => current && window.open(`/dashboard/sessions/${encodeURIComponent(current.id)}${location.search}`, '_blank', 'noopener'),
    Escape: () => filter && onFilter(''),
  })
  return (
    <>
      <div className="flex flex-none flex-wrap items-start gap-2 border-b px-3.5 py-2">
        <div className="flex min-w-56 flex-1 max-sm:basis-full">
          <FilterBar value={filter} suggest={suggest} keys={keys} onChange={onFilter} without={without} placeholder="status:error  model:gpt-4o*  user:u-1  cost>0.01  tool:run_sql   (press /)" />
        </div>
        {controls}
        <Select label="Order" value={sort} options={orders} onChange={(next) => onSort(next as SessionSort) /* of the options */} />
        <span className="leading-8 text-muted" role="status">
          {total ? `${formatTotal(total)} ${total.value === 1 && total.exact ? 'session' : 'sessions'}` : ''}
          {scannedTo ? ` · back to ${absoluteTime(scannedTo, zone)}` : ''}
        </span>
      </div>
      {error && !sessions ? (
        <ErrorState error={error} what="Sessions" onRetry={onRetry} />
      ) : !sessions ? (
        <Loading rows={20} label="Loading sessions" />
      ) : sessions.length === 0 && filter ? (
        <Empty title="No session matches">
          <Button onClick={() => onFilter('')}>Drop the filter</Button>
        </Empty>
      ) : sessions.length === 0 ? (
        <Empty title="No session in this range">
          <p className="mb-2">{empty}</p>
          <Button onClick={onMonth}>Show the last 30 days</Button> <Button onClick={() => void navigate({ to: '/dashboard/start' })}>How to send traces</Button>
        </Empty>
      ) : (
        <SessionTable sessions={sessions} folders={folders} partial={partial} now={now} zone={zone} sort={sort} onSort={onSort} active={active} onActive={setActive} onEnd={onEnd} />
      )}
      <RestFailed failed={failed} what="Further sessions" />
    </>
  )
}
