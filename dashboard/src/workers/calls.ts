/**
 * Questions to a worker, and answers. Both ends are here, so that they cannot
 * differ; neither knows what is asked.
 */

/** What a worker's own side needs of its global scope. */
export interface ServerPort {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void
}

/** What the page needs of a Worker. */
export interface ClientPort {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void
  addEventListener(type: 'error' | 'messageerror', listener: () => void): void
  terminate(): void
}

interface Question<Q> {
  id: number
  question: Q
}

type Answer<A> = { id: number; answer: A } | { id: number; error: string }

/** Answers each question in the order they come. What `answer` throws is told to who asked. */
export function serve<Q, A>(port: ServerPort, answer: (question: Q) => A): void {
  port.addEventListener('message', ({ data }: MessageEvent<Question<Q>>) => {
    let reply: Answer<A>
    try {
      reply = { id: data.id, answer: answer(data.question) }
    } catch (error) {
      reply = { id: data.id, error: error instanceof Error ? error.message : String(error) }
    }
    port.postMessage(reply)
  })
}

interface Waiting<A> {
  resolve: (answer: A) => void
  reject: (reason: unknown) => void
}

/** The page's side of a worker. It ends the worker with `close`, else the worker lives on. */
export class Calls<Q, A> {
  private readonly waiting = new Map<number, Waiting<A>>()
  private last = 0
  private closed: Error | null = null

  constructor(private readonly port: ClientPort) {
    port.addEventListener('message', ({ data }: MessageEvent<Answer<A>>) => {
      const asked = this.waiting.get(data.id)
      if (!asked) return // nobody waits any more
      this.waiting.delete(data.id)
      if ('error' in data) asked.reject(new Error(data.error))
      else asked.resolve(data.answer)
    })
    const fail = () => this.end(new Error('The worker failed'))
    port.addEventListener('error', fail)
    port.addEventListener('messageerror', fail)
  }

  /**
   * Asks. With a signal the promise is rejected with its reason as soon as it is
   * aborted; the worker, which cannot be interrupted, goes on, and its answer is
   * dropped.
   */
  ask(question: Q, signal?: AbortSignal): Promise<A> {
    if (this.closed) return Promise.reject(this.closed)
    if (signal?.aborted) return Promise.reject(signal.reason)
    const id = ++this.last
    return new Promise<A>((resolve, reject) => {
      const abort = () => {
        this.waiting.delete(id)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
      const settled = () => signal?.removeEventListener('abort', abort)
      this.waiting.set(id, {
        resolve: (answer) => {
          settled()
          resolve(answer)
        },
        reject: (reason) => {
          settled()
          reject(reason)
        },
      })
      this.port.postMessage({ id, question } satisfies Question<Q>)
    })
  }

  /** Ends the worker; questions without an answer are rejected. */
  close(): void {
    this.end(new Error('The worker was closed'))
  }

  private end(reason: Error): void {
    if (this.closed) return
    this.closed = reason
    this.port.terminate()
    for (const { reject } of this.waiting.values()) reject(reason)
    this.waiting.clear()
  }
}
