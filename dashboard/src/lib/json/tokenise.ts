/**
 * An index of JSON text: where each value stands, and what is in what. The text
 * itself is never turned into values, so that the order of keys, keys that are
 * there twice and integers of any size are shown as they were stored.
 *
 * All offsets are in UTF-16 code units, as String.prototype.slice counts.
 */

/** What a node is; the values of JsonIndex.kind. */
export const NodeKind = { object: 0, array: 1, string: 2, number: 3, true: 4, false: 5, null: 6 } as const
export type NodeKind = (typeof NodeKind)[keyof typeof NodeKind]

/** Where a text stops being JSON. */
export interface JsonError {
  /** In UTF-16 code units; the length of the text where it ends too early. */
  offset: number
  /** From 1 on. */
  line: number
  /** From 1 on, in UTF-16 code units. */
  column: number
  /** What is wrong there; quotes nothing of the text. */
  reason: string
}

/**
 * One entry of each array per value, in the order of the text: a container comes
 * before what it holds, node 0 is the whole. 37 bytes a value, in typed arrays
 * only, so that a worker hands it over by copying memory.
 */
export interface JsonIndex {
  /** How many values there are; 0 if the text is not JSON. */
  count: number
  kind: Uint8Array
  /** Where the value begins, with its quote or bracket. */
  start: Uint32Array
  /** Behind its last character. */
  end: Uint32Array
  /** Where the key begins, with its quote; -1 for what has none. */
  keyStart: Int32Array
  /** Behind the quote that closes the key; -1 for what has none. */
  keyEnd: Int32Array
  /** The container that the value is in; -1 for node 0. */
  parent: Int32Array
  /** The first node behind the value and all that it holds. */
  next: Uint32Array
  /** How many containers are around it; 0 for node 0. */
  depth: Uint32Array
  /** Which of its container's values it is, from 0 on. */
  position: Uint32Array
  /** How many values a container holds itself; 0 for others. */
  size: Uint32Array
  /** Null if the text is JSON; else the index is empty and the text is shown as text. */
  error: JsonError | null
}

/** Grows with the text. */
class Builder {
  count = 0
  private room: number
  kind: Uint8Array
  start: Uint32Array
  end: Uint32Array
  keyStart: Int32Array
  keyEnd: Int32Array
  parent: Int32Array
  next: Uint32Array
  depth: Uint32Array
  position: Uint32Array
  size: Uint32Array

  constructor(room: number) {
    this.room = room
    this.kind = new Uint8Array(room)
    this.start = new Uint32Array(room)
    this.end = new Uint32Array(room)
    this.keyStart = new Int32Array(room)
    this.keyEnd = new Int32Array(room)
    this.parent = new Int32Array(room)
    this.next = new Uint32Array(room)
    this.depth = new Uint32Array(room)
    this.position = new Uint32Array(room)
    this.size = new Uint32Array(room)
  }

  add(kind: NodeKind, start: number, end: number, keyStart: number, keyEnd: number, parent: number): number {
    if (this.count === this.room) this.resize(this.room * 2)
    const node = this.count++
    this.kind[node] = kind
    this.start[node] = start
    this.end[node] = end
    this.keyStart[node] = keyStart
    this.keyEnd[node] = keyEnd
    this.parent[node] = parent
    this.next[node] = node + 1
    if (parent >= 0) {
      const position = this.size[parent] ?? 0
      this.depth[node] = (this.depth[parent] ?? 0) + 1
      this.position[node] = position
      this.size[parent] = position + 1
    }
    return node
  }

  private resize(room: number): void {
    const kind = new Uint8Array(room)
    kind.set(this.kind.subarray(0, this.count))
    const unsigned = (from: Uint32Array) => {
      const to = new Uint32Array(room)
      to.set(from.subarray(0, this.count))
      return to
    }
    const signed = (from: Int32Array) => {
      const to = new Int32Array(room)
      to.set(from.subarray(0, this.count))
      return to
    }
    this.room = room
    this.kind = kind
    this.start = unsigned(this.start)
    this.end = unsigned(this.end)
    this.keyStart = signed(this.keyStart)
    this.keyEnd = signed(this.keyEnd)
    this.parent = signed(this.parent)
    this.next = unsigned(this.next)
    this.depth = unsigned(this.depth)
    this.position = unsigned(this.position)
    this.size = unsigned(this.size)
  }

  done(): JsonIndex {
    const n = this.count
    return {
      count: n,
      kind: this.kind.slice(0, n),
      start: this.start.slice(0, n),
      end: this.end.slice(0, n),
      keyStart: this.keyStart.slice(0, n),
      keyEnd: this.keyEnd.slice(0, n),
      parent: this.parent.slice(0, n),
      next: this.next.slice(0, n),
      depth: this.depth.slice(0, n),
      position: this.position.slice(0, n),
      size: this.size.slice(0, n),
      error: null,
    }
  }
}

/** Thrown within this file only. */
class Malformed extends Error {
  constructor(
    readonly offset: number,
    readonly reason: string,
  ) {
    super(reason)
  }
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const minus = 0x2d
const plus = 0x2b
const point = 0x2e
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** Behind blanks. */
function skip(text: string, at: number): number {
  for (; at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break
  }
  return at
}

const isDigit = (c: number) => c >= 0x30 && c <= 0x39
const isHex = (c: number) => isDigit(c) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66)

/** Behind the string whose opening quote is at `at`. */
function stringEnd(text: string, at: number): number {
  const begin = at
  for (at++; at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (c === quote) return at + 1
    if (c < 0x20) throw new Malformed(at, 'A control character stands in a string')
    if (c !== backslash) continue
    at++
    if (at >= text.length) break
    if (text[at] === 'u') {
      for (let i = 1; i <= 4; i++) {
        if (at + i >= text.length) throw new Malformed(begin, 'This string has no end')
        if (!isHex(text.charCodeAt(at + i))) throw new Malformed(at + i, 'Four hexadecimal digits follow \\u')
      }
      at += 4
    } else if (!'"\\/bfnrt'.includes(text[at] ?? ' ')) throw new Malformed(at, 'There is no such escape')
  }
  throw new Malformed(begin, 'This string has no end')
}

function digitsEnd(text: string, at: number): number {
  const begin = at
  while (isDigit(text.charCodeAt(at))) at++
  if (at === begin) throw new Malformed(at, 'A digit is missing')
  return at
}

function numberEnd(text: string, at: number): number {
  if (text.charCodeAt(at) === minus) at++
  if (text[at] === '0') {
    at++
    if (isDigit(text.charCodeAt(at))) throw new Malformed(at, 'A number does not begin with 0')
  } else at = digitsEnd(text, at)
  if (text.charCodeAt(at) === point) at = digitsEnd(text, at + 1)
  if (text[at] === 'e' || text[at] === 'E') {
    at++
    const sign = text.charCodeAt(at)
    if (sign === minus || sign === plus) at++
    at = digitsEnd(text, at)
  }
  return at
}

const words = [
  { word: 'true', kind: NodeKind.true },
  { word: 'false', kind: NodeKind.false },
  { word: 'null', kind: NodeKind.null },
] as const

/**
 * Indexes a text in one pass, at any depth. It takes what JSON.parse takes, and
 * refuses what it refuses. Never throws. 6 million characters cost about 100 ms,
 * so it is called in a worker.
 */
export function tokeniseJson(text: string): JsonIndex {
  const b = new Builder(Math.max(16, Math.min(1 << 16, text.length >> 3)))
  try {
    read(text, b)
    return b.done()
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return { ...new Builder(0).done(), error: place(text, error) }
  }
}

function read(text: string, b: Builder): void {
  let at = skip(text, 0)
  let parent = -1
  for (;;) {
    // A value, with its key before it in an object.
    let keyStart = -1
    let keyEnd = -1
    if (parent >= 0 && b.kind[parent] === NodeKind.object) {
      if (text.charCodeAt(at) !== quote) throw new Malformed(at, 'A key in double quotes is missing')
      keyStart = at
      keyEnd = stringEnd(text, at)
      at = skip(text, keyEnd)
      if (text.charCodeAt(at) !== colon) throw new Malformed(at, 'A colon is missing behind the key')
      at = skip(text, at + 1)
    }
    const c = text.charCodeAt(at) // NaN at the end
    if (c === openBrace || c === openBracket) {
      const node = b.add(c === openBrace ? NodeKind.object : NodeKind.array, at, at, keyStart, keyEnd, parent)
      at = skip(text, at + 1)
      if (text.charCodeAt(at) !== (c === openBrace ? closeBrace : closeBracket)) {
        parent = node
        continue
      }
      at++
      b.end[node] = at
    } else if (c === quote) {
      const end = stringEnd(text, at)
      b.add(NodeKind.string, at, end, keyStart, keyEnd, parent)
      at = end
    } else if (c === minus || isDigit(c)) {
      const end = numberEnd(text, at)
      b.add(NodeKind.number, at, end, keyStart, keyEnd, parent)
      at = end
    } else {
      const found = words.find(({ word }) => text.startsWith(word, at))
      if (!found) throw new Malformed(at, at >= text.length ? 'The text ends where a value is missing' : 'This begins no value')
      b.add(found.kind, at, at + found.word.length, keyStart, keyEnd, parent)
      at += found.word.length
    }
    // Then a comma and another one, or the ends of containers.
    for (;;) {
      at = skip(text, at)
      if (parent < 0) {
        if (at < text.length) throw new Malformed(at, 'Something follows the end of the value')
        return
      }
      const sign = text.charCodeAt(at)
      if (sign === comma) {
        at = skip(text, at + 1)
        break
      }
      const isObject = b.kind[parent] === NodeKind.object
      if (sign !== (isObject ? closeBrace : closeBracket)) throw new Malformed(at, `A comma or ${isObject ? '}' : ']'} is missing`)
      at++
      b.end[parent] = at
      b.next[parent] = b.count
      parent = b.parent[parent] ?? -1
    }
  }
}

function place(text: string, { offset, reason }: Malformed): JsonError {
  const at = Math.min(offset, text.length)
  let line = 1
  let begin = 0
  for (let i = text.indexOf('\n'); i >= 0 && i < at; i = text.indexOf('\n', i + 1)) {
    line++
    begin = i + 1
  }
  return { offset: at, line, column: at - begin + 1, reason }
}
