import { Link } from '@tanstack/react-router'
import { printTerm, termOf } from '@/lib/filter/filter'
import { formatCount, formatDuration, formatMoney, formatRate } from '@/lib/format/format'
import type { CallGroup } from '@/services/analytics'
import { cx } from '../ui/classes'

interface Column {
  name: string
  value: (sums: CallGroup) => string
}

const columns: Column[] = [
  { name: 'calls', value: (g) => formatCount(g.calls) },
  { name: 'errors', value: (g) => formatRate(g.errorRate) },
  { name: 'p50', value: (g) => formatDuration(g.latency.p50) },
  { name: 'p95', value: (g) => formatDuration(g.latency.p95) },
  { name: 'first token', value: (g) => formatDuration(g.ttft.p50) },
  { name: 'tokens', value: (g) => formatCount(g.tokens) },
  { name: 'cost', value: (g) => formatMoney(g.costNanoUsd) },
]

/** Model calls by model. */
export function CallTable({ groups }: { groups: CallGroup[] }) {
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label="Model calls by model">
      <table className="w-full min-w-[640px]">
        <thead>
          <tr className="text-left text-label text-faint">
            <th className="font-normal">model</th>
            {columns.map((column) => (
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
              {columns.map((column) => (
                <td key={column.name} className={cx('text-right', column.name === 'errors' && g.errorRate > 0 && 'text-error')}>
                  {column.value(g)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
