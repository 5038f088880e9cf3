import { describe, expect, it } from 'vitest'
import { absoluteTime, formatBytes, formatCount, formatDay, formatDelta, formatDuration, formatMoney, formatOffset, formatPrice, formatRate, formatTotal, relativeTime } from './format'

describe('formatDuration', () => {
  it.each([
    [null, '—'], [undefined, '—'], [Number.NaN, '—'], [0, '0 ms'], [0.04, '0.1 ms'], [0.37, '0.4 ms'], [1, '1 ms'], [430.4, '430 ms'],
    [999.4, '999 ms'], [999.6, '1.0 s'], [2_140, '2.1 s'], [59_940, '59.9 s'], [59_960, '1m 00s'], [136_000, '2m 16s'],
    [3_599_600, '1h 00m'], [3_840_000, '1h 04m'], [86_400_000, '1d 00h'], [-430, '−430 ms'],
  ])('%s', (ms, text) => expect(formatDuration(ms, 'en')).toBe(text))

  it('writes numbers as the reader does', () => expect(formatDuration(2_140, 'de')).toBe('2,1 s'))
})

describe('formatMoney', () => {
  it.each([
    [null, '—'], [undefined, '—'], ['', '—'], ['x', '—'], [0, '$0'], ['0', '$0'], [1, '<$0.0001'], [99_999, '<$0.0001'], [100_000, '$0.00010'], [300_000_000, '$0.30'],
    [12_345_678, '$0.0123'], ['54000000', '$0.054'], [999_600_000, '$1.00'], [6_500_000_000, '$6.50'], [41_220_000_000, '$41.22'],
    ['1234567000000000', '$1.2M'], ['9007199254740993000', '$9B'], ['99950000000000000', '$100M'], [-6_500_000_000, '−$6.50'], [-1, '>−$0.0001'], [9_007_199_254_740_993_000n, '$9B'], [0n, '$0'],
  ])('%s', (nano, text) => expect(formatMoney(nano, 'en')).toBe(text))
})

describe('formatPrice', () => {
  it.each([[null, '—'], [Number.NaN, '—'], [0, '$0'], [3, '$3'], [2.5, '$2.50'], [0.075, '$0.075'], [2.99999, '$2.99999'], [0.000000001, '$0.000000001'], [1000, '$1,000']])('%s', (dollars, text) => expect(formatPrice(dollars, 'en')).toBe(text))
})

describe('formatCount', () => {
  it.each([[null, '—'], [0, '0'], [1_204, '1,204'], [99_999, '99,999'], [100_000, '100K'], [2_110_000, '2.1M'], [18_400_000, '18.4M']])('%s', (n, text) =>
    expect(formatCount(n, 'en')).toBe(text))
})

it('formatTotal', () => {
  expect(formatTotal({ value: 1_204, exact: true }, 'en')).toBe('1,204')
  expect(formatTotal({ value: 10_000, exact: false }, 'en')).toBe('10,000+')
  expect(formatTotal(null)).toBe('—')
})

describe('formatRate', () => {
  it.each([[null, '—'], [0, '0%'], [0.118, '11.8%'], [0.94, '94%'], [1, '100%'], [0.0004, '<0.1%'], [0.0005, '0.1%'], [0.9994, '99.9%'], [0.9996, '>99.9%']])('%s', (n, text) => expect(formatRate(n, 'en')).toBe(text))
})

describe('formatBytes', () => {
  it.each([[null, '—'], [812, '812 B'], [2_048, '2 kB'], [20_400_000, '20.4 MB']])('%s', (n, text) => expect(formatBytes(n, 'en')).toBe(text))
})

describe('formatDelta', () => {
  it('is nothing without a previous period', () => {
    expect(formatDelta(1, null)).toBeNull()
    expect(formatDelta(5, 0)).toBeNull()
  })
  it('speaks of points where the value is a share', () => {
    expect(formatDelta(0.118, 0.041, { share: true, moreIs: 'bad' })).toEqual({ text: '▲ 7.7 pt', worse: true })
  })
  it('is worse only where it is bad news', () => {
    expect(formatDelta(112, 100)).toEqual({ text: '+12%', worse: false })
    expect(formatDelta(138, 100, { moreIs: 'bad' })).toEqual({ text: '+38%', worse: true })
    expect(formatDelta(97, 100, { moreIs: 'bad' })).toEqual({ text: '−3%', worse: false })
    expect(formatDelta(100, 100, { moreIs: 'bad' })).toEqual({ text: '±0%', worse: false })
  })
})

describe('times', () => {
  const now = new Date('2026-11-23T08:00:00Z')
  it.each([
    ['2026-11-23T07:59:58Z', 'just now'], ['2026-11-23T07:59:30Z', '30 s ago'], ['2026-11-23T07:57:00Z', '3 min ago'],
    ['2026-11-23T03:00:00Z', '5 h ago'], ['2026-11-21T07:41:09Z', '21 Nov 07:41'], ['2025-11-21T07:41:09Z', '21 Nov 2025'], ['2026-11-24T07:41:09Z', '24 Nov 07:41'], ['2026-11-23T08:00:02Z', 'just now'],
  ])('%s', (date, text) => expect(relativeTime(new Date(date), now, 'UTC', 'en-GB')).toBe(text))

  it('shows milliseconds and another year', () => {
    expect(absoluteTime(new Date('2026-11-23T07:41:00.120Z'), 'UTC', { millis: true, now, locale: 'en-GB' })).toBe('23 Nov 07:41:00.120')
    expect(absoluteTime(new Date('2025-01-02T03:04:05Z'), 'UTC', { now, locale: 'en-GB' })).toBe('2 Jan 2025 03:04:05')
  })
  it('names a day', () => {
    expect(formatDay(new Date('2024-11-28T00:00:00Z'), 'UTC', 'en-GB')).toBe('28 Nov 2024')
    expect(formatDay(new Date('2024-11-28T00:00:00Z'), 'America/New_York', 'en-GB')).toBe('27 Nov 2024')
  })
  it('goes by the calendar and the clock of a zone', () => {
    expect(absoluteTime(new Date('2026-11-23T23:41:00Z'), 'Europe/Berlin', { now, locale: 'en-GB' })).toBe('24 Nov 00:41:00')
    expect(absoluteTime(new Date('2026-07-23T23:41:00Z'), 'America/New_York', { now, locale: 'en-GB' })).toBe('23 Jul 19:41:00')
    expect(absoluteTime(new Date('2025-12-31T23:30:00Z'), 'Europe/Berlin', { now, locale: 'en-GB' })).toBe('1 Jan 00:30:00')
    expect(absoluteTime(new Date('2026-01-01T04:30:00Z'), 'America/New_York', { now, locale: 'en-GB' })).toBe('31 Dec 2025 23:30:00')
    expect(relativeTime(new Date('2026-11-21T23:41:00Z'), now, 'Asia/Tokyo', 'en-GB')).toBe('22 Nov 08:41')
  })

  it.each([[0, '0.000 s'], [160, '0.160 s'], [1_240, '1.24 s'], [99_000, '1:39'], [3_729_000, '1:02:09'], [-40, '-0.040 s']])('offset %s', (ms, text) => expect(formatOffset(ms, 'en')).toBe(text))
})

it('writes numbers as the reader does', () => {
  expect(formatMoney(12_345_678, 'de')).toBe('$0,0123')
  expect(formatCount(1_204, 'de')).toBe('1.204')
  expect(formatCount(18_400_000, 'fr')).toBe('18,4M')
  expect(formatRate(0.118, 'de')).toBe('11,8\u00A0%')
  expect(formatRate(0.0001, 'de')).toBe('<0,1\u00A0%')
  expect(formatBytes(20_400_000, 'de')).toBe('20,4 MB')
  expect(formatDelta(0.118, 0.041, { share: true }, 'de')?.text).toBe('▲ 7,7 pt')
  expect(formatDelta(20_000, 100, {}, 'de')?.text).toBe('+19.900%')
  expect(formatOffset(1_240, 'de')).toBe('1,24 s')
  expect(formatCount(1_204, 'ar-EG')).toBe('١٬٢٠٤')
})
