/** In which orders lists can be asked for. URLs name them, so they stand apart from what asks. */
export const traceSorts = ['start', 'duration', 'cost', 'tokens', 'errors'] as const
export type TraceSort = (typeof traceSorts)[number]

export const sessionSorts = ['recent', 'oldest', 'duration', 'errors', 'volume', 'cost'] as const
export type SessionSort = (typeof sessionSorts)[number]
