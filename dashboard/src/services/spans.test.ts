import { QueryClient } from '@tanstack/react-query'
import { afterEach, expect, test, vi } from 'vitest'
import { treeQuery } from './spans'

afterEach(() => vi.unstubAllGlobals())

const columns = { id: [], depth: [], name: [], kind: [], start: [], dur: [], ttft: [], status: [], model: [], in: [], out: [], cost: [], counted: [] }
const totals = { name: 'job', provider: null, model: null, sessionId: null, userId: null, errorCount: 3 }

test.each([
  ['the one that the trace is as bad as, beyond the first spans', { spanId: 'late', error: 'it failed' }, [{ spanId: 'early', error: null }, { spanId: 'late', error: 'it failed' }]],
  ['none more of a trace that is well', null, [{ spanId: 'early', error: null }]],
])('errors of a trace: %s', async (_, worst, want) => {
  const answer = { n: 0, first: 0, total: 0, startTime: '2026-11-23T08:00:00Z', cols: columns, errors: [{ spanId: 'early', error: null }], totals: { ...totals, worst }, receipt: null, next: null }
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify(answer), { headers: { 'Content-Type': 'application/json' } }))
  const { pages } = await new QueryClient().fetchInfiniteQuery(treeQuery('p', 't'))
  expect(pages[0]).toMatchObject({ errors: want, failed: 3 })
})
