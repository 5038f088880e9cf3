import { queryOptions } from '@tanstack/react-query'
import type { Range } from '@/lib/time/range'
import { query, request } from './http'
import { keepOf } from './keep'

interface QuantilesFromAPI {
  p50: number | null
  p90: number | null
  p95: number | null
  p99: number | null
}

interface CallsFromAPI {
  totalCost: number
  totalRequests: number
  totalSessions: number
  totalTokens: { input: number; output: number; total: number }
  latency: QuantilesFromAPI
  timeToFirstToken: QuantilesFromAPI
  errorRate: number
  costOverTime: { period: string; provider: string; costCents: number }[] | null
  groups?: {
    provider: string
    model?: string
    requests: number
    costCents: number
    latency: QuantilesFromAPI
    timeToFirstToken: QuantilesFromAPI
    totalTokens: { input: number; output: number; total: number }
    errorRate: number
  }[]
}

/** Percentiles in milliseconds; null where nothing was measured. */
export type Quantiles = QuantilesFromAPI

export interface CallGroup {
  provider: string
  model: string | null
  calls: number
  errorRate: number
  costNanoUsd: number
  tokens: number
  latency: Quantiles
  ttft: Quantiles
}

/** Model calls of a range. Rates are shares from 0 to 1. */
export interface Calls {
  calls: number
  sessions: number
  errorRate: number | null
  costNanoUsd: number
  tokens: number
  latency: Quantiles
  ttft: Quantiles
  groups: CallGroup[]
  /** Money by provider, in bars that begin at times. */
  costs: { times: number[]; end: number; series: { name: string; values: number[] }[] }
}

const nano = (cents: number) => Math.round(cents * 1e7)

export type CallGrouping = 'hour' | 'day' | 'model' | 'provider'

/** Sums of model calls, from GET analytics. */
export const callsQuery = (project: string, range: Range, by: CallGrouping) =>
  queryOptions({
    queryKey: ['analytics', project, range, by],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<Calls> => {
      const path = `/dashboard/api/analytics${query({ date_from: range.from.toISOString(), date_to: range.to.toISOString(), group_by: by })}`
      const body = (await request(path, { project, signal })) as CallsFromAPI // GET analytics
      return {
        calls: body.totalRequests,
        sessions: body.totalSessions,
        errorRate: body.totalRequests === 0 ? null : body.errorRate / 100,
        costNanoUsd: nano(body.totalCost),
        tokens: body.totalTokens.total,
        latency: body.latency,
        ttft: body.timeToFirstToken,
        groups: (body.groups ?? []).map((g) => ({
          provider: g.provider,
          model: g.model ?? null,
          calls: g.requests,
          errorRate: g.errorRate / 100,
          costNanoUsd: nano(g.costCents),
          tokens: g.totalTokens.total,
          latency: g.latency,
          ttft: g.timeToFirstToken,
        })),
        costs: costsOf(body.costOverTime ?? [], range, by === 'day' ? 86_400_000 : 3_600_000),
      }
    },
  })

/** Points by period and provider as bars of the whole range. */
function costsOf(points: { period: string; provider: string; costCents: number }[], range: Range, width: number): Calls['costs'] {
  const start = Math.floor(range.from.getTime() / width) * width
  const times = Array.from({ length: Math.max(Math.ceil((range.to.getTime() - start) / width), 1) }, (_, i) => start + i * width)
  const series = new Map<string, number[]>()
  for (const p of points) {
    const time = Date.parse(`${p.period.replace(' ', 'T')}${p.period.includes(' ') ? 'Z' : 'T00:00:00Z'}`)
    const values = series.get(p.provider) ?? times.map(() => 0)
    const i = Math.round((time - start) / width)
    if (i >= 0 && i < values.length) values[i] = (values[i] ?? 0) + nano(p.costCents)
    series.set(p.provider, values)
  }
  return { times, end: start + times.length * width, series: [...series].map(([name, values]) => ({ name, values })) }
}

interface SpansFromAPI {
  agentRuns: number
  toolCalls: number
  totalSpans: number
  errorRate: number
  avgDurationMs: number
  topTools: { name: string; count: number }[] | null
  spansByKind: { kind: string; count: number }[] | null
  spansOverTime: { period: string; count: number }[] | null
}

export interface SpanSums {
  spans: number
  agentRuns: number
  toolCalls: number
  errorRate: number | null
  tools: { name: string; count: number }[]
  kinds: { kind: string; count: number }[]
}

/** Sums of spans, from GET analytics/spans. */
export const spanSumsQuery = (project: string, range: Range) =>
  queryOptions({
    queryKey: ['analytics-spans', project, range],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<SpanSums> => {
      const path = `/dashboard/api/analytics/spans${query({ date_from: range.from.toISOString(), date_to: range.to.toISOString() })}`
      const body = (await request(path, { project, signal })) as SpansFromAPI // GET analytics/spans
      return { spans: body.totalSpans, agentRuns: body.agentRuns, toolCalls: body.toolCalls, errorRate: body.totalSpans === 0 ? null : body.errorRate / 100, tools: body.topTools ?? [], kinds: body.spansByKind ?? [] }
    },
  })
