import { parseFilter, printFilter } from './filter'

/** The filter as one text: what stands in the query, and the words that stand behind # so that they reach no log. */
export function joinFilter(q: string, hash: string): string {
  const words = /^text=(.*)$/s.exec(hash)?.[1] ?? ''
  try {
    return [q, decodeURIComponent(words)].filter(Boolean).join(' ')
  } catch {
    return [q, words].filter(Boolean).join(' ')
  }
}

/** Its parts again: `q` for the query, and what stands behind #. */
export function splitFilter(filter: string): { q: string | undefined; hash: string } {
  const { terms } = parseFilter(filter)
  const words = terms.filter((t) => t.field === '')
  return { q: printFilter(terms.filter((t) => t.field !== '')) || undefined, hash: words.length > 0 ? `text=${encodeURIComponent(printFilter(words))}` : '' }
}
