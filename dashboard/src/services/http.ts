import { parseExactly } from '@/lib/json/exact'
import { initOf, type Asked } from '@/opening/asked'
import { takeAnswer } from '@/opening/opening'

/** A fault in one field, as the API reports it. */
export interface Issue {
  path: string
  message: string
}

/** An answer that is no success, or none at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly issues: Issue[] = [],
    readonly requestId: string | null = null,
  ) {
    super(message)
    this.name = 'ApiError'
  }

  /** The request did not reach the server, or its answer did not arrive. */
  get offline(): boolean {
    return this.status === 0
  }
}

/** What is wrong with one field of what was sent; undefined if that is not what was refused. */
export function faultAt(error: Error | null, path: string): string | undefined {
  return error instanceof ApiError ? error.issues.find((issue) => issue.path === path)?.message : undefined
}

/** What a refusal says where it is not of these fields, which say it themselves. */
export function faultBeside(error: Error | null, ...paths: string[]): string | undefined {
  if (!error || paths.some((path) => faultAt(error, path) !== undefined)) return undefined
  return error.message
}

interface Options extends Omit<Asked, 'path'> {
  signal?: AbortSignal
}

/**
 * The only fetch of the dashboard, beside that of opening/script.ts: same origin, cookie of the session. It gives
 * the JSON of the answer, which the service that asked turns into its own type,
 * and throws ApiError for everything else.
 */
export async function request(path: string, options: Options = {}): Promise<unknown> {
  const { response, text } = await send(path, options)
  const body = parse(response, text)
  if (response.ok && body !== undefined) return body
  throw refusal(response, body)
}

/** The same for an answer that is taken as it is; null where there is none of the sort (404). */
export async function requestText(path: string, options: Options = {}): Promise<string | null> {
  const { response, text } = await send(path, options)
  if (response.ok) return text
  if (response.status === 404) return null
  throw refusal(response, parse(response, text))
}

/** The same with the headers, where these say how to go on. */
export async function requestPage(path: string, options: Options = {}): Promise<{ text: string; headers: Headers }> {
  const { response, text } = await send(path, options)
  if (response.ok) return { text, headers: response.headers }
  throw refusal(response, parse(response, text))
}

async function send(path: string, options: Options): Promise<{ response: Response; text: string }> {
  const asked = { path, ...options }
  const init = initOf(asked)
  if (options.signal) init.signal = options.signal
  try {
    const response = await (takeAnswer(asked) ?? fetch(path, init))
    return { response, text: await response.text() }
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw new ApiError(0, 'Pulse does not answer')
  }
}

function refusal(response: Response, body: unknown): ApiError {
  return new ApiError(response.status, messageOf(body) ?? `Unexpected answer (${response.status})`, issuesOf(body), response.headers.get('X-Request-Id'))
}

/** Writes a query string, leaving out what is not set. */
export function query(values: Record<string, string | number | undefined>): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') params.set(name, String(value))
  }
  const text = params.toString()
  return text === '' ? '' : `?${text}`
}

function parse(response: Response, text: string): unknown {
  if (!(response.headers.get('Content-Type') ?? '').includes('json')) return undefined
  try {
    return parseExactly(text)
  } catch {
    return undefined
  }
}

function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null && name in body ? (body as Record<string, unknown>)[name] : undefined // checked just before
}

function messageOf(body: unknown): string | undefined {
  for (const name of ['error', 'message']) {
    const value = field(body, name)
    // Where in the body the fault is comes for programs; people see the field.
    if (typeof value === 'string') return value.replace(/^\[[\w.]+\] /, '')
  }
  return undefined
}

function issuesOf(body: unknown): Issue[] {
  const details = field(body, 'details') ?? field(body, 'issues')
  if (!Array.isArray(details)) return []
  return details.flatMap((detail: unknown) => {
    const message = field(detail, 'message')
    const path = field(detail, 'path')
    return typeof message === 'string' ? [{ message, path: Array.isArray(path) ? path.join('.') : String(path ?? '') }] : []
  })
}
