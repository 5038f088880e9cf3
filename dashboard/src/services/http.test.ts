import { afterEach, describe, expect, it, vi } from 'vitest'
import { ApiError, faultAt, faultBeside, request } from './http'

afterEach(() => vi.unstubAllGlobals())

const answer = { error: '[body.timeZone] Invalid time zone: expected a name', details: [{ code: 'invalid_value', path: ['timeZone'], message: 'Invalid time zone: expected a name' }] }
const refusal = async (body: unknown) => {
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify(body), { status: 400, headers: { 'Content-Type': 'application/json' } }))
  return request('/x').catch((error: unknown) => error as ApiError) as Promise<ApiError> // it fails
}

describe('a refusal', () => {
  it('is said in words for people', async () => {
    expect((await refusal(answer)).message).toBe('Invalid time zone: expected a name')
    expect((await refusal({ message: 'No [such] thing' })).message).toBe('No [such] thing')
  })
  it('is told at its field, and once', async () => {
    const error = await refusal(answer)
    expect(faultAt(error, 'timeZone')).toBe('Invalid time zone: expected a name')
    expect(faultAt(error, 'name')).toBeUndefined()
    expect(faultBeside(error, 'name', 'timeZone')).toBeUndefined()
    expect(faultBeside(error, 'name')).toBe('Invalid time zone: expected a name')
  })
  it('is no fault of a field where it names none', () => {
    for (const error of [new ApiError(403, 'Forbidden'), new Error('Forbidden')]) {
      expect(faultAt(error, 'name')).toBeUndefined()
      expect(faultBeside(error, 'name')).toBe('Forbidden')
    }
    expect(faultBeside(null, 'name')).toBeUndefined()
  })
})
