import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { printFilter, printTerm, termOf } from '@/lib/filter/filter'
import { visible } from '@/lib/text/visible'
import { milliseconds } from '@/lib/time/exact'
import { treeRequest } from '@/opening/asked'
import { query, request, requestText } from './http'

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
  status: string
  sessionId: string | null
  userId: string | null
  tags: string[] | null
  environment: string | null
  release: string | null
  apiKeyId: string | null
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

/** A span's row of the tree. Times are milliseconds. */
export interface Span {
  id: string
  depth: number
  name: string
  kind: string
  start: number
  durationMs: number | null
  ttftMs: number | null
  failed: boolean
  model: string | null
  inputTokens: number | null
  outputTokens: number | null
  costNanoUsd: number | null
  /** False where another span stands for the same call: then it is in no sum. */
  counted: boolean
  /** Where it stands in the trace, depth first. */
  index: number
}

/** The tree as GET query/traces/:id/tree gives it: one array for each column. */
interface TreeFromAPI {
  n: number
  first: number
  total: number
  startTime: string
  cols: {
    id: string[]
    depth: number[]
    name: string[]
    kind: string[]
    start: number[]
    dur: (number | null)[]
    ttft: (number | null)[]
    status: string[]
    model: (string | null)[]
    in: (number | null)[]
    out: (number | null)[]
    cost: (string | null)[]
    counted: boolean[]
  }
  errors: { spanId: string; name: string; error: string | null; cause: boolean }[]
  totals: { name: string | null; provider: string | null; model: string | null; sessionId: string | null; userId: string | null; errorCount: number; worst: { spanId: string; error: string | null } | null }
  receipt: { firstAcceptedAt: string; acceptedAt: string; storedAt: string } | null
  next: string | null
}

function apiTreeToSpans({ cols, n, first, startTime }: TreeFromAPI): Span[] {
  const base = milliseconds(startTime)
  return Array.from({ length: n }, (_, i) => ({
    id: cols.id[i] ?? '',
    depth: cols.depth[i] ?? 0,
    name: visible(cols.name[i] ?? ''),
    kind: cols.kind[i] ?? '',
    start: base + (cols.start[i] ?? 0) / 1000,
    durationMs: cols.dur[i] ?? null,
    ttftMs: cols.ttft[i] ?? null,
    failed: cols.status[i] === 'error',
    model: cols.model[i] ?? null,
    inputTokens: cols.in[i] ?? null,
    outputTokens: cols.out[i] ?? null,
    costNanoUsd: cols.cost[i] === null ? null : Number(cols.cost[i]),
    counted: cols.counted[i] ?? true,
    index: first + i,
  }))
}

export interface SpanPage {
  spans: Span[]
  total: number
  /** Of the first spans of the trace, at most 100, and the one that it is as bad as. */
  errors: { spanId: string; error: string | null }[]
  /** How many spans of the whole trace failed. */
  failed: number
  sessionId: string | null
  provider: string | null
  /** A filter for traces of the same name; where it has none, for those of its model that have none either. Empty if there is neither. */
  alike: string
  /** When the last of it was taken and could be read, by the server's clock, in milliseconds. */
  receipt: { accepted: number; stored: number } | null
  next: string | null
}

function alike(name: string | null, model: string | null): string {
  if (name) return printTerm(termOf('name', name))
  return model ? printFilter([termOf('has', 'name', true), termOf('model', model)]) : ''
}

/** The tree of a trace, depth first, 10,000 spans a page. */
export const treeQuery = (project: string, traceId: string) =>
  infiniteQueryOptions({
    queryKey: ['tree', project, traceId],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }): Promise<SpanPage> => {
      const body = (await request(treeRequest(project, traceId, pageParam).path, { project, signal })) as TreeFromAPI
      return {
        spans: apiTreeToSpans(body),
        total: body.total,
        errors: body.totals.worst ? [...body.errors, body.totals.worst] : body.errors,
        failed: body.totals.errorCount,
        sessionId: body.totals.sessionId,
        provider: body.totals.provider,
        alike: alike(body.totals.name, body.totals.model),
        receipt: body.receipt && { accepted: milliseconds(body.receipt.acceptedAt), stored: milliseconds(body.receipt.storedAt) },
        next: body.next,
      }
    },
    getNextPageParam: (last) => last.next ?? undefined,
  })

/** What only the span itself tells. */
export interface Detail {
  parentId: string | null
  operation: string | null
  provider: string | null
  toolName: string | null
  toolCallId: string | null
  agentName: string | null
  service: string | null
  sessionId: string | null
  userId: string | null
  environment: string | null
  release: string | null
  /** The API key that it was sent with. */
  apiKeyId: string | null
  tags: string[]
  scope: string | null
  finishReason: string | null
  providerRequestId: string | null
}

function apiNodeToDetail(n: NodeFromAPI): Detail {
  return {
    parentId: n.parentSpanId,
    operation: n.operation,
    provider: n.provider,
    toolName: n.toolName,
    toolCallId: n.toolCallId,
    agentName: n.agentName,
    service: n.service,
    sessionId: n.sessionId,
    userId: n.userId,
    environment: n.environment,
    release: n.release,
    apiKeyId: n.apiKeyId,
    tags: n.tags ?? [],
    scope: n.scope ? [n.scope.name, n.scope.version].filter(Boolean).join(' ') : null,
    finishReason: n.finishReason,
    providerRequestId: n.providerRequestId,
  }
}

/** What a span carries: JSON as it was stored, null where there is none. */
export interface Payload {
  detail: Detail | null
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
        detail: node ? apiNodeToDetail(node) : null,
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

export type PayloadPart = 'request' | 'response' | 'input' | 'output' | 'error' | 'metadata' | 'attributes' | 'resource' | 'events' | 'links' | 'parameters' | 'tools'

/** Which parts a payload has. */
export function partsOf(p: Payload): PayloadPart[] {
  const parts: [PayloadPart, unknown][] = [
    ['request', p.request], ['response', p.response], ['input', p.inputMessages ?? p.toolInput], ['output', p.outputMessages ?? p.toolResponse ?? p.outputText],
    ['error', p.error ?? p.statusMessage], ['parameters', p.parameters], ['tools', p.tools], ['metadata', p.metadata], ['attributes', p.attributes], ['resource', p.resource],
    ['events', p.events], ['links', p.links],
  ]
  return parts.flatMap(([part, value]) => (value === null ? [] : [part]))
}

/** A part of a span's payload as it is stored, byte for byte; null where it has none. */
export const rawQuery = (project: string, spanId: string, part: PayloadPart) =>
  queryOptions({
    queryKey: ['raw', project, spanId, part],
    staleTime: 60_000,
    gcTime: 30_000,
    queryFn: ({ signal }) => requestText(`/dashboard/api/query/spans/${encodeURIComponent(spanId)}/payload/${part}`, { project, signal }), // GET query/spans/:id/payload/:part
  })
