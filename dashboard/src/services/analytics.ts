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
  /** Money by time and provider; times are milliseconds. */
  costs: { time: number; provider: string; costNanoUsd: number }[]
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
        costs: (body.costOverTime ?? []).map((p) => ({ time: Date.parse(`${p.period.replace(' ', 'T')}${p.period.includes(' ') ? 'Z' : 'T00:00:00Z'}`), provider: p.provider, costNanoUsd: nano(p.costCents) })),
      }
    },
  })

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
