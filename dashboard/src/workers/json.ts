/** Stored JSON, indexed and searched in a worker; see lib/json for what is made of it. */
import { searchJson, type JsonHits, type SearchOptions } from '../lib/json/search'
import { tokeniseJson, type JsonIndex } from '../lib/json/tokenise'
import { Calls, type ClientPort } from './calls'

export type JsonQuestion = { ask: 'index'; text: string } | { ask: 'search'; query: string; options: SearchOptions }
export type JsonAnswer = { index: JsonIndex } | { hits: JsonHits }

/** The worker's side, which keeps the text and the index for the searches. */
export function jsonDesk(): (question: JsonQuestion) => JsonAnswer {
  let text = ''
  let index = tokeniseJson(text)
  return (question) => {
    if (question.ask === 'search') return { hits: searchJson(text, index, question.query, question.options) }
    text = question.text
    index = tokeniseJson(text)
    return { index }
  }
}

/** An indexed text. MUST be closed, which ends its worker. */
export interface JsonDocument {
  text: string
  index: JsonIndex
  search(query: string, options?: SearchOptions, signal?: AbortSignal): Promise<JsonHits>
  close(): void
}

/** Texts up to this many UTF-16 code units take less time to index than a worker to start. */
export const inlineJsonLength = 1 << 16

const startWorker = (): ClientPort => new Worker(new URL('./json.worker.ts', import.meta.url), { type: 'module' })

/**
 * Indexes a text: here if it is short, else in a worker of its own. What is not
 * JSON is no error: the index says where it stops being some. Rejected if the
 * signal is aborted or the worker cannot run.
 */
export async function openJson(text: string, signal?: AbortSignal, start: () => ClientPort = startWorker): Promise<JsonDocument> {
  signal?.throwIfAborted()
  if (text.length <= inlineJsonLength) {
    const index = tokeniseJson(text)
    return { text, index, search: (query, options = {}) => Promise.resolve(searchJson(text, index, query, options)), close: () => {} }
  }
  const calls = new Calls<JsonQuestion, JsonAnswer>(start())
  try {
    const made = await calls.ask({ ask: 'index', text }, signal)
    if (!('index' in made)) throw new Error('The worker gave the wrong answer')
    return {
      text,
      index: made.index,
      search: async (query, options = {}, searchSignal) => {
        const found = await calls.ask({ ask: 'search', query, options }, searchSignal)
        if (!('hits' in found)) throw new Error('The worker gave the wrong answer')
        return found.hits
      },
      close: () => calls.close(),
    }
  } catch (error) {
    calls.close()
    throw error
  }
}
