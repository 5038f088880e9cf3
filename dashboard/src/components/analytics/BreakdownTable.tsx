import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { cellFilter, otherFilter, rowFilter } from '@/lib/analytics/cell'
import { otherBefore, overlaps, printSum, specs, type Measure, type Values } from '@/lib/analytics/measures'
import { asksPayloads } from '@/lib/filter/filter'
import { splitFilter } from '@/lib/filter/url'
import { formatDelta, formatRate } from '@/lib/format/format'
import { measures } from '@/lib/search/names'
import { labelOf, type KeyNames } from '@/lib/filter/label'
import type { Breakdown } from '@/services/analytics'
import { cx } from '../ui/classes'

interface BreakdownTableProps {
  data: Breakdown
  by: string[]
  measure: Measure
  compare: boolean
  /** What the sums are of; each number opens its traces. */
  filter: string
  keys: KeyNames | undefined
  onMeasure: (measure: Measure) => void
}

// Columns under one head; the others stand alone.
const groups: { name: string; of: Measure[] }[] = [
  { name: 'latency', of: ['p50', 'p90', 'p95', 'p99'] },
  { name: 'first token', of: ['ttft50', 'ttft90', 'ttft95', 'ttft99'] },
]
const always: Measure[] = ['count', 'errors', 'cost', 'tokens', 'p50', 'p90', 'p95', 'p99', 'ttft50', 'ttft90', 'ttft95', 'ttft99']

/** The measures of the table: in and out only where they are asked for. */
export const shownMeasures = (measure: Measure): Measure[] => measures.filter((it) => always.includes(it) || it === measure)

const divided = (it: Measure) => (it === 'p50' || it === 'ttft50') && 'border-l'

/** Sums by one or two fields. What no row shows is "other", so that rows add up to the total. */
export function BreakdownTable({ data, by, measure, compare, filter, keys, onMeasure }: BreakdownTableProps) {
  const shown = shownMeasures(measure)
  const alone = shown.filter((it) => !groups.some((g) => g.of.includes(it)))
  const { format, adds, worse } = specs[measure]
  const top = Math.max(...data.rows.map((row) => row.values[measure] ?? 0), 0)
  const others = otherFilter(filter, by, data.rows)
  const delta = (value: number | null | undefined, previous: number | null | undefined, isNew: boolean) => {
    if (isNew) return <span className="text-muted">new</span>
    const d = formatDelta(value ?? null, previous ?? null, { moreIs: worse ? 'bad' : 'neither' })
    return d ? <span className={d.worse ? (measure === 'errors' ? 'text-error' : 'text-warn') : 'text-muted'} title={`before: ${format(previous)}`}>{d.text}</span> : <span className="text-faint">—</span>
  }
  const line = (key: string, head: ReactNode, values: Values, of: string | null, change: ReactNode, className?: string) => (
    <tr key={key} className={cx('group border-t', className)}>
      {head}
      {shown.map((it) => (
        <Cell key={it} measure={it} values={values} filter={of} current={it === measure} share={it === measure && adds && top > 0 && className === undefined ? (values[it] ?? 0) / top : 0} />
      ))}
      {compare ? <td className="px-2 text-right">{change}</td> : null}
    </tr>
  )
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={`Traces by ${by.join(' and ')}`}>
      <table className="w-full min-w-[980px]">
        <thead className="text-label text-faint">
          <tr>
            <th colSpan={by.length + alone.length} />
            {groups.map((g) => (
              <th key={g.name} colSpan={g.of.length} className="border-l px-2 text-center font-normal">
                {g.name}
              </th>
            ))}
            {compare ? <th /> : null}
          </tr>
          <tr>
            {by.map((field) => (
              <th key={field} className="text-left font-normal">
                {field}
              </th>
            ))}
            {shown.map((it) => (
              <th key={it} className={cx('px-2 text-right font-normal', divided(it))} aria-sort={it === measure ? 'descending' : undefined}>
                <button type="button" className={cx('min-h-6 min-w-6 hover:underline', it === measure && 'font-semibold text-text')} title={`Show ${specs[it].label}`} onClick={() => onMeasure(it)}>
                  {specs[it].short}
                  {it === measure ? ' ↓' : ''}
                </button>
              </th>
            ))}
            {compare ? (
              <th className="px-2 text-right font-normal" title={`${specs[measure].label} against the period before`}>
                Δ {specs[measure].short}
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>
          {data.rows.map((row) => {
            const of = rowFilter(filter, by, row.keys)
            const head = row.keys.map((key, i) => (
              <td key={by[i]} className="max-w-64 truncate" title={key}>
                <To filter={of}>
                  <span dir="auto" className={cx('user-text', key === '' && 'text-muted', by[i] === 'status' && key === 'error' && 'text-error')}>
                    {key === '' ? `no ${by[i]}` : labelOf(by[i] ?? '', key, keys)}
                  </span>
                </To>
              </td>
            ))
            return line(row.keys.join('\n'), head, row.values, of, delta(row.values[measure], row.previous?.[measure], row.previous === null && (data.previous?.count ?? 0) > 0))
          })}
          {data.other ? line('other', <td colSpan={by.length} title={others === null ? 'No filter can say “none of these”' : undefined}>{others === null ? 'Other' : <To filter={others}>Other</To>}</td>, data.other, others, delta(data.other[measure], otherBefore(data, measure, by), false), 'text-muted') : null}
          {line('total', <td colSpan={by.length}><To filter={filter}>Total</To></td>, data.total, filter, delta(data.total[measure], data.previous?.[measure], false), 'font-semibold')}
        </tbody>
      </table>
      {overlaps(by) ? <p className="mt-1 text-label text-faint">A trace can have several: it is in the row of each, and once in the total.</p> : null}
    </div>
  )
}

function Cell({ measure, values, filter, current, share }: { measure: Measure; values: Values; filter: string | null; current: boolean; share: number }) {
  const value = values[measure]
  const failed = measure === 'errors' && (value ?? 0) > 0
  const traces = values.count ?? 0
  const text = (
    <>
      {printSum(measure, value)}
      {failed && traces > 0 ? <span className="ml-1 text-label">{formatRate((value ?? 0) / traces)}</span> : null}
    </>
  )
  const nothing = value === null || value === undefined || value === 0
  return (
    <td className={cx('relative whitespace-nowrap px-2 text-right', divided(measure), failed && 'text-error', current && 'font-semibold')}>
      {share > 0 ? <span className="absolute bottom-0 right-0 h-0.5 rounded-bar bg-accent/60" style={{ width: `${share * 100}%` }} aria-hidden="true" /> : null}
      {filter === null || nothing ? (
        text
      ) : (
        <To filter={cellFilter(filter, measure)} sort={specs[measure].sort}>
          {text}
        </To>
      )}
    </td>
  )
}

/** The traces that a filter finds. */
function To({ filter, sort = 'start', children }: { filter: string; sort?: 'start' | 'duration' | 'cost' | 'tokens'; children: ReactNode }) {
  const { q, hash } = splitFilter(filter)
  const order = asksPayloads(filter) ? 'start' : sort
  return (
    <Link to="/dashboard/traces" search={{ q, sort: order === 'start' ? undefined : order }} hash={hash} className="no-underline hover:underline" preload={false}>
      {children}
    </Link>
  )
}
