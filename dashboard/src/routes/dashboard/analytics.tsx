import { useQuery } from '@tanstack/react-query'
import { createFileRoute, useNavigate } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { StackedBars } from '@/components/chart/StackedBars'
import { CallTable } from '@/components/analytics/CallTable'
import { Card } from '@/components/ui/Card'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { useProject } from '@/hooks/useProject'
import { useRange } from '@/hooks/useRange'
import { useZone } from '@/hooks/useZone'
import { absolute } from '@/lib/time/range'
import { formatCount, formatMoney, formatRate } from '@/lib/format/format'
import { callsQuery, spanSumsQuery } from '@/services/analytics'

const groupings = ['model', 'provider'] as const

export const Route = createFileRoute('/dashboard/analytics')({
  validateSearch: z.object({ by: z.catch(z.optional(z.enum(groupings)), undefined) }),
  component: AnalyticsPage,
})

function AnalyticsPage() {
  const { by = 'model' } = Route.useSearch()
  const project = useProject()
  const { range, set: setRange } = useRange()
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
              onBrush={(next) => setRange(absolute(next))}
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
            <CallTable by={by} calls={all} groups={all.groups} whole />
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
