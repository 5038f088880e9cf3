import { QueryClient } from '@tanstack/react-query'
import { afterEach, expect, test, vi } from 'vitest'
import { spanCostQuery } from './costs'

afterEach(() => vi.unstubAllGlobals())

test('a cost with the price that was used', async () => {
  const fetched = vi.fn(
    async (_path: string, _init: RequestInit) =>
      new Response(
        JSON.stringify({
          costNanoUsd: '2600000', costSource: 'prices', pricedNanoUsd: '2600000',
          price: { source: 'list', model: 'gpt-4o', provider: 'openai', effectiveFrom: '2024-11-28T00:00:00Z', serviceTier: null },
          tokens: [{ kind: 'input', count: 1000, price: 2.5, priceKind: 'input', costNanoUsd: '2500000' }, { kind: 'reasoning', count: 10, price: 10, priceKind: 'output', costNanoUsd: '100000' }],
        }),
        { headers: { 'Content-Type': 'application/json' } },
      ),
  )
  vi.stubGlobal('fetch', fetched)
  expect(await new QueryClient().fetchQuery(spanCostQuery('p', 'a/b'))).toEqual({
    nanoUsd: '2600000', source: 'prices', pricedNanoUsd: '2600000', price: { source: 'list', model: 'gpt-4o', provider: 'openai', from: new Date('2024-11-28T00:00:00Z'), tier: null },
    tokens: [{ kind: 'input', count: 1000, price: 2.5, priceKind: 'input', nanoUsd: '2500000' }, { kind: 'reasoning', count: 10, price: 10, priceKind: 'output', nanoUsd: '100000' }],
  })
  expect(fetched.mock.calls[0]?.[0]).toBe('/dashboard/api/query/spans/a%2Fb/cost')
})
