import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { visible } from '@/lib/text/visible'
import { query, request } from './http'

export type Status = 'success' | 'error' | 'unset' | (string & {})

/** A span's row as GET traces/:id/spans gives it (view.Node of the API). */
interface NodeFromAPI {
  spanId: string
  parentSpanId: string | null
  depth: number
  name: string | null
  kind: string
  operation: string | null
  provider: string | null
  modelRequested: string | null
  modelUsed: string | null
  startTime: string
  durationMs: number | null
  timeToFirstTokenMs: number | null
  status: Status
  sessionId: string | null
  userId: string | null
  tags: string[] | null
  environment: string | null
  release: string | null
  service: string | null
  scope: { name: string; version: string } | null
  agentName: string | null
  toolName: string | null
  toolCallId: string | null
  finishReason: string | null
  providerRequestId: string | null
  usage: UsageFromAPI | null
  costNanoUsd: number | null
  costSource: string | null
  counted: boolean
  statusMessage?: string | null
  error?: unknown
  inputMessages?: unknown
  outputMessages?: unknown
  parameters?: unknown
  tools?: unknown
  toolInput?: unknown
  toolResponse?: unknown
  metadata?: unknown
  attributes?: unknown
  resource?: unknown
  events?: unknown
  links?: unknown
  payloadsTruncated?: boolean
}

type UsageFromAPI = { inputTokens: number | null; outputTokens: number | null } & Record<string, number | null>

/** A span without what it carries. Times are milliseconds. */
export interface Span {
  id: string
  parentId: string | null
  depth: number
  name: string
  kind: string
  operation: string | null
  start: number
  durationMs: number | null
  ttftMs: number | null
  failed: boolean
  provider: string | null
  model: string | null
  toolName: string | null
  service: string | null
  inputTokens: number | null
  outputTokens: number | null
  /** Buckets of tokens, as far as the sender told them. */
  usage: Record<string, number>
  costNanoUsd: number | null
  costSource: string | null
  /** False where another span stands for the same call: then it is in no sum. */
  counted: boolean
  sessionId: string | null
  userId: string | null
  tags: string[]
  environment: string | null
  release: string | null
  scope: string | null
  agentName: string | null
  finishReason: string | null
  providerRequestId: string | null
  toolCallId: string | null
  /** Where it stands in the trace, depth first. */
  index: number
}

const operations: Record<string, string> = { llm_call: 'model call', llm_response: 'model answer', tool_use: 'tool', agent_run: 'agent', user_prompt: 'prompt' }

function apiNodeToSpan(n: NodeFromAPI, index: number): Span {
  const { inputTokens = null, outputTokens = null, ...buckets } = n.usage ?? { inputTokens: null, outputTokens: null }
  const model = n.modelUsed ?? n.modelRequested
  return {
    id: n.spanId,
    parentId: n.parentSpanId,
    depth: n.depth,
    name: visible(n.name ?? n.toolName ?? n.agentName ?? model ?? operations[n.kind] ?? n.kind),
    kind: n.kind,
    operation: n.operation,
    start: milliseconds(n.startTime),
    durationMs: n.durationMs,
    ttftMs: n.timeToFirstTokenMs,
    failed: n.status === 'error',
    provider: n.provider,
    model,
    toolName: n.toolName,
    service: n.service,
    inputTokens,
    outputTokens,
    usage: Object.fromEntries(Object.entries(buckets).filter((bucket): bucket is [string, number] => typeof bucket[1] === 'number' && bucket[1] > 0)),
    costNanoUsd: n.costNanoUsd,
    costSource: n.costSource,
    counted: n.counted,
    sessionId: n.sessionId,
    userId: n.userId,
    tags: n.tags ?? [],
    environment: n.environment,
    release: n.release,
    scope: n.scope ? [n.scope.name, n.scope.version].filter(Boolean).join(' ') : null,
    agentName: n.agentName,
    finishReason: n.finishReason,
    providerRequestId: n.providerRequestId,
    toolCallId: n.toolCallId,
    index,
  }
}

/** RFC 3339 with microseconds, which Date would cut, as milliseconds with a fraction. */
function milliseconds(time: string): number {
  const micros = /\.\d{3}(\d{1,3})/.exec(time)?.[1]
  return Date.parse(time) + (micros ? Number(micros.padEnd(3, '0')) / 1000 : 0)
}

export interface SpanPage {
  spans: Span[]
  total: number
  next: string | null
}

const pageSize = 1000

/**
 * The tree of a trace, depth first, in pages. It asks GET traces/:id/spans; the
 * column arrays of query/traces/:id/tree will take its place.
 */
export const treeQuery = (project: string, traceId: string) =>
  infiniteQueryOptions({
    queryKey: ['tree', project, traceId],
    initialPageParam: { cursor: '', index: 0 },
    queryFn: async ({ pageParam, signal }): Promise<SpanPage> => {
      const path = `/dashboard/api/traces/${encodeURIComponent(traceId)}/spans${query({ fields: 'summary', limit: pageSize, cursor: pageParam.cursor })}`
      const body = (await request(path, { project, signal })) as { spans: NodeFromAPI[]; total: number; nextCursor: string | null } // GET traces/:id/spans
      return { spans: body.spans.map((n, i) => apiNodeToSpan(n, pageParam.index + i)), total: body.total, next: body.nextCursor }
    },
    getNextPageParam: (last, pages) => (last.next ? { cursor: last.next, index: pages.reduce((n, p) => n + p.spans.length, 0) } : undefined),
  })

/** What a span carries: JSON as it was stored, null where there is none. */
export interface Payload {
  statusMessage: string | null
  error: unknown
  inputMessages: unknown
  outputMessages: unknown
  request: unknown
  response: unknown
  outputText: string | null
  parameters: unknown
  tools: unknown
  toolInput: unknown
  toolResponse: unknown
  metadata: unknown
  attributes: unknown
  resource: unknown
  events: unknown
  links: unknown
  /** It did not fit the answer. */
  truncated: boolean
}

/**
 * What a span carries. Spans from OpenTelemetry keep it in their place of the
 * tree, asked for by that place; a trace that came as one call keeps its bodies
 * in the trace.
 */
export const payloadQuery = (project: string, traceId: string, span: Pick<Span, 'id' | 'index'>) =>
  queryOptions({
    queryKey: ['payload', project, traceId, span.id],
    staleTime: 60_000,
    gcTime: 120_000,
    queryFn: async ({ signal }): Promise<Payload> => {
      const path = `/dashboard/api/traces/${encodeURIComponent(traceId)}`
      let node: NodeFromAPI | undefined
      // A late arrival may have moved it: then its neighbours are asked too.
      for (const [offset, limit] of [[span.index, 1], [Math.max(span.index - 20, 0), 50]] as const) {
        const body = (await request(`${path}/spans${query({ limit, offset })}`, { project, signal })) as { spans: NodeFromAPI[] } // GET traces/:id/spans
        node = body.spans.find((n) => n.spanId === span.id)
        if (node) break
      }
      const bodies = span.id === traceId ? ((await request(path, { project, signal })) as BodiesFromAPI) : null // GET traces/:id
      return {
        statusMessage: node?.statusMessage ?? null,
        error: node?.error ?? bodies?.error ?? null,
        inputMessages: node?.inputMessages ?? null,
        outputMessages: node?.outputMessages ?? null,
        request: bodies?.requestBody ?? null,
        response: bodies?.responseBody ?? null,
        outputText: bodies?.outputText ?? null,
        parameters: node?.parameters ?? null,
        tools: node?.tools ?? null,
        toolInput: node?.toolInput ?? null,
        toolResponse: node?.toolResponse ?? null,
        metadata: node?.metadata ?? bodies?.metadata ?? null,
        attributes: node?.attributes ?? null,
        resource: node?.resource ?? null,
        events: node?.events ?? null,
        links: node?.links ?? null,
        truncated: node?.payloadsTruncated === true || bodies?.payloadsTruncated === true,
      }
    },
  })

interface BodiesFromAPI {
  requestBody?: unknown
  responseBody?: unknown
  outputText?: string | null
  error?: unknown
  metadata?: unknown
  payloadsTruncated?: boolean
}
