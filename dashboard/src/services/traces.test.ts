import { QueryClient } from '@tanstack/react-query'
import { afterEach, expect, test, vi } from 'vitest'
import { typedTracesQuery, type TraceFromAPI } from './traces'

afterEach(() => vi.unstubAllGlobals())

const trace = (traceId: string, startTime: string): TraceFromAPI => ({
  traceId, startTime, name: 'travel_agent', worst: null, status: 'success', kind: 'chain', provider: null, model: null, durationMs: 1, ttftMs: null, inputTokens: null, outputTokens: null,
  costNanoUsd: null, spanCount: 1, errorCount: 0, sessionId: 's', userId: null, environment: null, services: null, tags: null, preview: { input: null, output: null },
})

/** Answers with what each kind of filter finds. */
function serve(answers: Record<string, TraceFromAPI[]>) {
  const fetched = vi.fn(async (_path: string, init: RequestInit) => {
    const { q } = JSON.parse(String(init.body)) as { q: string }
    return new Response(JSON.stringify({ items: answers[q.split(':')[0] ?? ''] ?? [], next: null, total: null, scannedTo: null }), { headers: { 'Content-Type': 'application/json' } })
  })
  vi.stubGlobal('fetch', fetched)
  return fetched
}

const since = new Date('2026-10-01T00:00:00Z')
const find = (typed: string) => new QueryClient().fetchQuery(typedTracesQuery('p', typed, since))

test('what is typed finds a few traces, each once, the newest first', async () => {
  const [a, b, c] = [trace('a', '2026-11-23T08:00:01Z'), trace('b', '2026-11-23T08:00:02Z'), trace('c', '2026-11-23T08:00:03Z')]
  serve({ name: [b, a], session: [c, b], trace: [a] })
  expect((await find('travel')).map((t) => t.id)).toEqual(['c', 'b', 'a'])
  serve({ name: Array.from({ length: 5 }, (_, i) => trace(`n${i}`, '2026-11-23T08:00:00Z')), session: [c] })
  expect(await find('travel')).toHaveLength(5)
})

test('what is typed travels in bodies, in short requests for recent traces', async () => {
  const fetched = serve({})
  await find('secretword x')
  expect(fetched).toHaveBeenCalledTimes(3)
  for (const [path, init] of fetched.mock.calls) {
    expect(path).toBe('/dashboard/api/query/traces/search')
    expect(init.method).toBe('POST')
    expect(JSON.parse(String(init.body))).toMatchObject({ from: since.toISOString(), limit: 5, q: expect.stringContaining('*secretword*x*') })
  }
})

test('one character asks for nothing', async () => {
  const fetched = serve({})
  expect(await find('s')).toEqual([])
  expect(fetched).not.toHaveBeenCalled()
})
