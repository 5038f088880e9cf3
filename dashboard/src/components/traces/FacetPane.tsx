import { formatCount } from '@/lib/format/format'
import { parseFilter, printTerm, termOf } from '@/lib/filter/filter'
import { visible } from '@/lib/text/visible'
import { facetFields, type Facets } from '@/services/counts'
import { cx } from '../ui/classes'

/** The most frequent values under the filter; a click takes one in, or out again. */
export function FacetPane({ facets, filter, onToggle }: { facets: Facets | undefined; filter: string; onToggle: (field: string, value: string) => void }) {
  const chosen = new Set(parseFilter(filter).terms.map(printTerm))
  return (
    <aside aria-label="Facets" className="w-52 flex-none overflow-y-auto border-r bg-surface px-2 py-2 max-xl:hidden" tabIndex={0}>
      {facetFields.map((field) => {
        const values = facets?.values[field] ?? []
        const known = values.filter((v) => v.value !== '')
        if (known.length === 0) return null
        return (
          <section key={field} className="mb-2">
            <h2 className="px-1.5 text-label text-faint">{field}</h2>
            <ul>
              {known.map((v) => {
                const on = chosen.has(printTerm(termOf(field, v.value)))
                return (
                  <li key={v.value}>
                    <button type="button" aria-pressed={on} className={cx('flex min-h-6 w-full items-center justify-between gap-2 rounded-control px-1.5 text-left hover:bg-sunken', on && 'bg-select font-semibold')} onClick={() => onToggle(field, v.value)}>
                      <span dir="auto" title={v.value} className={cx('user-text truncate', field === 'status' && v.value === 'error' && 'text-error')}>
                        {visible(v.value)}
                      </span>
                      <span className="flex-none text-label text-faint">
                        {formatCount(v.count)}
                        {facets?.exact ? '' : '+'}
                      </span>
                    </button>
                  </li>
                )
              })}
            </ul>
          </section>
        )
      })}
    </aside>
  )
}
