import { QueryClient } from '@tanstack/react-query'
import { afterEach, expect, test, vi } from 'vitest'
import { seriesQuery } from './analytics'
import { histogramQuery } from './counts'
import { heatmapQuery } from './overview'

afterEach(() => vi.unstubAllGlobals())

function serve(body: unknown) {
  const fetched = vi.fn(async (_path: string, _init: RequestInit) => new Response(JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } }))
  vi.stubGlobal('fetch', fetched)
  return fetched
}

const range = { from: new Date('2026-11-20T12:00:00Z'), to: new Date('2026-11-24T12:00:00Z') }

test('charts are asked for in the zone', async () => {
  const zone = 'Asia/Tokyo'
  const fetched = serve({ t: [], to: null, series: [], edges: [], n: [], scannedTo: null })
  const client = new QueryClient()
  await client.fetchQuery(histogramQuery('p', '', range, zone))
  await client.fetchQuery(heatmapQuery('p', '', range, zone))
  await client.fetchQuery(seriesQuery('p', { filter: '', range, by: 'model', measure: 'count', zone }))
  expect(fetched.mock.calls.map(([, init]) => (JSON.parse(String(init.body)) as { tz: string }).tz)).toEqual([zone, zone, zone])
})
