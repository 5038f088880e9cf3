import { queryOptions } from '@tanstack/react-query'
import type { Cost } from '@/lib/cost/cost'
import { request } from './http'

interface CostFromAPI {
  costNanoUsd: string | null
  costSource: 'client' | 'prices' | null
  pricedNanoUsd: string | null
  price: { source: 'project' | 'installation' | 'list'; model: string; provider: string | null; effectiveFrom: string | null; serviceTier: string | null } | null
  tokens: { kind: string; count: number; price: number | null; priceKind: string | null; costNanoUsd: string | null }[]
}

const apiCostToCost = (c: CostFromAPI): Cost => ({
  nanoUsd: c.costNanoUsd,
  source: c.costSource,
  pricedNanoUsd: c.pricedNanoUsd,
  price: c.price && { source: c.price.source, model: c.price.model, provider: c.price.provider, from: c.price.effectiveFrom ? new Date(c.price.effectiveFrom) : null, tier: c.price.serviceTier },
  tokens: c.tokens.map((t) => ({ kind: t.kind, count: t.count, price: t.price, priceKind: t.priceKind, nanoUsd: t.costNanoUsd })),
})

/** What a span cost, and by which prices. */
export const spanCostQuery = (project: string, spanId: string) =>
  queryOptions({
    queryKey: ['cost', project, spanId],
    queryFn: async ({ signal }): Promise<Cost> => apiCostToCost((await request(`/dashboard/api/query/spans/${encodeURIComponent(spanId)}/cost`, { project, signal })) as CostFromAPI), // GET query/spans/:id/cost
  })
