/**
 * Search in the stored text of JSON for what it says, not for how it is
 * written: "テント" is found where it stands as "\u30c6\u30f3\u30c8", and "n" is not
 * found in "\n".
 */
import { nodeAt } from './path'
import { NodeKind, type JsonIndex } from './tokenise'

export interface JsonHit {
  /** In the text, in UTF-16 code units. */
  start: number
  end: number
  /** The node whose key or scalar it is in; -1 where the text is not JSON. */
  node: number
  inKey: boolean
}

export interface JsonHits {
  hits: JsonHit[]
  /** Whether there are more than the limit let through. */
  more: boolean
}

export interface SearchOptions {
  /** False unless given: "a" finds "A". */
  matchCase?: boolean
  /** Of hits; 10,000 unless given. */
  limit?: number
}

/** What stands for a character in a string besides itself and \uXXXX. */
const short: Record<string, string> = { '"': '"', '\\': '\\', '/': '/', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't' }

const literal = (c: string) => c.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

/** \uXXXX of each code unit, in digits of either case. */
function escaped(c: string): string {
  let out = ''
  for (let i = 0; i < c.length; i++) {
    const hex = c.charCodeAt(i).toString(16).padStart(4, '0')
    out += `\\\\u${hex.replace(/[a-f]/g, (d) => `[${d}${d.toUpperCase()}]`)}`
  }
  return out
}

/** A pattern for a query in text of JSON, or in plain text. */
function patternOf(query: string, matchCase: boolean, json: boolean): RegExp {
  const source = Array.from(query, (c) => {
    if (!json) return literal(c)
    const ways = new Set<string>()
    // Quotes and backslashes begin something else when they stand alone in a string.
    if (c !== '"' && c !== '\\') ways.add(literal(c))
    const other = short[c]
    if (other !== undefined) ways.add(`\\\\${literal(other)}`)
    for (const variant of matchCase ? [c] : [c, c.toLowerCase(), c.toUpperCase()]) if (Array.from(variant).length === 1) ways.add(escaped(variant))
    return `(?:${[...ways].join('|')})`
  }).join('')
  return new RegExp(source, matchCase ? 'gu' : 'giu')
}

/** Whether an offset is within an escape of a string, so that the character there stands for no character. */
function withinEscape(text: string, at: number): boolean {
  for (let back = 1; back <= 5 && at - back >= 0; back++) {
    if (text[at - back] !== '\\') continue
    let run = 1
    while (text[at - back - run] === '\\') run++
    if (run % 2 === 0) return false
    return back === 1 || text[at - back + 1] === 'u'
  }
  return false
}

/**
 * Finds a query in keys and scalars, in the order of the text, without overlap.
 * Of text that is no JSON the whole is searched as it stands. The cost is that
 * of one pass, so it is called in a worker.
 */
export function searchJson(text: string, index: JsonIndex, query: string, options: SearchOptions = {}): JsonHits {
  const limit = options.limit ?? 10_000
  const hits: JsonHit[] = []
  if (query === '') return { hits, more: false }
  const json = index.error === null
  const pattern = patternOf(query, options.matchCase ?? false, json)
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const start = match.index
    const end = start + match[0].length
    const hit = json ? hitOf(text, index, start, end) : { start, end, node: -1, inKey: false }
    if (!hit) {
      // A whole character on: from within a surrogate pair the pattern would step back.
      pattern.lastIndex = start + ((text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1)
      continue
    }
    if (hits.length === limit) return { hits, more: true }
    hits.push(hit)
  }
  return { hits, more: false }
}

/** The hit of a match; null for one in blanks, in punctuation, in half an escape, or across tokens. */
function hitOf(text: string, index: JsonIndex, start: number, end: number): JsonHit | null {
  const node = nodeAt(index, start)
  if (node < 0) return null
  const keyStart = index.keyStart[node] ?? -1
  const keyEnd = index.keyEnd[node] ?? -1
  const inKey = keyStart >= 0 && start < keyEnd
  const kind = index.kind[node] ?? NodeKind.null
  if (!inKey && kind <= NodeKind.array) return null
  const isText = inKey || kind === NodeKind.string
  const from = inKey ? keyStart + 1 : (index.start[node] ?? 0) + (isText ? 1 : 0)
  const to = inKey ? keyEnd - 1 : (index.end[node] ?? 0) - (isText ? 1 : 0)
  if (start < from || end > to || (isText && withinEscape(text, start))) return null
  return { start, end, node, inKey }
}
