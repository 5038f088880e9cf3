import type { Range } from '../time/range'

/** Traces that were selected on a heatmap: when they began, and how long they took in milliseconds. */
export interface Box {
  range: Range
  low: number
  high: number
}

/** A part of the map: columns and rows, ends included. */
export interface Cells {
  cols: [number, number]
  rows: [number, number]
}

/** What the map's columns and rows stand for. */
export interface Grid {
  times: number[]
  end: number
  edges: number[]
}

/** As the URL has it, so that it is the same for every reader: 2026-11-28T01:00:00.000Z..2026-11-28T02:30:00.000Z,120..2300.5 */
export const printBox = ({ range, low, high }: Box): string => `${range.from.toISOString()}..${range.to.toISOString()},${digits(low)}..${digits(high)}`

const digits = (ms: number) => String(Number(ms.toFixed(3)))

export function readBox(text: string | undefined): Box | null {
  const match = /^([^,]+?)\.\.([^,]+),(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)$/.exec(text ?? '')
  if (!match) return null
  const [from, to] = [new Date(match[1] ?? ''), new Date(match[2] ?? '')]
  const [low, high] = [Number(match[3]), Number(match[4])]
  return from < to && low <= high ? { range: { from, to }, low, high } : null // not so where a time is none
}

/** What cells of a map stand for. */
export function boxOf({ cols, rows }: Cells, grid: Grid): Box | null {
  const [from, to] = [grid.times[cols[0]], grid.times[cols[1] + 1] ?? grid.end]
  const [low, high] = [grid.edges[rows[0]], grid.edges[rows[1] + 1]]
  if (from === undefined || low === undefined || high === undefined) return null
  return { range: { from: new Date(from), to: new Date(to) }, low, high }
}

/** The cells of a map that a selection touches, however the map is cut; null where it is beside it. */
export function cellsOf(box: Box, { times, end, edges }: Grid): Cells | null {
  const cols = touched([...times, end], box.range.from.getTime(), box.range.to.getTime())
  // What was printed was rounded: an edge is not a part of the next row.
  const rows = touched(edges, box.low + 0.001, box.high - 0.001)
  return cols && rows ? { cols, rows } : null
}

/** The first and the last part between edges that low to high touches. */
function touched(edges: number[], low: number, high: number): [number, number] | null {
  const last = edges.length - 2
  let first = -1
  let end = -1
  for (let i = 0; i <= last; i++) {
    if ((edges[i + 1] ?? 0) <= low || (edges[i] ?? 0) >= high) continue
    if (first < 0) first = i
    end = i
  }
  return first < 0 ? null : [first, end]
}
