import { Link } from '@tanstack/react-router'
import { useMemo, type ReactNode } from 'react'
import { useRows } from '@/hooks/useRows'
import { absoluteTime, formatCount, formatDuration, formatMoney, relativeTime, type Zone } from '@/lib/format/format'
import { byFolder, type Folder } from '@/lib/session/folders'
import type { SessionSort } from '@/lib/sort/sort'
import { visible } from '@/lib/text/visible'
import type { Session } from '@/services/sessions'
import { cx } from '../ui/classes'

interface SessionTableProps {
  sessions: Session[]
  /** By folder, with what their tools edited; else as a list of conversations. */
  folders?: boolean
  /** There are more than these, so sums of folders are not those of all. */
  partial: boolean
  now: Date
  zone: Zone
  sort: SessionSort
  onSort: (sort: SessionSort) => void
  active: number
  onActive: (index: number) => void
  /** Called when the last rows come into view. */
  onEnd: () => void
}

const columns = 'grid-cols-[20px_minmax(0,1fr)_56px_56px_60px_84px_76px_84px_96px] max-md:grid-cols-[20px_minmax(0,1fr)_44px_88px]'

type Row = { type: 'folder'; folder: Folder<Session> } | { type: 'session'; session: Session; index: number }

/** In which order the rows stand; j and k follow it. */
export const inOrder = (sessions: Session[], folders: boolean): Session[] => (folders ? byFolder(sessions).flatMap((f) => f.sessions) : sessions)

/** Sessions in rows: those that failed somewhere are marked, what somebody said first stands before all numbers. */
export function SessionTable({ sessions, folders = false, partial, now, zone, sort, onSort, active, onActive, onEnd }: SessionTableProps) {
  const rows = useMemo<Row[]>(() => {
    if (!folders) return sessions.map((session, index) => ({ type: 'session', session, index }))
    let index = 0
    return byFolder(sessions).flatMap((folder): Row[] => [{ type: 'folder', folder }, ...folder.sessions.map((session): Row => ({ type: 'session', session, index: index++ }))])
  }, [sessions, folders])
  const at = rows.findIndex((row) => row.type === 'session' && row.index === active)
  const { scroller, items, height, rowHeight } = useRows({ count: rows.length, at, onEnd })
  const header = { sort, onSort }
  return (
    <div role="table" aria-label="Sessions" aria-rowcount={rows.length + 1} className="flex min-h-0 flex-1 flex-col bg-surface">
      <div role="rowgroup" className="flex-none">
        <div role="row" className={cx('grid h-7 items-center gap-2 border-b px-3.5 text-label text-faint', columns)}>
          <span role="columnheader" className="overflow-hidden">
            <span className="sr-only">status</span>
          </span>
          <span role="columnheader">{folders ? 'folder and what was asked first' : 'what was asked first'}</span>
          <Plain className="max-md:hidden">{folders ? 'tools' : 'turns'}</Plain>
          <Plain className="max-md:hidden">{folders ? 'files' : 'tools'}</Plain>
          <Header label="errors" by="errors" {...header} />
          <Header label="duration" by="duration" {...header} className="max-md:hidden" />
          <Plain className="max-md:hidden">tokens</Plain>
          <Header label="cost" by="cost" {...header} className="max-md:hidden" />
          <Header label="last" by={sort === 'recent' ? 'oldest' : 'recent'} {...header} />
        </div>
      </div>
      <div ref={scroller} role="rowgroup" className="min-h-0 flex-1 overflow-y-auto" tabIndex={0}>
        <div className="relative" style={{ height }}>
          {items.map((item) => {
            const row = rows[item.index]
            if (!row) return null
            const place = { transform: `translateY(${item.start}px)`, height: rowHeight }
            if (row.type === 'folder') return <FolderRow key={`folder ${row.folder.folder}`} folder={row.folder} partial={partial} place={place} rowIndex={item.index + 2} />
            const s = row.session
            return (
              <div key={s.id} role="row" aria-rowindex={item.index + 2} className={cx('absolute inset-x-0 grid items-center gap-2 px-3.5', columns, row.index === active ? 'bg-select' : 'hover:bg-sunken')} style={place} onPointerDown={() => onActive(row.index)}>
                <span role="cell" className={s.errors > 0 ? 'text-error' : 'text-faint'} title={s.errors > 0 ? 'with errors' : 'ok'}>
                  {s.errors > 0 ? '✕' : '●'}
                  <span className="sr-only">{s.errors > 0 ? 'with errors' : 'ok'}</span>
                </span>
                <span role="cell" className="flex min-w-0 items-baseline gap-2">
                  {/* The link covers its row. */}
                  <Link to="/dashboard/sessions/$sessionId" params={{ sessionId: s.id }} title={s.input || undefined} className="flex min-w-0 items-baseline gap-2 no-underline after:absolute after:inset-0">
                    <span dir="auto" className={cx('user-text truncate', s.input ? 'font-semibold' : 'text-muted max-md:hidden')}>
                      {s.input || 'nothing was asked in words'}
                    </span>
                    <span dir="auto" className={cx('max-w-40 flex-none truncate text-label text-faint', s.input && 'max-md:hidden')}>
                      {s.agentName ? `${visible(s.agentName)} · ` : ''}
                      {visible(s.id)}
                    </span>
                  </Link>
                </span>
                <Cell className="max-md:hidden">{formatCount(folders ? s.toolCalls : s.turns)}</Cell>
                <Cell className="max-md:hidden">{formatCount(folders ? s.files : s.toolCalls)}</Cell>
                <Cell className={s.errors > 0 ? 'font-semibold text-error' : 'text-faint'}>{formatCount(s.errors)}</Cell>
                <Cell className="whitespace-nowrap max-md:hidden">{formatDuration(s.durationMs || null)}</Cell>
                <Cell className="max-md:hidden">{formatCount(s.tokens)}</Cell>
                <Cell className="max-md:hidden">{formatMoney(s.costNanoUsd)}</Cell>
                <span role="cell" className="truncate text-right text-muted" title={absoluteTime(s.last, zone)}>
                  {relativeTime(s.last, now, zone)}
                </span>
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function FolderRow({ folder, partial, place, rowIndex }: { folder: Folder<Session>; partial: boolean; place: { transform: string; height: number }; rowIndex: number }) {
  return (
    <div role="row" aria-rowindex={rowIndex} className={cx('absolute inset-x-0 grid items-center gap-2 border-t bg-sunken px-3.5', columns)} style={place}>
      <span role="cell" />
      <span role="cell" className="flex min-w-0 items-baseline gap-2">
        <b className={cx('truncate font-mono text-[12px]', folder.folder ? 'font-semibold' : 'font-normal text-muted')} title={folder.folder ?? undefined} dir="auto">
          {folder.folder === null ? 'no folder' : visible(folder.folder)}
        </b>
        <span className="flex-none text-label text-faint" title={partial ? 'of the sessions read so far' : undefined}>
          {formatCount(folder.sessions.length)}
          {partial ? '+' : ''} {folder.sessions.length === 1 && !partial ? 'session' : 'sessions'}
        </span>
      </span>
      <Cell className="text-muted max-md:hidden">{formatCount(folder.toolCalls)}</Cell>
      <span role="cell" className="max-md:hidden" />
      <Cell className={folder.errors > 0 ? 'text-error' : 'text-faint'}>{formatCount(folder.errors)}</Cell>
      <Cell className="whitespace-nowrap text-muted max-md:hidden">{formatDuration(folder.durationMs || null)}</Cell>
      <Cell className="text-muted max-md:hidden">{formatCount(folder.tokens)}</Cell>
      <Cell className="text-muted max-md:hidden">{formatMoney(folder.costNanoUsd)}</Cell>
      <span role="cell" />
    </div>
  )
}

function Cell({ children, className }: { children: ReactNode; className?: string | undefined }) {
  return (
    <span role="cell" className={cx('text-right', className)}>
      {children}
    </span>
  )
}

function Plain({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <span role="columnheader" className={cx('text-right', className)}>
      {children}
    </span>
  )
}

function Header({ label, by, sort, onSort, className }: { label: string; by: SessionSort; sort: SessionSort; onSort: (sort: SessionSort) => void; className?: string }) {
  const time = by === 'recent' || by === 'oldest'
  const sorted = time ? sort === 'recent' || sort === 'oldest' : sort === by
  return (
    <span role="columnheader" aria-sort={sorted ? (sort === 'oldest' ? 'ascending' : 'descending') : undefined} className={cx('text-right', className)}>
      <button type="button" className={cx('min-h-6 min-w-6 hover:underline', sorted && 'font-semibold text-text')} onClick={() => onSort(by)} title={by === 'oldest' ? 'Oldest first' : by === 'recent' ? 'Newest first' : 'Largest first'}>
        {label}
        {sorted ? (sort === 'oldest' ? ' ↑' : ' ↓') : ''}
      </button>
    </span>
  )
}
