import { afterEach, describe, expect, it, vi } from 'vitest'
import { bodiesOf, deleteTraces, exportTraces, tracesIn } from './export'

interface Asked {
  path: string
  body: Record<string, unknown>
}

/** Answers requests one after the other, and notes what was asked. */
function answers(...list: { body: string; type?: string; next?: string; status?: number }[]): Asked[] {
  const asked: Asked[] = []
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    if (init.signal?.aborted) return Promise.reject(new DOMException('aborted', 'AbortError'))
    asked.push({ path, body: JSON.parse(String(init.body)) as Record<string, unknown> })
    const a = list.shift()
    if (!a) throw new Error('one request too many')
    const headers = new Headers({ 'Content-Type': a.type ?? 'application/json' })
    if (a.next) headers.set('Pulse-Next-Cursor', a.next)
    return Promise.resolve(new Response(a.body, { status: a.status ?? 200, headers }))
  })
  return asked
}

afterEach(() => vi.unstubAllGlobals())

const work = () => ({ signal: new AbortController().signal, onProgress: vi.fn() })

describe('export', () => {
  it('asks until there is no cursor', async () => {
    const asked = answers({ body: '{"traceId":"a"}\n{"traceId":"b","more":true}\n', next: 'c1' }, { body: '{"traceId":"b"}\n' })
    const w = work()
    const blob = await exportTraces('p', { filter: 'status:error', range: { to: new Date(0) } }, 'jsonl', w)
    expect(await blob.text()).toBe('{"traceId":"a"}\n{"traceId":"b","more":true}\n{"traceId":"b"}\n')
    expect(asked.map((a) => a.body['cursor'])).toEqual([undefined, 'c1'])
    expect(asked[0]?.body).toEqual({ q: 'status:error', to: '1970-01-01T00:00:00.000Z', format: 'jsonl' })
    expect(w.onProgress.mock.calls).toEqual([[1], [2]])
  })
  it('names the columns of a table once, however many ids there are', async () => {
    answers({ body: 'trace_id\r\na\r\n', type: 'text/csv', next: 'c' }, { body: 'b\r\n', type: 'text/csv' }, { body: 'trace_id\r\nc\r\n', type: 'text/csv' })
    const ids = Array.from({ length: 1_001 }, (_, i) => String(i))
    const w = work()
    expect(await (await exportTraces('p', { ids }, 'csv', w)).text()).toBe('trace_id\r\na\r\nb\r\nc\r\n')
    expect(w.onProgress.mock.calls).toEqual([[1], [2], [3]])
  })
  it('says what the server refuses, and stops when it is told to', async () => {
    answers({ body: '{"error":"no"}', status: 400 })
    await expect(exportTraces('p', { ids: ['a'] }, 'jsonl', work())).rejects.toThrow('no')
    const control = new AbortController()
    const asked = answers({ body: '{}\n', next: 'c' })
    await expect(exportTraces('p', { ids: ['a'] }, 'jsonl', { signal: control.signal, onProgress: () => control.abort() })).rejects.toThrow('aborted')
    expect(asked).toHaveLength(1)
  })
  it('counts traces, not lines', () => {
    expect(tracesIn('', 'jsonl', true)).toBe(0)
    expect(tracesIn('{"a":1}\n{"more":true}\n', 'jsonl', true)).toBe(1)
    expect(tracesIn('trace_id\r\n', 'csv', true)).toBe(0)
    expect(bodiesOf({ ids: [] })).toEqual([])
  })
})

describe('delete', () => {
  it('repeats until it is done', async () => {
    const asked = answers({ body: '{"deletedTraces":500,"done":false,"next":"n"}' }, { body: '{"deletedTraces":0,"done":false,"next":null}' }, { body: '{"deletedTraces":3,"done":true,"next":null}' })
    const w = work()
    expect(await deleteTraces('p', { filter: '', range: {} }, w)).toBe(503)
    expect(asked.map((a) => a.body)).toEqual([{ q: '' }, { q: '', cursor: 'n' }, { q: '' }])
    expect(w.onProgress.mock.calls).toEqual([[500], [500], [503]])
  })
})
