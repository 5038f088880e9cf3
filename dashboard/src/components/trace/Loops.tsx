import { formatCount, formatDuration } from '@/lib/format/format'
import type { Loop } from '@/services/repeats'

/** Tools that were called again with the same arguments; a click goes from one call to the next. */
export function Loops({ loops, selectedId, onSelect }: { loops: Loop[]; selectedId: string; onSelect: (spanId: string) => void }) {
  if (loops.length === 0) return null
  return (
    <section className="border-t px-3.5 py-2" aria-label="Loops">
      <h3 className="text-label text-faint">Same tool, same arguments</h3>
      <ul>
        {loops.map((loop) => (
          <li key={loop.spanIds[0]}>
            <button
              type="button"
              className="flex min-h-7 w-full items-center gap-2 text-left hover:bg-sunken"
              title="Go to the next of these calls"
              onClick={() => {
                const next = loop.spanIds[(loop.spanIds.indexOf(selectedId) + 1) % loop.spanIds.length]
                if (next) onSelect(next)
              }}
            >
              <b className="w-10 flex-none text-right font-semibold text-warn">×{formatCount(loop.count)}</b>
              <span className="flex-none text-tool">T {loop.name}</span>
              <span className="user-text min-w-0 flex-1 truncate font-mono text-[12px] text-muted" dir="auto">
                {loop.arguments}
              </span>
              {loop.failed > 0 ? <span className="flex-none text-error">{formatCount(loop.failed)} failed</span> : null}
              <span className="flex-none text-muted">{formatDuration(loop.durationMs)} again</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}
