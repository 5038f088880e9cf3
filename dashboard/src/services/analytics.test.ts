import { QueryClient } from '@tanstack/react-query'
import { afterEach, expect, test, vi } from 'vitest'
import { callsQuery, seriesQuery } from './analytics'
import { histogramQuery } from './counts'
import { heatmapQuery } from './overview'

afterEach(() => vi.unstubAllGlobals())

function serve(body: unknown) {
  const fetched = vi.fn(async (_path: string, _init: RequestInit) => new Response(JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } }))
  vi.stubGlobal('fetch', fetched)
  return fetched
}

const range = { from: new Date('2026-11-20T12:00:00Z'), to: new Date('2026-11-24T12:00:00Z') }
const calls = { totalCost: 0, totalRequests: 0, totalTokens: { total: 0 } }
const cents = (period: string, provider: string, costCents: number) => ({ period, provider, costCents })

test('the days of a zone are made of hours', async () => {
  const fetched = serve({ ...calls, costOverTime: [cents('2026-11-20 22:00:00', 'openai', 1), cents('2026-11-20 23:00:00', 'openai', 2), cents('2026-11-21 22:00:00', 'openai', 4), cents('2026-11-24 11:00:00', 'google', 8)] })
  const { costs } = await new QueryClient().fetchQuery(callsQuery('p', range, 'Europe/Berlin'))
  expect(fetched.mock.calls[0]?.[0]).toContain('period=hour')
  expect(costs.times.map((t) => new Date(t).toISOString().slice(0, 13))).toEqual(['2026-11-19T23', '2026-11-20T23', '2026-11-21T23', '2026-11-22T23', '2026-11-23T23'])
  expect(costs.series).toEqual([{ name: 'openai', values: [1e7, 6e7, 0, 0, 0] }, { name: 'google', values: [0, 0, 0, 0, 8e7] }])
})

test('the days of UTC are the API\'s, and a short range has hours', async () => {
  const fetched = serve({ ...calls, costOverTime: [cents('2026-11-21', 'openai', 1)] })
  expect((await new QueryClient().fetchQuery(callsQuery('p', range, 'UTC'))).costs.series).toEqual([{ name: 'openai', values: [0, 1e7, 0, 0, 0] }])
  expect(fetched.mock.calls[0]?.[0]).toContain('period=day')
  serve({ ...calls, costOverTime: [cents('2026-11-20 13:00:00', 'openai', 1)] })
  const { costs: short } = await new QueryClient().fetchQuery(callsQuery('p', { from: range.from, to: new Date('2026-11-20T15:00:00Z') }, 'Europe/Berlin'))
  expect(short.series).toEqual([{ name: 'openai', values: [0, 1e7, 0] }])
})

test('charts are asked for in the zone', async () => {
  const zone = 'Asia/Tokyo'
  const fetched = serve({ t: [], to: null, series: [], edges: [], n: [], scannedTo: null })
  const client = new QueryClient()
  await client.fetchQuery(histogramQuery('p', '', range, zone))
  await client.fetchQuery(heatmapQuery('p', '', range, zone))
  await client.fetchQuery(seriesQuery('p', { filter: '', range, by: 'model', measure: 'count', zone }))
  expect(fetched.mock.calls.map(([, init]) => (JSON.parse(String(init.body)) as { tz: string }).tz)).toEqual([zone, zone, zone])
})
