import { diffLines, diffWordsWithSpace } from 'diff'

export interface Change {
  type: 'same' | 'removed' | 'added'
  text: string
}

// Up to here words are compared, beyond it lines.
const mostCharacters = 200_000
const limits = { maxEditLength: 20_000, timeout: 3_000 }

/** What changed from one text to the other, by word; by line where they are long, as a whole where they have too little in common. */
export function diffTexts(before: string, after: string): Change[] {
  if (before === after) return before === '' ? [] : [{ type: 'same', text: before }]
  const long = before.length + after.length > mostCharacters
  const parts = (long ? undefined : diffWordsWithSpace(before, after, limits)) ?? diffLines(before, after, limits)
  if (!parts) return [{ type: 'removed', text: before }, { type: 'added', text: after }]
  return parts.map((p) => ({ type: p.added ? 'added' : p.removed ? 'removed' : 'same', text: p.value }))
}
