import { useMemo, useState } from 'react'
import { shareOf, useDrag } from '@/hooks/useDrag'
import { absoluteTime, type Zone } from '@/lib/format/format'
import type { Range } from '@/lib/time/range'
import { seriesColors } from './colors'

export interface Series {
  name: string
  /** One a bar; null where nothing was measured. */
  values: (number | null)[]
}

interface StackedBarsProps {
  label: string
  /** When each bar begins, in milliseconds, and when the last one ends. */
  times: number[]
  end: number
  series: Series[]
  zone: Zone
  format: (value: number) => string
  /** Colours of all series, where they mean something by themselves. */
  colors?: Record<string, string>
  /** A low strip without a legend. */
  strip?: boolean
  /** A drag over the bars. */
  onBrush: (range: Range) => void
}

const width = 1000
const height = 160
const maxSeries = 7

/** Values by time, stacked by series. Gaps are gaps, and the bar that still grows is lighter. */
export function StackedBars({ label, times, end, series, zone, format, colors, strip = false, onBrush }: StackedBarsProps) {
  const [now] = useState(() => Date.now())
  const count = Math.max(times.length, 1)
  const bands = useMemo(() => bandsOf(series, colors), [series, colors])
  const sums = times.map((_, i) => bands.reduce((sum, band) => sum + (band.values[i] ?? 0), 0))
  const top = Math.max(...sums, 0)
  const total = sums.reduce((a, b) => a + b, 0)
  const step = width / count
  const time = (i: number) => new Date(times[i] ?? end)
  const { drag, hover, handlers } = useDrag(
    (event) => Math.min(Math.floor(shareOf(event)[0] * count), count - 1),
    (from, to) => {
      if (from !== to) onBrush({ from: time(Math.min(from, to)), to: time(Math.max(from, to) + 1) })
    },
  )
  return (
    <figure className="relative">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        className={`w-full cursor-crosshair touch-none ${strip ? 'h-12' : 'h-40'}`}
        role="img"
        aria-label={`${label}: ${format(total)} in ${count} bars, at most ${format(top)} in one`}
        {...handlers}
      >
        {times.map((begin, i) => {
          let y = height
          return bands.map((band) => {
            const value = band.values[i] ?? 0
            if (value === 0) return null
            const h = top > 0 ? Math.max((value / top) * (height - 4), strip ? 6 : 1) : 0
            y -= h
            return <rect key={`${begin} ${band.name}`} x={i * step + step * 0.08} y={y} width={step * 0.84} height={h} style={{ fill: band.color }} opacity={(times[i + 1] ?? end) > now ? 0.55 : 1} />
          })
        })}
        {drag ? <rect x={Math.min(drag.from, drag.to) * step} width={(Math.abs(drag.to - drag.from) + 1) * step} y={0} height={height} className="fill-accent" opacity={0.2} /> : null}
      </svg>
      {strip && hover === null ? null : (
        <figcaption className={`flex min-h-5 flex-wrap gap-x-3 text-label text-muted ${strip ? 'absolute right-0 top-0 rounded-control border bg-surface px-2 shadow-float' : ''}`}>
          <span className="text-faint">{hover === null ? `${absoluteTime(time(0), zone)} – ${absoluteTime(new Date(end), zone)}` : absoluteTime(time(hover), zone)}</span>
          {bands.map((band) => (
            <span key={band.name} className="inline-flex items-center gap-1">
              <span className="size-2 rounded-bar" style={{ background: band.color }} aria-hidden="true" />
              {band.name} {format(hover === null ? band.values.reduce<number>((sum, v) => sum + (v ?? 0), 0) : (band.values[hover] ?? 0))}
            </span>
          ))}
        </figcaption>
      )}
    </figure>
  )
}

interface Band extends Series {
  color: string
}

/** The largest series, and the rest as one. */
function bandsOf(series: Series[], given?: Record<string, string>): Band[] {
  const size = (s: Series) => s.values.reduce<number>((sum, v) => sum + (v ?? 0), 0)
  const ranked = series.filter((s) => size(s) > 0).toSorted((a, b) => size(b) - size(a) || a.name.localeCompare(b.name))
  const kept = ranked.length > maxSeries + 1 ? ranked.slice(0, maxSeries) : ranked
  const rest = ranked.slice(kept.length)
  const colors = given ?? seriesColors(kept.map((s) => s.name))
  const bands = kept.map((s) => ({ ...s, color: colors[s.name] ?? 'var(--faint)' }))
  if (rest.length === 0) return bands
  return [...bands, { name: 'other', color: 'var(--faint)', values: rest[0]?.values.map((_, i) => rest.reduce((sum, s) => sum + (s.values[i] ?? 0), 0)) ?? [] }]
}
