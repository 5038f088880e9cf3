import { useQuery } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useMemo, useRef, useState } from 'react'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { askedOf, conversationOf, toolsGiven } from '@/components/conversation/said'
import { ContextGrowth } from '@/components/trace/ContextGrowth'
import { Facts } from '@/components/trace/Facts'
import { Flame, flameMeasures } from '@/components/trace/Flame'
import { CostTab } from '@/components/trace/CostTab'
import { Loops } from '@/components/trace/Loops'
import { Minimap } from '@/components/trace/Minimap'
import { RawTab } from '@/components/raw/RawTab'
import { SpanPane, type PaneTab } from '@/components/trace/SpanPane'
import { SpanTree } from '@/components/trace/SpanTree'
import { Button, buttonClass } from '@/components/ui/Button'
import { Copy, copyText } from '@/components/ui/Copy'
import { inputClass } from '@/components/ui/Field'
import { Kbd } from '@/components/ui/Kbd'
import { Menu, MenuItem, MenuLine } from '@/components/ui/Menu'
import { Elsewhere } from '@/components/ui/state/Elsewhere'
import { Empty } from '@/components/ui/state/Empty'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { RestFailed } from '@/components/ui/state/RestFailed'
import { toast } from '@/components/ui/Toasts'
import { useKeyNames } from '@/hooks/useKeyNames'
import { useKeys } from '@/hooks/useKeys'
import { useNow } from '@/hooks/useNow'
import { usePainted } from '@/hooks/usePainted'
import { usePreference } from '@/hooks/usePreference'
import { read } from '@/lib/preference/preference'
import { chooseProject, lastProject, useProject } from '@/hooks/useProject'
import { useTree } from '@/hooks/useTree'
import { useZone } from '@/hooks/useZone'
import { absoluteTime, formatCount, formatDuration, formatMoney, formatOffset, formatRate, relativeTime } from '@/lib/format/format'
import { asAnthropic, asCurl, asMarkdown, asOpenAI } from '@/lib/messages/print'
import { optionalText } from '@/lib/search/search'
import { visible } from '@/lib/text/visible'
import { sumsOf } from '@/lib/tree/sums'
import { ancestors, bounds as boundsOf, failuresBelow, faults, nextOf, openingSpan, subtreeEnds, visibleRows, type Bounds } from '@/lib/tree/tree'
import { ApiError } from '@/services/http'
import { neighboursQuery } from '@/services/counts'
import { overviewQuery } from '@/services/overview'
import { projectsQuery } from '@/services/projects'
import { repeatsQuery } from '@/services/repeats'
import { partsOf, payloadQuery, type Payload, type Span, type SpanPage } from '@/services/spans'

export const Route = createFileRoute('/dashboard/traces/$traceId')({
  validateSearch: z.object({ span: optionalText(), tab: optionalText(), zoom: optionalText(), find: optionalText(), only: optionalText(), view: optionalText(), width: optionalText(), root: optionalText() }),
  // The spans are asked for while the scripts of the page come; not where a pointer only passes.
  loader: async ({ context: { queryClient }, params, location, cause }) => {
    if (cause === 'preload') return
    const [{ treeQuery }, projects] = await Promise.all([import('@/services/spans'), queryClient.ensureQueryData(projectsQuery)])
    const project = chooseProject(projects, (location.search as { p?: string }).p, read(lastProject))
    if (project) void queryClient.prefetchInfiniteQuery(treeQuery(project.id, params.traceId))
  },
  component: TracePage,
})

/** Traces that say what is usual. */
const enough = 20

/** The p95 of the latency, in milliseconds, of traces like one in the seven days before it; null where they are too few. */
function useUsual(project: string, alike: string, start: number, enabled: boolean): number | null {
  const hour = 3_600_000
  const to = (Math.floor(start / hour) + 1) * hour
  const { traces, p95 } = useQuery({ ...overviewQuery(project, alike, { from: new Date(to - 7 * 24 * hour), to: new Date(to) }), placeholderData: undefined, enabled: enabled && alike !== '' }).data?.kpis ?? {}
  return (traces?.value ?? 0) >= enough ? (p95?.value ?? null) : null
}

function TracePage() {
  const { traceId } = Route.useParams()
  const project = useProject()
  const tree = useTree(project.id, traceId)
  const { spans, first } = tree
  const total = first?.total ?? 0

  if (tree.pending) return <Loading rows={20} label="Loading the trace" />
  if (tree.error && spans.length === 0) {
    if (tree.error instanceof ApiError && tree.error.status === 404) {
      return (
        <Elsewhere id={traceId} what="trace">
          It may be older than the project keeps.{' '}
          <Link to="/dashboard/traces" className="text-accent underline">
            All traces
          </Link>
        </Elsewhere>
      )
    }
    return <ErrorState error={tree.error} what="The trace" onRetry={tree.retry} />
  }
  return (
    <>
      <TraceView key={traceId} traceId={traceId} projectId={project.id} spans={spans} total={total} failedCount={first?.failed ?? 0} errors={first?.errors ?? []} session={first?.sessionId ?? null} provider={first?.provider ?? null} alike={first?.alike ?? ''} receipt={first?.receipt ?? null} />
      <RestFailed failed={tree.failed} what="Further spans" />
    </>
  )
}

interface TraceViewProps {
  traceId: string
  projectId: string
  spans: Span[]
  total: number
  /** How many spans of the whole trace failed. */
  failedCount: number
  errors: { spanId: string; error: string | null }[]
  session: string | null
  provider: string | null
  /** A filter for traces to compare it with. */
  alike: string
  receipt: SpanPage['receipt']
}

function TraceView({ traceId, projectId, spans, total, failedCount, errors, session, provider, alike, receipt }: TraceViewProps) {
  const search = Route.useSearch()
  const navigate = useNavigate()
  const now = useNow()
  const zone = useZone()
  const [theme] = usePreference('pulse.theme', 'system')
  const [marked, setMarked] = usePreference('pulse.marked', '')
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set())
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set())
  const findInput = useRef<HTMLInputElement>(null)
  const [find, setFind] = useState(search.find ?? '') // ahead of the URL while somebody types

  const set = (values: Record<string, string | undefined>) => void navigate({ to: '.', search: (old) => ({ ...old, ...values }), replace: true })

  const ends = useMemo(() => subtreeEnds(spans), [spans])
  const failures = useMemo(() => failuresBelow(spans, ends), [spans, ends])
  const failed = useMemo(() => faults(spans, failures), [spans, failures])
  const whole = useMemo(() => boundsOf(spans), [spans])
  const sums = useMemo(() => sumsOf(spans), [spans])
  // While not all spans are read, what failed is known all the same, and other sums are of a part.
  const partial = spans.length < total
  const more = partial ? '+' : ''
  const failedSpans = partial ? Math.max(failedCount, sums.errors) : sums.errors

  const named = search.span === undefined ? -1 : spans.findIndex((s) => s.id === search.span)
  const opening = useMemo(() => openingSpan(spans, ends, failures), [spans, ends, failures])
  const selected = named >= 0 ? named : opening
  const span = spans[selected]
  const zoom = readZoom(search.zoom, whole)
  const onlyErrors = search.only === 'errors'

  const wanted = find.toLowerCase()
  const hits = useMemo(() => (wanted === '' ? [] : spans.flatMap((s) => (matches(s, wanted) ? [s.index] : []))), [spans, wanted])
  const rows = useMemo(() => visibleRows(spans, ends, failures, { collapsed, opened, keep: hits.length > 0 ? [selected, ...hits.slice(0, 200)] : [selected], onlyErrors }), [spans, ends, failures, collapsed, opened, selected, hits, onlyErrors])

  const select = (index: number | null) => {
    const target = index === null ? undefined : spans[index]
    if (target) set({ span: target.id })
  }
  const toggle = (index: number, close?: boolean) => {
    const next = new Set(collapsed)
    if (close ?? !next.has(index)) next.add(index)
    else next.delete(index)
    setCollapsed(next)
  }
  const move = (step: 1 | -1) => {
    const at = rows.findIndex((row) => row.type === 'span' && row.index === selected)
    for (let i = at + step; i >= 0 && i < rows.length; i += step) {
      const row = rows[i]
      if (row?.type === 'span') return select(row.index)
    }
  }
  const ranked = (value: (s: Span) => number | null) => {
    const order = spans.filter((s) => (value(s) ?? 0) > 0 && ends[s.index] === s.index + 1).toSorted((a, b) => (value(b) ?? 0) - (value(a) ?? 0))
    const at = order.findIndex((s) => s.index === selected)
    select(order[(at + 1) % Math.max(order.length, 1)]?.index ?? null)
  }
  const zoomBy = (factor: number) => {
    const current = zoom ?? whole
    const middle = span ? span.start + (span.durationMs ?? 0) / 2 : (current.start + current.end) / 2
    const half = ((current.end - current.start) * factor) / 2
    const next = { start: Math.max(middle - half, whole.start), end: Math.min(middle + half, whole.end) }
    set({ zoom: next.end - next.start >= (whole.end - whole.start) * 0.999 ? undefined : printZoom(next, whole) })
  }
  const flame = search.view === 'flame'
  const measure = flameMeasures.find((it) => it === search.width) ?? (sums.costNanoUsd === null ? 'time' : 'cost')
  const root = search.root === undefined ? -1 : spans.findIndex((s) => s.id === search.root)
  // The rows come first: what takes longer would hold them up.
  const painted = usePainted(true)
  // All payloads are read for it: of large traces only when somebody wants to see it.
  const repeats = useQuery({ ...repeatsQuery(projectId, traceId), enabled: painted && !partial && sums.calls + sums.tools > 1 && (flame || total <= 2_000) }).data
  const loop = repeats?.loops[0]
  const told = repeats?.sameInputTokens && repeats.inputTokens ? repeats.sameInputTokens / repeats.inputTokens : 0

  const neighbours = useQuery({ ...neighboursQuery(projectId, traceId), enabled: painted }).data
  const usual = useUsual(projectId, alike, whole.start, painted)
  const open = (id: string | null | undefined) => {
    if (id) void navigate({ to: '/dashboard/traces/$traceId', params: { traceId: id } })
  }
  const compare = (other: string) => void navigate({ to: '/dashboard/compare', search: { a: other, b: traceId } })
  const mark = () => {
    if (marked !== '' && marked !== traceId) {
      setMarked('')
      return compare(marked)
    }
    setMarked(marked === traceId ? '' : traceId)
    toast(marked === traceId ? 'No longer marked' : 'Marked: press m on another trace to compare')
  }
  const tabs: PaneTab[] = ['conversation', 'io', 'cost', 'attributes', 'raw']
  const tab = tabs.find((t) => t === search.tab) ?? 'conversation'
  useKeys({
    ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1),
    ArrowRight: () => (collapsed.has(selected) ? toggle(selected, false) : move(1)),
    ArrowLeft: () => {
      if (ends[selected] !== selected + 1 && !collapsed.has(selected)) return toggle(selected, true)
      select(ancestors(spans, selected).at(-1) ?? null)
    },
    e: () => select(nextOf(failed, selected, 1)), E: () => select(nextOf(failed, selected, -1)),
    n: () => select(nextOf(hits, selected, 1)), N: () => select(nextOf(hits, selected, -1)),
    s: () => ranked((s) => s.durationMs), c: () => ranked((s) => (s.counted ? s.costNanoUsd : null)),
    J: () => open(neighbours?.next), K: () => open(neighbours?.previous),
    '+': () => zoomBy(0.5), '-': () => zoomBy(2), '0': () => set({ zoom: undefined }),
    f: () => span && set({ zoom: printZoom({ start: span.start, end: span.start + Math.max(span.durationMs ?? 0, 1) }, whole) }),
    '/': () => findInput.current?.focus(),
    v: () => set({ view: flame ? undefined : 'flame' }),
    w: () => flame && set({ width: flameMeasures[(flameMeasures.indexOf(measure) + 1) % flameMeasures.length] }),
    m: mark,
    l: () => neighbours?.lastGood && compare(neighbours.lastGood),
    y: () => void copyText(location.href).then(() => toast('Link copied')),
    Escape: () => {
      setFind('')
      set({ find: undefined, only: undefined, zoom: undefined, root: undefined })
    },
    ...Object.fromEntries(tabs.map((it, i) => [String(i + 1), () => set({ tab: it })])),
  })

  const top = spans[0]
  const payload = useQuery({ ...payloadQuery(projectId, traceId, span ?? { id: '', index: 0 }), enabled: span !== undefined })
  const keys = useKeyNames(tab === 'attributes' && Boolean(payload.data?.detail?.apiKeyId))
  const earlier = span?.kind === 'llm_call' ? (spans.find((s) => s.id === repeats?.calls.get(span.id)?.after) ?? spans.findLast((s) => s.index < span.index && s.kind === 'llm_call' && s.counted)) : undefined
  const earlierPayload = useQuery({ ...payloadQuery(projectId, traceId, earlier ?? { id: '', index: 0 }), enabled: earlier !== undefined && tab === 'conversation' })
  if (!top || !span) return <Empty title="This trace has no spans yet" />
  const before = earlier && earlierPayload.data ? { name: stepName(spans, earlier), payload: earlierPayload.data, tokens: repeats?.calls.get(span.id)?.sameInputTokens ?? null } : null
  const fault = failed[0] === undefined ? undefined : spans[failed[0]]
  const faultText = visible(errors.find((it) => it.spanId === fault?.id)?.error ?? '')

  return (
    // On a phone the page scrolls, so that facts do not take the room of what they are about.
    <div className="flex min-h-0 flex-1 flex-col max-md:overflow-y-auto">
      <PageHeader
        title={
          <>
            <Link to="/dashboard/traces" className="inline-flex min-h-6 items-center text-muted no-underline hover:underline">
              Traces
            </Link>
            <span className="text-faint">/</span>
            <span dir="auto" title={top.name} className="user-text truncate">
              {top.name}
            </span>
            {failedSpans > 0 ? (
              <span className="flex-none rounded-control border px-2 font-normal text-error">
                ● error · {formatCount(failedSpans)} of {formatCount(total)}
              </span>
            ) : (
              <span className="flex-none rounded-control border px-2 font-normal text-muted">ok</span>
            )}
          </>
        }
      >
        <span className="font-mono text-label text-faint max-md:hidden" title={traceId}>
          {traceId.length > 20 ? `${traceId.slice(0, 8)}…${traceId.slice(-6)}` : traceId}
        </span>
        <Copy text={traceId} label="Copy trace id" quiet />
        {session ? (
          <Link to="/dashboard/sessions/$sessionId" params={{ sessionId: session }} className={buttonClass()}>
            <span className="max-w-40 truncate max-sm:max-w-28" title={session}>
              Session {session}
            </span>{' '}
            ›
          </Link>
        ) : null}
        {neighbours?.lastGood ? (
          <Link to="/dashboard/compare" search={{ a: neighbours.lastGood, b: traceId }} className={buttonClass()} title="Beside the last trace of this name that succeeded  l">
            Compare{' '}
            <span className="max-sm:sr-only">with last good</span>
          </Link>
        ) : null}
        <Button disabled={!neighbours?.previous} title="The trace before  K" aria-label="The trace before" onClick={() => open(neighbours?.previous)}>
          ↑
        </Button>
        <Button disabled={!neighbours?.next} title="The trace behind  J" aria-label="The trace behind" onClick={() => open(neighbours?.next)}>
          ↓
        </Button>
        <Menu align="end" trigger={<Button>Copy ▾</Button>}>
          <MenuItem shortcut="y" onSelect={() => void copyText(location.href).then(() => toast('Link copied'))}>
            Link to this view
          </MenuItem>
          <MenuItem onSelect={() => void copyText(traceId).then(() => toast('Trace id copied'))}>Trace id</MenuItem>
          <MenuItem onSelect={() => void copyText(span.id).then(() => toast('Span id copied'))}>Span id</MenuItem>
          <MenuItem onSelect={() => void copyText(`curl '${location.origin}/v1/traces/${encodeURIComponent(traceId)}' -H "Authorization: Bearer $PULSE_API_KEY"`).then(() => toast('Copied as curl'))}>As curl</MenuItem>
          {payload.data && span.kind === 'llm_call' ? (
            <>
              <MenuLine />
              {copies.map(([label, print]) => (
                <MenuItem key={label} onSelect={() => payload.data && void copyText(print(span.model ?? '', payload.data)).then(() => toast(`Copied ${label}`))}>
                  {label}
                </MenuItem>
              ))}
              <MenuLine />
            </>
          ) : null}
          <MenuItem onSelect={() => void copyText(JSON.stringify(payload.data ?? null, null, 2)).then(() => toast('Copied as JSON'))}>What the span carries, as JSON</MenuItem>
        </Menu>
      </PageHeader>
      <Facts
        facts={[
          { value: formatDuration(whole.end - whole.start), label: usual ? `wall clock · p95 ${formatDuration(usual)}` : 'wall clock', title: usual ? `Of the traces named ${top.name} in the seven days before, 95 of 100 took no longer than ${formatDuration(usual)}` : undefined },
          { value: formatMoney(sums.costNanoUsd) + (sums.costNanoUsd === null ? '' : more), label: sums.unpriced > 0 ? `cost · without ${formatCount(sums.unpriced)} ${sums.unpriced === 1 ? 'call' : 'calls'} of unknown cost` : 'cost' },
          { value: formatCount(sums.tokens) + (sums.tokens === null ? '' : more), label: sums.tokens === null ? 'tokens' : `tokens · ${formatCount(sums.inputTokens)} in · ${formatCount(sums.outputTokens)} out` },
          { value: formatDuration(sums.ttftMs), label: 'first token' },
          {
            value: (
              <>
                {formatCount(sums.calls)}
                {more} / {formatCount(sums.tools)}
                {more} / <span className={failedSpans > 0 ? 'text-error' : undefined}>{formatCount(failedSpans)}</span>
              </>
            ),
            label: 'calls · tools · errors',
          },
          ...(told >= 0.1 ? [{ value: formatRate(told), label: 'of input said before', title: 'Estimated: what model calls of this trace were told again' }] : []),
          ...(loop ? [{ value: `×${formatCount(loop.count)}`, label: `${loop.name}, same arguments`, title: loop.arguments }] : []),
          ...(sums.model ? [{ value: sums.model, label: provider ?? 'model' }] : []),
          { value: relativeTime(new Date(whole.start), now, zone), label: absoluteTime(new Date(whole.start), zone, { millis: true }) },
          ...(receipt
            ? [
                {
                  value: `${formatDuration(receipt.accepted - whole.end)} → ${formatDuration(receipt.stored - receipt.accepted)}`,
                  label: 'ended → accepted → stored',
                  title: `Ended ${absoluteTime(new Date(whole.end), zone, { millis: true })} by the sender's clock\nAccepted ${absoluteTime(new Date(receipt.accepted), zone, { millis: true })}\nStored ${absoluteTime(new Date(receipt.stored), zone, { millis: true })}`,
                },
              ]
            : []),
        ]}
      />
      {fault ? (
        <div className="flex flex-none items-center gap-x-2.5 border-b bg-error-bg px-3.5 py-1.5 text-error max-md:flex-wrap">
          <b className="min-w-0 truncate font-semibold max-md:flex-1" title={fault.name}>
            ✕ {fault.name} failed
          </b>
          <span className="user-text min-w-0 truncate max-md:order-last max-md:line-clamp-3 max-md:basis-full max-md:whitespace-normal" dir="auto" title={faultText}>
            {faultText}
          </span>
          <span className="flex-none text-muted max-md:hidden">· {formatOffset(fault.start - whole.start)} in{top.failed ? '' : ' · the trace itself went on'}</span>
          <button type="button" className="ml-auto min-h-6 flex-none underline" onClick={() => select(nextOf(failed, selected, 1))}>
            {failed.length > 1 ? `Next of ${failed.length} errors` : 'Go to error'} <Kbd>e</Kbd>
          </button>
        </div>
      ) : null}
      {spans.length > 1 ? <Minimap spans={spans} bounds={whole} zoom={zoom} theme={theme} onZoom={(next) => set({ zoom: next ? printZoom(next, whole) : undefined })} /> : null}
      <div className="flex min-h-0 flex-1 max-md:flex-[1_0_auto] max-md:flex-col">
        {spans.length > 1 ? (
          <section aria-label="Spans" className="flex min-h-0 w-[56%] flex-none flex-col border-r bg-surface max-md:h-80 max-md:w-full max-md:border-b max-md:border-r-0">
            <div className="flex h-8 flex-none items-center gap-2 border-b px-3.5 text-label text-faint">
              {[
                ['', 'Timeline'],
                ['flame', 'Flame'],
              ].map(([view, label]) => (
                <button key={label} type="button" aria-pressed={flame === (view === 'flame')} className="min-h-6 text-accent aria-pressed:font-semibold aria-pressed:text-text" title={`${label}  v`} onClick={() => set({ view: view || undefined })}>
                  {label}
                </button>
              ))}
              <span className="max-lg:hidden">
                {partial ? `${formatCount(spans.length)} of ${formatCount(total)} spans read` : `${formatCount(total)} spans`}
              </span>
              {failed.length > 0 ? (
                <button type="button" aria-pressed={onlyErrors} className="min-h-6 whitespace-nowrap text-accent aria-pressed:font-semibold" onClick={() => set({ only: onlyErrors ? undefined : 'errors' })}>
                  {onlyErrors ? 'all spans' : 'only errors'}
                </button>
              ) : null}
              <input
                ref={findInput}
                className={`${inputClass} ml-auto !h-6 max-w-52`}
                placeholder="find a span  /"
                aria-label="Find a span by name, model, kind or id"
                value={find}
                onChange={(event) => {
                  setFind(event.target.value)
                  set({ find: event.target.value || undefined })
                }}
                onKeyDown={(event) => {
                  if (event.key === 'Enter') select(nextOf(hits, selected, event.shiftKey ? -1 : 1))
                  if (event.key === 'Escape') event.currentTarget.blur()
                }}
              />
              {wanted ? <span role="status">{formatCount(hits.length)} found</span> : null}
            </div>
            {flame ? (
              <div className="min-h-0 flex-1 overflow-y-auto" tabIndex={0} role="region" aria-label="Where it went">
                <Flame spans={spans} ends={ends} measure={measure} onMeasure={(next) => set({ width: next })} root={root} onRoot={(index) => set({ root: index < 0 ? undefined : spans[index]?.id })} selected={selected} onSelect={select} theme={theme} />
                <ContextGrowth spans={spans} repeats={repeats} selected={selected} onSelect={select} />
                <Loops loops={repeats?.loops ?? []} selectedId={span.id} onSelect={(id) => set({ span: id })} />
                {repeats && !repeats.complete ? <p className="px-3.5 py-2 text-label text-faint">What was said before is told of the first spans only: the trace is too large to be read whole.</p> : null}
              </div>
            ) : (
              <SpanTree spans={spans} ends={ends} rows={rows} window={zoom ?? whole} origin={whole.start} selected={selected} collapsed={collapsed} onSelect={select} onToggle={toggle} onOpenFold={(first) => setOpened(new Set([...opened, first]))} />
            )}
          </section>
        ) : null}
        <section aria-label="Selected span" className="flex min-h-0 min-w-0 flex-1 flex-col bg-surface max-md:flex-[1_0_30rem]">
          <SpanPane span={span} payload={payload.data} pending={payload.isPending} error={payload.error} onRetry={() => void payload.refetch()} tab={tab} onTab={(next) => set({ tab: next })} raw={(p) => <RawTab key={span.id} projectId={projectId} spanId={span.id} parts={partsOf(p)} />} cost={() => <CostTab projectId={projectId} span={span} share={sums.costNanoUsd && span.costNanoUsd && span.counted ? formatRate(span.costNanoUsd / sums.costNanoUsd) : null} zone={zone} />} before={before} keys={keys} />
        </section>
      </div>
    </div>
  )
}

/** How a model call is told from others: by the step that it belongs to, where it has one. */
function stepName(spans: readonly Span[], span: Span): string {
  const above = ancestors(spans, span.index).at(-1)
  const parent = above === undefined || above === 0 ? undefined : spans[above]
  return parent?.name ?? span.name
}

/** Ways to ask a provider the same again. Keys are the shell's: a copy never holds one. */
const copies: [string, (model: string, payload: Payload) => string][] = [
  ['as a request to OpenAI', (model, p) => asCurl('https://api.openai.com/v1/chat/completions', ['Authorization: Bearer $OPENAI_API_KEY'], asOpenAI(model, askedOf(p), p.parameters, toolsGiven(p)))],
  ['as a request to Anthropic', (model, p) => asCurl('https://api.anthropic.com/v1/messages', ['x-api-key: $ANTHROPIC_API_KEY', 'anthropic-version: 2023-06-01'], asAnthropic(model, askedOf(p), p.parameters, toolsGiven(p)))],
  ['as Markdown', (_, p) => asMarkdown(conversationOf(p))],
]

function matches(span: Span, wanted: string): boolean {
  return [span.name, span.model, span.kind, span.id].some((value) => value?.toLowerCase().includes(wanted))
}

/** Zoom as it stands in the URL: milliseconds from the begin of the trace, "1200..3400". */
function readZoom(text: string | undefined, whole: Bounds): Bounds | null {
  const match = /^(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)$/.exec(text ?? '')
  if (!match) return null
  const zoom = { start: whole.start + Number(match[1]), end: whole.start + Number(match[2]) }
  return zoom.end > zoom.start ? zoom : null
}

const printZoom = (zoom: Bounds, whole: Bounds) => `${(zoom.start - whole.start).toFixed(1)}..${(zoom.end - whole.start).toFixed(1)}`
