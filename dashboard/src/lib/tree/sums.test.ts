import { describe, expect, it } from 'vitest'
import { sumsOf, type SummedSpan } from './sums'

const span = (more: Partial<SummedSpan>): SummedSpan => ({ kind: 'llm_call', failed: false, counted: true, model: null, ttftMs: null, inputTokens: null, outputTokens: null, costNanoUsd: null, ...more })

describe('sums of a trace', () => {
  it('knows nothing of nothing', () => expect(sumsOf([])).toMatchObject({ calls: 0, tokens: null, costNanoUsd: null }))
  it('adds what model calls cost, and tells those without a price', () => expect(sumsOf([span({ costNanoUsd: 5, inputTokens: 2 }), span({ costNanoUsd: 7, outputTokens: 1 }), span({})])).toMatchObject({ calls: 3, costNanoUsd: 12, tokens: 3, unpriced: 1 }))
  it('counts a call once that two spans tell of', () => expect(sumsOf([span({ costNanoUsd: 5 }), span({ costNanoUsd: 5, counted: false })])).toMatchObject({ calls: 1, costNanoUsd: 5 }))
  it('has the cost of embeddings in it, which are no model calls', () => expect(sumsOf([span({ kind: 'embedding', costNanoUsd: 3, inputTokens: 800 })])).toMatchObject({ calls: 0, costNanoUsd: 3, tokens: null, unpriced: 0 }))
})
