import { describe, expect, test } from 'vitest'
import { boxOf, cellsOf, printBox, readBox } from './selection'

const hour = 3_600_000
const begin = Date.parse('2026-11-28T00:00:00Z')
const grid = { times: [0, 1, 2, 3].map((n) => begin + n * hour), end: begin + 4 * hour, edges: [10, 31.6227766, 100, 316.227766, 1000] }

describe('a selection', () => {
  test('comes back from the URL as the cells that were drawn', () => {
    for (const cells of [{ cols: [0, 3], rows: [0, 3] }, { cols: [1, 2], rows: [2, 2] }, { cols: [3, 3], rows: [3, 3] }] as const) {
      const box = boxOf({ cols: [...cells.cols], rows: [...cells.rows] }, grid)
      const read = readBox(box ? printBox(box) : '')
      expect(read && cellsOf(read, grid)).toEqual(cells)
    }
  })
  test('is the same traces where the map is cut otherwise', () => {
    const box = readBox('2026-11-28T01:00:00.000Z..2026-11-28T03:00:00.000Z,31.623..316.228')
    expect(box).toEqual({ range: { from: new Date(begin + hour), to: new Date(begin + 3 * hour) }, low: 31.623, high: 316.228 })
    // The map of a zone half an hour away.
    const shifted = { ...grid, times: [begin, ...[0, 1, 2, 3].map((n) => begin + n * hour + hour / 2)] }
    expect(box && cellsOf(box, shifted)).toEqual({ cols: [1, 3], rows: [1, 2] })
    expect(box && cellsOf(box, { ...grid, times: [begin + 9 * hour], end: begin + 10 * hour })).toBeNull()
  })
  test('is nothing where the URL says nothing', () => {
    for (const text of [undefined, '', '12-17,8-15', 'x..y,1..2', '2026-11-28T03:00:00Z..2026-11-28T01:00:00Z,1..2', '2026-11-28T01:00:00Z..2026-11-28T03:00:00Z,2..1']) expect(readBox(text)).toBeNull()
  })
})
