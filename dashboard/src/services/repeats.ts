import { queryOptions } from '@tanstack/react-query'
import { visible } from '@/lib/text/visible'
import { request } from './http'

interface RepeatsFromAPI {
  spans: number
  complete: boolean
  inputTokens: number | null
  sameInputTokens: number | null
  calls: { spanId: string; after: string; messages: number; same: number; sameInputTokens: number | null }[]
  loops: { name: string; arguments: string; count: number; failed: number; durationMs: number; spanIds: string[] }[]
}

/** A tool that was called again with the same arguments. */
export interface Loop {
  name: string
  /** The begin of them. */
  arguments: string
  count: number
  failed: number
  /** Of all calls but the first. */
  durationMs: number
  spanIds: string[]
}

/** What a trace did more than once. */
export interface Repeats {
  complete: boolean
  inputTokens: number | null
  /** Of these, what an earlier call was told already; estimated. */
  sameInputTokens: number | null
  /** By the id of a model call. */
  calls: ReadonlyMap<string, { after: string; sameInputTokens: number | null }>
  loops: Loop[]
}

function apiRepeatsToRepeats(r: RepeatsFromAPI): Repeats {
  return {
    complete: r.complete,
    inputTokens: r.inputTokens,
    sameInputTokens: r.sameInputTokens,
    calls: new Map(r.calls.map((c) => [c.spanId, { after: c.after, sameInputTokens: c.sameInputTokens }])),
    loops: r.loops.map((l) => ({ ...l, name: visible(l.name), arguments: visible(l.arguments) })),
  }
}

/** What a trace did more than once. The server reads all of its payloads for it. */
export const repeatsQuery = (project: string, traceId: string) =>
  queryOptions({
    queryKey: ['repeats', project, traceId],
    staleTime: 60_000,
    queryFn: async ({ signal }): Promise<Repeats> => apiRepeatsToRepeats((await request(`/dashboard/api/query/traces/${encodeURIComponent(traceId)}/repeats`, { project, signal })) as RepeatsFromAPI), // GET query/traces/:id/repeats
  })
