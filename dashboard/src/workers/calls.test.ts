import { describe, expect, it } from 'vitest'
import { Calls } from './calls'
import { FakeWorker } from './fake'

function setup() {
  const worker = new FakeWorker<number, number>((n) => {
    if (n < 0) throw new Error('negative')
    return n * 2
  })
  return { worker, calls: new Calls<number, number>(worker) }
}

describe('Calls', () => {
  it('gives each question its answer', async () => {
    const { calls } = setup()
    expect(await Promise.all([calls.ask(1), calls.ask(2), calls.ask(3)])).toEqual([2, 4, 6])
  })

  it('tells what the worker threw, and goes on', async () => {
    const { calls } = setup()
    await expect(calls.ask(-1)).rejects.toThrow('negative')
    expect(await calls.ask(4)).toBe(8)
  })

  it('drops the answer to what was aborted', async () => {
    const { calls } = setup()
    const control = new AbortController()
    const asked = calls.ask(1, control.signal)
    control.abort(new Error('gone'))
    await expect(asked).rejects.toThrow('gone')
    await expect(calls.ask(1, control.signal)).rejects.toThrow('gone')
    expect(await calls.ask(2)).toBe(4)
  })

  it('rejects all when the worker fails', async () => {
    const { calls, worker } = setup()
    const asked = calls.ask(1)
    worker.fail()
    await expect(asked).rejects.toThrow('The worker failed')
    await expect(calls.ask(2)).rejects.toThrow('The worker failed')
    expect(worker.terminated).toBe(true)
  })

  it('rejects all when it is closed', async () => {
    const { calls, worker } = setup()
    const asked = calls.ask(1)
    calls.close()
    calls.close()
    await expect(asked).rejects.toThrow('closed')
    expect(worker.terminated).toBe(true)
  })
})
