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
  const range = { from: at('2026-11-23T06:00:00Z'), to: at('2026-11-23T07:00:00Z') }
  it('shifts by its own width', () => {
    expect(shiftRange(range, -1)).toEqual({ from: '2026-11-23T05:00:00.000Z', to: '2026-11-23T06:00:00.000Z' })
  })
  it('doubles, and stays in the past', () => {
    expect(zoomOut(range, now)).toEqual({ from: '2026-11-23T05:30:00.000Z', to: '2026-11-23T07:30:00.000Z' })
    expect(zoomOut({ ...range, to: now }, now)).toEqual({ from: '2026-11-23T04:00:00.000Z', to: '2026-11-23T08:00:00.000Z' })
  })
})

it('names the range', () => {
  const moment = (d: Date) => d.toISOString().slice(11, 16)
  expect(rangeLabel({}, resolveRange({}, now), moment)).toBe('Last 24 h')
  expect(rangeLabel({ from: '-3h' }, resolveRange({ from: '-3h' }, now), moment)).toBe('05:00 – now')
  expect(isOpen({ to: '2026-11-02' })).toBe(false)
})
