/** A turn on the ruler: when it began and ended, in milliseconds. */
export interface Stretch {
  start: number
  end: number
}

export interface Gap {
  /** Where it stands on the ruler, from 0 to 1, and how long it really was. */
  from: number
  to: number
  ms: number
}

export interface Ruler {
  /** Where a moment stands, from 0 to 1. */
  place: (time: number) => number
  /** Which moment stands there. */
  moment: (place: number) => number
  gaps: Gap[]
  /** Milliseconds in which a turn was under way; those beside each other count once. */
  activeMs: number
  wholeMs: number
}

/** Silence from here on is said, and takes little room. */
export const gapFrom = 10 * 60_000

interface Knot {
  time: number
  place: number
}

/**
 * Lays the turns of a session on one line: time runs evenly while somebody is
 * at work, and each long gap takes the same small part. Turns come by start.
 */
export function rulerOf(turns: readonly Stretch[], from = gapFrom): Ruler {
  // Stretches between long gaps.
  const parts: Stretch[] = []
  let activeMs = 0
  let busyTo = -Infinity
  for (const turn of turns) {
    const end = Math.max(turn.end, turn.start)
    activeMs += Math.max(end - Math.max(turn.start, busyTo), 0)
    busyTo = Math.max(busyTo, end)
    const last = parts.at(-1)
    if (last && turn.start - last.end < from) last.end = Math.max(last.end, end)
    else parts.push({ start: turn.start, end })
  }
  const first = parts[0]
  const last = parts.at(-1)
  if (!first || !last) return { place: () => 0, moment: () => 0, gaps: [], activeMs: 0, wholeMs: 0 }
  const count = parts.length - 1
  const forGaps = count === 0 ? 0 : Math.min(0.5, count * 0.06)
  const shown = parts.reduce((sum, part) => sum + part.end - part.start, 0)
  // A lone call takes no time next to an hour of work, and still has a place.
  const least = 0.02 * (1 - forGaps) * (1 / Math.max(parts.length, 5))
  const weights = parts.map((part) => Math.max(shown > 0 ? (part.end - part.start) / shown : 1, least))
  const weight = weights.reduce((a, b) => a + b, 0)
  const knots: Knot[] = []
  const gaps: Gap[] = []
  let place = 0
  parts.forEach((part, i) => {
    knots.push({ time: part.start, place })
    place += ((weights[i] ?? 0) / weight) * (1 - forGaps)
    knots.push({ time: part.end, place })
    const next = parts[i + 1]
    if (!next) return
    const width = forGaps / count
    gaps.push({ from: place, to: place + width, ms: next.start - part.end })
    place += width
  })
  const between = (value: number, of: 'time' | 'place', to: 'time' | 'place'): number => {
    const i = knots.findIndex((knot) => knot[of] >= value)
    const right = knots[i]
    if (!right) return knots.at(-1)?.[to] ?? 0
    const left = knots[i - 1]
    if (!left || right[of] === left[of]) return right[to]
    return left[to] + ((value - left[of]) / (right[of] - left[of])) * (right[to] - left[to])
  }
  return { place: (time) => between(time, 'time', 'place'), moment: (at) => between(at, 'place', 'time'), gaps, activeMs, wholeMs: last.end - first.start }
}
