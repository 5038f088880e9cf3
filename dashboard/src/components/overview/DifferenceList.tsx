import { formatRate } from '@/lib/format/format'
import { labelOf, type KeyNames } from '@/lib/filter/label'
import type { Difference } from '@/services/overview'
import { Button } from '../ui/Button'

/** Values that the selection has more of than the rest: its share above, that of the others below. */
export function DifferenceList({ rows, keys, onAdd }: { rows: Difference[]; keys: KeyNames | undefined; onAdd: (field: string, value: string, not: boolean) => void }) {
  if (rows.length === 0) return <p className="py-8 text-center text-muted">Nothing stands out: these are like the others.</p>
  return (
    <ul>
      {rows.map((row) => (
        <li key={`${row.field} ${row.value}`} className="flex min-h-8 items-center gap-2 max-sm:flex-wrap max-sm:gap-y-0 max-sm:pb-1.5">
          <span className="w-20 flex-none truncate text-muted max-sm:w-16" title={row.field}>
            {row.field}
          </span>
          <span dir="auto" className="user-text w-36 flex-none truncate font-semibold max-sm:w-auto max-sm:min-w-0 max-sm:flex-1" title={row.value}>
            {labelOf(row.field, row.value, keys)}
          </span>
          <span className="flex min-w-0 flex-1 flex-col gap-0.5 max-sm:order-last max-sm:basis-full" aria-hidden="true">
            <span className="h-1.5 rounded-bar bg-warn" style={{ width: `${row.selected * 100}%` }} />
            <span className="h-1.5 rounded-bar bg-accent" style={{ width: `${row.baseline * 100}%` }} />
          </span>
          <span className="w-24 flex-none text-right">
            {formatRate(row.selected)} <span className="text-faint" title="of the others">{formatRate(row.baseline)}</span>
          </span>
          <Button look="quiet" className="w-7 !px-0" aria-label={`Traces with ${row.field} ${labelOf(row.field, row.value, keys)}`} title="Show traces with it" onClick={() => onAdd(row.field, row.value, false)}>
            +
          </Button>
          <Button look="quiet" className="w-7 !px-0" aria-label={`Traces without ${row.field} ${labelOf(row.field, row.value, keys)}`} title="Show traces without it" onClick={() => onAdd(row.field, row.value, true)}>
            −
          </Button>
        </li>
      ))}
    </ul>
  )
}
