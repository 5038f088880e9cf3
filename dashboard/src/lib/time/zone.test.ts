import { afterEach, describe, expect, it, vi } from 'vitest'
import { browserZone, printWall, readMoment, yearOf, zoneOf, zoneOptions } from './zone'

const berlin = 'Europe/Berlin'
const now = new Date('2026-11-23T08:00:00Z')
const at = (text: string) => new Date(text)

describe('zoneOf', () => {
  afterEach(() => vi.restoreAllMocks())
  const browserIn = (timeZone: string | undefined) => {
    const real = Intl.DateTimeFormat
    vi.spyOn(Intl, 'DateTimeFormat').mockImplementation(function (locale?: Intl.LocalesArgument, options?: Intl.DateTimeFormatOptions) {
      const format = new real(locale, options)
      if (!options) format.resolvedOptions = () => ({ ...real.prototype.resolvedOptions.call(format), timeZone: timeZone as string })
      return format
    } as never)
  }

  it('is the project\'s, or the browser\'s where it has none', () => {
    browserIn('Asia/Tokyo')
    expect(zoneOf('project', berlin)).toBe(berlin)
    for (const none of ['', undefined, 'Mars/Olympus']) expect(zoneOf('project', none)).toBe('Asia/Tokyo')
  })
  it('is another where somebody wants it', () => {
    browserIn('Asia/Tokyo')
    expect(zoneOf('utc', berlin)).toBe('UTC')
    expect(zoneOf('browser', berlin)).toBe('Asia/Tokyo')
  })
  it.each(['Etc/Unknown', 'Mars/Olympus'])('is UTC where the browser says %s', (name) => {
    browserIn(name)
    expect(browserZone()).toBe('UTC')
  })
})

describe('zoneOptions', () => {
  const browser = browserZone()
  it('has each zone once', () => {
    expect(zoneOptions('project', 'Pacific/Apia').map((it) => it.label)).toEqual(["Pacific/Apia, the project's", 'UTC', ...(browser === 'UTC' ? [] : [`${browser}, this browser's`])])
    expect(zoneOptions('project', 'UTC').map((it) => it.label)).toEqual(["UTC, the project's", ...(browser === 'UTC' ? [] : [`${browser}, this browser's`])])
    expect(zoneOptions('project', '')[0]).toEqual({ choice: 'project', label: `${browser}, this browser's` })
  })
  it('has what is chosen', () => {
    for (const choice of ['project', 'utc', 'browser'] as const) for (const zone of ['', 'UTC', browser]) expect(zoneOptions(choice, zone).map((it) => it.choice)).toContain(choice)
  })
})

describe('printWall', () => {
  it.each([
    ['2026-11-23T08:00:00Z', berlin, '2026-11-23 09:00'],
    ['2026-07-01T22:30:07.900Z', berlin, '2026-07-02 00:30:07'],
    ['2026-01-01T00:00:00Z', 'America/New_York', '2025-12-31 19:00'],
    ['2026-11-23T18:15:00Z', 'Asia/Kathmandu', '2026-11-24 00:00'],
  ])('%s in %s', (date, zone, text) => expect(printWall(at(date), zone)).toBe(text))
})

describe('readMoment', () => {
  it.each([
    ['2026-11-23 09:00', berlin, '2026-11-23T08:00:00.000Z'],
    [' 2026-07-01T09:00:30 ', berlin, '2026-07-01T07:00:30.000Z'],
    ['2026-11-23', berlin, '2026-11-22T23:00:00.000Z'],
    ['2026-11-23', 'UTC', '2026-11-23T00:00:00.000Z'],
    ['2026-11-23T08:00:00Z', berlin, '2026-11-23T08:00:00.000Z'],
    ['2026-11-23T08:00:00+05:30', berlin, '2026-11-23T02:30:00.000Z'],
    ['2026-03-29 02:30', berlin, '2026-03-29T01:30:00.000Z'], // an hour that is left out
    ['2026-10-25 02:30', berlin, '2026-10-25T01:30:00.000Z'], // one that comes twice
  ])('%s in %s', (text, zone, want) => expect(readMoment(text, now, zone)).toEqual({ text: want, date: at(want) }))

  it('leaves what moves with the clock as it is', () => {
    expect(readMoment('now', now, berlin)).toEqual({ text: 'now', date: now })
    expect(readMoment('-3h', now, berlin)).toEqual({ text: '-3h', date: at('2026-11-23T05:00:00Z') })
  })

  it.each(['', 'soon', '2026-02-30', '2026-11-23 24:00', '2026-13-01', '2026-11-23T08:00:00.5'])('%j is none', (text) => expect(readMoment(text, now, berlin)).toBeNull())

  it('reads what was printed', () => {
    for (let i = 0; i < 366; i += 3) {
      const date = new Date(Date.UTC(2026, 0, 1) + i * 86_400_000 + i * 61_000)
      for (const zone of [berlin, 'America/St_Johns', 'Pacific/Apia', 'Asia/Kolkata']) {
        const printed = printWall(date, zone)
        expect(printWall(readMoment(printed, now, zone)?.date ?? now, zone)).toBe(printed)
      }
    }
  })
})

it('the year is the zone\'s', () => {
  expect(yearOf(at('2025-12-31T23:30:00Z'), berlin)).toBe(2026)
  expect(yearOf(at('2025-12-31T23:30:00Z'), 'UTC')).toBe(2025)
})
