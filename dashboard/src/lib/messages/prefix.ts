import type { Message } from './messages'

/** How many messages two conversations begin with that are the same. */
export function samePrefix(before: readonly Message[], now: readonly Message[]): number {
  let n = 0
  while (n < before.length && n < now.length && sameMessage(before[n], now[n])) n++
  return n
}

function sameMessage(a: Message | undefined, b: Message | undefined): boolean {
  return a !== undefined && b !== undefined && a.role === b.role && a.name === b.name && a.parts.length === b.parts.length && a.parts.every((part, i) => same(part, b.parts[i]))
}

/** Values of JSON, whatever the order of their names. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))]
  return left.length === right.size && left.every(([name, value]) => right.has(name) && same(value, right.get(name)))
}
