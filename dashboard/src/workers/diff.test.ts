import { expect, it } from 'vitest'
import { diffTexts } from '../lib/diff/words'
import { compareTexts, type DiffQuestion } from './diff'
import { FakeWorker } from './fake'

it('compares in a worker, and ends it', async () => {
  const worker = new FakeWorker(({ before, after }: DiffQuestion) => diffTexts(before, after))
  expect(await compareTexts('a b', 'a c', new AbortController().signal, () => worker)).toEqual([
    { type: 'same', text: 'a ' },
    { type: 'removed', text: 'b' },
    { type: 'added', text: 'c' },
  ])
  expect(worker.terminated).toBe(true)
})

it('ends it too when nobody waits any more', async () => {
  const worker = new FakeWorker(({ before, after }: DiffQuestion) => diffTexts(before, after))
  const stop = new AbortController()
  const answer = compareTexts('a', 'b', stop.signal, () => worker)
  stop.abort(new Error('left'))
  await expect(answer).rejects.toThrow('left')
  expect(worker.terminated).toBe(true)
})
