import { useState } from 'react'
import { shareOf, useDrag } from '@/hooks/useDrag'
import { absoluteTime, type Zone } from '@/lib/format/format'
import type { Range } from '@/lib/time/range'
import { cx } from '../ui/classes'
import { seriesColors } from './colors'

export interface TimeSeriesLine {
  name: string
  /** One a part of time; null where nothing was measured. */
  values: (number | null)[]
  /** The rest of all. */
  other?: boolean
}

interface TimeChartProps {
  label: string
  kind: 'line' | 'bar' | 'table'
  /** When each part begins, in milliseconds, and when the last one ends. */
  times: number[]
  end: number
  series: TimeSeriesLine[]
  /** Parts add up, so that bars can be stacked and sums said. */
  adds: boolean
  zone: Zone
  format: (value: number | null | undefined) => string
  /** A drag over the chart. */
  onBrush: (range: Range) => void
  /** A click on the name of a series that is not the rest. */
  onPick: (name: string) => void
}

const width = 1000
const height = 200

/** A round number that is not below, and whose half reads well. */
function ceiling(value: number): number {
  if (value <= 0) return 1
  const unit = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 6, 8, 10].find((n) => n * unit >= value && n * unit !== 1) ?? 10) * unit
}

/** A measure over time, by series: straight lines with gaps, stacked bars, or the same numbers as a table. What still grows is drawn lighter. */
export function TimeChart({ label, kind, times, end, series, adds, zone, format, onBrush, onPick }: TimeChartProps) {
  const [now] = useState(() => Date.now())
  const count = Math.max(times.length, 1)
  const time = (i: number) => new Date(times[i] ?? end)
  const { drag, hover, handlers } = useDrag(
    (event) => Math.min(Math.floor(shareOf(event)[0] * count), count - 1),
    (from, to) => {
      if (from !== to) onBrush({ from: time(Math.min(from, to)), to: time(Math.max(from, to) + 1) })
    },
  )
  const colors = seriesColors(series.filter((s) => !s.other).map((s) => s.name))
  const color = (s: TimeSeriesLine) => (s.other ? 'var(--faint)' : (colors[s.name] ?? 'var(--faint)'))
  const stacked = kind === 'bar'
  const sum = (i: number) => series.reduce((all, s) => all + (s.values[i] ?? 0), 0)
  const peak = Math.max(0, ...(stacked ? times.map((_, i) => sum(i)) : series.flatMap((s) => s.values.map((v) => v ?? 0))))
  const top = ceiling(peak)
  const step = width / count
  const growing = (i: number) => (times[i + 1] ?? end) > now
  const summary = `${label}: ${series.length} series over ${count} parts of time, at most ${format(peak)}${stacked ? ' together' : ''}`
  const last = (s: TimeSeriesLine) => s.values.findLast((v) => v !== null) ?? null
  const shown = (s: TimeSeriesLine) => (hover !== null ? (s.values[hover] ?? null) : adds ? s.values.reduce<number>((all, v) => all + (v ?? 0), 0) : last(s))

  if (kind === 'table') return <Numbers label={label} times={times} series={series} zone={zone} format={format} />
  return (
    <figure>
      <div className="flex gap-2">
        <div className="flex h-48 w-14 flex-none flex-col justify-between text-right text-label text-faint" aria-hidden="true">
          <span>{format(top)}</span>
          {/* Of counts up to one there is no half. */}
          <span>{format(top / 2) === format(top) ? '' : format(top / 2)}</span>
          <span>0</span>
        </div>
        <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" className="h-48 min-w-0 flex-1 cursor-crosshair touch-none" role="img" aria-label={summary} {...handlers}>
          {[0, 0.5, 1].map((share) => (
            <line key={share} x1="0" x2={width} y1={height * share} y2={height * share} stroke="var(--border)" vectorEffect="non-scaling-stroke" />
          ))}
          {stacked
            ? times.map((begin, i) => {
                let y = height
                return series.map((s) => {
                  const value = s.values[i] ?? 0
                  if (value <= 0) return null
                  const h = Math.max((value / top) * height, 1)
                  y -= h
                  return <rect key={`${begin} ${s.name} ${s.other}`} x={i * step + step * 0.1} y={y} width={step * 0.8} height={h} style={{ fill: color(s) }} opacity={growing(i) ? 0.5 : 1} />
                })
              })
            : series.map((s) => <Line key={`${s.name} ${s.other}`} values={s.values} color={color(s)} step={step} top={top} growing={growing} />)}
          {hover !== null && drag === null ? <line x1={(hover + 0.5) * step} x2={(hover + 0.5) * step} y1="0" y2={height} stroke="var(--border-strong)" vectorEffect="non-scaling-stroke" /> : null}
          {drag ? <rect x={Math.min(drag.from, drag.to) * step} width={(Math.abs(drag.to - drag.from) + 1) * step} y={0} height={height} className="fill-accent" opacity={0.2} /> : null}
        </svg>
      </div>
      <figcaption className="flex min-h-6 flex-wrap items-center gap-x-3 pl-16 text-label text-muted">
        <span className="text-faint">{hover === null ? `${absoluteTime(time(0), zone)} – ${absoluteTime(new Date(end), zone)}` : absoluteTime(time(hover), zone)}</span>
        {series.map((s) => {
          const text = (
            <>
              <span className="size-2 flex-none rounded-bar" style={{ background: color(s) }} aria-hidden="true" />
              <span dir="auto" title={s.name} className="max-w-40 truncate">
                {s.name}
              </span>{' '}
              {format(shown(s))}
            </>
          )
          return s.other ? (
            <span key="other" className="inline-flex min-h-6 items-center gap-1">
              {text}
            </span>
          ) : (
            <button key={s.name} type="button" className="inline-flex min-h-6 items-center gap-1 rounded-control px-1 hover:bg-sunken" title={`Only ${s.name}`} onClick={() => onPick(s.name)}>
              {text}
            </button>
          )
        })}
      </figcaption>
    </figure>
  )
}

/** Straight between neighbours; a lone point is a dot, and the part that still grows is dashed. */
function Line({ values, color, step, top, growing }: { values: (number | null)[]; color: string; step: number; top: number; growing: (i: number) => boolean }) {
  const x = (i: number) => (i + 0.5) * step
  const y = (value: number) => height - (value / top) * height
  let done = ''
  let open = ''
  values.forEach((value, i) => {
    if (value === null) return
    const before = values[i - 1]
    const alone = (before === null || before === undefined) && (values[i + 1] === null || values[i + 1] === undefined)
    if (growing(i) && before !== null && before !== undefined) open += `M${x(i - 1).toFixed(1)} ${y(before).toFixed(1)}L${x(i).toFixed(1)} ${y(value).toFixed(1)}`
    else if (alone) done += `M${(x(i) - 2).toFixed(1)} ${y(value).toFixed(1)}h4`
    else done += `${before === null || before === undefined ? 'M' : 'L'}${x(i).toFixed(1)} ${y(value).toFixed(1)}`
  })
  const stroke = { fill: 'none', style: { stroke: color }, strokeWidth: 1.5, vectorEffect: 'non-scaling-stroke' as const }
  return (
    <>
      <path d={done} {...stroke} />
      {open ? <path d={open} strokeDasharray="4 3" {...stroke} /> : null}
    </>
  )
}

function Numbers({ label, times, series, zone, format }: Pick<TimeChartProps, 'label' | 'times' | 'series' | 'zone' | 'format'>) {
  return (
    <div className="max-h-64 overflow-auto" tabIndex={0} role="region" aria-label={`${label}, as a table`}>
      <table className="w-full">
        <thead className="sticky top-0 bg-surface">
          <tr className="text-label text-faint">
            <th className="text-left font-normal">from, {zone}</th>
            {series.map((s) => (
              <th key={`${s.name} ${s.other}`} className="max-w-40 truncate px-2 text-right font-normal" dir="auto" title={s.name}>
                {s.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times.map((at, i) => (
            <tr key={at} className="border-t">
              <td className="whitespace-nowrap text-muted">{absoluteTime(new Date(at), zone)}</td>
              {series.map((s) => (
                <td key={`${s.name} ${s.other}`} className={cx('px-2 text-right', (s.values[i] ?? null) === null && 'text-faint')}>
                  {format(s.values[i])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
