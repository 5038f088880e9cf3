import { queryOptions } from '@tanstack/react-query'
import type { Measure, Values } from '@/lib/analytics/measures'
import type { Range } from '@/lib/time/range'
import type { Zone } from '@/lib/time/zone'
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
}

const nano = (cents: number) => Math.round(cents * 1e7)

/** Sums of model calls, by model. Embeddings and the like are none. */
export const callsQuery = (project: string, range: Range) =>
  queryOptions({
    queryKey: ['analytics', project, range],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<Calls> => {
      const path = `/dashboard/api/analytics${query({ date_from: range.from.toISOString(), date_to: range.to.toISOString(), group_by: 'model' })}`
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
      }
    },
  })

export interface Row {
  /** One for each field; empty where nobody said. */
  keys: string[]
  values: Values
  /** Of the period before; null without any then. */
  previous: Values | null
}

/** Sums of traces by what they have in common. Counts, nano-dollars, milliseconds. */
export interface Breakdown {
  rows: Row[]
  /** Of all that is in no row; null if there is nothing. */
  other: Values | null
  total: Values
  previous: Values | null
  /** Where the sums end, if not all traces were looked at. */
  scannedTo: Date | null
}

export interface BreakdownSearch {
  filter: string
  range: Range
  by: string[]
  measures: readonly Measure[]
  sort: Measure
  limit: number
  compare: boolean
}

export const breakdownQuery = (project: string, { filter, range, ...search }: BreakdownSearch) =>
  queryOptions({
    queryKey: ['breakdown', project, filter, range, search],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<Breakdown> => {
      const body = (await request('/dashboard/api/query/breakdown', { method: 'POST', project, signal, body: { q: filter, from: range.from.toISOString(), to: range.to.toISOString(), ...search } })) as {
        rows: { keys: string[]; values: Values; previous?: Values }[]
        other: Values | null
        total: Values
        previous?: Values
        scannedTo: string | null
      } // POST query/breakdown
      return {
        rows: body.rows.map((row) => ({ ...row, previous: row.previous ?? null })),
        other: body.other,
        total: body.total,
        previous: body.previous ?? null,
        scannedTo: body.scannedTo ? new Date(body.scannedTo) : null,
      }
    },
  })

export interface TimeSeries {
  /** When each part begins, in milliseconds, and when the last one ends. */
  times: number[]
  end: number
  /** The key is null for what is in no other series, "" where nobody said. */
  series: { key: string | null; values: (number | null)[] }[]
  scannedTo: Date | null
}

export interface SeriesSearch {
  filter: string
  range: Range
  by: string
  measure: Measure
  zone: Zone
}

/** A measure of traces over time, in parts of a zone's clock and calendar, by a field. */
export const seriesQuery = (project: string, { filter, range, by, measure, zone }: SeriesSearch) =>
  queryOptions({
    queryKey: ['series', project, filter, range, by, measure, zone],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<TimeSeries> => {
      const body = (await request('/dashboard/api/query/histogram', { method: 'POST', project, signal, body: { q: filter, from: range.from.toISOString(), to: range.to.toISOString(), by, measure, buckets: 60, top: 7, tz: zone } })) as {
        t: number[]
        to: number | null
        series: { key: string; other?: boolean; v: (number | null)[] }[]
        scannedTo: string | null
      } // POST query/histogram
      return { times: body.t, end: body.to ?? 0, series: body.series.map((s) => ({ key: s.other ? null : s.key, values: s.v })), scannedTo: body.scannedTo ? new Date(body.scannedTo) : null }
    },
  })
