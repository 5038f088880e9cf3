/**
 * How numbers, money and times read, in one place. What is unknown (null) is
 * "—", never 0. Every function takes the locale as an option; without one it is
 * the browser's.
 */

import { yearOf, type Zone } from '../time/zone'

export type { Zone }

export const unknown = '—'

const cache = new Map<string, Intl.NumberFormat>()

function number(locale: string | undefined, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale}${JSON.stringify(options)}`
  let format = cache.get(key)
  if (!format) cache.set(key, (format = new Intl.NumberFormat(locale, options)))
  return format
}

const pad = (n: number) => String(n).padStart(2, '0')

/** Milliseconds: "430 ms", "2.1 s", "2m 16s", "1h 04m", "3d 04h". */
export function formatDuration(ms: number | null | undefined, locale?: string): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return unknown
  const sign = ms < 0 ? '−' : ''
  const value = Math.abs(ms)
  if (value === 0) return '0 ms'
  if (value < 1) return `${sign}${number(locale, { maximumSignificantDigits: 1 }).format(Math.max(value, 0.1))} ms`
  if (value < 999.5) return `${sign}${number(locale, { maximumFractionDigits: 0 }).format(value)} ms`
  if (value < 59_950) return `${sign}${number(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value / 1000)} s`
  const seconds = Math.round(value / 1000)
  if (seconds < 3600) return `${sign}${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return `${sign}${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`
  const hours = Math.round(minutes / 60)
  return `${sign}${Math.floor(hours / 24)}d ${pad(hours % 24)}h`
}

/**
 * Nano-dollars, as a number or, since they may pass 2^53, a decimal string or a bigint:
 * three significant digits below a dollar, cents above.
 */
export function formatMoney(nanoUsd: number | string | bigint | null | undefined, locale?: string): string {
  if (nanoUsd === null || nanoUsd === undefined || nanoUsd === '') return unknown
  const dollars = Number(nanoUsd) / 1e9
  if (!Number.isFinite(dollars)) return unknown
  if (dollars === 0) return '$0'
  const sign = dollars < 0 ? '−' : ''
  const value = Math.abs(dollars)
  if (value < 0.0001) return sign ? '>−$0.0001' : '<$0.0001'
  if (value < 0.9995) return `${sign}$${number(locale, { maximumSignificantDigits: 3, minimumSignificantDigits: 2 }).format(value)}`
  if (value >= 100_000) return `${sign}$${compact(value, locale)}`
  return `${sign}$${number(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value)}`
}

/** "18.4M": a letter that reads the same in every locale, unlike Intl's own. */
function compact(value: number, locale?: string): string {
  const [unit, letter] = value >= 999.5e6 ? ([1e9, 'B'] as const) : value >= 999_500 ? ([1e6, 'M'] as const) : ([1e3, 'K'] as const)
  return `${number(locale, { maximumFractionDigits: value / unit >= 99.95 ? 0 : 1 }).format(value / unit)}${letter}`
}

/** "1,204", and from 100,000 "18.4M". */
export function formatCount(value: number | null | undefined, locale?: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return unknown
  return value >= 100_000 ? compact(value, locale) : number(locale, { maximumFractionDigits: 0 }).format(value)
}

/** How many there are; "10,000+" where they were not counted to the end. */
export function formatTotal(total: { value: number; exact: boolean } | null | undefined, locale?: string): string {
  return total ? `${formatCount(total.value, locale)}${total.exact ? '' : '+'}` : unknown
}

/** A share from 0 to 1: "11.8%". Few are "<0.1%", not none, and nearly all ">99.9%", not all. */
export function formatRate(share: number | null | undefined, locale?: string): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return unknown
  const percent = number(locale, { style: 'percent', minimumFractionDigits: 0, maximumFractionDigits: 1 })
  if (share > 0 && share < 0.0005) return `<${percent.format(0.001)}`
  if (share < 1 && share >= 0.9995) return `>${percent.format(0.999)}`
  return percent.format(share)
}

/** Bytes in powers of 1,000: "812 B", "20.4 MB". */
export function formatBytes(bytes: number | null | undefined, locale?: string): string {
  if (bytes === null || bytes === undefined) return unknown
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${number(locale, { maximumFractionDigits: unit === 0 || value >= 100 ? 0 : 1 }).format(value)} ${units[unit]}`
}

export interface Delta {
  text: string
  /** Whether more of it is bad news and it grew, or the other way round. */
  worse: boolean
}

/**
 * What changed since the previous period: relative ("+12%"), or, of shares, in
 * points ("▲ 7.7 pt"). Null where there is nothing to compare with.
 */
export function formatDelta(value: number | null, previous: number | null, kind: { share?: boolean; moreIs?: 'bad' | 'good' | 'neither' } = {}, locale?: string): Delta | null {
  if (value === null || previous === null) return null
  const worse = (grew: boolean) => (kind.moreIs === 'bad' ? grew : kind.moreIs === 'good' ? !grew : false)
  const difference = value - previous
  if (kind.share) {
    const points = Math.round(difference * 1000) / 10
    if (points === 0) return { text: '±0 pt', worse: false }
    return { text: `${points > 0 ? '▲' : '▼'} ${number(locale, { maximumFractionDigits: 1 }).format(Math.abs(points))} pt`, worse: worse(points > 0) }
  }
  if (previous === 0) return difference === 0 ? { text: '±0%', worse: false } : null
  const percent = Math.round((difference / previous) * 100)
  if (percent === 0) return { text: '±0%', worse: false }
  return { text: `${percent > 0 ? '+' : '−'}${number(locale, {}).format(Math.abs(percent))}%`, worse: worse(percent > 0) }
}

/** Dollars for a million tokens, to the last digit: "$2.50", "$0.075", "$0". */
export function formatPrice(dollars: number | null | undefined, locale?: string): string {
  if (dollars === null || dollars === undefined || !Number.isFinite(dollars)) return unknown
  if (dollars === 0) return '$0'
  return `$${number(locale, { minimumFractionDigits: Number.isInteger(dollars) ? 0 : 2, maximumFractionDigits: 9 }).format(dollars)}`
}

const clocks = new Map<string, Intl.DateTimeFormat>()

/** "23 Nov 2026" by a zone's calendar. */
export const formatDay = (date: Date, zone: Zone, locale?: string): string => new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: zone }).format(date)

interface TimeOptions {
  millis?: boolean
  /** To the minute, and of another year to the day: for columns, which leave no room. */
  brief?: boolean
  now?: Date
  locale?: string
}

/** "23 Nov 07:41:00.120" by a zone's clock, with the year where it is not this one. */
export function absoluteTime(date: Date, zone: Zone, options: TimeOptions = {}): string {
  const thisYear = yearOf(date, zone) === yearOf(options.now ?? new Date(), zone)
  const key = `${options.locale} ${zone} ${thisYear} ${options.millis} ${options.brief}`
  let clock = clocks.get(key)
  if (!clock) {
    clock = new Intl.DateTimeFormat(options.locale, {
      day: 'numeric',
      month: 'short',
      ...(thisYear ? {} : { year: 'numeric' }),
      ...(options.brief && !thisYear ? {} : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
      ...(options.brief ? {} : { second: '2-digit' }),
      ...(options.millis ? { fractionalSecondDigits: 3 } : {}),
      timeZone: zone,
    })
    clocks.set(key, clock)
  }
  return clock.format(date).replace(/, (?=\d)/, ' ')
}

/** "just now", "3 min ago", "5 h ago", and from a day on "21 Nov 07:41"; whoever shows it has the time to the second as its title. */
export function relativeTime(date: Date, now: Date, zone: Zone, locale?: string): string {
  const seconds = Math.round((now.getTime() - date.getTime()) / 1000)
  const moment = () => absoluteTime(date, zone, { now, brief: true, ...(locale ? { locale } : {}) })
  if (seconds < 0) return seconds > -5 ? 'just now' : moment()
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 24 * 3600) return `${Math.floor(seconds / 3600)} h ago`
  return moment()
}

/** Where in a trace something was: "0:07", "1:38", "1:02:09", below ten seconds "1.24 s". */
export function formatOffset(ms: number, locale?: string): string {
  if (ms < 10_000) {
    const digits = ms < 1000 ? 3 : 2
    return `${number(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(ms / 1000)} s`
  }
  const seconds = Math.floor(ms / 1000)
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor((seconds % 3600) / 60)
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`
}
