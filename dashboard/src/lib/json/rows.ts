/**
 * The rows in which a viewer shows an index, one line each: what a pretty
 * printer would write, less what is folded. A viewer renders only the rows of
 * its window.
 */
import { wholeSlice } from '../text/slice'
import { NodeKind, type JsonIndex } from './tokenise'

/** Whether a node is an object or an array. */
export const isContainer = (index: JsonIndex, node: number): boolean => (index.kind[node] ?? NodeKind.null) <= NodeKind.array

/**
 * The rows under a set of folded nodes: for each visible node its number times
 * two, and for the line that closes a container that number plus one. A folded
 * or empty container is one row. Linear in what is visible.
 */
export function visibleJsonRows(index: JsonIndex, folded: ReadonlySet<number>): Uint32Array {
  const rows = new Uint32Array(index.count * 2)
  let n = 0
  const open: number[] = []
  const closeUpTo = (node: number) => {
    for (let last = open.at(-1); last !== undefined && (index.next[last] ?? 0) <= node; last = open.at(-1)) {
      rows[n++] = last * 2 + 1
      open.pop()
    }
  }
  for (let node = 0; node < index.count; ) {
    closeUpTo(node)
    rows[n++] = node * 2
    if ((index.size[node] ?? 0) > 0 && !folded.has(node)) {
      open.push(node)
      node++
    } else node = index.next[node] ?? index.count
  }
  closeUpTo(index.count)
  return rows.slice(0, n)
}

/** What a row of visibleJsonRows stands for. */
export interface JsonRow {
  node: number
  /** The line with only the closing bracket. */
  close: boolean
}

export const jsonRowOf = (row: number): JsonRow => ({ node: row >>> 1, close: row % 2 === 1 })

/** What a row shows. */
export interface JsonLine extends JsonRow {
  depth: number
  kind: NodeKind
  /** As stored, with quotes; null where there is none, and on closing lines. */
  key: string | null
  /** As stored: the scalar, the opening bracket, the closing one, or both of what is empty or folded. */
  value: string
  /** How many characters of a scalar are left out of `value`, in UTF-16 code units. */
  cut: number
  /** Of a folded container how many values it holds itself, else null. */
  hidden: number | null
  /** Whether a comma follows. */
  comma: boolean
}

/**
 * The content of a row. A key or scalar longer than `limit` UTF-16 code units is
 * cut, so that one string of 20 MB does not become one text node of 20 MB.
 */
export function jsonLine(text: string, index: JsonIndex, folded: ReadonlySet<number>, row: number, limit = 2_000): JsonLine {
  const { node, close } = jsonRowOf(row)
  const kind = (index.kind[node] ?? NodeKind.null) as NodeKind // the index holds no others
  const parent = index.parent[node] ?? -1
  const line: JsonLine = {
    node,
    close,
    depth: index.depth[node] ?? 0,
    kind,
    key: null,
    value: '',
    cut: 0,
    hidden: null,
    comma: parent >= 0 && (index.position[node] ?? 0) + 1 < (index.size[parent] ?? 0),
  }
  const [opening, closing] = kind === NodeKind.object ? (['{', '}'] as const) : (['[', ']'] as const)
  if (close) return { ...line, value: closing }
  const keyStart = index.keyStart[node] ?? -1
  if (keyStart >= 0) {
    const keyEnd = index.keyEnd[node] ?? keyStart
    line.key = keyEnd - keyStart > limit ? `${wholeSlice(text, keyStart, keyStart + limit)}…` : text.slice(keyStart, keyEnd)
  }
  if (kind > NodeKind.array) {
    const start = index.start[node] ?? 0
    const end = index.end[node] ?? start
    line.value = wholeSlice(text, start, Math.min(end, start + limit))
    line.cut = end - start - line.value.length
    return line
  }
  const size = index.size[node] ?? 0
  if (size === 0) return { ...line, value: opening + closing }
  if (folded.has(node)) return { ...line, value: opening + closing, hidden: size }
  // A comma stands behind the closing line.
  return { ...line, value: opening, comma: false }
}

/** Containers from a depth on, which a viewer folds at first: 1 leaves the outermost open. */
export function foldedFrom(index: JsonIndex, depth: number): Set<number> {
  const folded = new Set<number>()
  for (let node = 0; node < index.count; node++) {
    if ((index.depth[node] ?? 0) >= depth && (index.size[node] ?? 0) > 0) folded.add(node)
  }
  return folded
}

/** The folded set with a node open, or folded if it was open. */
export function toggleFolded(folded: ReadonlySet<number>, node: number): Set<number> {
  const next = new Set(folded)
  if (!next.delete(node)) next.add(node)
  return next
}

/** The folded set with all that is around a node open, so that a hit of the search is seen. */
export function reveal(index: JsonIndex, folded: ReadonlySet<number>, node: number): Set<number> {
  const next = new Set(folded)
  for (let up = index.parent[node] ?? -1; up >= 0; up = index.parent[up] ?? -1) next.delete(up)
  return next
}

/** Where in the rows a node stands; -1 if it is folded away. Logarithmic. */
export function rowIndexOf(rows: Uint32Array, index: JsonIndex, node: number): number {
  // Rows are in the order of the text: by begin, closing lines by end.
  const target = index.start[node] ?? 0
  let low = 0
  let high = rows.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const row = rows[middle] ?? 0
    if (row === node * 2) return middle
    const at = row % 2 === 1 ? (index.end[row >>> 1] ?? 0) - 1 : (index.start[row >>> 1] ?? 0)
    if (at < target) low = middle + 1
    else high = middle - 1
  }
  return -1
}

/**
 * Where the lines of a text begin, for what is not JSON. A line longer than
 * `width` UTF-16 code units is broken, so that minified text can be shown too.
 */
export function lineStarts(text: string, width = 1_000): number[] {
  const starts: number[] = []
  for (let at = 0; ; ) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline
    starts.push(at)
    for (let cut = at + width; cut < end; cut += width) {
      const last = text.charCodeAt(cut - 1)
      if (last >= 0xd800 && last <= 0xdbff) cut--
      starts.push(cut)
    }
    if (newline < 0) return starts
    at = newline + 1
  }
}
