import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { costNotes, kindName, type Cost } from '@/lib/cost/cost'
import { formatCount, formatMoney, formatPrice, type Zone } from '@/lib/format/format'
import { visible } from '@/lib/text/visible'
import { spanCostQuery } from '@/services/costs'
import type { Span } from '@/services/spans'
import { ErrorState } from '../ui/state/ErrorState'
import { Loading } from '../ui/state/Loading'

interface CostTabProps {
  projectId: string
  span: Span
  /** Of the cost of the trace, printed. */
  share: string | null
  zone: Zone
}

/** What a span cost: what it used, times the prices that were used, whose they are and since when. */
export function CostTab({ projectId, span, share, zone }: CostTabProps) {
  const { data: cost, error, refetch } = useQuery(spanCostQuery(projectId, span.id))
  if (!cost) return error ? <ErrorState error={error} what="The cost" onRetry={() => void refetch()} /> : <Loading rows={5} label="Loading the cost" />
  const { notes, settings } = costNotes(cost, { kind: span.kind, start: new Date(span.start) }, zone)
  return (
    <div className="px-3.5 py-2">
      <p className="text-fact font-semibold">{formatMoney(cost.nanoUsd)}</p>
      <p className="user-text text-muted">
        {notes.map(visible).join(' ')}
        {share ? ` ${share} of the trace.` : ''}
        {span.counted ? '' : ' It is in no sum: another span stands for the same call.'}
        {settings ? (
          <>
            {' '}
            <Link to="/dashboard/settings" className="text-accent underline">
              Set a price of your own
            </Link>
          </>
        ) : null}
      </p>
      {cost.tokens.length > 0 ? <Buckets cost={cost} /> : <Totals span={span} />}
    </div>
  )
}

/** Tokens times price, kind by kind. */
function Buckets({ cost }: { cost: Cost }) {
  const priced = cost.price !== null
  return (
    <table className="mt-3 w-full max-w-[560px]" aria-label="Cost by kind of token">
      <thead>
        <tr className="text-label text-faint">
          <th className="text-left font-normal">what was used</th>
          <th className="text-right font-normal">tokens</th>
          {priced ? (
            <>
              <th className="text-right font-normal">× $ for a million</th>
              <th className="text-right font-normal">= cost</th>
            </>
          ) : null}
        </tr>
      </thead>
      <tbody>
        {cost.tokens.map((used) => (
          <tr key={used.kind} className="border-t">
            <td>{kindName(used.kind)}</td>
            <td className="text-right">{used.count.toLocaleString()}</td>
            {priced ? (
              <>
                <td className="text-right">
                  {used.priceKind && used.priceKind !== used.kind ? <span className="text-faint">as {kindName(used.priceKind)} </span> : null}
                  {formatPrice(used.price)}
                </td>
                <td className="text-right">{formatMoney(used.nanoUsd)}</td>
              </>
            ) : null}
          </tr>
        ))}
        {priced && cost.tokens.length > 1 ? (
          <tr className="border-t font-semibold">
            <td colSpan={3}>together</td>
            <td className="text-right">{formatMoney(cost.pricedNanoUsd)}</td>
          </tr>
        ) : null}
      </tbody>
    </table>
  )
}

/** Of a step that is no call, but tells tokens. */
function Totals({ span }: { span: Span }) {
  if (span.inputTokens === null && span.outputTokens === null) return null
  return (
    <p className="mt-3 text-muted">
      {formatCount(span.inputTokens)} tokens in, {formatCount(span.outputTokens)} out
    </p>
  )
}
