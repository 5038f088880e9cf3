import { queryOptions } from '@tanstack/react-query'
import type { Range } from '@/lib/time/range'
import type { Zone } from '@/lib/time/zone'
import { overviewRequest } from '@/opening/asked'
import { request } from './http'
import { keepOf } from './keep'
import { tracesKey } from './traces'

export type KpiKey = 'traces' | 'errors' | 'p95' | 'ttft' | 'cost' | 'tokens'

/** A number of a range: a count, a share (errors), milliseconds (p95, ttft), nano-dollars (cost); null is unknown. */
export interface Kpi {
  value: number | null
  previous: number | null
  spark: (number | null)[]
}

export interface Notice {
  key: KpiKey
  /** In the same part of the period before, and in the last part. */
  before: number
  now: number
  since: Date
  because: { field: string; value: string; share: number } | null
}

export interface Overview {
  kpis: Partial<Record<KpiKey, Kpi>>
  notice: Notice | null
  /** Where the sums end, if not all traces were looked at. */
  scannedTo: Date | null
}

interface OverviewFromAPI {
  kpis: { key: KpiKey; value: number | null; previous: number | null; spark: (number | null)[] }[]
  notice: { key: KpiKey; from: number; to: number; since: string; because: { field: string; value: string; share: number } | null } | null
  scannedTo: string | null
}

/** Shares come as percent. */
const share = (key: KpiKey, value: number | null) => (key === 'errors' && value !== null ? value / 100 : value)

export const overviewQuery = (project: string, filter: string, range: Range) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'overview', filter, range],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<Overview> => {
      const { path, ...asked } = overviewRequest(project, filter, range)
      const body = (await request(path, { ...asked, signal })) as OverviewFromAPI
      const n = body.notice
      return {
        kpis: Object.fromEntries(body.kpis.map((k) => [k.key, { value: share(k.key, k.value), previous: share(k.key, k.previous), spark: k.spark }])),
        notice: n && { key: n.key, before: share(n.key, n.from) ?? 0, now: share(n.key, n.to) ?? 0, since: new Date(n.since), because: n.because },
        scannedTo: body.scannedTo ? new Date(body.scannedTo) : null,
      }
    },
  })

/** How many traces took how long, or cost how much, when: counts by column (time), then row (value). */
export interface Heatmap {
  times: number[]
  end: number
  /** Of the rows, in milliseconds, nano-dollars or ones; one more than rows, growing. */
  edges: number[]
  counts: number[][]
}

export const heatmapQuery = (project: string, filter: string, range: Range, zone: Zone, measure: 'latency' | 'ttft' | 'cost' | 'tokens' = 'latency') =>
  queryOptions({
    queryKey: [...tracesKey(project), 'heatmap', filter, range, zone, measure],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<Heatmap> => {
      const body = (await request('/dashboard/api/query/heatmap', { method: 'POST', project, signal, body: { q: filter, from: range.from.toISOString(), to: range.to.toISOString(), measure, cols: 48, rows: 16, tz: zone } })) as {
        t: number[]
        to: number | null
        edges: number[]
        n: number[][]
      } // POST query/heatmap
      return { times: body.t, end: body.to ?? 0, edges: body.edges, counts: body.n }
    },
  })

export interface Difference {
  field: string
  value: string
  /** Shares of the traces selected, and of the others, that have the value. */
  selected: number
  baseline: number
}

export interface Differences {
  selected: number
  baseline: number
  rows: Difference[]
}

export interface Selection {
  filter: string
  range: Range
}

/** What the traces of a selection have that the others have not, most telling first. */
export const differencesQuery = (project: string, filter: string, range: Range, selection: Selection) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'differences', filter, range, selection],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<Differences> => {
      const body = (await request('/dashboard/api/query/compare', {
        method: 'POST',
        project,
        signal,
        body: { q: filter, from: range.from.toISOString(), to: range.to.toISOString(), selection: { q: selection.filter, from: selection.range.from.toISOString(), to: selection.range.to.toISOString() }, limit: 3 },
      })) as { selected: number; baseline: number; fields: { name: string; score: number; values: { value: string; selected: number; baseline: number }[] }[] } // POST query/compare
      const part = (n: number, of: number) => (of > 0 ? n / of : 0)
      const rows = body.fields
        .flatMap((f) => f.values.map((v) => ({ field: f.name, value: v.value, selected: part(v.selected, body.selected), baseline: part(v.baseline, body.baseline) })))
        .filter((row) => row.value !== '' && (row.field !== 'status' || !selection.filter.includes('status:')) && row.selected > row.baseline)
        .toSorted((a, b) => b.selected - b.baseline - (a.selected - a.baseline))
      return { selected: body.selected, baseline: body.baseline, rows: rows.slice(0, 8) }
    },
  })
