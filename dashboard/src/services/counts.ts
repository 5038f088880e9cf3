import { queryOptions } from '@tanstack/react-query'
import { request } from './http'
import { keepOf } from './keep'
import { tracesKey } from './traces'
import { isMeta, parseFilter, withoutField } from '@/lib/filter/filter'
import { visible } from '@/lib/text/visible'
import type { Range } from '@/lib/time/range'
import type { Zone } from '@/lib/time/zone'

interface HistogramFromAPI {
  t: number[]
  to: number | null
  series: { key: string; other?: boolean; v: (number | null)[] }[]
  scannedTo: string | null
}

export interface Histogram {
  /** When each bar begins, in milliseconds, and when the last one ends. */
  times: number[]
  end: number
  series: { name: string; values: (number | null)[] }[]
}

/** Traces that a filter finds over time, by the clock of a zone, those that failed apart. */
export const histogramQuery = (project: string, filter: string, range: Range, zone: Zone) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'histogram', filter, range, zone],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<Histogram> => {
      const body = (await request('/dashboard/api/query/histogram', {
        method: 'POST',
        project,
        signal,
        body: { q: filter, from: range.from.toISOString(), to: range.to.toISOString(), by: 'status', buckets: 80, tz: zone },
      })) as HistogramFromAPI // POST query/histogram
      return { times: body.t, end: body.to ?? 0, series: body.series.map((s) => ({ name: s.key === 'error' ? 'errors' : s.key === 'success' ? 'ok' : s.key, values: s.v })) }
    },
  })

export interface Facets {
  /** By field: its most frequent values under the filter. */
  values: Record<string, { value: string; count: number }[]>
  exact: boolean
}

export const facetFields = ['status', 'model', 'name', 'service', 'user', 'tool', 'env', 'tag', 'key'] as const

async function readFacets(project: string, filter: string, range: Range, fields: readonly string[], signal: AbortSignal): Promise<Facets> {
  const body = (await request('/dashboard/api/query/facets', {
    method: 'POST',
    project,
    signal,
    body: { q: filter, from: range.from.toISOString(), to: range.to.toISOString(), fields, limit: 10 },
  })) as { facets: Record<string, { value: string; count: number }[]>; exact: boolean } // POST query/facets
  return { values: body.facets, exact: body.exact }
}

/** The most frequent values under a filter. Of a field that the filter names they are those that it would find without, so that another can be chosen, too. */
export const facetsQuery = (project: string, filter: string, range: Range) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'facets', filter, range],
    placeholderData: keepOf(project),
    queryFn: async ({ signal }): Promise<Facets> => {
      const named = new Set(parseFilter(filter).terms.map((t) => t.field))
      const asked = [{ q: filter, fields: facetFields.filter((field) => !named.has(field)) }, ...facetFields.flatMap((field) => (named.has(field) ? [{ q: withoutField(filter, field), fields: [field] }] : []))]
      const parts = await Promise.all(asked.flatMap(({ q, fields }) => (fields.length > 0 ? [readFacets(project, q, range, fields, signal)] : [])))
      return { values: Object.assign({}, ...parts.map((part) => part.values)) as Facets['values'], exact: parts.every((part) => part.exact) } // of the same type each
    },
  })

/** The most frequent values of a field that begin with a text (POST query/values). */
export async function fieldValues(project: string, field: string, prefix: string, range: Range, signal: AbortSignal): Promise<string[]> {
  const body = (await request('/dashboard/api/query/values', { method: 'POST', project, signal, body: { field, prefix, from: range.from.toISOString(), to: range.to.toISOString() } })) as {
    values: { value: string }[]
  }
  return body.values.map((v) => v.value)
}

/** The keys that the metadata of the newest traces has, as fields of filters. */
export const metaFieldsQuery = (project: string) =>
  queryOptions({
    queryKey: ['fields', project],
    staleTime: 60_000,
    queryFn: async ({ signal }): Promise<string[]> => {
      const body = (await request('/dashboard/api/query/fields', { project, signal })) as { fields: { name: string }[] } // GET query/fields
      return body.fields.flatMap((f) => (isMeta(f.name) ? [f.name] : []))
    },
  })

export interface Freshness {
  /** Up to when all that was accepted can be read; null if nobody knows. */
  completeTo: Date | null
  lagMs: number | null
  /** What was refused in the last day, the latest first. */
  rejected: Rejection[]
}

/** What was refused in one minute, and what the sender was told. */
export interface Rejection {
  at: Date
  reason: string
  count: number
}

export const freshnessQuery = (project: string) =>
  queryOptions({
    queryKey: ['freshness', project],
    refetchInterval: 10_000,
    queryFn: async ({ signal }): Promise<Freshness> => {
      const body = (await request('/dashboard/api/query/status', { project, signal })) as {
        completeTo: string | null
        lagMs: number | null
        rejected: { at: string; reason: string; count: number }[]
      } // GET query/status
      return {
        completeTo: body.completeTo ? new Date(body.completeTo) : null,
        lagMs: body.lagMs,
        rejected: body.rejected.map((r) => ({ at: new Date(r.at), reason: visible(r.reason), count: r.count })),
      }
    },
  })

export interface Match {
  projectId: string
  projectName: string
  kind: 'trace' | 'span' | 'session'
  traceId: string | null
  spanId: string | null
  sessionId: string | null
}

/** Where among the projects of whoever asks an id is; fails with 404 for nowhere. */
export const resolveQuery = (id: string) =>
  queryOptions({
    queryKey: ['resolve', id],
    queryFn: async ({ signal }): Promise<Match[]> => ((await request(`/dashboard/api/query/resolve/${encodeURIComponent(id)}`, { signal })) as { matches: Match[] }).matches, // GET query/resolve/:id
  })

export interface Neighbours {
  next: string | null
  previous: string | null
  /** The last trace of the same name that succeeded. */
  lastGood: string | null
}

export const neighboursQuery = (project: string, traceId: string) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'neighbours', traceId],
    queryFn: async ({ signal }): Promise<Neighbours> => (await request(`/dashboard/api/query/traces/${encodeURIComponent(traceId)}/neighbours`, { project, signal })) as Neighbours, // GET query/traces/:id/neighbours
  })
