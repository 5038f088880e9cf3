/**
 * A trace's spans, depth first: each is followed by what is below it. All
 * functions are linear in the number of spans, and name spans by their index.
 */
export interface TreeSpan {
  id: string
  depth: number
  kind: string
  /** Milliseconds since 1970, with a fraction. */
  start: number
  durationMs: number | null
  failed: boolean
  costNanoUsd: number | null
  /** False where another span stands for the same call: then it is in no sum. */
  counted: boolean
}

/** Behind the last span below each span. */
export function subtreeEnds(spans: readonly TreeSpan[]): Int32Array {
  const ends = new Int32Array(spans.length).fill(spans.length)
  const open: number[] = []
  for (let i = 0; i < spans.length; i++) {
    const depth = spans[i]?.depth ?? 0
    while (open.length > 0 && (spans[open[open.length - 1] ?? 0]?.depth ?? 0) >= depth) ends[open.pop() ?? 0] = i
    open.push(i)
  }
  return ends
}

/** The spans above one, from the root on. */
export function ancestors(spans: readonly TreeSpan[], index: number): number[] {
  const path: number[] = []
  let depth = spans[index]?.depth ?? 0
  for (let i = index - 1; i >= 0 && depth > 0; i--) {
    const d = spans[i]?.depth ?? 0
    if (d < depth) {
      path.push(i)
      depth = d
    }
  }
  return path.reverse()
}

/** Marks the given spans and all that are above any of them with 1, however many they are. */
function withAncestors(spans: readonly TreeSpan[], chosen: readonly number[]): Uint8Array {
  const marked = new Uint8Array(spans.length)
  if (chosen.length === 0) return marked
  const wanted = new Uint8Array(spans.length)
  for (const i of chosen) wanted[i] = 1
  const open: number[] = []
  for (let i = 0; i < spans.length; i++) {
    const depth = spans[i]?.depth ?? 0
    while (open.length > 0 && (spans[open[open.length - 1] ?? 0]?.depth ?? 0) >= depth) open.pop()
    open.push(i)
    if (wanted[i] === 0) continue
    // What is above one that is marked, is marked already: each is marked once.
    for (let at = open.length - 1; at >= 0 && marked[open[at] ?? 0] === 0; at--) marked[open[at] ?? 0] = 1
  }
  return marked
}

/** Kinds of spans that take time: where no end was told they may still run. Tools and agents are none: hooks tell each of their ends as a span of its own. */
const lasting: ReadonlySet<string> = new Set(['llm_call', 'embedding', 'retrieval', 'rerank', 'chain'])
export const hasNoEnd = (span: TreeSpan): boolean => span.durationMs === null && lasting.has(span.kind)

const slack = 5 // ms that clocks of one machine may differ

/** Marks spans with 1 that begin before the one around them, which only clocks that differ can tell. */
export function skewed(spans: readonly TreeSpan[]): Uint8Array {
  const marked = new Uint8Array(spans.length)
  const open: TreeSpan[] = []
  spans.forEach((span, i) => {
    while ((open.at(-1)?.depth ?? -1) >= span.depth) open.pop()
    if (span.start < (open.at(-1)?.start ?? span.start) - slack) marked[i] = 1
    open.push(span)
  })
  return marked
}

/** How many spans failed in the subtree of each, itself included. */
export function failuresBelow(spans: readonly TreeSpan[], ends: Int32Array): Int32Array {
  const before = new Int32Array(spans.length + 1)
  for (let i = 0; i < spans.length; i++) before[i + 1] = (before[i] ?? 0) + (spans[i]?.failed ? 1 : 0)
  return Int32Array.from(spans, (_, i) => (before[ends[i] ?? 0] ?? 0) - (before[i] ?? 0))
}

export type Row = { type: 'span'; index: number } | { type: 'fold'; first: number; last: number; count: number; depth: number; durationMs: number; costNanoUsd: number | null }

export interface Shown {
  /** Spans whose children are hidden. */
  collapsed: ReadonlySet<number>
  /** First spans of folded runs that somebody opened. */
  opened: ReadonlySet<number>
  /** Spans that must be seen, whatever else is folded. */
  keep: readonly number[]
  onlyErrors: boolean
}

const foldFrom = 5 // siblings
const context = 2 // siblings that stay beside what failed

/**
 * What the tree shows. Where something failed, runs of siblings that did not are
 * one row each, so that what failed stands among its neighbours; a trace where
 * all went well is shown as it is.
 */
export function visibleRows(spans: readonly TreeSpan[], ends: Int32Array, failures: Int32Array, shown: Shown): Row[] {
  const rows: Row[] = []
  const kept = withAncestors(spans, shown.keep)
  const fold = spans.some((s) => s.failed)

  const children = (begin: number, end: number): number[] => {
    const list: number[] = []
    for (let i = begin; i < end; i = ends[i] ?? end) list.push(i)
    return list
  }
  // A stack of its own: traces may be as deep as they are long.
  const work: Row[] = []
  const schedule = (begin: number, end: number) => {
    const siblings = children(begin, end).filter((i) => !shown.onlyErrors || (failures[i] ?? 0) > 0 || kept[i] === 1)
    const planned: Row[] = []
    let run: number[] = []
    const flush = (lastOfAll: boolean) => {
      const from = planned.length === 0 ? 0 : context
      const to = lastOfAll ? run.length : run.length - context
      const folded = run.slice(from, to)
      const first = folded[0]
      const last = folded.at(-1)
      if (fold && !shown.onlyErrors && first !== undefined && last !== undefined && folded.length >= foldFrom && !shown.opened.has(first) && run.length < siblings.length) {
        for (const i of run.slice(0, from)) planned.push({ type: 'span', index: i })
        const begins = spans[first]?.start ?? 0
        let finish = begins
        let cost: number | null = null
        for (let i = first; i < (ends[last] ?? 0); i++) {
          const span = spans[i]
          if (!span) continue
          finish = Math.max(finish, span.start + (span.durationMs ?? 0))
          if (span.counted && span.costNanoUsd !== null) cost = (cost ?? 0) + span.costNanoUsd
        }
        planned.push({ type: 'fold', first, last, count: folded.length, depth: spans[first]?.depth ?? 0, durationMs: finish - begins, costNanoUsd: cost })
        for (const i of run.slice(to)) planned.push({ type: 'span', index: i })
      } else {
        for (const i of run) planned.push({ type: 'span', index: i })
      }
      run = []
    }
    for (const i of siblings) {
      if ((failures[i] ?? 0) === 0 && kept[i] !== 1) {
        run.push(i)
        continue
      }
      flush(false)
      planned.push({ type: 'span', index: i })
    }
    flush(true)
    for (const row of planned.toReversed()) work.push(row)
  }
  schedule(0, spans.length)
  for (let row = work.pop(); row; row = work.pop()) {
    rows.push(row)
    if (row.type === 'span' && !shown.collapsed.has(row.index)) schedule(row.index + 1, ends[row.index] ?? 0)
  }
  return rows
}

/** Spans that failed and have none below them that did: where the trouble began. */
export function faults(spans: readonly TreeSpan[], failures: Int32Array): number[] {
  const list: number[] = []
  for (let i = 0; i < spans.length; i++) if (spans[i]?.failed && failures[i] === 1) list.push(i)
  return list
}

/** The next of a list of spans in a direction, round the end. */
export function nextOf(list: readonly number[], from: number, direction: 1 | -1): number | null {
  if (list.length === 0) return null
  const next = direction === 1 ? list.find((i) => i > from) : list.findLast((i) => i < from)
  return next ?? (direction === 1 ? list[0] : list.at(-1)) ?? null
}

export interface Bounds {
  start: number
  end: number
}

/** From the first begin to the last end, in milliseconds since 1970. */
export function bounds(spans: readonly TreeSpan[]): Bounds {
  let start = Number.POSITIVE_INFINITY
  let end = Number.NEGATIVE_INFINITY
  for (const s of spans) {
    start = Math.min(start, s.start)
    end = Math.max(end, s.start + (s.durationMs ?? 0))
  }
  return Number.isFinite(start) ? { start, end } : { start: 0, end: 0 }
}

/**
 * The spans that the trace waited for, from the root on: of each the child that
 * ended last, then the one that ended last before that began, and so on.
 */
export function criticalPath(spans: readonly TreeSpan[], ends: Int32Array): number[] {
  const path: number[] = []
  const endOf = (i: number) => (spans[i]?.start ?? 0) + (spans[i]?.durationMs ?? 0)
  let root = -1
  for (let i = 0; i < spans.length; i = ends[i] ?? spans.length) if (root < 0 || endOf(i) > endOf(root)) root = i
  const work = root < 0 ? [] : [root]
  for (let parent = work.pop(); parent !== undefined; parent = work.pop()) {
    path.push(parent)
    const list: number[] = []
    for (let i = parent + 1; i < (ends[parent] ?? 0); i = ends[i] ?? spans.length) list.push(i)
    list.sort((a, b) => endOf(b) - endOf(a))
    let until = Number.POSITIVE_INFINITY
    for (const i of list) {
      if (endOf(i) > until) continue
      work.push(i)
      until = spans[i]?.start ?? 0
    }
  }
  return path
}

/** The span a trace opens on: where it failed first, else its slowest leaf on the critical path, else its last model call. */
export function openingSpan(spans: readonly TreeSpan[], ends: Int32Array, failures: Int32Array): number {
  const fault = faults(spans, failures)[0]
  if (fault !== undefined) return fault
  let best = -1
  for (const i of criticalPath(spans, ends)) {
    const leaf = ends[i] === i + 1
    if (leaf && spans[i]?.durationMs !== null && (best < 0 || (spans[i]?.durationMs ?? 0) > (spans[best]?.durationMs ?? 0))) best = i
  }
  if (best >= 0) return best
  return Math.max(spans.findLastIndex((s) => s.kind === 'llm_call'), 0)
}
