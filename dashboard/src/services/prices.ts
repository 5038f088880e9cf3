import { queryOptions } from '@tanstack/react-query'
import { request } from './http'

interface PriceFromAPI {
  id: string
  model: string
  provider: string | null
  effectiveFrom: string | null
  prices: Record<string, number | string>
  tiers: unknown[] | null
  updatedAt: string
}

/** A price that the project set: dollars for a million tokens, by kind of token. */
export interface Price {
  id: string
  model: string
  provider: string | null
  from: Date | null
  prices: Record<string, string>
  tiers: number
}

const path = '/dashboard/api/prices'

const apiPriceToPrice = (p: PriceFromAPI): Price => ({
  id: p.id,
  model: p.model,
  provider: p.provider,
  from: p.effectiveFrom ? new Date(p.effectiveFrom) : null,
  prices: Object.fromEntries(Object.entries(p.prices).map(([name, value]) => [name, String(value)])),
  tiers: p.tiers?.length ?? 0,
})

export const pricesKey = (project: string) => ['prices', project] as const

export const pricesQuery = (project: string) =>
  queryOptions({
    queryKey: pricesKey(project),
    queryFn: async ({ signal }): Promise<Price[]> => {
      const body = (await request(path, { project, signal })) as { prices: PriceFromAPI[] } // GET prices
      return body.prices.map(apiPriceToPrice)
    },
  })

export interface NewPrice {
  model: string
  provider?: string
  prices: Record<string, string>
}

/** Sets a price, over the one for the same model, provider and time. */
export async function putPrice(project: string, price: NewPrice): Promise<void> {
  await request(path, { method: 'POST', project, body: price })
}

export async function deletePrice(project: string, id: string): Promise<void> {
  await request(`${path}/${encodeURIComponent(id)}`, { method: 'DELETE', project })
}
