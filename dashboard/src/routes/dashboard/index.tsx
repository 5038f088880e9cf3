import { useQuery } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useMemo } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { StackedBars } from '@/components/chart/StackedBars'
import { Card } from '@/components/ui/Card'
import { cx } from '@/components/ui/classes'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { useNow } from '@/hooks/useNow'
import { useProject } from '@/hooks/useProject'
import { useRange } from '@/hooks/useRange'
import { useZone } from '@/hooks/useZone'
import { formatCount, formatDelta, formatDuration, formatMoney, formatRate, formatTotal, relativeTime } from '@/lib/format/format'
import { printFilter, printTerm, termOf } from '@/lib/filter/filter'
import { noticeOf } from '@/lib/notice/notice'
import { previousRange } from '@/lib/time/range'
import { callsQuery } from '@/services/analytics'
import { firstTracesQuery, newestTraceQuery } from '@/services/traces'

export const Route = createFileRoute('/dashboard/')({ component: OverviewPage })

/** A number that can be compared. */
const exact = (total: { value: number; exact: boolean } | null | undefined) => (total?.exact ? total.value : null)

function OverviewPage() {
  const project = useProject()
  const { range } = useRange()
  const [zone] = useZone()
  const now = useNow()
  const navigate = useNavigate()
  const before = useMemo(() => previousRange(range), [range])
  const hours = (range.to.getTime() - range.from.getTime()) / 3_600_000
  const period = hours <= 72 ? 'hour' : 'day'

  const first = useQuery(newestTraceQuery(project.id))
  const series = useQuery(callsQuery(project.id, range, period))
  const models = useQuery(callsQuery(project.id, range, 'model'))
  const previous = useQuery(callsQuery(project.id, before, 'model'))
  const errors = useQuery(firstTracesQuery(project.id, { filter: 'status:error', range, limit: 8 }))
  const traces = useQuery(firstTracesQuery(project.id, { filter: '', range, limit: 1 }))
  const tracesBefore = useQuery(firstTracesQuery(project.id, { filter: '', range: before, limit: 1 }))

  // A project without a trace has nothing to look over.
  const empty = first.data === null
  useEffect(() => {
    if (empty) void navigate({ to: '/dashboard/start', replace: true })
  }, [empty, navigate])

  const a = models.data
  const b = previous.data
  const notice = a && b ? noticeOf(a, b) : null
  const kpis = [
    { label: 'Traces', value: formatTotal(traces.data?.total), delta: formatDelta(exact(traces.data?.total), exact(tracesBefore.data?.total)), q: '' },
    { label: 'Error rate', value: formatRate(a?.errorRate), delta: a && b ? formatDelta(a.errorRate, b.errorRate, { share: true, moreIs: 'bad' }) : null, q: 'status:error', bad: notice !== null },
    { label: 'p95 latency', value: formatDuration(a?.latency.p95), delta: a && b ? formatDelta(a.latency.p95, b.latency.p95, { moreIs: 'bad' }) : null, q: '', sort: 'duration' as const },
    { label: 'First token p50', value: formatDuration(a?.ttft.p50), delta: a && b ? formatDelta(a.ttft.p50, b.ttft.p50, { moreIs: 'bad' }) : null, q: '' },
    { label: 'Cost', value: a ? formatMoney(a.calls === 0 ? null : a.costNanoUsd) : '—', delta: a && b ? formatDelta(a.costNanoUsd, b.costNanoUsd) : null, q: '', sort: 'cost' as const },
    { label: 'Tokens', value: a ? formatCount(a.calls === 0 ? null : a.tokens) : '—', delta: a && b ? formatDelta(a.tokens, b.tokens) : null, q: '', sort: 'tokens' as const },
  ]
  const failure = models.error ?? traces.error
  return (
    <>
      <PageHeader title="Overview">
        <RangePicker />
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto">
        {notice ? (
          <div role="status" className="flex flex-wrap items-center gap-x-3 border-b bg-error-bg px-3.5 py-2 text-error">
            <b className="font-semibold">
              ✕ Error rate {formatRate(notice.previous)} → {formatRate(notice.rate)}
            </b>
            {notice.because ? (
              <span>
                {formatRate(notice.because.share)} of it is {notice.because.model}
              </span>
            ) : null}
            <Link to="/dashboard/traces" search={{ q: printFilter([termOf('status', 'error'), ...(notice.because ? [termOf('model', notice.because.model)] : [])]) }} className="ml-auto">
              Show the traces
            </Link>
          </div>
        ) : null}
        {failure && !a ? (
          <ErrorState error={failure} what="The overview" onRetry={() => void models.refetch()} />
        ) : (
          <>
            <div className="grid grid-cols-6 border-b bg-surface max-xl:grid-cols-3 max-sm:grid-cols-2">
              {kpis.map((kpi) => (
                <Link key={kpi.label} to="/dashboard/traces" search={{ q: kpi.q || undefined, sort: kpi.sort }} className="flex flex-col gap-0.5 border-r px-3.5 py-2.5 no-underline last:border-r-0 hover:bg-sunken">
                  <span className="text-muted">{kpi.label}</span>
                  <span className={cx('text-kpi font-semibold', kpi.bad && 'text-error')}>{kpi.value}</span>
                  <span className={cx('min-h-5', kpi.delta?.worse ? (kpi.bad ? 'text-error' : 'text-warn') : 'text-faint')}>{kpi.delta ? `${kpi.delta.text} vs previous` : ' '}</span>
                </Link>
              ))}
            </div>
            <div className="grid grid-cols-2 gap-3.5 p-3.5 max-xl:grid-cols-1">
              <Card title="Cost by provider" note={a ? formatMoney(a.costNanoUsd) : ''}>
                {series.data ? (
                  <StackedBars
                    label="Cost by provider"
                    {...series.data.costs}
                    zone={zone}
                    format={(value) => formatMoney(value)}
                    onBrush={(next) => void navigate({ to: '.', search: (old) => ({ ...old, from: next.from.toISOString(), to: next.to.toISOString() }) })}
                  />
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
                        <Link to="/dashboard/traces/$traceId" params={{ traceId: trace.id }} className="flex min-h-7 items-center gap-2 rounded-control no-underline hover:bg-sunken">
                          <span className="text-error">✕</span>
                          <span dir="auto" className="user-text min-w-0 max-w-[45%] flex-none truncate font-semibold">
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
              <Card title="Models" note="by calls" className="xl:col-span-2">
                <div className="overflow-x-auto">
                  <table className="w-full min-w-[640px]">
                    <thead>
                      <tr className="text-left text-label text-faint">
                        <th className="font-normal">model</th>
                        <th className="text-right font-normal">calls</th>
                        <th className="text-right font-normal">errors</th>
                        <th className="text-right font-normal">p50</th>
                        <th className="text-right font-normal">p95</th>
                        <th className="text-right font-normal">first token</th>
                        <th className="text-right font-normal">tokens</th>
                        <th className="text-right font-normal">cost</th>
                      </tr>
                    </thead>
                    <tbody>
                      {(a?.groups ?? []).slice(0, 10).map((g) => (
                        <tr key={`${g.provider} ${g.model}`} className="border-t">
                          <td>
                            <Link to="/dashboard/traces" search={{ q: printTerm(termOf('model', g.model ?? '')) }} className="no-underline hover:underline">
                              {g.model} <span className="text-faint">{g.provider}</span>
                            </Link>
                          </td>
                          <td className="text-right">{formatCount(g.calls)}</td>
                          <td className={cx('text-right', g.errorRate > 0 && 'text-error')}>{formatRate(g.errorRate)}</td>
                          <td className="text-right">{formatDuration(g.latency.p50)}</td>
                          <td className="text-right">{formatDuration(g.latency.p95)}</td>
                          <td className="text-right">{formatDuration(g.ttft.p50)}</td>
                          <td className="text-right">{formatCount(g.tokens)}</td>
                          <td className="text-right">{formatMoney(g.costNanoUsd)}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
                {a && a.groups.length === 0 ? <p className="py-4 text-center text-muted">No model was called in this range.</p> : null}
              </Card>
            </div>
          </>
        )}
      </div>
    </>
  )
}
