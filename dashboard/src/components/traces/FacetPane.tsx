import { formatCount } from '@/lib/format/format'
import { chosenIn, parseFilter } from '@/lib/filter/filter'
import { labelOf, type KeyNames } from '@/lib/filter/label'
import { facetFields, type Facets } from '@/services/counts'
import { Button } from '../ui/Button'
import { Dialog } from '../ui/Dialog'
import { cx } from '../ui/classes'

interface FacetsProps {
  facets: Facets | undefined
  filter: string
  keys: KeyNames | undefined
  /** With `not` all but the value. */
  onToggle: (field: string, value: string, not: boolean) => void
}

/** Facets beside a list, where there is room. */
export function FacetPane(props: FacetsProps) {
  return (
    <aside aria-label="Facets" className="w-52 flex-none overflow-y-auto border-r bg-surface px-2 py-2 max-xl:hidden" tabIndex={0}>
      <FacetList {...props} />
    </aside>
  )
}

/** The same behind a button, where there is none. */
export function FacetSheet({ onClose, ...props }: FacetsProps & { onClose: () => void }) {
  return (
    <Dialog title="Facets" onClose={onClose}>
      <div className="-mx-1.5 max-h-[60vh] overflow-y-auto [&_button]:min-h-8" tabIndex={0} role="region" aria-label="Facets">
        <FacetList {...props} />
      </div>
      <div className="mt-3 flex justify-end">
        <Button look="primary" onClick={onClose}>
          Show the traces
        </Button>
      </div>
    </Dialog>
  )
}

/** The most frequent values under the filter; a click takes one in, beside others of its field, or out again, with Alt it leaves it out. */
function FacetList({ facets, filter, keys, onToggle }: FacetsProps) {
  const { terms } = parseFilter(filter)
  return (
    <>
      {facetFields.map((field) => {
        const values = (facets?.values[field] ?? []).flatMap((v) => (v.value === '' ? [] : [{ ...v, chosen: chosenIn(terms, field, v.value) }]))
        // Most projects have one API key, which tells nothing.
        const telling = field !== 'key' || values.length > 1 || values.some((v) => v.chosen)
        if (values.length === 0 || !telling) return null
        return (
          <section key={field} className="mb-2">
            <h2 className="px-1.5 text-label text-faint">{field}</h2>
            <ul>
              {values.map((v) => (
                <li key={v.value}>
                  <button
                    type="button"
                    aria-pressed={v.chosen === 'in'}
                    className={cx('flex min-h-6 w-full items-center justify-between gap-2 rounded-control px-1.5 text-left hover:bg-sunken', v.chosen === 'in' && 'bg-select font-semibold')}
                    title={`${v.value}\n${v.chosen === 'out' ? 'Left out: click to have it again' : 'Alt+click: all but it'}`}
                    onClick={(event) => onToggle(field, v.value, event.altKey)}
                  >
                    <span dir="auto" className={cx('user-text truncate', v.chosen === 'out' ? 'text-faint line-through' : field === 'status' && v.value === 'error' && 'text-error')}>
                      {labelOf(field, v.value, keys)}
                      {v.chosen === 'out' ? <span className="sr-only"> left out</span> : null}
                    </span>
                    <span className="flex-none text-label text-faint">
                      {formatCount(v.count)}
                      {facets?.exact ? '' : '+'}
                    </span>
                  </button>
                </li>
              ))}
            </ul>
          </section>
        )
      })}
    </>
  )
}
