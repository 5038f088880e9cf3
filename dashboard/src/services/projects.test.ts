import { afterEach, expect, test, vi } from 'vitest'
import { ApiError } from './http'
import { deleteProject } from './projects'

afterEach(() => vi.unstubAllGlobals())

const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })

test('deleting goes on until all is done, and tells how far it is', async () => {
  const answers = [{ done: false, deletedSpans: 5000 }, { done: false, deletedSpans: 4000 }, { done: true, deletedSpans: 1 }]
  const fetched = vi.fn(async (_path: string, _init: RequestInit) => json(200, answers.shift()))
  vi.stubGlobal('fetch', fetched)
  const seen: number[] = []
  await deleteProject('a/b', 'Aurora', (n) => seen.push(n))
  expect(seen).toEqual([5000, 9000, 9001])
  expect(fetched).toHaveBeenCalledTimes(3)
  expect(fetched.mock.calls[0]?.[0]).toBe('/dashboard/api/projects/a%2Fb')
  expect(fetched.mock.calls[2]?.[1]).toMatchObject({ method: 'DELETE', body: '{"name":"Aurora"}' })
})

test('a refusal ends it', async () => {
  vi.stubGlobal('fetch', async () => json(403, { error: 'Forbidden' }))
  await expect(deleteProject('a', 'Aurora', () => {})).rejects.toEqual(new ApiError(403, 'Forbidden'))
})
