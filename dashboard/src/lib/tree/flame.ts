import type { TreeSpan } from './tree'

/** What the width of a box stands for. */
export type FlameMeasure = 'time' | 'tokens' | 'cost'

export interface FlameSpan extends TreeSpan {
  inputTokens: number | null
  outputTokens: number | null
}

/** A span of an icicle: `from` and `to` are shares of the whole width, `level` counts from the top. */
export interface FlameBox {
  index: number
  level: number
  from: number
  to: number
  value: number
}

export interface FlameChart {
  boxes: FlameBox[]
  levels: number
  /** What the whole width stands for: milliseconds, tokens or nano-dollars. */
  total: number
}

/** What a span uses by itself: as the sums above a trace have it, where embeddings cost something and only calls of models have tokens. */
function own(span: FlameSpan, measure: FlameMeasure): number {
  if (measure === 'time') return Math.max(span.durationMs ?? 0, 0)
  if (!span.counted) return 0
  if (measure === 'cost') return span.costNanoUsd ?? 0
  return span.kind === 'llm_call' ? (span.inputTokens ?? 0) + (span.outputTokens ?? 0) : 0
}

/**
 * What each span and all below it use. Tokens and money add up; of time a span
 * has its own, or that of its children where these, run beside one another, took
 * more together.
 */
export function flameValues(spans: readonly FlameSpan[], ends: Int32Array, measure: FlameMeasure): Float64Array {
  const values = new Float64Array(spans.length)
  const below = new Float64Array(spans.length)
  // From the last span on: a span's children are all done before it.
  const parents = parentsOf(spans, ends)
  for (let i = spans.length - 1; i >= 0; i--) {
    const span = spans[i]
    if (!span) continue
    const mine = own(span, measure)
    values[i] = measure === 'time' ? Math.max(mine, below[i] ?? 0) : mine + (below[i] ?? 0)
    const parent = parents[i] ?? -1
    if (parent >= 0) below[parent] = (below[parent] ?? 0) + (values[i] ?? 0)
  }
  return values
}

function parentsOf(spans: readonly TreeSpan[], ends: Int32Array): Int32Array {
  const parents = new Int32Array(spans.length).fill(-1)
  const open: number[] = []
  for (let i = 0; i < spans.length; i++) {
    while (open.length > 0 && (ends[open.at(-1) ?? 0] ?? 0) <= i) open.pop()
    parents[i] = open.at(-1) ?? -1
    open.push(i)
  }
  return parents
}

/**
 * The icicle below a span, or of the whole trace with -1. Boxes narrower than
 * `least` are left out, and so is what is below them.
 */
export function flameChart(spans: readonly FlameSpan[], ends: Int32Array, values: Float64Array, root: number, least: number): FlameChart {
  const first = root >= 0 ? root : 0
  const behind = root >= 0 ? (ends[root] ?? 0) : spans.length
  let total = 0
  for (let i = first; i < behind; i = ends[i] ?? behind) total += values[i] ?? 0
  const chart: FlameChart = { boxes: [], levels: 0, total }
  if (total <= 0) return chart
  const work: { begin: number; end: number; from: number; level: number }[] = [{ begin: first, end: behind, from: 0, level: 0 }]
  for (let part = work.pop(); part; part = work.pop()) {
    let { from } = part
    for (let i = part.begin; i < part.end; i = ends[i] ?? part.end) {
      const value = values[i] ?? 0
      const to = from + value / total
      if (value > 0 && to - from >= least) {
        chart.boxes.push({ index: i, level: part.level, from, to, value })
        chart.levels = Math.max(chart.levels, part.level + 1)
        if ((ends[i] ?? 0) > i + 1) work.push({ begin: i + 1, end: ends[i] ?? 0, from, level: part.level + 1 })
      }
      from = to
    }
  }
  return chart
}
