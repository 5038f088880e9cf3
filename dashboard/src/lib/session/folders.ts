interface InFolder {
  folder: string | null
  durationMs: number
  toolCalls: number
  files: number
  errors: number
  tokens: number | null
  costNanoUsd: string | null
}

export interface Folder<T> {
  folder: string | null
  sessions: T[]
  durationMs: number
  toolCalls: number
  errors: number
  tokens: number | null
  costNanoUsd: number | null
}

const plus = (a: number | null, b: number | null) => (a === null ? b : b === null ? a : a + b)

/** Sessions by folder, folders in the order in which their first session comes; sums are of what is given. Files are not added up: two sessions may edit the same. */
export function byFolder<T extends InFolder>(sessions: readonly T[]): Folder<T>[] {
  const folders = new Map<string | null, Folder<T>>()
  for (const s of sessions) {
    const f = folders.get(s.folder) ?? { folder: s.folder, sessions: [], durationMs: 0, toolCalls: 0, errors: 0, tokens: null, costNanoUsd: null }
    f.sessions.push(s)
    f.durationMs += s.durationMs
    f.toolCalls += s.toolCalls
    f.errors += s.errors
    f.tokens = plus(f.tokens, s.tokens)
    f.costNanoUsd = plus(f.costNanoUsd, s.costNanoUsd === null ? null : Number(s.costNanoUsd))
    folders.set(s.folder, f)
  }
  return [...folders.values()]
}
