/**
 * The range of time that all pages share, as it stands in the URL: `from` and
 * `to` are "now", an age such as "-15m", "-24h" or "-7d", or an ISO date.
 */
export interface RangeText {
  from?: string | undefined
  to?: string | undefined
}

export interface Range {
  from: Date
  to: Date
}

export const defaultFrom = '-24h'

/** The ranges of one click. */
export const presets = [
  { label: 'Last 15 min', short: '15m', from: '-15m' },
  { label: 'Last hour', short: '1h', from: '-1h' },
  { label: 'Last 24 h', short: '24h', from: '-24h' },
  { label: 'Last 7 days', short: '7d', from: '-7d' },
  { label: 'Last 30 days', short: '30d', from: '-30d' },
] as const

const agePattern = /^-(\d{1,4})([mhd])$/
const units = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Reads a moment; null for what is none. */
export function parseMoment(text: string, now: Date): Date | null {
  if (text === 'now') return now
  const age = agePattern.exec(text)
  if (age) return new Date(now.getTime() - Number(age[1]) * units[age[2] as keyof typeof units]) // the pattern lets only these through
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return null
  const date = new Date(text)
  return Number.isNaN(date.getTime()) ? null : date
}

/** The range that a URL names: the last 24 hours where it names none, or nonsense. */
export function resolveRange(text: RangeText, now: Date): Range {
  const to = parseMoment(text.to ?? 'now', now) ?? now
  const from = parseMoment(text.from ?? defaultFrom, now)
  if (from && from < to) return { from, to }
  return { from: new Date(to.getTime() - 24 * units.h), to }
}

/** Whether the range ends now, so that new data can come. */
export const isOpen = (text: RangeText): boolean => (text.to ?? 'now') === 'now'

/** Minutes before now that a text stands for, so that what moves with the clock can go on doing so; null for a date. */
function ageOf(text: string | undefined): number | null {
  if (text === undefined || text === 'now') return 0
  const age = agePattern.exec(text)
  return age ? (Number(age[1]) * units[age[2] as keyof typeof units]) / units.m : null // the pattern lets only these through
}

function printAge(minutes: number): string | undefined {
  if (minutes <= 0) return undefined // now
  // One day is 24h, as the presets have it.
  const unit = minutes > 1440 && minutes % 1440 === 0 ? 'd' : minutes % 60 === 0 ? 'h' : 'm'
  const n = (minutes * units.m) / units[unit]
  return n > 9999 ? `-${Math.min(Math.ceil((minutes * units.m) / units.d), 9999)}d` : `-${n}${unit}` // ages have four digits
}

/** Both ends as ages in minutes; null where one is a date. */
function agesOf(text: RangeText): { from: number; to: number } | null {
  const [from, to] = [ageOf(text.from ?? defaultFrom), ageOf(text.to)]
  return from !== null && to !== null && from > to ? { from, to } : null
}

/** The same span of time before, or after; itself where nothing is after it. */
export function shiftRange(text: RangeText, now: Date, direction: -1 | 1): RangeText {
  const range = resolveRange(text, now)
  if (direction > 0 && (isOpen(text) || range.to >= now)) return text
  const ages = agesOf(text)
  if (ages) {
    const to = Math.max(ages.to - direction * (ages.from - ages.to), 0)
    return { from: printAge(to + ages.from - ages.to), to: printAge(to) }
  }
  const width = range.to.getTime() - range.from.getTime()
  return absolute({ from: new Date(range.from.getTime() + direction * width), to: new Date(range.to.getTime() + direction * width) })
}

/** Twice as much, around the same middle; it does not reach into the future, and what ends now goes on to. */
export function zoomOut(text: RangeText, now: Date): RangeText {
  const ages = agesOf(text)
  if (ages) {
    const width = ages.from - ages.to
    const to = Math.max(ages.to - Math.ceil(width / 2), 0)
    return { from: printAge(to + 2 * width), to: printAge(to) }
  }
  const range = resolveRange(text, now)
  const width = range.to.getTime() - range.from.getTime()
  const to = new Date(Math.min(range.to.getTime() + width / 2, Math.max(now.getTime(), range.to.getTime())))
  const wider = absolute({ from: new Date(to.getTime() - 2 * width), to })
  return isOpen(text) ? { ...wider, to: undefined } : wider
}

export const absolute = (range: Range): RangeText => ({ from: range.from.toISOString(), to: range.to.toISOString() })

/** What the range picker shows. */
export function rangeLabel(text: RangeText, range: Range, moment: (date: Date) => string): string {
  const preset = isOpen(text) ? presets.find((p) => p.from === (text.from ?? defaultFrom)) : undefined
  return preset ? preset.label : `${moment(range.from)} – ${isOpen(text) ? 'now' : moment(range.to)}`
}
