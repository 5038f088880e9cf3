import { useMemo, useState, type PointerEvent } from 'react'
import { useAltT } from '@/hooks/useAltT'
import { useCanvas } from '@/hooks/useCanvas'
import { shareOf } from '@/hooks/useDrag'
import { formatCount, formatDuration, formatMoney, formatRate } from '@/lib/format/format'
import { flameChart, flameValues, type FlameBox, type FlameMeasure } from '@/lib/tree/flame'
import type { Span } from '@/services/spans'
import { cx } from '../ui/classes'
import { lookOf } from './kinds'

export const flameMeasures: readonly FlameMeasure[] = ['time', 'tokens', 'cost']

interface FlameProps {
  spans: Span[]
  ends: Int32Array
  measure: FlameMeasure
  onMeasure: (measure: FlameMeasure) => void
  /** The span whose subtree fills the width, -1 for the whole trace. */
  root: number
  onRoot: (index: number) => void
  selected: number
  onSelect: (index: number) => void
  theme: string
}

const rowHeight = 20
const narrowest = 0.0003 // of the width: half a pixel of a wide screen

/** The trace as an icicle: each span as wide as what it and all below it took, used or cost. A click selects, a double click fills the width. */
export function Flame({ spans, ends, measure, onMeasure, root, onRoot, selected, onSelect, theme }: FlameProps) {
  const [hover, setHover] = useState<FlameBox | null>(null)
  const [table, setTable] = useState(false)
  useAltT(() => setTable((old) => !old))
  const values = useMemo(() => flameValues(spans, ends, measure), [spans, ends, measure])
  const chart = useMemo(() => flameChart(spans, ends, values, root, narrowest), [spans, ends, values, root])
  const rows = useMemo(() => {
    const list: FlameBox[][] = Array.from({ length: chart.levels }, () => [])
    for (const box of chart.boxes) list[box.level]?.push(box)
    for (const row of list) row.sort((a, b) => a.from - b.from)
    return list
  }, [chart])
  const height = Math.min(chart.levels, mostRows) * rowHeight

  const { holder, canvas } = useCanvas(height, ({ context, width, color }) => {
    context.textBaseline = 'middle'
    for (const box of chart.boxes) {
      const span = spans[box.index]
      if (!span || box.level >= mostRows) continue
      const x = box.from * width
      const w = Math.max((box.to - box.from) * width - 1, 0.5)
      const y = box.level * rowHeight
      const look = lookOf(span)
      context.globalAlpha = span.failed ? 0.35 : look.letter === 'C' ? 0.12 : 0.25
      context.fillStyle = color(span.failed ? 'var(--error)' : look.color)
      context.fillRect(x, y, w, rowHeight - 2)
      context.globalAlpha = 1
      if (box.index === selected) {
        context.strokeStyle = color('var(--accent)')
        context.lineWidth = 2
        context.strokeRect(x + 1, y + 1, Math.max(w - 2, 1), rowHeight - 4)
      }
      if (w > 34) {
        context.save()
        context.beginPath()
        context.rect(x + 4, y, w - 8, rowHeight)
        context.clip()
        context.fillStyle = color(span.failed ? 'var(--error)' : 'var(--text)')
        context.fillText(`${span.failed ? '✕ ' : ''}${span.name}`, x + 5, y + rowHeight / 2)
        context.restore()
      }
    }
  }, [chart, spans, selected, theme])

  const boxAt = (event: PointerEvent | React.MouseEvent): FlameBox | null => {
    const [across, down] = shareOf(event as PointerEvent)
    const row = rows[Math.floor((down * height) / rowHeight)]
    return row?.find((box) => across >= box.from && across <= box.to) ?? null
  }
  const shown = hover ?? chart.boxes.find((box) => box.index === selected) ?? null
  const shownSpan = shown ? spans[shown.index] : undefined
  return (
    <div className="flex flex-col">
      <div className="flex min-h-8 flex-none flex-wrap items-center gap-x-3 px-3.5 text-label text-faint">
        <span role="radiogroup" aria-label="Width" className="flex gap-2">
          {flameMeasures.map((it) => (
            <button key={it} type="button" role="radio" aria-checked={it === measure} className={cx('h-6 min-w-6', it === measure ? 'font-semibold text-text' : 'text-accent')} onClick={() => onMeasure(it)}>
              {it === 'cost' ? 'money' : it}
            </button>
          ))}
        </span>
        <button type="button" aria-pressed={table} title="The same numbers as a table (Alt+T)" className={cx('h-6', table ? 'font-semibold text-text' : 'text-accent')} onClick={() => setTable(!table)}>
          table
        </button>
        {root >= 0 ? (
          <button type="button" className="h-6 text-accent" onClick={() => onRoot(-1)}>
            ← whole trace
          </button>
        ) : null}
        <span className="user-text min-w-0 flex-1 truncate text-right" dir="auto">
          {shown && shownSpan ? `${shownSpan.name} · ${print(shown.value, measure)} · ${formatRate(shown.value / chart.total)}` : `${print(chart.total, measure)} in all`}
        </span>
      </div>
      {table && chart.boxes.length > 0 ? <LargestTable boxes={chart.boxes} total={chart.total} spans={spans} measure={measure} selected={selected} onSelect={onSelect} /> : null}
      <div ref={holder} hidden={table && chart.boxes.length > 0} className="mx-3.5" style={{ height: Math.max(height, rowHeight) }}>
        {chart.boxes.length === 0 ? (
          <p className="text-muted">{measure === 'time' ? 'No span told how long it took.' : measure === 'tokens' ? 'No model call told its tokens.' : 'Nothing here has a known cost.'}</p>
        ) : (
          <canvas
            ref={canvas}
            className="h-full w-full cursor-pointer"
            role="img"
            aria-label={`Icicle of ${formatCount(chart.boxes.length)} spans by ${measure === 'cost' ? 'money' : measure}: ${print(chart.total, measure)} in all`}
            onPointerMove={(event) => setHover(boxAt(event))}
            onPointerLeave={() => setHover(null)}
            onClick={(event) => {
              const box = boxAt(event)
              if (box) onSelect(box.index)
            }}
            onDoubleClick={(event) => {
              const box = boxAt(event)
              if (box) onRoot(box.index)
            }}
          />
        )}
      </div>
      {chart.levels > mostRows && !table ? <p className="px-3.5 text-label text-faint">{formatCount(chart.levels - mostRows)} deeper levels: fill the width with a span to see them.</p> : null}
    </div>
  )
}

const mostRows = 40
const mostLargest = 100

interface LargestTableProps extends Pick<FlameProps, 'spans' | 'measure' | 'selected' | 'onSelect'> {
  boxes: FlameBox[]
  total: number
}

/** What the icicle shows, in numbers: the widest spans first. */
function LargestTable({ boxes, total, spans, measure, selected, onSelect }: LargestTableProps) {
  const largest = boxes.toSorted((a, b) => b.value - a.value || a.level - b.level).slice(0, mostLargest)
  return (
    <div className="mx-3.5 max-h-80 overflow-auto" role="region" aria-label="Largest spans" tabIndex={0}>
      <table className="w-full">
        <thead className="text-label text-faint">
          <tr>
            <th className="text-left font-normal">span</th>
            <th className="px-2 text-right font-normal">level</th>
            <th className="px-2 text-right font-normal">{measure === 'cost' ? 'money' : measure}, with all below</th>
            <th className="px-2 text-right font-normal">share</th>
          </tr>
        </thead>
        <tbody>
          {largest.map((box) => (
            <tr key={box.index} aria-selected={box.index === selected} className={cx('border-t', box.index === selected && 'bg-select')}>
              <td className="max-w-0 w-full truncate">
                <button type="button" className="user-text min-h-6 max-w-full truncate text-left text-accent" dir="auto" title={spans[box.index]?.name} onClick={() => onSelect(box.index)}>
                  {spans[box.index]?.name}
                </button>
              </td>
              <td className="px-2 text-right">{box.level + 1}</td>
              <td className="px-2 text-right whitespace-nowrap">{print(box.value, measure)}</td>
              <td className="px-2 text-right">{formatRate(box.value / total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {boxes.length > mostLargest ? <p className="text-label text-faint">{formatCount(boxes.length - mostLargest)} smaller ones are not listed.</p> : null}
    </div>
  )
}

function print(value: number, measure: FlameMeasure): string {
  if (measure === 'time') return formatDuration(value)
  return measure === 'cost' ? formatMoney(value) : `${formatCount(value)} tok`
}
