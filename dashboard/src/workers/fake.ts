/** A worker for tests, which runs here but gets and gives copies, and answers later, as a real one does. */
import { serve, type ClientPort } from './calls'

export class FakeWorker<Q, A> implements ClientPort {
  terminated = false
  private readonly toPage: ((event: MessageEvent) => void)[] = []
  private readonly toWorker: ((event: MessageEvent) => void)[] = []
  private readonly failing: (() => void)[] = []

  constructor(answer: (question: Q) => A) {
    serve<Q, A>(
      {
        postMessage: (message) => {
          const copy: unknown = structuredClone(message)
          if (!this.terminated) for (const listener of this.toPage) listener(new MessageEvent('message', { data: copy }))
        },
        addEventListener: (_, listener) => this.toWorker.push(listener),
      },
      answer,
    )
  }

  postMessage(message: unknown): void {
    const copy: unknown = structuredClone(message)
    queueMicrotask(() => {
      if (!this.terminated) for (const listener of this.toWorker) listener(new MessageEvent('message', { data: copy }))
    })
  }

  addEventListener(type: 'message' | 'error' | 'messageerror', listener: (event: MessageEvent) => void): void {
    if (type === 'message') this.toPage.push(listener)
    else this.failing.push(() => listener(new MessageEvent(type)))
  }

  /** As when its script does not load. */
  fail(): void {
    for (const listener of this.failing) listener()
  }

  terminate(): void {
    this.terminated = true
  }
}
