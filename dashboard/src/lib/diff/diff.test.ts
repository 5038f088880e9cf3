import { expect, test } from 'vitest'
import { alignSteps, difference, openingPair, type Step } from './align'
import { diffTexts } from './words'

const step = (name: string, more: Partial<Step> = {}): Step => ({ name, kind: 'chain', depth: 1, failed: false, durationMs: 10, costNanoUsd: null, ...more })
const names = (left: Step[], right: Step[]) => alignSteps(left, right).map((p) => `${p.left === null ? '-' : left[p.left]?.name}|${p.right === null ? '-' : right[p.right]?.name}`)

test('steps keep their order, and what only one did stands alone', () => {
  const left = [step('plan'), step('search'), step('answer')]
  const right = [step('plan'), step('search'), step('search again', { kind: 'tool_use' }), step('answer')]
  expect(names(left, right)).toEqual(['plan|plan', 'search|search', '-|search again', 'answer|answer'])
  expect(names(right, left)).toEqual(['plan|plan', 'search|search', 'search again|-', 'answer|answer'])
})

test('a step under another name is the same step', () => {
  const left = [step('plan'), step('chat gpt-4o', { kind: 'llm_call' }), step('old', { kind: 'tool_use' })]
  const right = [step('plan'), step('chat gpt-5', { kind: 'llm_call' })]
  expect(names(left, right)).toEqual(['plan|plan', 'chat gpt-4o|chat gpt-5', 'old|-'])
})

test('every step stands in exactly one pair', () => {
  const left = Array.from({ length: 3000 }, (_, i) => step(`a${(i * 7919) % 100}`))
  const right = Array.from({ length: 2500 }, (_, i) => step(`a${(i * 104_729) % 97}`))
  const pairs = alignSteps(left, right)
  expect(pairs.flatMap((p) => (p.left === null ? [] : [p.left]))).toEqual(left.map((_, i) => i))
  expect(pairs.flatMap((p) => (p.right === null ? [] : [p.right]))).toEqual(right.map((_, i) => i))
})

test('what differs', () => {
  expect(difference(step('a'), step('a'))).toBe('same')
  expect(difference(step('a'), step('a', { failed: true }))).toBe('error')
  expect(difference(step('a'), undefined)).toBe('only')
  expect(difference(step('a', { failed: true }), undefined)).toBe('error')
  expect(difference(step('a'), step('b'))).toBe('changed')
  expect(difference(step('a', { durationMs: 300 }), step('a', { durationMs: 900 }))).toBe('changed')
  expect(difference(step('a', { durationMs: 1 }), step('a', { durationMs: 9 }))).toBe('same')
})

test('the pair to look at first', () => {
  const opening = (left: Step[], right: Step[]) => openingPair(alignSteps(left, right), left, right)
  expect(opening([step('root', { depth: 0, failed: true }), step('tool', { failed: true })], [step('root', { depth: 0 }), step('tool')])).toBe(1)
  expect(opening([step('a'), step('call', { kind: 'llm_call' })], [step('a'), step('call', { kind: 'llm_call' })])).toBe(1)
  expect(opening([step('a')], [step('a'), step('more')])).toBe(1)
  expect(opening([], [])).toBe(0)
})

test('texts by word', () => {
  expect(diffTexts('Be short. Cite.', 'Be long. Cite.')).toEqual([
    { type: 'same', text: 'Be ' },
    { type: 'removed', text: 'short' },
    { type: 'added', text: 'long' },
    { type: 'same', text: '. Cite.' },
  ])
  expect(diffTexts('', '')).toEqual([])
  expect(diffTexts('same', 'same')).toEqual([{ type: 'same', text: 'same' }])
})

test('long texts come back whole', () => {
  const line = (i: number) => `line ${i} テント 😀\n`
  const before = Array.from({ length: 30_000 }, (_, i) => line(i)).join('')
  const after = before.replace(line(100), 'other\n')
  const parts = diffTexts(before, after)
  expect(parts.filter((p) => p.type !== 'added').map((p) => p.text).join('')).toBe(before)
  expect(parts.filter((p) => p.type !== 'removed').map((p) => p.text).join('')).toBe(after)
  expect(parts.filter((p) => p.type === 'same').length).toBe(2)
})
