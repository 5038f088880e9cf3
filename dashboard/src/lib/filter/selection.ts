import type { Term } from './filter'

/** What the list of traces can be asked for by field and value. */
export const selectable = ['status', 'provider', 'model', 'service', 'source', 'session'] as const

export type Selection = Partial<Record<(typeof selectable)[number], string>>

/** A filter as the parameters of a list, and what of it the list cannot answer. */
export function selectionOf(terms: Term[]): { selection: Selection; problems: string[] } {
  const selection: Selection = {}
  const problems: string[] = []
  for (const term of terms) {
    if (term.kind === 'text') {
      problems.push(`"${term.text}": the list does not search in texts yet`)
      continue
    }
    const field = selectable.find((name) => name === term.field)
    const value = term.values[0] ?? ''
    if (term.field === 'has' && value === 'error' && !term.negated) selection.status = 'error'
    else if (!field) problems.push(`the list cannot select by ${term.field} yet`)
    else if (term.negated || term.values.length !== 1 || value.includes('*')) problems.push(`the list takes one whole value of ${field}`)
    else if (selection[field] !== undefined) problems.push(`${field} stands twice`)
    else selection[field] = field === 'status' && value === 'ok' ? 'success' : value
  }
  return { selection, problems }
}
