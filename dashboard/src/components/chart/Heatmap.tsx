import { shareOf, useDrag } from '@/hooks/useDrag'
import { absoluteTime, formatCount, formatDuration, type Zone } from '@/lib/format/format'
import type { Cells } from '@/lib/heatmap/selection'
import type { Heatmap as Data } from '@/services/overview'

interface HeatmapProps {
  data: Data
  zone: Zone
  selected: Cells | null
  /** What the rows are, and how one reads. */
  label?: string
  format?: (value: number | undefined) => string
  /** A drag, or null for a click beside the selection. */
  onSelect: (cells: Cells | null) => void
}

const sort = (a: number, b: number): [number, number] => (a < b ? [a, b] : [b, a])

/** Traces by time and latency, or another number: the darker, the more. A drag selects. */
export function Heatmap({ data, zone, selected, label = 'Latency', format = formatDuration, onSelect }: HeatmapProps) {
  const cols = data.times.length
  const rows = Math.max(data.edges.length - 1, 0)
  const cell = (share: number, n: number) => Math.min(Math.floor(share * n), n - 1)
  const { drag, hover, handlers } = useDrag<[number, number]>(
    (event) => {
      const [x, y] = shareOf(event)
      return [cell(x, cols), rows - 1 - cell(y, rows)]
    },
    (from, to) => onSelect(from[0] === to[0] && from[1] === to[1] ? null : { cols: sort(from[0], to[0]), rows: sort(from[1], to[1]) }),
  )
  if (cols === 0 || rows === 0) return <p className="py-12 text-center text-muted">No trace in this range tells it.</p>
  const top = Math.max(...data.counts.map((column) => Math.max(...column, 0)), 1)
  const shown = drag ? { cols: sort(drag.from[0], drag.to[0]), rows: sort(drag.from[1], drag.to[1]) } : selected
  const total = data.counts.flat().reduce((a, b) => a + b, 0)
  return (
    <div className="flex gap-2">
      <div className="flex h-52 w-12 flex-none flex-col justify-between text-right text-label text-faint" aria-hidden="true">
        <span>{format(data.edges[rows])}</span>
        <span>{format(data.edges[Math.floor(rows / 2)])}</span>
        <span>{format(data.edges[0])}</span>
      </div>
      <div className="min-w-0 flex-1">
        <svg
          viewBox={`0 0 ${cols} ${rows}`}
          preserveAspectRatio="none"
          className="h-52 w-full cursor-crosshair touch-none"
          shapeRendering="crispEdges"
          role="img"
          aria-label={`${label} over time: ${formatCount(total)} traces from ${format(data.edges[0])} to ${format(data.edges[rows])}`}
          {...handlers}
        >
          {data.counts.map((column, x) => column.map((n, y) => (n > 0 ? <rect key={`${x} ${y}`} x={x + 0.04} y={rows - 1 - y + 0.04} width={0.92} height={0.92} className="fill-accent" opacity={0.15 + 0.85 * Math.sqrt(n / top)} /> : null)))}
          {shown ? <rect x={shown.cols[0]} y={rows - 1 - shown.rows[1]} width={shown.cols[1] - shown.cols[0] + 1} height={shown.rows[1] - shown.rows[0] + 1} fill="none" className="stroke-warn" strokeWidth="2" vectorEffect="non-scaling-stroke" /> : null}
        </svg>
        <div className="flex min-h-5 justify-between text-label text-faint">
          <span>{absoluteTime(new Date(data.times[0] ?? 0), zone)}</span>
          {hover ? (
            <span className="text-muted">
              {absoluteTime(new Date(data.times[hover[0]] ?? 0), zone)} · {format(data.edges[hover[1]])} – {format(data.edges[hover[1] + 1])} · {formatCount(data.counts[hover[0]]?.[hover[1]])} traces
            </span>
          ) : null}
          <span>{absoluteTime(new Date(data.end), zone)}</span>
        </div>
      </div>
    </div>
  )
}
