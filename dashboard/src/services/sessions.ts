import { infiniteQueryOptions } from '@tanstack/react-query'
import type { SessionSort } from '@/lib/sort/sort'
import type { Range } from '@/lib/time/range'
import { query, request } from './http'
import { keepOf } from './keep'

interface SessionFromAPI {
  sessionId: string
  firstTimestamp: string
  lastTimestamp: string
  status: string
  durationMs: number
  agentRuns: number
  toolCalls: number
  totalSpans: number
  errorCount: number
  traceCount: number
  inputTokens: number
  outputTokens: number
  costCents: number
  sources: string[] | null
  cwd?: string
  model?: string
  agentName?: string
}

export interface Session {
  id: string
  first: Date
  last: Date
  durationMs: number
  spans: number
  traces: number
  toolCalls: number
  errors: number
  tokens: number
  costNanoUsd: number
  sources: string[]
  folder: string | null
  model: string | null
  agentName: string | null
}

const apiSessionToSession = (s: SessionFromAPI): Session => ({
  id: s.sessionId,
  first: new Date(s.firstTimestamp),
  last: new Date(s.lastTimestamp),
  durationMs: s.durationMs,
  spans: s.totalSpans,
  traces: s.traceCount,
  toolCalls: s.toolCalls,
  errors: s.errorCount,
  tokens: s.inputTokens + s.outputTokens,
  costNanoUsd: Math.round(s.costCents * 1e7),
  sources: s.sources ?? [],
  folder: s.cwd ?? null,
  model: s.model ?? null,
  agentName: s.agentName ?? null,
})

const pageSize = 50

/**
 * Sessions that have spans, from GET agent-sessions, which pages by offset;
 * query/sessions/search will take its place.
 */
export const sessionsQuery = (project: string, range: Range, sort: SessionSort, source?: string) =>
  infiniteQueryOptions({
    queryKey: ['sessions', project, range, sort, source ?? ''],
    initialPageParam: 0,
    placeholderData: keepOf(project),
    queryFn: async ({ pageParam, signal }) => {
      const path = `/dashboard/api/agent-sessions${query({ limit: pageSize, offset: pageParam, sort, source, date_from: range.from.toISOString(), date_to: range.to.toISOString() })}`
      const body = (await request(path, { project, signal })) as { sessions: SessionFromAPI[]; total: number } // GET agent-sessions
      return { sessions: body.sessions.map(apiSessionToSession), total: body.total }
    },
    getNextPageParam: (last, pages) => {
      const read = pages.reduce((n, p) => n + p.sessions.length, 0)
      return last.sessions.length === pageSize && read < last.total ? read : undefined
    },
  })
