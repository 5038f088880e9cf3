import { describe, expect, it } from 'vitest'
import { ancestors, bounds, criticalPath, failuresBelow, faults, hasNoEnd, nextOf, openingSpan, skewed, subtreeEnds, visibleRows, type Shown, type TreeSpan } from './tree'

const span = (id: string, depth: number, start = 0, durationMs: number | null = 1, more: Partial<TreeSpan> = {}): TreeSpan => ({ id, depth, kind: 'chain', start, durationMs, failed: false, costNanoUsd: null, counted: true, ...more })

// root ─ a ─ a1, a2! · b ─ b1
const small = [span('root', 0, 0, 100), span('a', 1, 0, 40), span('a1', 2, 0, 10), span('a2', 2, 10, 30, { failed: true }), span('b', 1, 50, 50), span('b1', 2, 60, 40, { kind: 'llm_call' })]

const all: Shown = { collapsed: new Set(), opened: new Set(), keep: [], onlyErrors: false }

function rowsOf(spans: TreeSpan[], shown: Partial<Shown> = {}): string[] {
  const ends = subtreeEnds(spans)
  return visibleRows(spans, ends, failuresBelow(spans, ends), { ...all, ...shown }).map((row) => (row.type === 'span' ? (spans[row.index]?.id ?? '') : `[${row.count}: ${spans[row.first]?.id}–${spans[row.last]?.id} ${row.durationMs} ms ${row.costNanoUsd}]`))
}

describe('the tree', () => {
  const ends = subtreeEnds(small)
  const failures = failuresBelow(small, ends)
  it('knows what is below', () => expect([...ends]).toEqual([6, 4, 3, 4, 6, 6]))
  it('knows what is above', () => expect(ancestors(small, 3)).toEqual([0, 1]))
  it('counts what failed', () => expect([...failures]).toEqual([1, 1, 0, 1, 0, 0]))
  it('finds where it began to fail', () => {
    const chain = [span('root', 0, 0, 9, { failed: true }), span('a', 1, 0, 9, { failed: true }), span('b', 2, 0, 9, { failed: true })]
    const e = subtreeEnds(chain)
    expect(faults(chain, failuresBelow(chain, e))).toEqual([2])
  })
  it('knows what may still run', () => {
    expect(hasNoEnd(span('step', 1, 0, null))).toBe(true)
    expect(hasNoEnd(span('tool', 1, 0, null, { kind: 'tool_use' }))).toBe(false)
    expect(hasNoEnd(span('step', 1, 0, 0))).toBe(false)
  })
  it('finds clocks that differ', () => {
    const spans = [span('root', 0, 100), span('early', 1, 20), span('of it', 2, 30), span('about', 1, 96), span('next', 0, 10)]
    expect([...skewed(spans)]).toEqual([0, 1, 0, 0, 0])
  })
  it('has bounds', () => {
    expect(bounds(small)).toEqual({ start: 0, end: 100 })
    expect(bounds([])).toEqual({ start: 0, end: 0 })
  })
  it('knows what it waited for', () => expect(criticalPath(small, ends).map((i) => small[i]?.id)).toEqual(['root', 'a', 'a1', 'a2', 'b', 'b1']))
  it('opens on the failure, else on the slowest leaf, else on the last model call', () => {
    expect(openingSpan(small, ends, failures)).toBe(3)
    const ok = small.map((s) => ({ ...s, failed: false }))
    expect(openingSpan(ok, ends, failuresBelow(ok, ends))).toBe(5)
    const untimed = ok.map((s) => ({ ...s, durationMs: null }))
    expect(openingSpan(untimed, ends, failuresBelow(untimed, ends))).toBe(5)
    expect(openingSpan([], subtreeEnds([]), failuresBelow([], subtreeEnds([])))).toBe(0)
  })
  it('goes round', () => {
    expect(nextOf([1, 5], 1, 1)).toBe(5)
    expect(nextOf([1, 5], 5, 1)).toBe(1)
    expect(nextOf([1, 5], 1, -1)).toBe(5)
    expect(nextOf([], 1, 1)).toBeNull()
  })
})

describe('visibleRows', () => {
  it('shows all of a small trace', () => expect(rowsOf(small)).toEqual(['root', 'a', 'a1', 'a2', 'b', 'b1']))
  it('hides what is below a closed span', () => expect(rowsOf(small, { collapsed: new Set([1]) })).toEqual(['root', 'a', 'b', 'b1']))
  it('shows what failed, and the way there', () => expect(rowsOf(small, { onlyErrors: true })).toEqual(['root', 'a', 'a2']))

  const steps = [span('root', 0, 0, 300), ...Array.from({ length: 20 }, (_, i) => span(`s${i}`, 1, i * 10, 10, { failed: i === 12, costNanoUsd: 5 }))]
  it('folds runs beside what failed, and leaves its neighbours', () => {
    expect(rowsOf(steps)).toEqual(['root', '[10: s0–s9 100 ms 50]', 's10', 's11', 's12', 's13', 's14', '[5: s15–s19 50 ms 25]'])
  })
  it('adds up what is counted', () => {
    const twice = steps.map((s, i) => ({ ...s, counted: i % 2 === 0 }))
    expect(rowsOf(twice)[1]).toBe('[10: s0–s9 100 ms 25]')
  })
  it('opens a run', () => expect(rowsOf(steps, { opened: new Set([1]) }).slice(0, 4)).toEqual(['root', 's0', 's1', 's2']))
  it('keeps what was asked for', () => expect(rowsOf(steps, { keep: [3] })).toContain('s2'))
  it('folds nothing where nothing failed', () => expect(rowsOf(steps.map((s) => ({ ...s, failed: false })))).toHaveLength(21))

  it('takes 50,000 spans, flat and as deep as they are many', () => {
    const flat = [span('r', 0), ...Array.from({ length: 49_999 }, (_, i) => span(`${i}`, 1, i))]
    const deep = Array.from({ length: 50_000 }, (_, i) => span(`${i}`, i))
    expect(rowsOf(flat)).toHaveLength(50_000)
    expect(rowsOf(deep)).toHaveLength(50_000)
    expect(openingSpan(deep, subtreeEnds(deep), failuresBelow(deep, subtreeEnds(deep)))).toBe(49_999)
  })
})

describe('50,000 spans', () => {
  const n = 50_000
  const shapes: [string, (i: number) => number][] = [
    ['side by side', (i) => Math.min(i, 1)],
    ['in steps', (i) => (i === 0 ? 0 : 1 + ((i - 1) % 3))],
    ['one in another', (i) => i],
  ]
  // About 50 ms each alone; what was here before took minutes. Much room for a machine that does other things.
  it.each(shapes)('%s unfold 5,000 hits soon', (_, depth) => {
    const spans = Array.from({ length: n }, (_, i) => span(String(i), depth(i), i, n - i, { failed: i === 30_000 }))
    const ends = subtreeEnds(spans)
    const failures = failuresBelow(spans, ends)
    const keep = Array.from({ length: 5_000 }, (_, i) => i * 10)
    const begin = performance.now()
    const rows = visibleRows(spans, ends, failures, { ...all, keep })
    const took = performance.now() - begin
    const seen = new Set(rows.map((row) => (row.type === 'span' ? row.index : -1)))
    expect(keep.every((i) => seen.has(i))).toBe(true)
    expect(took).toBeLessThan(1_000)
    expect(ancestors(spans, n - 1)).toHaveLength(depth(n - 1))
  })
})
