import { expect, test } from 'vitest'
import { flameChart, flameValues, type FlameSpan } from './flame'
import { sumsOf } from './sums'
import { subtreeEnds } from './tree'

function span(depth: number, ms: number, cost: number | null = null, counted = true): FlameSpan {
  return { id: '', depth, kind: cost === null ? 'chain' : 'llm_call', start: 0, durationMs: ms, failed: false, costNanoUsd: cost, inputTokens: cost, outputTokens: null, counted }
}

test('money adds up, and each call counts once', () => {
  const spans = [span(0, 10), span(1, 4, 30), span(2, 4, 30, false), span(1, 6), span(2, 5, 10)]
  const ends = subtreeEnds(spans)
  const values = flameValues(spans, ends, 'cost')
  expect([...values]).toEqual([40, 30, 0, 10, 10])
  const chart = flameChart(spans, ends, values, -1, 0)
  expect(chart.total).toBe(40)
  expect(chart.levels).toBe(3)
  expect(chart.boxes.map((b) => [b.index, b.level, b.from, b.to]).toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual([
    [0, 0, 0, 1],
    [1, 1, 0, 0.75],
    [3, 1, 0.75, 1],
    [4, 2, 0.75, 1],
  ])
})

test('what is no model call costs something too, as in the sums of the trace', () => {
  const spans = [span(0, 10), { ...span(1, 4, 30), kind: 'embedding' }, span(1, 6, 10)]
  const ends = subtreeEnds(spans)
  expect([...flameValues(spans, ends, 'cost')]).toEqual([40, 30, 10])
  expect([...flameValues(spans, ends, 'tokens')]).toEqual([10, 0, 10])
  expect(sumsOf(spans.map((s) => ({ ...s, model: null, ttftMs: null })))).toMatchObject({ costNanoUsd: 40, tokens: 10 })
})

test('children that ran beside one another widen what holds them', () => {
  const spans = [span(0, 10), span(1, 8), span(1, 8)]
  const values = flameValues(spans, subtreeEnds(spans), 'time')
  expect([...values]).toEqual([16, 8, 8])
})

test('a root, and what is too narrow', () => {
  const spans = [span(0, 100), span(1, 50), span(2, 1), span(1, 1), span(0, 100)]
  const ends = subtreeEnds(spans)
  const values = flameValues(spans, ends, 'time')
  expect(flameChart(spans, ends, values, 1, 0).boxes.map((b) => [b.index, b.to])).toEqual([
    [1, 1],
    [2, 0.02],
  ])
  expect(flameChart(spans, ends, values, -1, 0.1).boxes.map((b) => b.index).toSorted()).toEqual([0, 1, 4])
})

test('nothing to show', () => {
  const none: FlameSpan[] = []
  expect(flameChart(none, subtreeEnds(none), new Float64Array(0), -1, 0)).toEqual({ boxes: [], levels: 0, total: 0 })
  const free = [span(0, 10)]
  expect(flameChart(free, subtreeEnds(free), flameValues(free, subtreeEnds(free), 'cost'), -1, 0).boxes).toEqual([])
})

test('as deep as it is long', () => {
  const spans = Array.from({ length: 100_000 }, (_, i) => span(i, 1))
  const ends = subtreeEnds(spans)
  expect(flameChart(spans, ends, flameValues(spans, ends, 'time'), -1, 0).levels).toBe(100_000)
})
