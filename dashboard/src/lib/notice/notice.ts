/** A share of calls that failed, and by which model they were. */
export interface Period {
  calls: number
  errorRate: number | null
  groups: { model: string | null; provider: string; calls: number; errorRate: number }[]
}

export interface Notice {
  rate: number
  previous: number
  /** The model that has most of the failed calls, and its share of them. */
  because: { model: string; share: number } | null
}

const enough = 20 // calls, before a share says anything
const spreads = 3

/**
 * Whether the share of failed calls left its usual range: it grew by more than
 * three times what chance moves a share of so many calls. Null in quiet times.
 */
export function noticeOf(now: Period, before: Period): Notice | null {
  if (now.errorRate === null || before.errorRate === null || now.calls < enough || before.calls < enough) return null
  const pooled = (now.errorRate * now.calls + before.errorRate * before.calls) / (now.calls + before.calls)
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / now.calls + 1 / before.calls))
  if (spread === 0 || now.errorRate - before.errorRate <= spreads * spread) return null
  const errors = now.groups.map((g) => ({ model: g.model ?? g.provider, errors: g.errorRate * g.calls })).toSorted((a, b) => b.errors - a.errors)
  const sum = errors.reduce((all, g) => all + g.errors, 0)
  const worst = errors[0]
  return { rate: now.errorRate, previous: before.errorRate, because: worst && sum > 0 && worst.errors / sum > 0.5 ? { model: worst.model, share: worst.errors / sum } : null }
}
