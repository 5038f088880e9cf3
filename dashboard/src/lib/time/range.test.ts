import { describe, expect, it } from 'vitest'
import { isOpen, rangeLabel, resolveRange, shiftRange, zoomOut } from './range'

const now = new Date('2026-11-23T08:00:00Z')
const at = (text: string) => new Date(text)

describe('resolveRange', () => {
  it.each([
    [{}, '2026-11-22T08:00:00Z', '2026-11-23T08:00:00Z'],
    [{ from: '-15m' }, '2026-11-23T07:45:00Z', '2026-11-23T08:00:00Z'],
    [{ from: '-7d', to: '-1d' }, '2026-11-16T08:00:00Z', '2026-11-22T08:00:00Z'],
    [{ from: '2026-11-01', to: '2026-11-02T12:00:00Z' }, '2026-11-01T00:00:00Z', '2026-11-02T12:00:00Z'],
    [{ from: 'yesterday', to: 'x' }, '2026-11-22T08:00:00Z', '2026-11-23T08:00:00Z'],
    [{ from: '2027-01-01', to: '2026-11-02' }, '2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z'],
  ])('%j', (text, from, to) => expect(resolveRange(text, now)).toEqual({ from: at(from), to: at(to) }))
})

describe('moving', () => {
  const dates = { from: '2026-11-23T06:00:00.000Z', to: '2026-11-23T07:00:00.000Z' }
  it.each([
    [{}, -1, { from: '-2d', to: '-24h' }],
    [{ from: '-15m' }, -1, { from: '-30m', to: '-15m' }],
    [{ from: '-2d', to: '-1d' }, 1, { from: '-24h', to: undefined }],
    [{ from: '-36h', to: '-12h' }, 1, { from: '-24h', to: undefined }],
    [dates, -1, { from: '2026-11-23T05:00:00.000Z', to: '2026-11-23T06:00:00.000Z' }],
    [dates, 1, { from: '2026-11-23T07:00:00.000Z', to: '2026-11-23T08:00:00.000Z' }],
  ] as const)('%j by %i', (text, direction, want) => expect(shiftRange(text, now, direction)).toEqual(want))
  it('stays where nothing comes after', () => {
    for (const text of [{}, { from: '-7d', to: 'now' }, { from: dates.from }, { from: dates.from, to: now.toISOString() }]) expect(shiftRange(text, now, 1)).toBe(text)
  })
  it.each([
    [{}, { from: '-2d', to: undefined }],
    [{ from: '-15m' }, { from: '-30m', to: undefined }],
    [{ from: '-48h', to: '-24h' }, { from: '-60h', to: '-12h' }],
    [{ from: '-9000d' }, { from: '-9999d', to: undefined }],
    [{ from: dates.from }, { from: '2026-11-23T04:00:00.000Z', to: undefined }],
    [dates, { from: '2026-11-23T05:30:00.000Z', to: '2026-11-23T07:30:00.000Z' }],
    [{ ...dates, to: now.toISOString() }, { from: '2026-11-23T04:00:00.000Z', to: '2026-11-23T08:00:00.000Z' }],
  ])('widens %j', (text, want) => expect(zoomOut(text, now)).toEqual(want))
})

it('names the range', () => {
  const moment = (d: Date) => d.toISOString().slice(11, 16)
  expect(rangeLabel({}, resolveRange({}, now), moment)).toBe('Last 24 h')
  expect(rangeLabel({ from: '-3h' }, resolveRange({ from: '-3h' }, now), moment)).toBe('05:00 – now')
  expect(isOpen({ to: '2026-11-02' })).toBe(false)
})
