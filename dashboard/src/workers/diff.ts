/** Texts compared in a worker: long ones would hold the page up. */
import type { Change } from '../lib/diff/words'
import { Calls, type ClientPort } from './calls'

export interface DiffQuestion {
  before: string
  after: string
}

const startWorker = (): ClientPort => new Worker(new URL('./diff.worker.ts', import.meta.url), { type: 'module' })

/** What changed. Rejected if the signal is aborted, which ends the worker, or if that cannot run. */
export async function compareTexts(before: string, after: string, signal: AbortSignal, start: () => ClientPort = startWorker): Promise<Change[]> {
  signal.throwIfAborted()
  const calls = new Calls<DiffQuestion, Change[]>(start())
  try {
    return await calls.ask({ before, after }, signal)
  } finally {
    calls.close()
  }
}
