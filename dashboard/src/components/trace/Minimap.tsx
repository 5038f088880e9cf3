import { useCanvas } from '@/hooks/useCanvas'
import { shareOf, useDrag } from '@/hooks/useDrag'
import { formatOffset } from '@/lib/format/format'
import type { Bounds } from '@/lib/tree/tree'
import type { Span } from '@/services/spans'
import { lookOf } from './kinds'

interface MinimapProps {
  spans: Span[]
  bounds: Bounds
  zoom: Bounds | null
  theme: string
  onZoom: (zoom: Bounds | null) => void
}

const height = 44

/** All spans in one strip, those that failed below and above all else. A drag zooms, a double click shows all. */
export function Minimap({ spans, bounds, zoom, theme, onZoom }: MinimapProps) {
  const whole = Math.max(bounds.end - bounds.start, 0.001)
  const between = (from: number, to: number) => ({ start: Math.min(from, to), end: Math.max(from, to) })
  const { drag, handlers } = useDrag(
    (event) => bounds.start + shareOf(event)[0] * whole,
    (from, to) => {
      if (Math.abs(from - to) > whole / 500) onZoom(between(from, to))
    },
  )

  const { holder, canvas } = useCanvas(height, ({ context, width, color }) => {
    const draw = (span: Span, fill: string, y: number, h: number) => {
      const x = ((span.start - bounds.start) / whole) * width
      context.fillStyle = fill
      context.fillRect(x, y, Math.max(((span.durationMs ?? 0) / whole) * width, 1), h)
    }
    const lanes: Record<string, number> = { L: 8, T: 18, A: 2, C: 2 }
    for (const span of spans) {
      // Steps only hold what happened in them: they stay in the background.
      const look = lookOf(span)
      context.globalAlpha = look.letter === 'C' ? 0.25 : 1
      if (!span.failed && span.depth > 0) draw(span, color(look.color), lanes[look.letter] ?? 28, 8)
    }
    context.globalAlpha = 1
    for (const span of spans) if (span.failed && span.depth > 0) draw(span, color('var(--error)'), 18, 22)
  }, [spans, bounds, whole, theme])

  const shown = drag ? between(drag.from, drag.to) : zoom
  return (
    <div
      ref={holder}
      className="relative flex-none cursor-crosshair touch-none border-b bg-surface"
      style={{ height }}
      role="img"
      aria-label={`Timeline of ${spans.length} spans over ${formatOffset(whole)}`}
      title="Drag to zoom, double-click to see all"
      {...handlers}
      onDoubleClick={() => onZoom(null)}
    >
      <canvas ref={canvas} className="h-full w-full" />
      {shown ? (
        <div
          className="pointer-events-none absolute inset-y-0.5 rounded-bar border-2 border-accent"
          style={{ left: `${((shown.start - bounds.start) / whole) * 100}%`, width: `${(Math.max(shown.end - shown.start, whole / 500) / whole) * 100}%` }}
        />
      ) : null}
    </div>
  )
}
