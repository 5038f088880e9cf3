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
import { lookNames, LookList, type Look } from '@/components/overview/LookList'
import { FilterBar } from '@/components/traces/FilterBar'
import { Card } from '@/components/ui/Card'
import { Choice } from '@/components/ui/Choice'
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
import { absoluteTime, formatCount, formatDelta, formatDuration, formatMoney, formatRate, formatTotal } from '@/lib/format/format'
import { absolute, resolveRange, type Range, type RangeText } from '@/lib/time/range'
import { openedAt } from '@/opening/opening'
import { parseFilter, printFilter, termOf, type Term } from '@/lib/filter/filter'
import { oneOf } from '@/lib/search/names'
import { optionalText } from '@/lib/search/search'
import { labelOf } from '@/lib/filter/label'
import { boxOf, cellsOf, printBox, readBox, type Box } from '@/lib/heatmap/selection'
import { callsQuery, seriesQuery, type TimeSeries } from '@/services/analytics'
import { fieldValues } from '@/services/counts'
import { visible } from '@/lib/text/visible'
import { differencesQuery, heatmapQuery, overviewQuery, type KpiKey } from '@/services/overview'
import { projectsQuery } from '@/services/projects'
import { firstTracesQuery, newestTraceQuery, type TraceSearch } from '@/services/traces'

export const Route = createFileRoute('/dashboard/')({
  validateSearch: z.object({ q: optionalText(), sel: optionalText(), diff: optionalText(), chart: optionalText(), look: optionalText() }),
  // The page begins with the numbers if they have come by then.
  loader: async ({ context: { queryClient }, location }) => {
    const now = openedAt()
    if (!now) return
    const [{ overviewQuery }, projects] = await Promise.all([import('@/services/overview'), queryClient.ensureQueryData(projectsQuery)])
    const { p, q, ...text } = location.search as { p?: string; q?: string } & RangeText // of the route above, and of this one
    const project = chooseProject(projects, p, read(lastProject))
    if (project && q === undefined) void queryClient.prefetchQuery(overviewQuery(project.id, '', resolveRange(text, now)))
  },
  component: OverviewPage,
})

/** The filter as it is asked for: terms that are wrong are left out. */
const filterOf = (q: string, ...more: Term[]) => printFilter([...parseFilter(q).terms, ...more])

/** A selection as terms and a range. */
const selectionOf = (box: Box): Selected => ({ terms: parseFilter(`latency:${box.low.toFixed(3)}ms..${box.high.toFixed(3)}ms`).terms, range: box.range })

/** What is compared: traces of a range that have terms. */
interface Selected {
  terms: Term[]
  range: Range
}

/** As long before as the range is, and it. */
const twice = ({ from, to }: Range): Range => ({ from: new Date(2 * from.getTime() - to.getTime()), to })

const charts = { cost: formatMoney, errors: formatCount, tokens: formatCount } as const
const chartNames = ['cost', 'errors', 'tokens'] as const // of charts
const chartLabels = { cost: 'Cost', errors: 'Errors', tokens: 'Tokens' }

const looks: Record<Look, { label: string; filter: string; sort: TraceSearch['sort'] }> = {
  errors: { label: 'latest errors', filter: 'status:error', sort: 'start' },
  slowest: { label: 'slowest', filter: '', sort: 'duration' },
  costliest: { label: 'costliest', filter: '', sort: 'cost' },
}

const names: Record<KpiKey, string> = { traces: 'Traces', errors: 'Error rate', p95: 'p95 latency', ttft: 'First token p50', cost: 'Cost', tokens: 'Tokens' }

const print: Record<KpiKey, (value: number | null | undefined) => string> = {
  traces: (v) => formatCount(v), errors: (v) => formatRate(v), p95: (v) => formatDuration(v), ttft: (v) => formatDuration(v), cost: (v) => formatMoney(v), tokens: (v) => formatCount(v),
}

function OverviewPage() {
  const search = Route.useSearch()
  const { q = '', sel } = search
  const project = useProject()
  const { range, set: setRange } = useRange()
  const zone = useZone()
  const now = useNow()
  const navigate = useNavigate()

  const filter = useMemo(() => filterOf(q), [q])
  const chart = oneOf(chartNames, search.chart) ?? 'cost'
  const look = oneOf(lookNames, search.look) ?? 'errors'
  const set = (values: Record<string, string | undefined>) => void navigate({ to: '.', search: (old) => ({ ...old, ...values }), replace: true })

  const overview = useQuery(overviewQuery(project.id, filter, range))
  // Only a range without traces may be of a project without any.
  const newest = useQuery({ ...newestTraceQuery(project.id), enabled: overview.data !== undefined && filter === '' && !overview.data.kpis.traces?.value })
  // The numbers come first: what takes longer would hold them up.
  const enabled = usePainted(!overview.isPending)
  const heatmap = useQuery({ ...heatmapQuery(project.id, filter, range, zone), enabled })
  const calls = useQuery({ ...callsQuery(project.id, range), enabled: enabled && filter === '' }) // it knows of no filter
  const traces = useQuery({ ...firstTracesQuery(project.id, { filter: filterOf(q, ...parseFilter(looks[look].filter).terms), range, sort: looks[look].sort, limit: 8 }), enabled })
  const box = useMemo(() => readBox(sel), [sel])
  const selection = box && selectionOf(box)
  // Without a selection the traces that failed are compared with the rest; where none did, or somebody wants it, this period with the one before.
  const diff = oneOf(['failed', 'period'], search.diff) ?? (overview.data?.kpis.errors?.value ? 'failed' : 'period')
  const compared = selection ?? { terms: diff === 'failed' ? [termOf('status', 'error')] : [], range }
  const periods = !selection && diff === 'period'
  const series = useQuery({ ...seriesQuery(project.id, { filter, range, by: 'model', measure: chart, zone }), enabled })
  const differences = useQuery({ ...differencesQuery(project.id, filter, periods ? twice(range) : range, { filter: filterOf(q, ...compared.terms), range: compared.range }), enabled })
  const shares = differences.data

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
    search: { q: filterOf(q, ...(key === 'errors' ? [termOf('status', 'error')] : [])) || undefined, sort: key === 'p95' ? ('duration' as const) : key === 'cost' || key === 'tokens' ? key : undefined },
  }))
  const because = notice?.because ?? null
  const keys = useKeyNames(because?.field === 'key' || (shares?.rows.some((row) => row.field === 'key') ?? false))
  return (
    <>
      <PageHeader title="Overview">
        <div className="w-80 max-sm:w-full">
          <FilterBar
            value={q}
            suggest={() => []}
            lookUp={(field, prefix, signal) => fieldValues(project.id, field, prefix, range, signal)}
            placeholder="all traces   env:production  (press /)"
            without={['']}
            onChange={(next) => void navigate({ to: '.', search: (old) => ({ ...old, q: next || undefined, sel: undefined }) })}
          />
        </div>
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
              search={{ q: filterOf(q, ...(notice.key === 'errors' ? [termOf('status', 'error')] : []), ...(because ? [termOf(because.field, because.value)] : [])) || undefined, sort: notice.key === 'p95' ? 'duration' : undefined, from: notice.since.toISOString() }}
              className="ml-auto inline-flex min-h-6 items-center underline"
            >
              Show the traces
            </Link>
          </div>
        ) : null}
        {overview.error && !overview.data ? (
          <ErrorState error={overview.error} what="The overview" onRetry={() => void overview.refetch()} />
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
              <Card
                title="What is different"
                note={shares ? `${selection ? 'selected' : diff === 'failed' ? 'failed' : 'this period'}: ${formatCount(shares.selected)} of ${formatCount(shares.selected + shares.baseline)} traces` : ''}
                choice={selection ? null : <Choice label="Compared" value={diff} options={{ failed: 'failed', period: 'since the period before' }} onChange={(next) => set({ diff: next })} />}
              >
                {shares ? (
                  <>
                    {periods && shares.baseline === 0 ? (
                      <p className="py-8 text-center text-muted">There is no trace of the period before to compare with.</p>
                    ) : !periods && shares.selected === 0 ? (
                      <p className="py-8 text-center text-muted">{selection ? 'No trace is in the selection.' : 'Nothing failed in this range.'}</p>
                    ) : (
                      <DifferenceList
                        rows={shares.rows}
                        keys={keys}
                        onAdd={(field, value, not) =>
                          void navigate({
                            to: '/dashboard/traces',
                            search: { q: filterOf(q, ...compared.terms, termOf(field, value, not)), ...(selection ? { from: selection.range.from.toISOString(), to: selection.range.to.toISOString() } : {}) },
                          })
                        }
                      />
                    )}
                    {selection ? (
                      <Link to="/dashboard/traces" search={{ q: filterOf(q, ...selection.terms), from: selection.range.from.toISOString(), to: selection.range.to.toISOString() }} className="text-accent underline">
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
              <Card
                title={`${chartLabels[chart]} by model`}
                note={series.data ? `${charts[chart](totalOf(series.data))}${series.data.scannedTo ? ` · back to ${absoluteTime(series.data.scannedTo, zone)} only` : ''}` : ''}
                choice={<Choice label="Chart" value={chart} options={chartLabels} onChange={(next) => set({ chart: next === 'cost' ? undefined : next })} />}
              >
                {series.data ? (
                  <StackedBars label={`${chartLabels[chart]} by model`} {...barsOf(series.data)} zone={zone} format={(value) => charts[chart](value)} onBrush={(next) => setRange(absolute(next))} />
                ) : series.error ? (
                  <ErrorState error={series.error} what="The chart" onRetry={() => void series.refetch()} />
                ) : (
                  <Loading rows={6} />
                )}
              </Card>
              <Card title="Needs a look" choice={<Choice label="Traces" value={look} options={{ errors: looks.errors.label, slowest: looks.slowest.label, costliest: looks.costliest.label }} onChange={(next) => set({ look: next === 'errors' ? undefined : next })} />}>
                {traces.data ? (
                  <>
                    {traces.data.traces.length === 0 ? <p className="py-8 text-center text-muted">{look === 'errors' ? 'Nothing failed in this range.' : 'No trace in this range.'}</p> : <LookList traces={traces.data.traces} look={look} now={now} zone={zone} />}
                    {(traces.data.total?.value ?? 0) > traces.data.traces.length ? (
                      <Link to="/dashboard/traces" search={{ q: filterOf(q, ...parseFilter(looks[look].filter).terms) || undefined, sort: look === 'errors' ? undefined : looks[look].sort }} className="text-accent underline">
                        All {formatTotal(traces.data.total)}
                      </Link>
                    ) : null}
                  </>
                ) : traces.error ? (
                  <ErrorState error={traces.error} what="Traces" onRetry={() => void traces.refetch()} />
                ) : (
                  <Loading rows={6} />
                )}
              </Card>
              {filter === '' ? (
                <Card title="Models" note="calls of language models" className="xl:col-span-2">
                  {a ? (
                    a.groups.length > 0 ? <CallTable groups={a.groups.slice(0, 10)} /> : <p className="py-4 text-center text-muted">No model was called in this range.</p>
                  ) : calls.error ? (
                    <ErrorState error={calls.error} what="Model calls" onRetry={() => void calls.refetch()} />
                  ) : (
                    <Loading rows={6} />
                  )}
                </Card>
              ) : null}
            </div>
          </>
        )}
      </div>
    </>
  )
}

/** Of the same traces as the number above, so that both are one sum. */
const totalOf = ({ series }: TimeSeries) => series.flatMap((s) => s.values).reduce<number>((sum, v) => sum + (v ?? 0), 0)

const barsOf = ({ times, end, series }: TimeSeries) => ({ times, end, series: series.map((s) => ({ name: s.key === null ? 'other' : visible(s.key) || 'no model', values: s.values })) })
