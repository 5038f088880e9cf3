import { request, requestPage } from './http'

/** Traces by id, or all that a filter finds. */
export type Choice = { ids: string[] } | { filter: string; range: { from?: Date; to?: Date } }

export type ExportFormat = 'jsonl' | 'csv'

interface Work {
  signal: AbortSignal
  /** Told after each step how many traces are done in all. */
  onProgress: (done: number) => void
}

const idsAtOnce = 1_000 // that the routes take

/** The bodies that choose the traces of a choice, one after the other. */
export function bodiesOf(choice: Choice): Record<string, unknown>[] {
  if (!('ids' in choice)) return [{ q: choice.filter, from: choice.range.from?.toISOString(), to: choice.range.to?.toISOString() }]
  const bodies = []
  for (let i = 0; i < choice.ids.length; i += idsAtOnce) bodies.push({ ids: choice.ids.slice(i, i + idsAtOnce) })
  return bodies
}

/** How many traces a page holds: those that go on in the next line count there. */
export function tracesIn(page: string, format: ExportFormat, first: boolean): number {
  const rows = page.split(format === 'csv' ? '\r\n' : '\n').filter((row) => row !== '')
  if (format === 'csv') return Math.max(rows.length - (first ? 1 : 0), 0)
  return rows.filter((row) => !row.endsWith('"more":true}')).length
}

/** Asks for page after page until there is none (POST query/export). */
export async function exportTraces(project: string, choice: Choice, format: ExportFormat, { signal, onProgress }: Work): Promise<Blob> {
  const parts: string[] = []
  let done = 0
  for (const body of bodiesOf(choice)) {
    let cursor: string | undefined
    do {
      const { text, headers } = await requestPage('/dashboard/api/query/export', { method: 'POST', project, signal, body: { ...body, format, cursor } })
      const again = parts.length > 0 && cursor === undefined // of further ids, the names of the columns come again
      done += tracesIn(text, format, cursor === undefined)
      parts.push(again && format === 'csv' ? text.slice(text.indexOf('\r\n') + 2) : text)
      onProgress(done)
      cursor = headers.get('Pulse-Next-Cursor') ?? undefined
    } while (cursor !== undefined)
  }
  return new Blob(parts, { type: format === 'csv' ? 'text/csv' : 'application/x-ndjson' })
}

/** Deletes step after step until nothing is left (POST query/delete), and gives how many traces went. What was deleted before an error stays so. */
export async function deleteTraces(project: string, choice: Choice, { signal, onProgress }: Work): Promise<number> {
  let deleted = 0
  for (const body of bodiesOf(choice)) {
    let cursor: string | null = null
    for (let done = false; !done; ) {
      const step = (await request('/dashboard/api/query/delete', { method: 'POST', project, signal, body: { ...body, cursor: cursor ?? undefined } })) as {
        deletedTraces: number
        done: boolean
        next: string | null
      }
      deleted += step.deletedTraces
      cursor = step.next
      done = step.done
      onProgress(deleted)
    }
  }
  return deleted
}
