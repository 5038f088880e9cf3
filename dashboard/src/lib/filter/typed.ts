import { printTerm } from './filter'

/** Characters below which an answer would be nearly every trace. */
export const leastTyped = 2
const mostTyped = 200
const leastOfId = 4

/**
 * The filters that find traces by what somebody is typing: in their names, in
 * those of their models, which they are called by where they have none, in the
 * ids of their sessions, at the begin of their own. Fields of one filter are
 * ANDed, so there is one for each. Patterns know upper from lower case: the text
 * is looked for as it was typed, in lower case and with a capital.
 */
export function typedFilters(typed: string): string[] {
  const text = wildcards(typed.trim().slice(0, mostTyped))
  if (text.length < leastTyped) return []
  const lower = text.toLowerCase()
  const cases = [...new Set([text, lower, text.toUpperCase(), capital(lower)])]
  const filter = (field: string, patterns: string[]) => printTerm({ field, op: 'is', values: patterns.map((pattern) => ({ text: pattern, glob: true as const })) })
  return [
    filter('name', cases.map((it) => `*${it}*`)),
    filter('model', cases.map((it) => `*${it}*`)),
    filter('session', cases.map((it) => `*${it}*`)),
    ...(text.length >= leastOfId && !/\s/.test(typed.trim()) ? [filter('trace', [...new Set([text, lower])].map((it) => `${it}*`))] : []),
  ]
}

const capital = (text: string) => text.replace(/[^*]/u, (c) => c.toUpperCase())

/** A pattern for what no value of a filter can hold: blanks, quotes and commas stand for any text, and so does what no filter holds. */
const wildcards = (text: string) =>
  [...text]
    .map((c) => (/[\s",*\p{Cc}\p{Cs}]/u.test(c) ? '*' : c))
    .join('')
    .replace(/\*+/g, '*')
    .replace(/^\*|\*$/g, '')
