import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { typedFilters } from '@/lib/filter/typed'
import type { TraceSort } from '@/lib/sort/sort'
import { visible } from '@/lib/text/visible'
import { request } from './http'
import { keepOf } from './keep'

/** A trace's row as POST query/traces/search gives it (view.TraceRow of the API). */
export interface TraceFromAPI {
  traceId: string
  name: string | null
  worst: { spanId: string; name: string | null; error: string | null } | null
  status: string
  kind: string
  provider: string | null
  model: string | null
  startTime: string
  durationMs: number
  ttftMs: number | null
  inputTokens: number | null
  outputTokens: number | null
  costNanoUsd: string | null
  spanCount: number
  errorCount: number
  sessionId: string | null
  userId: string | null
  environment: string | null
  services: string[] | null
  tags: string[] | null
  preview: { input: string | null; output: string | null }
}

export interface Trace {
  id: string
  name: string
  failed: boolean
  /** The span that failed first, where it is another than the root. */
  worst: { spanId: string; name: string | null; error: string | null } | null
  start: Date
  /** From the first begin to the last end. */
  durationMs: number
  ttftMs: number | null
  provider: string | null
  model: string | null
  tokens: number | null
  costNanoUsd: string | null
  spanCount: number
  services: string[]
  sessionId: string | null
  userId: string | null
  environment: string | null
  tags: string[]
  /** At most 200 characters each; "" where nobody told. */
  input: string
  output: string
}

export function apiTraceToTrace(t: TraceFromAPI): Trace {
  return {
    id: t.traceId,
    name: visible(t.name ?? t.model ?? t.services?.[0] ?? t.kind),
    failed: t.status === 'error',
    worst: t.worst && { ...t.worst, name: t.worst.name === null ? null : visible(t.worst.name) },
    start: new Date(t.startTime),
    durationMs: t.durationMs,
    ttftMs: t.ttftMs,
    provider: t.provider,
    model: t.model,
    tokens: t.inputTokens === null && t.outputTokens === null ? null : (t.inputTokens ?? 0) + (t.outputTokens ?? 0),
    costNanoUsd: t.costNanoUsd,
    spanCount: t.spanCount,
    services: t.services ?? [],
    sessionId: t.sessionId,
    userId: t.userId,
    environment: t.environment,
    tags: t.tags ?? [],
    input: visible(t.preview.input ?? ''),
    output: visible(t.preview.output ?? ''),
  }
}

/** A range whose ends may be open. */
interface Since {
  from?: Date
  to?: Date
}

export interface TraceSearch {
  /** In the language of lib/filter. It travels in a body, never in a URL: it may hold words of a prompt. */
  filter: string
  range: Since
  sort?: TraceSort
  limit?: number
}

export interface TracePage {
  traces: Trace[]
  /** Of the first page; not exact where there are more than were counted. */
  total: { value: number; exact: boolean } | null
  next: string | null
  /** The start of the oldest trace that was looked at; null if all were. */
  scannedTo: Date | null
}

async function searchTraces(project: string, search: TraceSearch, cursor: string, signal: AbortSignal): Promise<TracePage> {
  const body = (await request('/dashboard/api/query/traces/search', {
    method: 'POST',
    project,
    signal,
    body: { q: search.filter, from: search.range.from?.toISOString(), to: search.range.to?.toISOString(), sort: search.sort, limit: search.limit, cursor: cursor || undefined },
  })) as { items: TraceFromAPI[]; next: string | null; total: { value: number; exact: boolean } | null; scannedTo: string | null } // POST query/traces/search
  return { traces: body.items.map(apiTraceToTrace), total: body.total, next: body.next, scannedTo: body.scannedTo ? new Date(body.scannedTo) : null }
}

export const tracesKey = (project: string) => ['traces', project] as const

/** Traces that a filter finds, page after page. */
export const tracesQuery = (project: string, search: TraceSearch) =>
  infiniteQueryOptions({
    queryKey: [...tracesKey(project), 'list', search],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => searchTraces(project, search, pageParam, signal),
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepOf(project),
  })

/** The first few that a filter finds, and how many there are. */
export const firstTracesQuery = (project: string, search: TraceSearch) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'first', search],
    queryFn: ({ signal }) => searchTraces(project, search, '', signal),
    placeholderData: keepOf(project),
  })

/** The newest trace of all, null if the project has none. */
export const newestTraceQuery = (project: string) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'newest'],
    queryFn: async ({ signal }): Promise<Trace | null> => (await searchTraces(project, { filter: '', range: {}, limit: 1 }, '', signal)).traces[0] ?? null,
  })

const typedTraces = 5

/**
 * The newest traces since a time that have what somebody is typing in their
 * name, their model, their session or at the begin of their id: a few, of one
 * short request for each. What was typed is in their bodies alone.
 */
export const typedTracesQuery = (project: string, typed: string, since: Date) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'typed', typed, since],
    gcTime: 60_000,
    retry: false, // the next key asks again
    queryFn: async ({ signal }): Promise<Trace[]> => {
      const pages = await Promise.all(typedFilters(typed).map((filter) => searchTraces(project, { filter, range: { from: since }, limit: typedTraces }, '', signal)))
      const found = new Map(pages.flatMap((page) => page.traces).map((trace) => [trace.id, trace]))
      return [...found.values()].toSorted((a, b) => b.start.getTime() - a.start.getTime()).slice(0, typedTraces)
    },
  })

/** Sends one small trace, so that somebody sees what a trace looks like. */
export async function sendSample(project: string): Promise<void> {
  const now = new Date()
  await request('/dashboard/api/traces/batch', {
    method: 'POST',
    project,
    body: [
      {
        trace_id: crypto.randomUUID(),
        timestamp: now.toISOString(),
        provider: 'openai',
        model_requested: 'gpt-4o-mini',
        status: 'success',
        latency_ms: 812,
        session_id: 'sample',
        request_body: { model: 'gpt-4o-mini', messages: [{ role: 'system', content: 'You answer in one sentence.' }, { role: 'user', content: 'What does Pulse do?' }] },
        output_text: 'It keeps every call your program makes to a model, and shows what was asked, answered, paid and waited for.',
        input_tokens: 24,
        output_tokens: 23,
      },
    ],
  })
}
