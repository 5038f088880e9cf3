import { Link } from '@tanstack/react-router'
import { printTerm, termOf } from '@/lib/filter/filter'
import { formatCount, formatDuration, formatMoney, formatRate } from '@/lib/format/format'
import type { CallGroup, Calls } from '@/services/analytics'
import { cx } from '../ui/classes'

type Sums = Pick<CallGroup, 'calls' | 'costNanoUsd' | 'tokens' | 'latency' | 'ttft'> & { errorRate: number | null }

interface Column {
  name: string
  value: (sums: Sums, all: Calls) => string
  /** Only where there is room for all of them. */
  whole?: true
}

const columns: Column[] = [
  { name: 'calls', value: (g) => formatCount(g.calls) },
  { name: 'errors', value: (g) => formatRate(g.errorRate) },
  { name: 'p50', value: (g) => formatDuration(g.latency.p50) },
  { name: 'p90', value: (g) => formatDuration(g.latency.p90), whole: true },
  { name: 'p95', value: (g) => formatDuration(g.latency.p95) },
  { name: 'p99', value: (g) => formatDuration(g.latency.p99), whole: true },
  { name: 'first token', value: (g) => formatDuration(g.ttft.p50) },
  { name: 'tokens', value: (g) => formatCount(g.tokens) },
  { name: 'cost', value: (g) => formatMoney(g.costNanoUsd) },
  { name: 'of cost', value: (g, all) => (all.costNanoUsd > 0 ? formatRate(g.costNanoUsd / all.costNanoUsd) : '—'), whole: true },
]

/** Model calls by what they have in common; whole with every percentile and the sum of all. */
export function CallTable({ by, calls, groups, whole = false }: { by: 'model' | 'provider'; calls: Calls; groups: CallGroup[]; whole?: boolean }) {
  const shown = columns.filter((column) => whole || !column.whole)
  const cells = (sums: Sums) =>
    shown.map((column) => (
      <td key={column.name} className={cx('text-right', column.name === 'errors' && (sums.errorRate ?? 0) > 0 && 'text-error')}>
        {column.value(sums, calls)}
      </td>
    ))
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={`Model calls by ${by}`}>
      <table className="w-full min-w-[640px]">
        <thead>
          <tr className="text-left text-label text-faint">
            <th className="font-normal">{by}</th>
            {shown.map((column) => (
              <th key={column.name} className="text-right font-normal">
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {groups.map((g) => (
            <tr key={`${g.provider} ${g.model}`} className="border-t">
              <td>
                <Link to="/dashboard/traces" search={{ q: printTerm(g.model === null ? termOf('provider', g.provider) : termOf('model', g.model)) }} className="no-underline hover:underline">
                  {g.model ?? g.provider} {g.model === null ? null : <span className="text-faint">{g.provider}</span>}
                </Link>
              </td>
              {cells(g)}
            </tr>
          ))}
          {whole ? (
            <tr className="border-t font-semibold">
              <td>all</td>
              {cells(calls)}
            </tr>
          ) : null}
        </tbody>
      </table>
    </div>
  )
}
