/** What sums need of a span. */
export interface SummedSpan {
  kind: string
  failed: boolean
  counted: boolean
  model: string | null
  ttftMs: number | null
  inputTokens: number | null
  outputTokens: number | null
  costNanoUsd: number | null
}

export interface Sums {
  calls: number
  tools: number
  errors: number
  /** Calls of which nobody knows the cost: without a price, or without tokens. */
  unpriced: number
  tokens: number | null
  inputTokens: number | null
  outputTokens: number | null
  costNanoUsd: number | null
  /** Of the first call that told it, as the model is. */
  ttftMs: number | null
  model: string | null
}

/** What the spans add up to; a call that another span stands for counts once. */
export function sumsOf(spans: readonly SummedSpan[]): Sums {
  const sums: Sums = { calls: 0, tools: 0, errors: 0, unpriced: 0, tokens: null, inputTokens: null, outputTokens: null, costNanoUsd: null, ttftMs: null, model: null }
  for (const span of spans) {
    if (span.failed) sums.errors++
    if (span.kind === 'tool_use') sums.tools++
    if (!span.counted) continue
    // Embeddings and the like cost something too, but are no model calls.
    if (span.costNanoUsd !== null) sums.costNanoUsd = (sums.costNanoUsd ?? 0) + span.costNanoUsd
    if (span.kind !== 'llm_call') continue
    sums.calls++
    sums.ttftMs ??= span.ttftMs
    sums.model ??= span.model
    if (span.costNanoUsd === null) sums.unpriced++
    if (span.inputTokens !== null) sums.inputTokens = (sums.inputTokens ?? 0) + span.inputTokens
    if (span.outputTokens !== null) sums.outputTokens = (sums.outputTokens ?? 0) + span.outputTokens
  }
  if (sums.inputTokens !== null || sums.outputTokens !== null) sums.tokens = (sums.inputTokens ?? 0) + (sums.outputTokens ?? 0)
  return sums
}
