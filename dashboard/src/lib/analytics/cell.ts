import { addTerm, known, termOf } from '../filter/filter'
import { canLack, overlaps, specs, type Measure } from './measures'

const maxValues = 32 // of a term

/** The filter that finds the traces of a row. */
export function rowFilter(filter: string, by: readonly string[], keys: readonly string[]): string {
  return by.reduce((text, field, i) => {
    const key = keys[i] ?? ''
    return addTerm(text, key === '' ? known(field, true) : termOf(field, key))
  }, filter)
}

/** The filter that finds the traces of no row; null where the language cannot say so. */
export function otherFilter(filter: string, by: readonly string[], rows: readonly { keys: readonly string[] }[]): string | null {
  const [field] = by
  if (field === undefined || by.length > 1 || overlaps(by)) return null
  const keys = rows.map((row) => row.keys[0] ?? '')
  const named = keys.filter((key) => key !== '')
  if (named.length > maxValues) return null
  let text = filter
  if (named.length > 0) text = addTerm(text, { not: true, field, op: 'is', values: named.map((key) => ({ text: key })) })
  // Whoever has no value is excluded by none, so only where that is a row of its own.
  return named.length < keys.length && canLack(field) ? addTerm(text, known(field)) : text
}

/** The filter that finds what a number is made of, within the traces of its row. */
export function cellFilter(filter: string, measure: Measure): string {
  if (measure === 'errors') return addTerm(filter, termOf('status', 'error'))
  return specs[measure].heat === 'ttft' ? addTerm(filter, known('ttft')) : filter
}
