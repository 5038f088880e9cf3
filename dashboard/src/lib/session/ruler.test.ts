import { describe, expect, it } from 'vitest'
import { rulerOf } from './ruler'

const minute = 60_000
const turn = (from: number, to: number) => ({ start: from * minute, end: to * minute })

describe('rulerOf', () => {
  it('gives an hour of silence less room than a minute of work', () => {
    const { place, gaps, activeMs, wholeMs } = rulerOf([turn(0, 2), turn(3, 4), turn(124, 126)])
    expect(gaps.map((gap) => gap.ms)).toEqual([120 * minute])
    expect(activeMs).toBe(5 * minute)
    expect(wholeMs).toBe(126 * minute)
    expect(place(0)).toBe(0)
    expect(place(126 * minute)).toBeCloseTo(1)
    expect(place(124 * minute) - place(4 * minute)).toBeCloseTo(0.06)
    expect(place(2 * minute) - place(0)).toBeCloseTo(place(126 * minute) - place(124 * minute))
  })

  it('is its own inverse', () => {
    const ruler = rulerOf([turn(0, 1), turn(30, 31), turn(31.5, 40), turn(900, 900)])
    let before = -1
    for (const time of [0, 0.5, 1, 10, 30, 30.5, 35, 40, 500, 900]) {
      const place = ruler.place(time * minute)
      expect(place).toBeGreaterThan(before)
      expect(ruler.moment(place)).toBeCloseTo(time * minute, 3)
      before = place
    }
    expect(ruler.place(901 * minute)).toBeCloseTo(1)
    expect(ruler.place(-1)).toBe(0)
  })

  it('counts turns beside each other once', () => {
    expect(rulerOf([turn(0, 3), turn(1, 2), turn(2, 4)]).activeMs).toBe(4 * minute)
  })

  it('holds with nothing, one moment, and a hundred gaps', () => {
    expect(rulerOf([])).toMatchObject({ gaps: [], activeMs: 0, wholeMs: 0 })
    const one = rulerOf([turn(5, 5)])
    expect(one.place(5 * minute)).toBe(0)
    expect(one.moment(0.5)).toBe(5 * minute)
    const many = rulerOf(Array.from({ length: 101 }, (_, i) => turn(i * 60, i * 60 + 1)))
    expect(many.gaps).toHaveLength(100)
    expect(many.gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0)).toBeCloseTo(0.5)
  })
})
