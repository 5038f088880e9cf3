import { infiniteQueryOptions } from '@tanstack/react-query'
import type { AgentSpan } from '@/lib/session/agent'
import type { SessionSort } from '@/lib/sort/sort'
import { visible } from '@/lib/text/visible'
import { milliseconds } from '@/lib/time/exact'
import type { Range } from '@/lib/time/range'
import { query, request } from './http'
import { keepOf } from './keep'
import { apiTraceToTrace, type Trace, type TraceFromAPI } from './traces'

/** A session's row as POST query/sessions/search gives it (view.SessionRow of the API). */
interface SessionFromAPI {
  sessionId: string
  firstTime: string
  lastTime: string
  durationMs: number
  traceCount: number
  toolCalls: number
  editedFiles: number
  spanCount: number
  errorCount: number
  inputTokens: number
  outputTokens: number
  costNanoUsd: string | null
  sources: string[] | null
  model: string | null
  agentName: string | null
  cwd: string | null
  preview: { input: string | null; output: string | null }
}

export interface Session {
  id: string
  first: Date
  last: Date
  durationMs: number
  turns: number
  spans: number
  toolCalls: number
  /** How many different ones tools edited. */
  files: number
  errors: number
  /** Sums are null where they are zero: the API adds what nobody told as zero. */
  tokens: number | null
  costNanoUsd: string | null
  sources: string[]
  folder: string | null
  model: string | null
  agentName: string | null
  /** The first line that somebody said, and what was answered. */
  input: string
  output: string
}

const apiSessionToSession = (s: SessionFromAPI): Session => ({
  id: s.sessionId,
  first: new Date(s.firstTime),
  last: new Date(s.lastTime),
  durationMs: s.durationMs,
  turns: s.traceCount,
  spans: s.spanCount,
  toolCalls: s.toolCalls,
  files: s.editedFiles,
  errors: s.errorCount,
  tokens: s.inputTokens + s.outputTokens || null,
  costNanoUsd: s.costNanoUsd === '0' ? null : s.costNanoUsd,
  sources: s.sources ?? [],
  folder: s.cwd,
  model: s.model,
  agentName: s.agentName,
  input: visible(s.preview.input ?? ''),
  output: visible(s.preview.output ?? ''),
})

export interface SessionSearch {
  /** In the language of lib/filter, about the traces of a session. */
  filter: string
  range: Range
  sort: SessionSort
}

const sessionsKey = (project: string) => ['sessions', project] as const

/** Sessions that a filter finds, page after page. */
export const sessionsQuery = (project: string, search: SessionSearch) =>
  infiniteQueryOptions({
    queryKey: [...sessionsKey(project), 'list', search],
    initialPageParam: '',
    placeholderData: keepOf(project),
    queryFn: async ({ pageParam, signal }) => {
      const body = (await request('/dashboard/api/query/sessions/search', {
        method: 'POST',
        project,
        signal,
        body: { q: search.filter, from: search.range.from.toISOString(), to: search.range.to.toISOString(), sort: search.sort, cursor: pageParam || undefined },
      })) as { items: SessionFromAPI[]; next: string | null; total: { value: number; exact: boolean } | null; scannedTo: string | null } // POST query/sessions/search
      return { sessions: body.items.map(apiSessionToSession), total: body.total, next: body.next, scannedTo: body.scannedTo ? new Date(body.scannedTo) : null }
    },
    getNextPageParam: (last) => last.next ?? undefined,
  })

/** A trace as a part of a conversation. */
export interface Turn extends Omit<Trace, 'start' | 'input' | 'output'> {
  /** In milliseconds, with a fraction. */
  start: number
  /** As the API writes it, to the microsecond. */
  at: string
  toolCalls: number
  failedTools: number
  /** What was asked and answered, the first turnChars of it. */
  input: string | null
  output: string | null
}

/** How much of a text stands in a turn; the rest is in its trace. */
export const turnChars = 8000

interface TurnFromAPI {
  trace: TraceFromAPI
  input: string | null
  output: string | null
  toolCalls: number
  failedTools: number
}

const apiTurnToTurn = (t: TurnFromAPI): Turn => ({
  ...apiTraceToTrace(t.trace),
  start: milliseconds(t.trace.startTime),
  at: t.trace.startTime,
  toolCalls: t.toolCalls,
  failedTools: t.failedTools,
  input: t.input === null ? null : visible(t.input),
  output: t.output === null ? null : visible(t.output),
})

/** The turns of a session, oldest first, and what they add up to. */
export const turnsQuery = (project: string, sessionId: string) =>
  infiniteQueryOptions({
    queryKey: [...sessionsKey(project), 'turns', sessionId],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const path = `/dashboard/api/query/sessions/${encodeURIComponent(sessionId)}/turns${query({ limit: 100, cursor: pageParam })}`
      const body = (await request(path, { project, signal })) as { session: SessionFromAPI; items: TurnFromAPI[]; total: number; next: string | null } // GET query/sessions/:id/turns
      return { session: apiSessionToSession(body.session), turns: body.items.map(apiTurnToTurn), total: body.total, next: body.next }
    },
    getNextPageParam: (last) => last.next ?? undefined,
  })

interface SpanFromAPI {
  spanId: string
  traceId: string | null
  timestamp: string
  durationMs: number | null
  kind: string
  eventType: string
  status: string
  isInterrupt: boolean | null
  toolUseId: string | null
  toolName: string | null
  toolInput?: unknown
  error?: unknown
  agentName: string | null
  model: string | null
  modelUsed: string | null
  inputTokens: number | null
  outputTokens: number | null
  costCents: number | null
  outputText?: string | null
  metadata?: unknown
}

const apiSpanToAgentSpan = (s: SpanFromAPI): AgentSpan => ({
  id: s.spanId,
  traceId: s.traceId,
  at: Date.parse(s.timestamp),
  durationMs: s.durationMs,
  kind: s.kind,
  event: s.eventType,
  failed: s.status === 'error',
  interrupted: s.isInterrupt === true,
  toolUseId: s.toolUseId,
  toolName: s.toolName,
  toolInput: s.toolInput ?? null,
  error: s.error ?? null,
  agentName: s.agentName,
  model: s.modelUsed ?? s.model,
  tokens: s.inputTokens === null && s.outputTokens === null ? null : (s.inputTokens ?? 0) + (s.outputTokens ?? 0),
  costNanoUsd: s.costCents === null ? null : Math.round(s.costCents * 1e7),
  outputText: s.outputText ?? null,
  metadata: s.metadata ?? null,
})

/** The spans of a session, oldest first; GET sessions/:id/spans, 404 where it has none but model calls. */
export const sessionSpansQuery = (project: string, sessionId: string) =>
  infiniteQueryOptions({
    queryKey: [...sessionsKey(project), 'spans', sessionId],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const path = `/dashboard/api/sessions/${encodeURIComponent(sessionId)}/spans${query({ limit: 250, cursor: pageParam })}`
      const body = (await request(path, { project, signal })) as { spans: SpanFromAPI[]; nextCursor: string | null } // GET sessions/:id/spans
      return { spans: body.spans.map(apiSpanToAgentSpan), next: body.nextCursor }
    },
    getNextPageParam: (last) => last.next ?? undefined,
  })
