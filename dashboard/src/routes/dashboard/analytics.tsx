import { useQuery } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { StackedBars } from '@/components/chart/StackedBars'
import { Card } from '@/components/ui/Card'
import { cx } from '@/components/ui/classes'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { useProject } from '@/hooks/useProject'
import { useRange } from '@/hooks/useRange'
import { useZone } from '@/hooks/useZone'
import { printTerm, termOf } from '@/lib/filter/filter'
import { formatCount, formatDuration, formatMoney, formatRate } from '@/lib/format/format'
import { callsQuery, spanSumsQuery } from '@/services/analytics'

const groupings = ['model', 'provider'] as const

export const Route = createFileRoute('/dashboard/analytics')({
  validateSearch: z.object({ by: z.catch(z.optional(z.enum(groupings)), undefined) }),
  component: AnalyticsPage,
})

function AnalyticsPage() {
  const { by = 'model' } = Route.useSearch()
  const project = useProject()
  const { range } = useRange()
  const [zone] = useZone()
  const navigate = useNavigate()
  const period = range.to.getTime() - range.from.getTime() <= 72 * 3_600_000 ? 'hour' : 'day'
  const groups = useQuery(callsQuery(project.id, range, by))
  const series = useQuery(callsQuery(project.id, range, period))
  const spans = useQuery(spanSumsQuery(project.id, range))
  const all = groups.data
  return (
    <>
      <PageHeader title="Analytics">
        <label className="flex items-center gap-2 text-muted">
          by
          <select className="h-7 rounded-control border border-border-strong bg-surface px-1.5" value={by} onChange={(event) => void navigate({ to: '.', search: (old) => ({ ...old, by: groupings.find((it) => it === event.target.value) }) })}>
            {groupings.map((it) => (
              <option key={it}>{it}</option>
            ))}
          </select>
        </label>
        <RangePicker />
      </PageHeader>
      <div className="flex min-h-0 flex-1 flex-col gap-3.5 overflow-y-auto p-3.5">
        <Card title="Cost by provider" note={all ? formatMoney(all.costNanoUsd) : ''} className="flex-none">
          {series.data ? (
            <StackedBars
              label="Cost by provider"
              {...series.data.costs}
              zone={zone}
              format={(value) => formatMoney(value)}
              onBrush={(next) => void navigate({ to: '.', search: (old) => ({ ...old, from: next.from.toISOString(), to: next.to.toISOString() }) })}
            />
          ) : series.error ? (
            <ErrorState error={series.error} what="Costs" onRetry={() => void series.refetch()} />
          ) : (
            <Loading rows={6} />
          )}
        </Card>
        <Card title={`Model calls by ${by}`} note={all ? `${formatCount(all.calls)} calls in ${formatCount(all.sessions)} sessions` : ''} className="flex-none">
          {groups.error && !all ? (
            <ErrorState error={groups.error} what="Sums" onRetry={() => void groups.refetch()} />
          ) : !all ? (
            <Loading rows={8} />
          ) : (
            <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={`Model calls by ${by}`}>
              <table className="w-full min-w-[760px]">
                <thead>
                  <tr className="text-left text-label text-faint">
                    {[by, 'calls', 'errors', 'p50', 'p90', 'p95', 'p99', 'first token', 'tokens', 'cost', 'of cost'].map((name, i) => (
                      <th key={name} className={cx('font-normal', i > 0 && 'text-right')}>
                        {name}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {all.groups.map((g) => (
                    <tr key={`${g.provider} ${g.model}`} className="border-t">
                      <td>
                        <Link to="/dashboard/traces" search={{ q: printTerm(g.model === null ? termOf('provider', g.provider) : termOf('model', g.model)) }} className="no-underline hover:underline">
                          {g.model ?? g.provider} {g.model === null ? null : <span className="text-faint">{g.provider}</span>}
                        </Link>
                      </td>
                      <td className="text-right">{formatCount(g.calls)}</td>
                      <td className={cx('text-right', g.errorRate > 0 && 'text-error')}>{formatRate(g.errorRate)}</td>
                      <td className="text-right">{formatDuration(g.latency.p50)}</td>
                      <td className="text-right">{formatDuration(g.latency.p90)}</td>
                      <td className="text-right">{formatDuration(g.latency.p95)}</td>
                      <td className="text-right">{formatDuration(g.latency.p99)}</td>
                      <td className="text-right">{formatDuration(g.ttft.p50)}</td>
                      <td className="text-right">{formatCount(g.tokens)}</td>
                      <td className="text-right">{formatMoney(g.costNanoUsd)}</td>
                      <td className="text-right text-muted">{all.costNanoUsd > 0 ? formatRate(g.costNanoUsd / all.costNanoUsd) : '—'}</td>
                    </tr>
                  ))}
                  <tr className="border-t font-semibold">
                    <td>all</td>
                    <td className="text-right">{formatCount(all.calls)}</td>
                    <td className="text-right">{formatRate(all.errorRate)}</td>
                    <td className="text-right">{formatDuration(all.latency.p50)}</td>
                    <td className="text-right">{formatDuration(all.latency.p90)}</td>
                    <td className="text-right">{formatDuration(all.latency.p95)}</td>
                    <td className="text-right">{formatDuration(all.latency.p99)}</td>
                    <td className="text-right">{formatDuration(all.ttft.p50)}</td>
                    <td className="text-right">{formatCount(all.tokens)}</td>
                    <td className="text-right">{formatMoney(all.costNanoUsd)}</td>
                    <td />
                  </tr>
                </tbody>
              </table>
            </div>
          )}
        </Card>
        <Card title="Spans" note={spans.data ? `${formatCount(spans.data.spans)} spans, ${formatRate(spans.data.errorRate)} failed` : ''} className="flex-none">
          {spans.data ? (
            <div className="grid grid-cols-2 gap-6 max-md:grid-cols-1">
              <Counts title="Kinds" rows={spans.data.kinds.map((k) => ({ name: k.kind, count: k.count }))} />
              <Counts title="Tools most used" rows={spans.data.tools} />
            </div>
          ) : spans.error ? (
            <ErrorState error={spans.error} what="Spans" onRetry={() => void spans.refetch()} />
          ) : (
            <Loading rows={4} />
          )}
        </Card>
      </div>
    </>
  )
}

function Counts({ title, rows }: { title: string; rows: { name: string; count: number }[] }) {
  const top = Math.max(...rows.map((r) => r.count), 1)
  return (
    <div>
      <h3 className="text-label text-faint">{title}</h3>
      {rows.length === 0 ? <p className="text-muted">none</p> : null}
      <ul>
        {rows.map((row) => (
          <li key={row.name} className="relative flex h-7 items-center justify-between gap-2">
            <span className="absolute inset-y-1 left-0 rounded-bar bg-select" style={{ width: `${(row.count / top) * 100}%` }} aria-hidden="true" />
            <span className="relative truncate px-1.5">{row.name}</span>
            <span className="relative px-1.5">{formatCount(row.count)}</span>
          </li>
        ))}
      </ul>
    </div>
  )
}
