import { Link } from '@tanstack/react-router'
import { absoluteTime, formatCount, formatDuration, formatMoney, relativeTime, type Zone } from '@/lib/format/format'
import type { Session } from '@/services/sessions'
import { cx } from '../ui/classes'

/** Sessions in rows; those that failed somewhere are marked. */
export function SessionTable({ sessions, now, zone, folders = false }: { sessions: Session[]; now: Date; zone: Zone; folders?: boolean }) {
  return (
    <div className="min-h-0 flex-1 overflow-auto bg-surface" tabIndex={0} role="region" aria-label="Sessions">
      <table className="w-full min-w-[640px]">
        <thead className="sticky top-0 bg-surface">
          <tr className="h-7 border-b text-left text-label text-faint">
            <th className="w-8 pl-3.5 font-normal">
              <span className="sr-only">status</span>
            </th>
            <th className="font-normal">session</th>
            <th className="font-normal">{folders ? 'folder' : 'model'}</th>
            <th className="text-right font-normal">traces</th>
            <th className="text-right font-normal">tools</th>
            <th className="text-right font-normal">errors</th>
            <th className="text-right font-normal">time</th>
            <th className="text-right font-normal">tokens</th>
            <th className="text-right font-normal">cost</th>
            <th className="pr-3.5 text-right font-normal">last</th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((s) => (
            <tr key={s.id} className="h-7 hover:bg-sunken">
              <td className={cx('pl-3.5', s.errors > 0 ? 'text-error' : 'text-faint')}>
                {s.errors > 0 ? '✕' : '●'}
                <span className="sr-only">{s.errors > 0 ? 'with errors' : 'ok'}</span>
              </td>
              <td className="max-w-72 truncate font-semibold">
                <Link to="/dashboard/sessions/$sessionId" params={{ sessionId: s.id }} className="no-underline hover:underline" dir="auto">
                  {s.agentName ? `${s.agentName} · ` : ''}
                  {s.id}
                </Link>
              </td>
              <td className="max-w-56 truncate text-muted" title={s.folder ?? undefined}>
                {(folders ? s.folder : s.model) ?? '—'}
              </td>
              <td className="text-right">{formatCount(s.traces)}</td>
              <td className="text-right">{formatCount(s.toolCalls)}</td>
              <td className={cx('text-right', s.errors > 0 && 'text-error')}>{formatCount(s.errors)}</td>
              <td className="whitespace-nowrap text-right">{formatDuration(s.durationMs)}</td>
              <td className="text-right">{formatCount(s.tokens)}</td>
              <td className="text-right">{formatMoney(s.costNanoUsd)}</td>
              <td className="whitespace-nowrap pr-3.5 text-right text-muted" title={absoluteTime(s.last, zone)}>
                {relativeTime(s.last, now, zone)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
