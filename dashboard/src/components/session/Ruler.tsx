import type { PointerEvent } from 'react'
import { shareOf } from '@/hooks/useDrag'
import { absoluteTime, formatCount, formatDuration, type Zone } from '@/lib/format/format'
import type { Ruler as Layout } from '@/lib/session/ruler'
import type { Turn } from '@/services/sessions'
import { cx } from '../ui/classes'

interface RulerProps {
  turns: Turn[]
  layout: Layout
  /** The turn that is read. */
  at: number
  /** Where the playhead stands, in milliseconds. */
  playhead: number | null
  zone: Zone
  onMove: (time: number) => void
  onStep: (step: number) => void
}

const percent = (share: number) => `${(share * 100).toFixed(3)}%`

/** The session on one line: a mark for each turn, silence cut short and said, what failed above all. */
export function Ruler({ turns, layout, at, playhead, zone, onMove, onStep }: RulerProps) {
  const first = turns[0]
  const last = turns.at(-1)
  if (!first || !last) return null
  const failed = turns.filter((turn) => turn.failed).length
  const pick = (event: PointerEvent) => onMove(layout.moment(shareOf(event)[0]))
  const current = turns[at]
  return (
    <div className="flex-none border-b bg-surface px-3.5 pb-1 pt-1.5">
      <div
        role="slider"
        tabIndex={0}
        aria-label={`Turns over time: ${formatCount(turns.length)} turns, ${formatCount(failed)} failed, ${layout.gaps.length === 0 ? 'no long gap' : `${formatCount(layout.gaps.length)} long gaps`}`}
        aria-valuemin={1}
        aria-valuemax={turns.length}
        aria-valuenow={at + 1}
        aria-valuetext={current ? `turn ${at + 1}${current.failed ? ', failed' : ''}, ${absoluteTime(new Date(current.start), zone)}` : undefined}
        className="relative h-9 cursor-pointer touch-none"
        title="Click to go there; n and p step"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          pick(event)
        }}
        onPointerMove={(event) => {
          if (event.buttons === 1) pick(event)
        }}
        onKeyDown={(event) => {
          const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
          if (step === 0) return
          event.preventDefault()
          onStep(step)
        }}
      >
        <span className="absolute inset-x-0 bottom-1.5 h-px bg-border-strong" aria-hidden="true" />
        {layout.gaps.map((gap) => (
          <span key={gap.from} className="@container absolute bottom-0 top-0 flex items-center justify-center overflow-hidden whitespace-nowrap border-x border-dashed bg-sunken text-label text-faint" style={{ left: percent(gap.from), width: percent(gap.to - gap.from) }} title={`${formatDuration(gap.ms)} of silence`}>
            <span className="hidden @min-[48px]:inline">{formatDuration(gap.ms)}</span>
          </span>
        ))}
        {turns.map((turn, i) => {
          const from = layout.place(turn.start)
          return (
            <span
              key={turn.id}
              className={cx('pointer-events-none absolute rounded-bar', turn.failed ? 'border-t-2 border-t-error bg-error-bg shadow-[inset_2px_0_var(--error)]' : i === at ? 'bg-accent' : 'bg-border-strong')}
              style={{ left: `min(${percent(from)}, calc(100% - 3px))`, width: `max(3px, ${percent(layout.place(turn.start + turn.durationMs) - from)})`, top: turn.failed ? 2 : 10, bottom: 6 }}
              aria-hidden="true"
            >
              {turn.failed ? <span className="absolute left-1 top-0.5 text-label leading-none text-error">✕</span> : null}
            </span>
          )
        })}
        {playhead === null ? null : <span className="pointer-events-none absolute inset-y-0 z-20 w-0.5 bg-accent" style={{ left: `min(${percent(layout.place(playhead))}, calc(100% - 2px))` }} aria-hidden="true" />}
      </div>
      <div className="flex justify-between text-label text-faint" aria-hidden="true">
        <span>{absoluteTime(new Date(first.start), zone)}</span>
        <span>{absoluteTime(new Date(last.start + last.durationMs), zone)}</span>
      </div>
    </div>
  )
}
