import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { initOf, keyOf, overviewRequest, projectsRequest, treeRequest } from './asked'
import { endOpening, openedAt, takeAnswer } from './opening'

const answer = Promise.resolve(new Response('{}'))

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  globalThis.pulseOpening = { at: Date.now(), answers: new Map([[keyOf(projectsRequest), answer]]) }
})

afterEach(() => {
  vi.useRealTimers()
  endOpening()
})

test('an answer is taken once, by the request that it is to', () => {
  expect(takeAnswer(treeRequest('p', 't', ''))).toBeUndefined()
  expect(takeAnswer(projectsRequest)).toBe(answer)
  expect(takeAnswer(projectsRequest)).toBeUndefined()
})

test('nobody takes an old answer', () => {
  vi.advanceTimersByTime(60_000)
  expect(takeAnswer(projectsRequest)).toBeUndefined()
  expect(openedAt()).toBeNull()
})

test('what the page shows first has one time until it is shown', () => {
  expect(openedAt()).toEqual(new Date(1_000_000))
  endOpening()
  expect(openedAt()).toBeNull()
})

test('requests differ by project, range and cursor', () => {
  const range = { from: new Date(0), to: new Date(1) }
  const keys = [overviewRequest('a', '', range), overviewRequest('b', '', range), overviewRequest('a', '', { ...range, to: new Date(2) }), treeRequest('a', 't', ''), treeRequest('a', 't', 'c')].map(keyOf)
  expect(new Set(keys).size).toBe(keys.length)
  expect(initOf(overviewRequest('a', '', range))).toMatchObject({ method: 'POST', headers: { 'X-Project-Id': 'a', 'Content-Type': 'application/json' } })
})
