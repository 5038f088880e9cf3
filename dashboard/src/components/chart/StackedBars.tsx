import { useMemo, useRef, useState, type PointerEvent } from 'react'
import { absoluteTime, type Zone } from '@/lib/format/format'
import type { Range } from '@/lib/time/range'
import { seriesColor } from './colors'

export interface Point {
  time: number
  series: string
  value: number
}

interface StackedBarsProps {
  label: string
  points: Point[]
  /** What a bar covers, in milliseconds. */
  bucketMs: number
  range: Range
  zone: Zone
  format: (value: number) => string
  /** A drag over the bars. */
  onBrush: (range: Range) => void
}

const width = 1000
const height = 160
const maxSeries = 7

/** Values by time, stacked by series. Gaps are gaps, and the bar that still grows is lighter. */
export function StackedBars({ label, points, bucketMs, range, zone, format, onBrush }: StackedBarsProps) {
  const svg = useRef<SVGSVGElement>(null)
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null)
  const [hover, setHover] = useState<number | null>(null)
  const start = Math.floor(range.from.getTime() / bucketMs) * bucketMs
  const count = Math.max(Math.ceil((range.to.getTime() - start) / bucketMs), 1)
  const { stacks, names, top } = useMemo(() => stack(points, start, bucketMs, count), [points, start, bucketMs, count])
  const total = points.reduce((sum, p) => sum + p.value, 0)
  const step = width / count
  const at = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect()
    return Math.min(Math.max(Math.floor(((event.clientX - box.left) / box.width) * count), 0), count - 1)
  }
  const time = (i: number) => new Date(start + i * bucketMs)
  const shown = hover === null ? null : (stacks[hover] ?? null)
  return (
    <figure>
      <svg
        ref={svg}
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        className="h-40 w-full cursor-crosshair touch-none"
        role="img"
        aria-label={`${label}: ${format(total)} in ${count} bars, at most ${format(top)} in one`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          setDrag({ from: at(event), to: at(event) })
        }}
        onPointerMove={(event) => {
          setHover(at(event))
          if (drag) setDrag({ ...drag, to: at(event) })
        }}
        onPointerLeave={() => setHover(null)}
        onPointerUp={() => {
          if (drag && drag.from !== drag.to) onBrush({ from: time(Math.min(drag.from, drag.to)), to: time(Math.max(drag.from, drag.to) + 1) })
          setDrag(null)
        }}
      >
        {stacks.map((values, i) => {
          let y = height
          return names.map((name) => {
            const value = values.get(name) ?? 0
            if (value === 0) return null
            const h = top > 0 ? (value / top) * (height - 4) : 0
            y -= h
            return <rect key={`${i} ${name}`} x={i * step + step * 0.08} y={y} width={step * 0.84} height={h} style={{ fill: name === other ? 'var(--faint)' : seriesColor(name) }} opacity={start + (i + 1) * bucketMs > range.to.getTime() ? 0.55 : 1} />
          })
        })}
        {drag ? <rect x={Math.min(drag.from, drag.to) * step} width={(Math.abs(drag.to - drag.from) + 1) * step} y={0} height={height} className="fill-accent" opacity={0.2} /> : null}
      </svg>
      <div className="flex justify-between text-label text-faint">
        <span>{absoluteTime(range.from, zone)}</span>
        <span>{absoluteTime(range.to, zone)}</span>
      </div>
      <figcaption className="flex min-h-5 flex-wrap gap-x-3 text-label text-muted">
        {hover !== null && shown ? <span className="font-semibold">{absoluteTime(time(hover), zone)}</span> : null}
        {names.map((name) => (
          <span key={name} className="inline-flex items-center gap-1">
            <span className="size-2 rounded-bar" style={{ background: name === other ? 'var(--faint)' : seriesColor(name) }} aria-hidden="true" />
            {name} {format(shown ? (shown.get(name) ?? 0) : points.filter((p) => p.series === name || (name === other && !names.includes(p.series))).reduce((sum, p) => sum + p.value, 0))}
          </span>
        ))}
      </figcaption>
    </figure>
  )
}

const other = 'other'

function stack(points: Point[], start: number, bucketMs: number, count: number) {
  const totals = new Map<string, number>()
  for (const p of points) totals.set(p.series, (totals.get(p.series) ?? 0) + p.value)
  const ranked = [...totals].toSorted((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([name]) => name)
  const kept = ranked.length > maxSeries + 1 ? ranked.slice(0, maxSeries) : ranked
  const stacks = Array.from({ length: count }, () => new Map<string, number>())
  for (const p of points) {
    const values = stacks[Math.floor((p.time - start) / bucketMs)]
    const name = kept.includes(p.series) ? p.series : other
    values?.set(name, (values.get(name) ?? 0) + p.value)
  }
  const top = Math.max(...stacks.map((values) => [...values.values()].reduce((a, b) => a + b, 0)), 0)
  return { stacks, names: kept.length < ranked.length ? [...kept, other] : kept, top }
}
