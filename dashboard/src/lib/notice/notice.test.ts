import { expect, it } from 'vitest'
import { noticeOf, type Period } from './notice'

const period = (calls: number, errorRate: number | null, groups: Period['groups'] = []): Period => ({ calls, errorRate, groups })

it('is quiet while nothing left its range', () => {
  expect(noticeOf(period(1000, 0.05), period(1000, 0.04))).toBeNull()
  expect(noticeOf(period(1000, 0.01), period(1000, 0.2))).toBeNull()
  expect(noticeOf(period(5, 1), period(1000, 0))).toBeNull()
  expect(noticeOf(period(1000, 0.5), period(0, null))).toBeNull()
  expect(noticeOf(period(1000, 0), period(1000, 0))).toBeNull()
})

it('speaks when the share of errors jumped, and names who has most of them', () => {
  const groups = [
    { model: 'gpt-4o', provider: 'openai', calls: 500, errorRate: 0.2 },
    { model: 'claude', provider: 'anthropic', calls: 500, errorRate: 0.02 },
  ]
  expect(noticeOf(period(1000, 0.11, groups), period(1000, 0.04))).toEqual({ rate: 0.11, previous: 0.04, because: { model: 'gpt-4o', share: expect.closeTo(0.909, 3) } })
})
