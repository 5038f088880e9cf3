import { useQuery } from '@tanstack/react-query'
import { createFileRoute, useLocation, useNavigate } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import * as z from 'zod/mini'
import { BreakdownTable, shownMeasures } from '@/components/analytics/BreakdownTable'
import { Heatmap } from '@/components/chart/Heatmap'
import { TimeChart } from '@/components/chart/TimeChart'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { FilterBar } from '@/components/traces/FilterBar'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { copyText } from '@/components/ui/Copy'
import { Select } from '@/components/ui/Select'
import { Empty } from '@/components/ui/state/Empty'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { PageViews } from '@/components/views/PageViews'
import { toast } from '@/components/ui/Toasts'
import { cx } from '@/components/ui/classes'
import { useAltT } from '@/hooks/useAltT'
import { useKeyNames } from '@/hooks/useKeyNames'
import { useKeys } from '@/hooks/useKeys'
import { useProject } from '@/hooks/useProject'
import { useRange } from '@/hooks/useRange'
import { useZone } from '@/hooks/useZone'
import { printSum, specs, type Measure } from '@/lib/analytics/measures'
import { addTerm, isMeta, known, parseFilter, printFilter, termOf } from '@/lib/filter/filter'
import { labelOf, type KeyNames } from '@/lib/filter/label'
import { joinFilter, splitFilter } from '@/lib/filter/url'
import { absoluteTime, formatCount } from '@/lib/format/format'
import { charts, groupings, measures, oneOf } from '@/lib/search/names'
import { optionalText } from '@/lib/search/search'
import { absolute } from '@/lib/time/range'
import { breakdownQuery, seriesQuery, type TimeSeries } from '@/services/analytics'
import { facetsQuery, metaFieldsQuery } from '@/services/counts'
import { heatmapQuery } from '@/services/overview'

const limits = [20, 100, 500]
const [firstLimit = 20] = limits

export const Route = createFileRoute('/dashboard/analytics')({
  validateSearch: z.object({ q: optionalText(), by: optionalText(), by2: optionalText(), m: optionalText(), chart: optionalText(), cmp: optionalText(), rows: optionalText() }),
  component: AnalyticsPage,
})

/** A field that traces are added up by, as the URL names it. */
const groupingOf = (text: string | undefined) => oneOf(groupings, text) ?? (text !== undefined && isMeta(text) && text.length > 5 ? text : undefined)

const named = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, name]))

function AnalyticsPage() {
  const search = Route.useSearch()
  const { q = '', cmp, rows } = search
  const by = groupingOf(search.by) ?? 'model'
  const by2 = groupingOf(search.by2)
  const m = oneOf(measures, search.m) ?? 'count'
  const asked = oneOf(charts, search.chart)
  const hash = useLocation({ select: (location) => location.hash })
  const project = useProject()
  const { range, set: setRange } = useRange()
  const zone = useZone()
  const navigate = useNavigate()
  const text = useMemo(() => joinFilter(q, hash), [q, hash])
  const filter = useMemo(() => printFilter(parseFilter(text).terms), [text])
  const spec = specs[m]
  // Quantiles do not add up, so they are not stacked.
  const chart = asked === 'bar' && !spec.adds ? 'line' : (asked ?? (spec.adds ? 'bar' : 'line'))
  const fields = by2 && by2 !== by ? [by, by2] : [by]
  const compare = cmp !== 'off'
  const limit = limits.find((n) => String(n) === rows) ?? firstLimit

  const groups = useQuery(breakdownQuery(project.id, { filter, range, by: fields, measures: shownMeasures(m), sort: m, limit, compare }))
  const series = useQuery({ ...seriesQuery(project.id, { filter, range, by, measure: m, zone }), enabled: chart !== 'heatmap' })
  const heat = useQuery({ ...heatmapQuery(project.id, filter, range, zone, spec.heat), enabled: chart === 'heatmap' })
  const facets = useQuery(facetsQuery(project.id, filter, range))
  const keys = useKeyNames()
  const meta = useQuery(metaFieldsQuery(project.id)).data ?? []
  const choices = [...new Set<string>([...groupings, ...meta, ...fields])]

  const set = (values: Record<string, string | undefined>) => void navigate({ to: '.', search: (old) => ({ ...old, ...values }), hash: true })
  const setFilter = (next: string, values: Record<string, string | undefined> = {}) => {
    const parts = splitFilter(next)
    void navigate({ to: '.', search: (old) => ({ ...old, ...values, q: parts.q }), hash: parts.hash })
  }
  const [before, setBefore] = useState<(typeof charts)[number]>('bar')
  const toggleTable = () => {
    if (chart !== 'table') setBefore(chart)
    set({ chart: chart === 'table' ? before : 'table' })
  }
  useAltT(toggleTable)
  useKeys({ y: () => void copyText(location.href).then(() => toast('Link copied')) })

  const data = groups.data
  const scannedTo = data?.scannedTo ?? null
  const total = data?.total.count
  return (
    <>
      <PageHeader title="Analytics">
        <RangePicker />
      </PageHeader>
      <div className="flex flex-none flex-wrap items-start gap-2 border-b px-3.5 py-2 [&_button]:min-h-8">
        <FilterBar value={text} keys={keys} suggest={(field) => (facets.data?.values[field] ?? []).flatMap((v) => (v.value ? [v.value] : []))} onChange={(next) => setFilter(next)} />
        <PageViews page="analytics" />
        <span className="leading-8 text-muted" role="status">
          {total === null || total === undefined ? '' : `${formatCount(total)} ${total === 1 ? 'trace' : 'traces'}`}
          {scannedTo ? ` · back to ${absoluteTime(scannedTo, zone)} only` : ''}
        </span>
      </div>
      <div className="flex flex-none flex-wrap items-center gap-x-4 gap-y-2 border-b px-3.5 py-2">
        <Select label="by" value={by} options={named(choices)} onChange={(next) => set({ by: next, by2: by2 === next ? undefined : by2, rows: undefined })} />
        <Select label="then by" value={fields[1] ?? ''} options={{ '': '—', ...named(choices.filter((it) => it !== by)) }} onChange={(next) => set({ by2: next || undefined, rows: undefined })} />
        <Select label="measure" value={m} options={Object.fromEntries(measures.map((it) => [it, specs[it].label]))} onChange={(next) => set({ m: next })} />
        <div role="group" aria-label="Chart" className="flex items-center gap-1">
          {charts.map((it) => (
            <button key={it} type="button" aria-pressed={chart === it} disabled={it === 'bar' && !spec.adds} title={it === 'table' ? 'The same numbers as a table (Alt+T)' : undefined} className={cx('min-h-7 rounded-control px-2 disabled:opacity-50', chart === it ? 'bg-select font-semibold' : 'text-muted enabled:hover:bg-sunken')} onClick={() => set({ chart: it })}>
              {it}
            </button>
          ))}
        </div>
        <label className="flex min-h-7 items-center gap-2 text-muted">
          <input type="checkbox" className="size-4 accent-[var(--accent)]" checked={compare} onChange={(event) => set({ cmp: event.target.checked ? undefined : 'off' })} />
          against the period before
        </label>
      </div>
      <div className="flex min-h-0 flex-1 flex-col gap-3.5 overflow-y-auto p-3.5">
        <Card title={chart === 'heatmap' ? `${heatNames[spec.heat]} over time` : `${capital(spec.label)} by ${by}`} note={chart === 'heatmap' ? 'drag to look closer' : chart === 'table' ? '' : 'drag to zoom, click a name to see only it'} className="flex-none">
          {chart === 'heatmap' ? (
            heat.data ? (
              <Heatmap
                data={heat.data}
                zone={zone}
                selected={null}
                label={heatNames[spec.heat]}
                format={heatFormat(m)}
                onSelect={(cells) => {
                  if (!cells || !heat.data) return
                  const [low, high] = [heat.data.edges[cells.rows[0]], heat.data.edges[cells.rows[1] + 1]]
                  const [from, to] = [heat.data.times[cells.cols[0]], heat.data.times[cells.cols[1] + 1] ?? heat.data.end]
                  if (low === undefined || high === undefined || from === undefined) return
                  const [term] = parseFilter(between(m, low, high)).terms
                  setFilter(term ? addTerm(text, term) : text, { ...absolute({ from: new Date(from), to: new Date(to) }) })
                }}
              />
            ) : heat.error ? (
              <ErrorState error={heat.error} what="The heatmap" onRetry={() => void heat.refetch()} />
            ) : (
              <Loading rows={8} />
            )
          ) : series.data ? (
            <TimeChart
              label={`${capital(spec.label)} by ${by}`}
              kind={chart}
              {...linesOf(series.data, by, keys)}
              adds={spec.adds}
              zone={zone}
              format={(value) => printSum(m, value)}
              onBrush={(next) => setRange(absolute(next))}
              onPick={(name) => {
                const key = series.data?.series.find((s) => nameOf(s.key, by, keys) === name)?.key
                if (key !== null && key !== undefined) setFilter(addTerm(text, key === '' ? known(by, true) : termOf(by, key)))
              }}
            />
          ) : series.error ? (
            <ErrorState error={series.error} what="The chart" onRetry={() => void series.refetch()} />
          ) : (
            <Loading rows={8} />
          )}
        </Card>
        <Card title={`Traces by ${fields.join(', then by ')}`} note={data ? `${data.rows.length < limit && !data.other ? formatCount(data.rows.length) : `the first ${formatCount(data.rows.length)}`} by ${spec.label}` : ''} className="flex-none">
          {groups.error && !data ? (
            <ErrorState error={groups.error} what="Sums" onRetry={() => void groups.refetch()} />
          ) : !data ? (
            <Loading rows={10} />
          ) : data.rows.length === 0 ? (
            <Empty title={text ? 'No trace matches' : 'No trace in this range'}>{text ? <Button onClick={() => setFilter('')}>Drop the filter</Button> : <Button onClick={() => set({ from: '-30d', to: undefined })}>Show the last 30 days</Button>}</Empty>
          ) : (
            <>
              <BreakdownTable data={data} by={fields} measure={m} compare={compare} filter={filter} keys={keys} onMeasure={(next) => set({ m: next })} />
              {data.other && limit < 500 ? (
                <div className="pt-2">
                  <Button busy={groups.isFetching} onClick={() => set({ rows: String(limits[limits.indexOf(limit) + 1]) })}>
                    Show more rows
                  </Button>
                </div>
              ) : null}
            </>
          )}
        </Card>
      </div>
    </>
  )
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
const heatNames = { latency: 'Latency', ttft: 'First token', cost: 'Cost', tokens: 'Tokens' }
const heatFormats = { latency: specs.p50, ttft: specs.ttft50, cost: specs.cost, tokens: specs.tokens }
const heatFormat = (m: Measure) => heatFormats[specs[m].heat].format

/** A band of the heatmap in the language of filters. */
function between(m: Measure, low: number, high: number): string {
  switch (specs[m].heat) {
    case 'cost':
      return `cost:${(low / 1e9).toFixed(9)}..${(high / 1e9).toFixed(9)}`
    case 'tokens':
      return `tokens:${Math.floor(low)}..${Math.ceil(high)}`
    case 'ttft':
      return `ttft:${low.toFixed(3)}ms..${high.toFixed(3)}ms`
    case 'latency':
      return `latency:${low.toFixed(3)}ms..${high.toFixed(3)}ms`
  }
}

const nameOf = (key: string | null, by: string, keys: KeyNames | undefined) => (key === null ? 'other' : key === '' ? `no ${by}` : labelOf(by, key, keys))

/** Series with the names that people read. */
function linesOf(data: TimeSeries, by: string, keys: KeyNames | undefined) {
  return { times: data.times, end: data.end, series: data.series.map((s) => ({ name: nameOf(s.key, by, keys), values: s.values, other: s.key === null })) }
}
