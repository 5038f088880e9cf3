import { useQuery } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useMemo } from 'react'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { Heatmap as HeatmapChart } from '@/components/chart/Heatmap'
import { Sparkline } from '@/components/chart/Sparkline'
import { StackedBars } from '@/components/chart/StackedBars'
import { CallTable } from '@/components/analytics/CallTable'
import { DifferenceList } from '@/components/overview/DifferenceList'
import { Card } from '@/components/ui/Card'
import { cx } from '@/components/ui/classes'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { PageViews } from '@/components/views/PageViews'
import { useKeyNames } from '@/hooks/useKeyNames'
import { useNow } from '@/hooks/useNow'
import { usePainted } from '@/hooks/usePainted'
import { read } from '@/lib/preference/preference'
import { chooseProject, lastProject, useProject } from '@/hooks/useProject'
import { useRange } from '@/hooks/useRange'
import { useZone } from '@/hooks/useZone'
import { absoluteTime, formatCount, formatDelta, formatDuration, formatMoney, formatRate, formatTotal, relativeTime } from '@/lib/format/format'
import { absolute, resolveRange, type RangeText } from '@/lib/time/range'
import { openedAt } from '@/opening/opening'
import { parseFilter, printFilter, termOf } from '@/lib/filter/filter'
import { optionalText } from '@/lib/search/search'
import { labelOf } from '@/lib/filter/label'
import { boxOf, cellsOf, printBox, readBox, type Box } from '@/lib/heatmap/selection'
import { callsQuery, seriesQuery, type TimeSeries } from '@/services/analytics'
import { visible } from '@/lib/text/visible'
import { differencesQuery, heatmapQuery, overviewQuery, type KpiKey, type Selection } from '@/services/overview'
import { projectsQuery } from '@/services/projects'
import { firstTracesQuery, newestTraceQuery } from '@/services/traces'

export const Route = createFileRoute('/dashboard/')({
  validateSearch: z.object({ sel: optionalText() }),
  // The page begins with the numbers if they have come by then.
  loader: async ({ context: { queryClient }, location }) => {
    const now = openedAt()
    if (!now) return
    const [{ overviewQuery }, projects] = await Promise.all([import('@/services/overview'), queryClient.ensureQueryData(projectsQuery)])
    const { p, ...text } = location.search as { p?: string } & RangeText // of the route above
    const project = chooseProject(projects, p, read(lastProject))
    if (project) void queryClient.prefetchQuery(overviewQuery(project.id, '', resolveRange(text, now)))
  },
  component: OverviewPage,
})

/** A selection as a filter and a range. */
const selectionOf = (box: Box): Selection => ({ filter: `latency:${box.low.toFixed(3)}ms..${box.high.toFixed(3)}ms`, range: box.range })

const names: Record<KpiKey, string> = { traces: 'Traces', errors: 'Error rate', p95: 'p95 latency', ttft: 'First token p50', cost: 'Cost', tokens: 'Tokens' }

const print: Record<KpiKey, (value: number | null | undefined) => string> = {
  traces: (v) => formatCount(v), errors: (v) => formatRate(v), p95: (v) => formatDuration(v), ttft: (v) => formatDuration(v), cost: (v) => formatMoney(v), tokens: (v) => formatCount(v),
}

function OverviewPage() {
  const { sel } = Route.useSearch()
  const project = useProject()
  const { range, set: setRange } = useRange()
  const zone = useZone()
  const now = useNow()
  const navigate = useNavigate()

  const overview = useQuery(overviewQuery(project.id, '', range))
  // Only a range without traces may be of a project without any.
  const newest = useQuery({ ...newestTraceQuery(project.id), enabled: overview.data !== undefined && !overview.data.kpis.traces?.value })
  // The numbers come first: what takes longer would hold them up.
  const enabled = usePainted(!overview.isPending)
  const heatmap = useQuery({ ...heatmapQuery(project.id, '', range, zone), enabled })
  const calls = useQuery({ ...callsQuery(project.id, range), enabled })
  const errors = useQuery({ ...firstTracesQuery(project.id, { filter: 'status:error', range, limit: 8 }), enabled })
  const box = useMemo(() => readBox(sel), [sel])
  const selection = box && selectionOf(box)
  // Without a selection the traces that failed are compared with the rest.
  const compared = selection ?? { filter: 'status:error', range }
  const costs = useQuery({ ...seriesQuery(project.id, { filter: '', range, by: 'provider', measure: 'cost', zone }), enabled })
  const differences = useQuery({ ...differencesQuery(project.id, '', range, compared), enabled })

  // A project without a trace has nothing to look over.
  const empty = newest.data === null
  useEffect(() => {
    if (empty) void navigate({ to: '/dashboard/start', replace: true })
  }, [empty, navigate])

  const a = calls.data
  const notice = overview.data?.notice ?? null
  const delta = (key: KpiKey) => {
    const kpi = overview.data?.kpis[key]
    return kpi ? formatDelta(kpi.value, kpi.previous, key === 'errors' ? { share: true, moreIs: 'bad' } : { moreIs: key === 'p95' || key === 'ttft' ? 'bad' : 'neither' }) : null
  }
  const kpis = (Object.keys(names) as KpiKey[]).map((key) => ({ // the keys are those of the type
    key, label: names[key], value: print[key](overview.data?.kpis[key]?.value), delta: delta(key), spark: overview.data?.kpis[key]?.spark ?? [], bad: notice?.key === key,
    search: key === 'errors' ? { q: 'status:error' } : key === 'p95' ? { sort: 'duration' as const } : key === 'cost' || key === 'tokens' ? { sort: key } : {},
  }))
  const because = notice?.because ?? null
  const keys = useKeyNames(because?.field === 'key' || (differences.data?.rows.some((row) => row.field === 'key') ?? false))
  const failure = overview.error ?? calls.error
  return (
    <>
      <PageHeader title="Overview">
        <PageViews page="overview" later />
        <RangePicker />
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto">
        {notice ? (
          <div role="status" className="flex flex-wrap items-center gap-x-3 border-b bg-error-bg px-3.5 py-2 text-error">
            <b className="font-semibold">
              ✕ {names[notice.key]} {print[notice.key](notice.before)} → {print[notice.key](notice.now)} since {absoluteTime(notice.since, zone).split(' ').at(-1)?.slice(0, 5)}
            </b>
            {because ? (
              <span>
                {formatRate(because.share)} of it is {because.field} {labelOf(because.field, because.value, keys)}
              </span>
            ) : null}
            <Link
              to="/dashboard/traces"
              search={{ q: printFilter([...(notice.key === 'errors' ? [termOf('status', 'error')] : []), ...(because ? [termOf(because.field, because.value)] : [])]) || undefined, sort: notice.key === 'p95' ? 'duration' : undefined, from: notice.since.toISOString() }}
              className="ml-auto inline-flex min-h-6 items-center underline"
            >
              Show the traces
            </Link>
          </div>
        ) : null}
        {failure && !overview.data ? (
          <ErrorState error={failure} what="The overview" onRetry={() => void overview.refetch()} />
        ) : (
          <>
            <div className="grid grid-cols-6 gap-px border-b bg-border max-xl:grid-cols-3 max-sm:grid-cols-2">
              {kpis.map((kpi) => (
                <Link key={kpi.key} to="/dashboard/traces" search={kpi.search} className="flex min-w-0 flex-col gap-0.5 bg-surface px-3.5 py-2.5 no-underline hover:bg-sunken">
                  <span className="text-muted">{kpi.label}</span>
                  <span className={cx('text-kpi font-semibold', kpi.bad && 'text-error')}>{kpi.value}</span>
                  <span className={cx('min-h-5', kpi.delta?.worse ? (kpi.bad ? 'text-error' : 'text-warn') : 'text-faint')}>{kpi.delta ? `${kpi.delta.text} vs previous` : ' '}</span>
                  <Sparkline values={kpi.spark} color={kpi.bad ? 'var(--error)' : 'var(--accent)'} />
                </Link>
              ))}
            </div>
            {overview.data?.scannedTo ? (
              <p role="status" className="border-b px-3.5 py-1.5 text-muted">
                Not all traces before {absoluteTime(overview.data.scannedTo, zone)} were looked at for these numbers.
              </p>
            ) : null}
            <div className="grid grid-cols-2 gap-3.5 p-3.5 max-xl:grid-cols-1">
              <Card title="Latency" note={selection ? 'click beside it to drop the selection' : 'drag to select'}>
                {heatmap.data ? (
                  <HeatmapChart
                    data={heatmap.data}
                    zone={zone}
                    selected={box && cellsOf(box, heatmap.data)}
                    onSelect={(cells) => {
                      const next = cells && boxOf(cells, heatmap.data)
                      void navigate({ to: '.', search: (old) => ({ ...old, sel: next ? printBox(next) : undefined }), replace: true })
                    }}
                  />
                ) : heatmap.error ? (
                  <ErrorState error={heatmap.error} what="Latencies" onRetry={() => void heatmap.refetch()} />
                ) : (
                  <Loading rows={7} />
                )}
              </Card>
              <Card title="What is different" note={differences.data ? `${selection ? 'selected' : 'failed'}: ${formatCount(differences.data.selected)} of ${formatCount(differences.data.selected + differences.data.baseline)} traces` : ''}>
                {differences.data ? (
                  <>
                    <DifferenceList
                      rows={differences.data.rows}
                      keys={keys}
                      onAdd={(field, value, not) =>
                        void navigate({
                          to: '/dashboard/traces',
                          search: { q: printFilter([...parseFilter(compared.filter).terms, { ...termOf(field, value), ...(not ? { not: true as const } : {}) }]), from: compared.range.from.toISOString(), to: selection ? compared.range.to.toISOString() : undefined },
                        })
                      }
                    />
                    {selection ? (
                      <Link to="/dashboard/traces" search={{ q: selection.filter, from: selection.range.from.toISOString(), to: selection.range.to.toISOString() }} className="text-accent underline">
                        Show these traces
                      </Link>
                    ) : null}
                  </>
                ) : differences.error ? (
                  <ErrorState error={differences.error} what="Differences" onRetry={() => void differences.refetch()} />
                ) : (
                  <Loading rows={7} />
                )}
              </Card>
              <Card title="Cost by provider" note={costs.data ? `${formatMoney(totalOf(costs.data))}${costs.data.scannedTo ? ` · back to ${absoluteTime(costs.data.scannedTo, zone)} only` : ''}` : ''}>
                {costs.data ? (
                  <StackedBars label="Cost by provider" {...barsOf(costs.data)} zone={zone} format={(value) => formatMoney(value)} onBrush={(next) => setRange(absolute(next))} />
                ) : costs.error ? (
                  <ErrorState error={costs.error} what="Costs" onRetry={() => void costs.refetch()} />
                ) : (
                  <Loading rows={6} />
                )}
              </Card>
              <Card title="Needs a look" note="latest errors">
                {errors.data === undefined ? (
                  <Loading rows={6} />
                ) : errors.data.traces.length === 0 ? (
                  <p className="py-8 text-center text-muted">Nothing failed in this range.</p>
                ) : (
                  <ul>
                    {errors.data.traces.map((trace) => (
                      <li key={trace.id}>
                        <Link to="/dashboard/traces/$traceId" params={{ traceId: trace.id }} title={trace.worst?.error ?? trace.input ?? undefined} className="flex min-h-7 items-center gap-2 rounded-control no-underline hover:bg-sunken">
                          <span className="text-error">✕</span>
                          <span dir="auto" title={trace.worst?.name && trace.worst.name !== trace.name ? `${trace.name} › ${trace.worst.name}` : trace.name} className="user-text min-w-0 max-w-[45%] flex-none truncate font-semibold">
                            {trace.name}
                            {trace.worst?.name && trace.worst.name !== trace.name ? <span className="font-normal"> › {trace.worst.name}</span> : null}
                          </span>
                          <span dir="auto" className="user-text min-w-0 flex-1 truncate text-muted">
                            {trace.worst?.error ?? trace.input}
                          </span>
                          <span className="flex-none text-faint">{relativeTime(trace.start, now, zone)}</span>
                        </Link>
                      </li>
                    ))}
                    {(errors.data.total?.value ?? 0) > errors.data.traces.length ? (
                      <li>
                        <Link to="/dashboard/traces" search={{ q: 'status:error' }} className="text-accent underline">
                          All {formatTotal(errors.data.total)}
                        </Link>
                      </li>
                    ) : null}
                  </ul>
                )}
              </Card>
              <Card title="Models" note="calls of language models" className="xl:col-span-2">
                {a ? <CallTable groups={a.groups.slice(0, 10)} /> : null}
                {a && a.groups.length === 0 ? <p className="py-4 text-center text-muted">No model was called in this range.</p> : null}
              </Card>
            </div>
          </>
        )}
      </div>
    </>
  )
}

/** Of the same traces as the number above, so that both are one sum. */
const totalOf = ({ series }: TimeSeries) => series.flatMap((s) => s.values).reduce<number>((sum, v) => sum + (v ?? 0), 0)

const barsOf = ({ times, end, series }: TimeSeries) => ({ times, end, series: series.map((s) => ({ name: s.key === null ? 'other' : visible(s.key) || 'no provider', values: s.values })) })
