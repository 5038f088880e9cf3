import type { groupings, measures } from '../search/names'
import { isMeta } from '../filter/filter'
import { formatCount, formatDuration, formatMoney, unknown } from '../format/format'

/** By what traces can be added up. */
export type Grouping = (typeof groupings)[number]

/** Fields of which a trace can have several values: it is in the row of each. */
const several: ReadonlySet<string> = new Set<Grouping>(['kind', 'tool', 'service', 'release', 'tag', 'source', 'key'])
export const overlaps = (by: readonly string[]): boolean => by.some((field) => several.has(field) || isMeta(field))

/** Fields of which the value may be unknown, so that `has:` tells. */
const optional: ReadonlySet<string> = new Set<Grouping>(['model', 'provider', 'tool', 'user', 'session', 'service', 'release', 'env', 'name', 'tag', 'key'])
export const canLack = (field: string): boolean => optional.has(field)

export type Measure = (typeof measures)[number]

interface Spec {
  label: string
  /** In a column, below what stands over it. */
  short: string
  /** Parts add up to the whole; quantiles do not. */
  adds: boolean
  worse: boolean
  format: (value: number | null | undefined) => string
  /** How Traces is ordered to show what the number is made of. */
  sort: 'start' | 'duration' | 'cost' | 'tokens'
  /** What the heatmap shows for it. */
  heat: 'latency' | 'ttft' | 'cost' | 'tokens'
}

const latency = (p: number): Spec => ({ label: `latency p${p}`, short: `p${p}`, adds: false, worse: true, format: formatDuration, sort: 'duration', heat: 'latency' })
const first = (p: number): Spec => ({ ...latency(p), label: `first token p${p}`, sort: 'start', heat: 'ttft' })
const count = (label: string): Spec => ({ label, short: label, adds: true, worse: false, format: formatCount, sort: 'tokens', heat: 'tokens' })

export const specs: Record<Measure, Spec> = {
  count: { ...count('traces'), sort: 'start', heat: 'latency' },
  errors: { ...count('errors'), worse: true, sort: 'start', heat: 'latency' },
  cost: { ...count('cost'), format: formatMoney, sort: 'cost', heat: 'cost' },
  tokens: count('tokens'),
  in: count('tokens in'),
  out: count('tokens out'),
  p50: latency(50),
  p90: latency(90),
  p95: latency(95),
  p99: latency(99),
  ttft50: first(50),
  ttft90: first(90),
  ttft95: first(95),
  ttft99: first(99),
}

export type Values = Partial<Record<Measure, number | null>>

interface Sums {
  rows: { values: Values; previous: Values | null }[]
  previous: Values | null
}

/**
 * What the rows that are not shown were in the period before: the rest of the
 * total. Null where parts do not add up, or nothing is known.
 */
export function otherBefore({ rows, previous }: Sums, measure: Measure, by: readonly string[]): number | null {
  const whole = previous?.[measure]
  if (!specs[measure].adds || overlaps(by) || whole === null || whole === undefined) return null
  return Math.max(whole - rows.reduce((sum, row) => sum + (row.previous?.[measure] ?? 0), 0), 0)
}

const unsure: ReadonlySet<Measure> = new Set<Measure>(['cost', 'tokens', 'in', 'out'])

/** A value of a measure as people read it. Sums take what nobody told as nothing, so nothing may be unknown. */
export const printSum = (measure: Measure, value: number | null | undefined): string => (value === 0 && unsure.has(measure) ? unknown : specs[measure].format(value))
