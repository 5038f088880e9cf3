import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { visible } from '@/lib/text/visible'
import { query, request } from './http'
import { keepOf } from './keep'

/** A trace's row as GET traces gives it with fields=summary. */
interface TraceFromAPI {
  traceId: string
  sessionId: string | null
  timestamp: string
  latencyMs: number
  source: string
  services: string[]
  spanCount: number
  summary: string
  toolCallCount: number
  status: string
  errorService: string | null
  provider: string | null
  modelRequested: string | null
  modelUsed: string | null
  inputTokens: number | null
  outputTokens: number | null
  costCents: number | null
  timeToFirstTokenMs: number | null
  name: string | null
  userId: string | null
  environment: string | null
  tags: string[] | null
}

export interface Trace {
  id: string
  name: string
  failed: boolean
  start: Date
  latencyMs: number
  ttftMs: number | null
  provider: string | null
  model: string | null
  tokens: number | null
  costNanoUsd: number | null
  spanCount: number
  toolCalls: number
  services: string[]
  source: string
  sessionId: string | null
  userId: string | null
  environment: string | null
  tags: string[]
}

function apiTraceToTrace(t: TraceFromAPI): Trace {
  const model = t.modelUsed ?? t.modelRequested
  return {
    id: t.traceId,
    name: visible(t.name ?? t.summary ?? model ?? t.source),
    failed: t.status === 'error',
    start: new Date(t.timestamp),
    latencyMs: t.latencyMs,
    ttftMs: t.timeToFirstTokenMs,
    provider: t.provider,
    model,
    tokens: t.inputTokens === null && t.outputTokens === null ? null : (t.inputTokens ?? 0) + (t.outputTokens ?? 0),
    costNanoUsd: t.costCents === null ? null : Math.round(t.costCents * 1e7),
    spanCount: t.spanCount,
    toolCalls: t.toolCallCount,
    services: t.services,
    source: t.source,
    sessionId: t.sessionId,
    userId: t.userId,
    environment: t.environment,
    tags: t.tags ?? [],
  }
}

/** What GET traces can select by. */
export interface TraceSelection {
  status?: string
  provider?: string
  model?: string
  service?: string
  source?: string
  session?: string
}

/** A range whose end may be open. */
interface Since {
  from: Date
  to?: Date
}

export interface TracePage {
  traces: Trace[]
  total: number
  next: string | null
}

async function listTraces(project: string, range: Since, by: TraceSelection, page: { limit: number; cursor?: string }, signal?: AbortSignal): Promise<TracePage> {
  const path = `/dashboard/api/traces${query({
    fields: 'summary',
    limit: page.limit,
    cursor: page.cursor,
    date_from: range.from.toISOString(),
    date_to: range.to?.toISOString(),
    status: by.status,
    provider: by.provider,
    model: by.model,
    service: by.service,
    source: by.source,
    session_id: by.session,
  })}`
  const body = (await request(path, { project, ...(signal ? { signal } : {}) })) as { traces: TraceFromAPI[]; total: number; nextCursor: string | null } // GET traces
  return { traces: body.traces.map(apiTraceToTrace), total: body.total, next: body.nextCursor }
}

export const tracesKey = (project: string) => ['traces', project] as const

/**
 * The traces of a range, newest first, in pages. It asks GET traces;
 * query/traces/search, with the whole filter language, will take its place.
 */
export const tracesQuery = (project: string, range: Since, by: TraceSelection) =>
  infiniteQueryOptions({
    queryKey: [...tracesKey(project), 'list', range, by],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => listTraces(project, range, by, { limit: 50, cursor: pageParam }, signal),
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepOf(project),
  })

/** The first few of a range, and how many there are. */
export const latestQuery = (project: string, range: Since, by: TraceSelection = {}, limit = 10) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'latest', range, by, limit],
    queryFn: ({ signal }) => listTraces(project, range, by, { limit }, signal),
    placeholderData: keepOf(project),
  })

/** Whether the project has any trace, and the newest of them. */
export const firstTraceQuery = (project: string) =>
  queryOptions({
    queryKey: [...tracesKey(project), 'first'],
    queryFn: async ({ signal }): Promise<Trace | null> => {
      const body = (await request(`/dashboard/api/traces${query({ fields: 'summary', limit: 1 })}`, { project, signal })) as { traces: TraceFromAPI[] } // GET traces
      const first = body.traces[0]
      return first ? apiTraceToTrace(first) : null
    },
  })

/** The traces of a session, oldest first, with what went in and came out of each. */
export interface Turn extends Trace {
  input: unknown
  output: unknown
  outputText: string | null
  request: unknown
}

interface TurnFromAPI extends TraceFromAPI {
  input?: unknown
  output?: unknown
  outputText?: string | null
  requestBody?: unknown
}

export const turnsQuery = (project: string, sessionId: string) =>
  infiniteQueryOptions({
    queryKey: [...tracesKey(project), 'session', sessionId],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const path = `/dashboard/api/sessions/${encodeURIComponent(sessionId)}${query({ limit: 50, cursor: pageParam })}`
      const body = (await request(path, { project, signal })) as { traces: TurnFromAPI[]; nextCursor: string | null } // GET sessions/:id
      return {
        turns: body.traces.map((t): Turn => ({ ...apiTraceToTrace(t), input: t.input ?? null, output: t.output ?? null, outputText: t.outputText ?? null, request: t.requestBody ?? null })),
        next: body.nextCursor,
      }
    },
    getNextPageParam: (last) => last.next ?? undefined,
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
