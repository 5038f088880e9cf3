import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useRows } from '@/hooks/useRows'
import { absoluteTime, formatCount, formatDuration, formatMoney, type Zone } from '@/lib/format/format'
import { isPart, sumOf, type AgentPart, type AgentRow, type AgentRowKind } from '@/lib/session/agent'
import { agentParts } from '@/lib/search/names'
import { visible } from '@/lib/text/visible'
import { cx } from '../ui/classes'

interface AgentTimelineProps {
  rows: AgentRow[]
  part: AgentPart | undefined
  onPart: (part: AgentPart | undefined) => void
  /** Where it worked: files in it are named from there on. */
  folder: string | null
  /** There are more spans than were read. */
  partial: boolean
  zone: Zone
  onEnd: () => void
}

const looks: Record<AgentRowKind, { letter: string; color: string; label: string }> = {
  prompt: { letter: 'U', color: 'var(--kind-user)', label: 'prompt' },
  edit: { letter: 'T', color: 'var(--kind-tool)', label: 'edit' },
  command: { letter: 'T', color: 'var(--kind-tool)', label: 'command' },
  tool: { letter: 'T', color: 'var(--kind-tool)', label: 'tool' },
  wait: { letter: 'N', color: 'var(--kind-notification)', label: 'wait' },
  agent: { letter: 'A', color: 'var(--kind-agent)', label: 'agent' },
  model: { letter: 'L', color: 'var(--kind-llm)', label: 'model' },
  notice: { letter: 'N', color: 'var(--kind-notification)', label: 'notice' },
  session: { letter: 'S', color: 'var(--kind-session)', label: 'session' },
}

const columns = 'grid-cols-[24px_72px_minmax(96px,160px)_minmax(0,1fr)_80px_72px_76px] max-md:grid-cols-[24px_60px_minmax(0,72px)_minmax(0,1fr)_60px]'

/** What an agent did, row by row: files, commands, waits for permission, sub-agents. */
export function AgentTimeline({ rows, part, onPart, folder, partial, zone, onEnd }: AgentTimelineProps) {
  const sums = useMemo(() => sumOf(rows), [rows])
  const shown = useMemo(() => rows.filter((row) => isPart(row, part)), [rows, part])
  const { scroller, items, height, rowHeight } = useRows({ count: shown.length, onEnd })
  const plus = partial ? '+' : ''
  const texts: Record<AgentPart, [number, string]> = {
    edits: [sums.edits, `${sums.edits === 1 && !partial ? 'edit' : 'edits'} in ${formatCount(sums.files.length)}${plus} ${sums.files.length === 1 ? 'file' : 'files'}`],
    commands: [sums.commands, sums.commands === 1 && !partial ? 'command' : 'commands'],
    waits: [sums.waits, `${sums.waits === 1 && !partial ? 'wait' : 'waits'}${sums.waitedMs > 0 ? `, ${formatDuration(sums.waitedMs)}` : ''}`],
    agents: [sums.agents, sums.agents === 1 && !partial ? 'sub-agent' : 'sub-agents'],
    errors: [sums.errors, 'failed'],
  }
  return (
    <>
      <div className="flex flex-none flex-wrap items-center gap-2 border-b px-3.5 py-1.5" role="group" aria-label="What is shown">
        {agentParts.map((it) => {
          const [count, text] = texts[it]
          return (
            <button key={it} type="button" aria-pressed={part === it} disabled={count === 0 && part !== it} className={cx('min-h-7 rounded-control border px-2.5 disabled:text-faint', part === it ? 'bg-select font-semibold' : 'bg-surface enabled:hover:bg-sunken', it === 'errors' && count > 0 && 'text-error')} onClick={() => onPart(part === it ? undefined : it)}>
              {it === 'errors' && count > 0 ? '✕ ' : ''}
              {formatCount(count)}
              {plus} {text}
            </button>
          )
        })}
      </div>
      {part === 'edits' && sums.files.length > 0 ? (
        <ul className="flex max-h-28 flex-none flex-wrap gap-x-5 overflow-y-auto border-b bg-canvas px-3.5 py-1.5 font-mono text-[12px]" aria-label="Files edited" tabIndex={0}>
          {sums.files.map((file) => (
            <li key={file.path} className="max-w-full truncate" title={file.path} dir="auto">
              {visible(within(folder, file.path))} <span className="text-faint">×{formatCount(file.edits)}</span>
            </li>
          ))}
        </ul>
      ) : null}
      <div role="table" aria-label="What the agent did" aria-rowcount={shown.length + 1} className="flex min-h-0 flex-1 flex-col bg-surface">
        <div role="rowgroup" className="flex-none">
          <div role="row" className={cx('grid h-7 items-center gap-2 border-b px-3.5 text-label text-faint', columns)}>
            <span role="columnheader" className="overflow-hidden">
              <span className="sr-only">kind</span>
            </span>
            <span role="columnheader">time</span>
            <span role="columnheader">what</span>
            <span role="columnheader">of what</span>
            <span role="columnheader" className="text-right">
              duration
            </span>
            <span role="columnheader" className="text-right max-md:hidden">
              tokens
            </span>
            <span role="columnheader" className="text-right max-md:hidden">
              cost
            </span>
          </div>
        </div>
        <div ref={scroller} role="rowgroup" className="min-h-0 flex-1 overflow-y-auto" tabIndex={0}>
          <div className="relative" style={{ height }}>
            {items.map((item) => {
              const row = shown[item.index]
              return row ? <Row key={row.id} row={row} folder={folder} zone={zone} rowIndex={item.index + 2} place={{ transform: `translateY(${item.start}px)`, height: rowHeight }} /> : null
            })}
          </div>
        </div>
      </div>
    </>
  )
}

/** A path from a folder on. */
const within = (folder: string | null, text: string) => (folder && text.startsWith(`${folder}/`) ? text.slice(folder.length + 1) : text)

function Row({ row, folder, zone, rowIndex, place }: { row: AgentRow; folder: string | null; zone: Zone; rowIndex: number; place: { transform: string; height: number } }) {
  const look = looks[row.kind]
  const time = absoluteTime(new Date(row.at), zone)
  const mono = row.kind === 'edit' || row.kind === 'command' || row.kind === 'tool'
  return (
    <div role="row" aria-rowindex={rowIndex} className={cx('absolute inset-x-0 grid items-center gap-2 px-3.5 hover:bg-sunken', columns, row.kind === 'prompt' && 'border-t bg-canvas font-semibold', row.failed && 'bg-error-bg')} style={place}>
      <span role="cell" className={cx('font-semibold', row.failed && 'text-error')} style={row.failed ? undefined : { color: look.color }} title={look.label}>
        {row.failed ? '✕' : ''}
        {look.letter}
      </span>
      <span role="cell" className="truncate text-muted" title={time}>
        {time.split(' ').at(-1)}
      </span>
      <span role="cell" className={cx('truncate', row.kind === 'wait' && 'text-notification')} title={row.name}>
        {row.traceId ? (
          <Link to="/dashboard/traces/$traceId" params={{ traceId: row.traceId }} search={{ span: row.id }} className="no-underline after:absolute after:inset-0 hover:underline">
            {visible(row.name)}
          </Link>
        ) : (
          visible(row.name)
        )}
      </span>
      <span role="cell" dir="auto" className={cx('user-text truncate', mono && 'font-mono text-[12px]', row.kind !== 'prompt' && 'text-muted')} title={[row.text.slice(0, 1000), row.failed ? (row.error ?? 'failed') : null].filter(Boolean).join('\n→ ')}>
        {visible(within(folder, row.text).slice(0, 500))}
        {row.failed ? <span className="text-error"> → {row.error ?? 'failed'}</span> : null}
      </span>
      <span role="cell" className={cx('truncate text-right', row.kind === 'wait' && 'text-notification')}>
        {row.open ? 'no end' : formatDuration(row.durationMs)}
      </span>
      <span role="cell" className="text-right text-muted max-md:hidden">
        {row.tokens === null ? '' : formatCount(row.tokens)}
      </span>
      <span role="cell" className="text-right text-muted max-md:hidden">
        {row.costNanoUsd === null ? '' : formatMoney(row.costNanoUsd)}
      </span>
    </div>
  )
}
