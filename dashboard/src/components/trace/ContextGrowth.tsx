import { formatCount, formatMoney, formatRate } from '@/lib/format/format'
import type { Repeats } from '@/services/repeats'
import type { Span } from '@/services/spans'

interface ContextGrowthProps {
  spans: Span[]
  repeats: Repeats | undefined
  selected: number
  onSelect: (index: number) => void
}

const height = 72
const mostBars = 400

/** What each model call was told, in their order; of it, what an earlier one had been told already. */
export function ContextGrowth({ spans, repeats, selected, onSelect }: ContextGrowthProps) {
  const calls = spans.filter((s) => s.kind === 'llm_call' && s.counted && s.inputTokens !== null).toSorted((a, b) => a.start - b.start)
  if (calls.length < 2) return null
  const shown = calls.length > mostBars ? calls.filter((_, i) => i % Math.ceil(calls.length / mostBars) === 0) : calls
  const most = Math.max(...shown.map((s) => s.inputTokens ?? 0), 1)
  const share = repeats?.sameInputTokens && repeats.inputTokens ? repeats.sameInputTokens / repeats.inputTokens : null
  const width = 100 / shown.length
  return (
    <section className="px-3.5 py-2" aria-label="Growth of the context">
      <h3 className="text-label text-faint">
        Input tokens of {formatCount(calls.length)} model calls, in their order{shown.length < calls.length ? ` (every ${Math.ceil(calls.length / mostBars)}th)` : ''}
        {share === null ? '' : ` · ${formatRate(share)} had been said in an earlier call`}
      </h3>
      <svg className="block w-full" height={height} preserveAspectRatio="none" viewBox={`0 0 100 ${height}`} role="img" aria-label={`From ${formatCount(calls[0]?.inputTokens)} to ${formatCount(calls.at(-1)?.inputTokens)} input tokens`}>
        {shown.map((span, i) => {
          const h = ((span.inputTokens ?? 0) / most) * (height - 2)
          const same = Math.min(((repeats?.calls.get(span.id)?.sameInputTokens ?? 0) / most) * (height - 2), h)
          return (
            <g key={span.id} className="cursor-pointer" onClick={() => onSelect(span.index)}>
              <title>{`${span.name} · ${formatCount(span.inputTokens)} tok in · ${formatMoney(span.costNanoUsd)}`}</title>
              <rect x={i * width} y={0} width={width} height={height} fill="transparent" />
              <rect x={i * width} y={height - h} width={width * 0.8} height={h} fill={span.index === selected ? 'var(--accent)' : 'var(--kind-llm)'} />
              <rect x={i * width} y={height - same} width={width * 0.8} height={same} fill="var(--surface)" opacity={0.55} />
            </g>
          )
        })}
      </svg>
    </section>
  )
}
