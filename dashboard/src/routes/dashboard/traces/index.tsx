import { useInfiniteQuery, useQueries, useQuery } from '@tanstack/react-query'
import { createFileRoute, useLocation, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useMemo, useState } from 'react'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { StackedBars } from '@/components/chart/StackedBars'
import type { BulkTask } from '@/components/traces/Bulk'
import { BulkMenu } from '@/components/traces/BulkMenu'
import { FacetPane, FacetSheet } from '@/components/traces/FacetPane'
import { FilterBar } from '@/components/traces/FilterBar'
import { Peek } from '@/components/traces/Peek'
import { moreColumns, mostMoreColumns, TraceTable, type MoreColumn } from '@/components/traces/TraceTable'
import { Button } from '@/components/ui/Button'
import { Menu, MenuItem } from '@/components/ui/Menu'
import { Empty } from '@/components/ui/state/Empty'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { RestFailed } from '@/components/ui/state/RestFailed'
import { PageViews } from '@/components/views/PageViews'
import { copyText } from '@/components/ui/Copy'
import { toast } from '@/components/ui/Toasts'
import { useKeyNames } from '@/hooks/useKeyNames'
import { useKeys } from '@/hooks/useKeys'
import { useNextPage } from '@/hooks/useNextPage'
import { useNow } from '@/hooks/useNow'
import { usePreference } from '@/hooks/usePreference'
import { useProject } from '@/hooks/useProject'
import { useRange } from '@/hooks/useRange'
import { useSelection } from '@/hooks/useSelection'
import { useZone } from '@/hooks/useZone'
import { absolute, type Range } from '@/lib/time/range'
import { parseFilter, printFilter, printTerm, removeTerm, toggleTerm, toggleValue } from '@/lib/filter/filter'
import { joinFilter, splitFilter } from '@/lib/filter/url'
import { absoluteTime, formatCount, formatTotal } from '@/lib/format/format'
import { oneOf } from '@/lib/search/names'
import { optionalText } from '@/lib/search/search'
import { facetsQuery, fieldValues, histogramQuery } from '@/services/counts'
import { traceSorts } from '@/lib/sort/sort'
import { firstTracesQuery, tracesQuery } from '@/services/traces'

export const Route = createFileRoute('/dashboard/traces/')({
  validateSearch: z.object({ q: optionalText(), live: optionalText(), peek: optionalText(), cols: optionalText(), sort: z.catch(z.optional(z.enum(traceSorts)), undefined) }),
  component: TracesPage,
})

const Bulk = lazy(() => import('@/components/traces/Bulk'))

const columnNames = Object.keys(moreColumns) as MoreColumn[] // the keys are those of the type

/** Columns as the URL and the browser name them: model,user. */
const columnsOf = (text: string): MoreColumn[] => text.split(',').flatMap((it) => oneOf(columnNames, it) ?? []).slice(0, mostMoreColumns)

const statusColors = { errors: 'var(--error)', ok: 'var(--border-strong)' }

function TracesPage() {
  const { q = '', live, peek, cols, sort = 'start' } = Route.useSearch()
  const hash = useLocation({ select: (location) => location.hash })
  const project = useProject()
  const { range, open, set: setRange } = useRange()
  const zone = useZone()
  const now = useNow()
  const navigate = useNavigate()
  const [active, setActive] = useState(-1)
  const [keptColumns, keepColumns] = usePreference('pulse.columns', '')
  const more = columnsOf(cols ?? keptColumns)

  const filter = useMemo(() => joinFilter(q, hash), [q, hash])
  const parsed = useMemo(() => parseFilter(filter), [filter])
  // The range that is shown stands still while it is read page by page; "show new" moves it.
  const [anchor, setAnchor] = useState({ key: '', range })
  const key = `${project.id} ${range.to.getTime() - range.from.getTime()} ${open} ${open ? '' : range.to.toISOString()} ${sort} ${filter}`
  const fixed = anchor.key === key ? anchor.range : range
  const { ids: selected, toggle: select, clear } = useSelection()
  const [task, setTask] = useState<BulkTask | null>(null)
  if (anchor.key !== key) {
    setAnchor({ key, range })
    clear()
  }

  const list = useInfiniteQuery(tracesQuery(project.id, { filter: printFilter(parsed.terms), range: fixed, sort }))
  const traces = useMemo(() => list.data?.pages.flatMap((page) => page.traces) ?? [], [list.data])
  const total = list.data?.pages[0]?.total ?? null
  const scannedTo = list.data?.pages.at(-1)?.scannedTo ?? null
  const isLive = live !== undefined && open
  const fresh = useQuery({
    ...firstTracesQuery(project.id, { filter: printFilter(parsed.terms), range: { from: fixed.to }, limit: 1 }),
    enabled: isLive && !list.isPending,
    refetchInterval: 2_000,
    refetchIntervalInBackground: false,
    staleTime: 0,
  })
  const searched = printFilter(parsed.terms)
  // The rows come first: what counts all that is found would hold them up.
  const enabled = !list.isPending && !list.isPlaceholderData
  const histogram = useQuery({ ...histogramQuery(project.id, searched, fixed, zone), enabled })
  const facets = useQuery({ ...facetsQuery(project.id, searched, fixed), enabled })
  const keys = useKeyNames(enabled)
  const [sheet, setSheet] = useState(false)
  const suggest = (field: string) => (facets.data?.values[field] ?? []).flatMap((v) => (v.value ? [v.value] : []))
  const set = (values: Record<string, string | undefined>, replace = false) => void navigate({ to: '.', search: (old) => ({ ...old, ...values }), hash: true, replace })
  const setFilter = (next: string) => {
    const parts = splitFilter(next)
    void navigate({ to: '.', search: (old) => ({ ...old, q: parts.q }), hash: parts.hash })
  }
  const { next: onEnd, failed: rest } = useNextPage(list)
  const move = (step: number) => {
    const next = Math.min(Math.max(active + step, 0), traces.length - 1)
    setActive(next)
    if (peek !== undefined) set({ peek: traces[next]?.id }, true)
  }
  const current = traces[active]
  useKeys({
    j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
    Enter: () => current && void navigate({ to: '/dashboard/traces/$traceId', params: { traceId: current.id } }),
    o: () => current && window.open(`/dashboard/traces/${encodeURIComponent(current.id)}?p=${project.id}`, '_blank', 'noopener'),
    ' ': () => current && set({ peek: peek === current.id ? undefined : current.id }, true),
    x: () => select(traces, active),
    X: () => select(traces, active, true),
    '.': () => set({ live: isLive ? undefined : '1' }, true),
    y: () => void copyText(location.href).then(() => toast('Link copied')),
    Escape: () => (peek !== undefined ? set({ peek: undefined }, true) : selected.size > 0 ? clear() : setFilter('')),
  })
  const facetProps = { facets: facets.data, filter, keys, onToggle: (field: string, value: string, not: boolean) => setFilter(toggleValue(filter, field, value, not)) }
  const failedOnly = parsed.terms.some((t) => printTerm(t) === 'status:error')
  return (
    <>
      <PageHeader title="Traces">
        <RangePicker />
        {open ? (
          <Button aria-pressed={isLive} className={isLive ? 'text-live' : undefined} onClick={() => set({ live: isLive ? undefined : '1' }, true)}>
            ● live
          </Button>
        ) : null}
      </PageHeader>
      <div className="flex flex-none flex-wrap items-start gap-2 border-b px-3.5 py-2 [&_button]:min-h-8">
        <FilterBar value={filter} suggest={suggest} keys={keys} lookUp={(field, prefix, signal) => fieldValues(project.id, field, prefix, fixed, signal)} onChange={setFilter} />
        <Button aria-pressed={failedOnly} onClick={() => setFilter(toggleTerm(filter, 'status', 'error'))}>
          ✕ only errors
        </Button>
        <Button className="xl:hidden" aria-haspopup="dialog" onClick={() => setSheet(true)}>
          Facets
        </Button>
        <PageViews page="traces" />
        <Menu trigger={<Button className="max-xl:hidden">Columns ▾</Button>}>
          {columnNames.map((name) => (
            <MenuItem
              key={name}
              checked={more.includes(name)}
              onSelect={() => {
                // One more takes the place of the first where there is no room.
                const next = (more.includes(name) ? more.filter((it) => it !== name) : [...more, name].slice(-mostMoreColumns)).join(',')
                keepColumns(next)
                set({ cols: next }, true)
              }}
            >
              {name}
            </MenuItem>
          ))}
        </Menu>
        <span className="leading-8 text-muted" role="status">
          {total === null ? '' : `${formatTotal(total)} ${total.value === 1 ? 'trace' : 'traces'}`}
        </span>
        <BulkMenu total={total} mayDelete={project.role === 'admin'} busy={task !== null} onTask={(kind) => setTask({ kind, total, choice: { filter: searched, range: fixed } })} />
      </div>
      {histogram.data && histogram.data.times.length > 0 ? (
        <div className="flex-none border-b bg-surface px-3.5 py-1.5">
          <StackedBars strip label="Traces over time" colors={statusColors} {...histogram.data} zone={zone} format={(n) => formatCount(n)} onBrush={(next) => setRange(absolute(next))} />
        </div>
      ) : (
        <div className="h-15 flex-none border-b bg-surface" />
      )}
      {isLive && fresh.data?.total && fresh.data.total.value > 0 ? (
        <button
          type="button"
          className="flex-none border-b bg-select py-1 text-center text-accent"
          onClick={() => {
            setAnchor({ key, range: { from: fixed.from, to: new Date() } })
            setActive(-1)
          }}
        >
          {formatTotal(fresh.data.total)} new ↑
        </button>
      ) : null}
      <div className="flex min-h-0 flex-1">
        <FacetPane {...facetProps} />
        {list.isPending ? (
          <div className="flex-1 bg-surface">
            <Loading rows={20} label="Loading traces" />
          </div>
        ) : list.error && traces.length === 0 ? (
          <div className="flex-1">
            <ErrorState error={list.error} what="Traces" onRetry={() => void list.refetch()} />
          </div>
        ) : traces.length === 0 && list.hasNextPage ? (
          <div className="flex-1">
            <Empty title="Nothing yet">
              {scannedTo ? `Looked back to ${absoluteTime(scannedTo, zone)}. ` : ''}
              <Button busy={list.isFetchingNextPage} onClick={onEnd}>
                Look further back
              </Button>
            </Empty>
          </div>
        ) : traces.length === 0 ? (
          <div className="flex-1">
            <Empty title={filter ? 'No trace matches' : 'No trace in this range'}>
              {filter ? (
                <Loosen projectId={project.id} filter={searched} range={fixed} onFilter={setFilter} />
              ) : (
                <>
                  <Button onClick={() => set({ from: '-30d', to: undefined })}>Show the last 30 days</Button>{' '}
                  <Button onClick={() => void navigate({ to: '/dashboard/start' })}>How to send traces</Button>
                </>
              )}
            </Empty>
          </div>
        ) : (
          <TraceTable traces={traces} more={more} now={now} zone={zone} sort={sort} onSort={(by) => set({ sort: by === 'start' ? undefined : by })} active={active} onActive={setActive} selected={selected} onSelect={(index, extend) => select(traces, index, extend)} onEnd={onEnd} />
        )}
        {peek === undefined ? null : <Peek key={peek} projectId={project.id} traceId={peek} onClose={() => set({ peek: undefined }, true)} />}
      </div>
      <RestFailed failed={rest} what="Further traces" />
      {sheet ? <FacetSheet {...facetProps} onClose={() => setSheet(false)} /> : null}
      {selected.size > 0 || task ? (
        <Suspense>
          <Bulk projectId={project.id} mayDelete={project.role === 'admin'} selected={[...selected]} task={task} onTask={setTask} onClear={clear} />
        </Suspense>
      ) : null}
    </>
  )
}

const shownTerms = 8

/** How many traces there were without each of the terms, that which hides most first, and the way to drop it. */
function Loosen({ projectId, filter, range, onFilter }: { projectId: string; filter: string; range: Range; onFilter: (next: string) => void }) {
  const { terms } = parseFilter(filter)
  const looser = terms.slice(0, shownTerms).map((term) => ({ term: printTerm(term), rest: removeTerm(filter, term) }))
  const counts = useQueries({ queries: looser.map(({ rest }) => firstTracesQuery(projectId, { filter: rest, range, limit: 1 })) })
  const ways = looser.map((way, i) => ({ ...way, total: counts[i]?.data?.total ?? null })).toSorted((a, b) => (b.total?.value ?? 0) - (a.total?.value ?? 0))
  return (
    <>
      {ways.map(({ term, rest, total }) => (
        <p key={term} className="flex min-h-9 flex-wrap items-center justify-center gap-x-2">
          without <span className="user-text font-mono text-[12px] text-text">{term}</span>
          {total === null ? null : <Button disabled={total.value === 0} onClick={() => onFilter(rest)}>{total.value === 0 ? 'none either' : `${formatTotal(total)} ${total.value === 1 ? 'trace' : 'traces'}`}</Button>}
        </p>
      ))}
      <Button onClick={() => onFilter('')}>Drop the filter</Button>
    </>
  )
}
