import { diffArrays } from 'diff'

/** What two traces are aligned by. */
export interface Step {
  name: string
  kind: string
  depth: number
  failed: boolean
  durationMs: number | null
  costNanoUsd: number | null
}

/** A step of one trace, of the other, or of both, by their places. */
export interface Pair {
  left: number | null
  right: number | null
}

// What an alignment may cost; behind it the rest stands as removed and added.
const mostEdits = 4000

const keyOf = (step: Step) => `${step.depth} ${step.kind} ${step.name}`

/** Aligns the steps of two traces by depth, kind and name, in their order. */
export function alignSteps(left: readonly Step[], right: readonly Step[]): Pair[] {
  const parts = diffArrays(left.map(keyOf), right.map(keyOf), { maxEditLength: mostEdits, timeout: 2_000 })
  if (!parts) return byPlace(left, right)
  const pairs: Pair[] = []
  let [l, r] = [0, 0]
  let removed: number[] = []
  const flush = () => {
    for (const i of removed) pairs.push({ left: i, right: null })
    removed = []
  }
  for (const part of parts) {
    for (let i = 0; i < part.count; i++) {
      if (part.removed) removed.push(l++)
      else if (part.added) {
        // A step of the same kind and depth in the same place is the same step under another name.
        const twin = removed.findIndex((at) => left[at]?.kind === right[r]?.kind && left[at]?.depth === right[r]?.depth)
        if (twin >= 0) {
          for (const at of removed.slice(0, twin)) pairs.push({ left: at, right: null })
          pairs.push({ left: removed[twin] ?? null, right: r++ })
          removed = removed.slice(twin + 1)
        } else pairs.push({ left: null, right: r++ })
      } else {
        flush()
        pairs.push({ left: l++, right: r++ })
      }
    }
    if (!part.removed) flush()
  }
  flush()
  return pairs
}

/** Traces that have hardly anything in common, step by step. */
function byPlace(left: readonly Step[], right: readonly Step[]): Pair[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) => ({ left: i < left.length ? i : null, right: i < right.length ? i : null }))
}

/** How much a pair differs, for the eye: "error" where one failed and the other did not. */
export function difference(left: Step | undefined, right: Step | undefined): 'error' | 'only' | 'changed' | 'same' {
  if (!left || !right) return (left ?? right)?.failed ? 'error' : 'only'
  if (left.failed !== right.failed) return 'error'
  if (left.name !== right.name) return 'changed'
  const [a, b] = [left.durationMs ?? 0, right.durationMs ?? 0]
  const slower = Math.max(a, b) > 2 * Math.min(a, b) && Math.abs(a - b) > 500
  const [c, d] = [left.costNanoUsd ?? 0, right.costNanoUsd ?? 0]
  const dearer = Math.max(c, d) > 1.5 * Math.min(c, d) && Math.abs(c - d) > 100_000
  return slower || dearer ? 'changed' : 'same'
}

/** The pair to look at first: where one failed, else what only one did, else what changed, else the first model call. */
export function openingPair(pairs: readonly Pair[], left: readonly Step[], right: readonly Step[]): number {
  const at = (p: Pair) => [p.left === null ? undefined : left[p.left], p.right === null ? undefined : right[p.right]] as const
  let best = { rank: 4, place: -1 }
  pairs.forEach((pair, place) => {
    const [a, b] = at(pair)
    // The deepest failure tells more than what is above it.
    const kind = difference(a, b)
    const rank = { error: 0, only: 1, changed: 2, same: 3 }[kind]
    const model = (a ?? b)?.kind === 'llm_call'
    if (rank < best.rank || (rank === best.rank && ((kind === 'error' && best.place >= 0 && depthOf(pair) > depthOf(pairs[best.place])) || (kind === 'same' && model && !isModel(pairs[best.place]))))) best = { rank, place }
  })
  return Math.max(best.place, 0)

  function depthOf(pair: Pair | undefined): number {
    if (!pair) return 0
    const [a, b] = at(pair)
    return (a ?? b)?.depth ?? 0
  }
  function isModel(pair: Pair | undefined): boolean {
    if (!pair) return false
    const [a, b] = at(pair)
    return (a ?? b)?.kind === 'llm_call'
  }
}
