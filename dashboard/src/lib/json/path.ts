/** Names for a place in JSON, to copy. */
import { NodeKind, type JsonIndex } from './tokenise'

/** `$.a[0]["b c"]`, `.a[0]["b c"]` for jq, `/a/0/b c` after RFC 6901. */
export type PathStyle = 'jsonpath' | 'jq' | 'pointer'

/**
 * The text that a string token stands for. `start` and `end` are those of the
 * token, with its quotes.
 */
export function decodeString(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1)
  if (!inner.includes('\\')) return inner
  const value: unknown = JSON.parse(text.slice(start, end))
  return typeof value === 'string' ? value : inner
}

/** The key of a node, decoded; null where it has none. */
export function keyOf(text: string, index: JsonIndex, node: number): string | null {
  const start = index.keyStart[node] ?? -1
  return start < 0 ? null : decodeString(text, start, index.keyEnd[node] ?? start)
}

/** What copying a node gives: of a string its decoded text, of all else the stored bytes. */
export function copyTextOf(text: string, index: JsonIndex, node: number): string {
  const start = index.start[node] ?? 0
  const end = index.end[node] ?? 0
  return index.kind[node] === NodeKind.string ? decodeString(text, start, end) : text.slice(start, end)
}

/** The keys and positions from the whole down to a node. */
export function stepsTo(text: string, index: JsonIndex, node: number): (string | number)[] {
  const steps: (string | number)[] = []
  for (let at = node; (index.parent[at] ?? -1) >= 0; at = index.parent[at] ?? 0) steps.push(keyOf(text, index, at) ?? index.position[at] ?? 0)
  return steps.reverse()
}

/**
 * The path of a node. Where an object has a key twice, both have the same path:
 * no style can tell them apart.
 */
export function pathOf(text: string, index: JsonIndex, node: number, style: PathStyle = 'jsonpath'): string {
  const steps = stepsTo(text, index, node)
  if (style === 'pointer') return steps.map((s) => `/${String(s).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  const written = steps.map((s) => (typeof s === 'number' ? `[${s}]` : /^[A-Za-z_][A-Za-z0-9_]*$/.test(s) ? `.${s}` : `[${JSON.stringify(s)}]`)).join('')
  if (style === 'jsonpath') return `$${written}`
  return written.startsWith('.') ? written : `.${written}`
}

/**
 * The innermost node that an offset, in UTF-16 code units, is in: in its key, in
 * its value, or between; -1 outside of the whole. Logarithmic, but for the
 * containers that end before the offset.
 */
export function nodeAt(index: JsonIndex, offset: number): number {
  let low = 0
  let high = index.count - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (begin(index, middle) <= offset) low = middle
    else high = middle - 1
  }
  if (index.count === 0 || begin(index, 0) > offset) return -1
  let node = low
  while (node >= 0 && (index.end[node] ?? 0) <= offset) node = index.parent[node] ?? -1
  return node
}

const begin = (index: JsonIndex, node: number): number => {
  const key = index.keyStart[node] ?? -1
  return key >= 0 ? key : (index.start[node] ?? 0)
}
