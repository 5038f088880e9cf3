import { describe, expect, it } from 'vitest'
import { FakeWorker } from './fake'
import { inlineJsonLength, jsonDesk, openJson, type JsonAnswer, type JsonQuestion } from './json'

function setup() {
  const worker = new FakeWorker<JsonQuestion, JsonAnswer>(jsonDesk())
  return { worker, start: () => worker }
}

const never = () => {
  throw new Error('No worker is needed')
}

const long = JSON.stringify(['needle', 'x'.repeat(inlineJsonLength)])

describe('openJson', () => {
  it('reads short texts without a worker', async () => {
    const document = await openJson('{"a":"b"}', undefined, never)
    expect(document.index.count).toBe(2)
    expect((await document.search('B')).hits).toHaveLength(1)
    document.close()
  })

  it('reads long ones in one, and keeps it for searches', async () => {
    const { worker, start } = setup()
    const document = await openJson(long, undefined, start)
    expect(document.index.count).toBe(3)
    expect(document.index.start).toBeInstanceOf(Uint32Array)
    expect(await document.search('needle')).toEqual({ hits: [{ start: 2, end: 8, node: 1, inKey: false }], more: false })
    expect((await document.search('NEEDLE', { matchCase: true })).hits).toEqual([])
    expect(worker.terminated).toBe(false)
    document.close()
    expect(worker.terminated).toBe(true)
  })

  it('takes what is not JSON', async () => {
    const { start } = setup()
    const document = await openJson(`${long}]`, undefined, start)
    expect(document.index.error).toMatchObject({ offset: long.length })
    expect((await document.search('needle')).hits).toMatchObject([{ node: -1 }])
  })

  it('ends the worker when nobody waits any more', async () => {
    const { worker, start } = setup()
    const control = new AbortController()
    const opened = openJson(long, control.signal, start)
    control.abort(new Error('gone'))
    await expect(opened).rejects.toThrow('gone')
    expect(worker.terminated).toBe(true)
    await expect(openJson('1', control.signal)).rejects.toThrow('gone')
  })
})
