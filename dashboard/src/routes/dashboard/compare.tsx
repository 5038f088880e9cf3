import { useQueries } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import * as z from 'zod/mini'
import { FactTable } from '@/components/compare/FactTable'
import { StepList, stepRows } from '@/components/compare/StepList'
import { TextDiff } from '@/components/compare/TextDiff'
import { answeredOf, askedOf } from '@/components/conversation/said'
import { PageHeader } from '@/components/frame/PageHeader'
import { Button } from '@/components/ui/Button'
import { Empty } from '@/components/ui/state/Empty'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { Tabs } from '@/components/ui/Tabs'
import { useKeys } from '@/hooks/useKeys'
import { useProject } from '@/hooks/useProject'
import { useTree } from '@/hooks/useTree'
import { useZone } from '@/hooks/useZone'
import { alignSteps, difference, openingPair } from '@/lib/diff/align'
import { absoluteTime, formatCount, formatDuration, formatMoney } from '@/lib/format/format'
import { asMarkdown } from '@/lib/messages/print'
import { optionalText } from '@/lib/search/search'
import { bounds } from '@/lib/tree/tree'
import { sumsOf } from '@/lib/tree/sums'
import { payloadQuery, type Payload, type Span } from '@/services/spans'

export const Route = createFileRoute('/dashboard/compare')({
  validateSearch: z.object({ a: optionalText(), b: optionalText(), step: optionalText(), tab: optionalText() }),
  component: ComparePage,
})

function ComparePage() {
  const { a, b } = Route.useSearch()
  if (!a || !b) {
    return (
      <Empty title="Two traces are needed">
        Press <b>m</b> on one trace and again on another, or <b>Compare with last good</b> on a trace.{' '}
        <Link to="/dashboard/traces" className="text-accent underline">
          Traces
        </Link>
      </Empty>
    )
  }
  return <Loader key={`${a} ${b}`} a={a} b={b} />
}

function Loader({ a, b }: { a: string; b: string }) {
  const project = useProject()
  const left = useTree(project.id, a)
  const right = useTree(project.id, b)
  const failed = left.error ? { ...left, what: 'Trace A' } : right.error ? { ...right, what: 'Trace B' } : null
  if (failed?.error) return <ErrorState error={failed.error} what={failed.what} onRetry={failed.retry} />
  if (!left.complete || !right.complete) return <Loading rows={20} label="Loading both traces" />
  return <Compare projectId={project.id} a={a} b={b} left={left.spans} right={right.spans} />
}

interface CompareProps {
  projectId: string
  a: string
  b: string
  left: Span[]
  right: Span[]
}

function Compare({ projectId, a, b, left, right }: CompareProps) {
  const search = Route.useSearch()
  const navigate = useNavigate()
  const zone = useZone()
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set())
  const set = (values: Record<string, string | undefined>) => void navigate({ to: '.', search: (old) => ({ ...old, ...values }), replace: true })

  const pairs = useMemo(() => alignSteps(left, right), [left, right])
  const named = search.step === undefined ? -1 : pairs.findIndex((p) => (p.left !== null && left[p.left]?.id === search.step) || (p.right !== null && right[p.right]?.id === search.step))
  const selected = useMemo(() => (named >= 0 ? named : openingPair(pairs, left, right)), [named, pairs, left, right])
  const rows = useMemo(() => stepRows(pairs, left, right, selected, opened), [pairs, left, right, selected, opened])
  const pair = pairs[selected]
  const one = pair?.left === null || pair === undefined ? undefined : left[pair.left]
  const other = pair?.right === null || pair === undefined ? undefined : right[pair.right]
  const payloads = useQueries({
    queries: [
      { ...payloadQuery(projectId, a, one ?? { id: '', index: 0 }), enabled: one !== undefined },
      { ...payloadQuery(projectId, b, other ?? { id: '', index: 0 }), enabled: other !== undefined },
    ],
  })
  const pending = (one !== undefined && payloads[0].isPending) || (other !== undefined && payloads[1].isPending)
  const broken = payloads.find((p) => p.error)

  const select = (place: number | undefined) => {
    const at = place === undefined ? undefined : pairs[place]
    const id = at === undefined ? undefined : at.right !== null ? right[at.right]?.id : at.left !== null ? left[at.left]?.id : undefined
    if (id) set({ step: id })
  }
  const move = (step: 1 | -1, wanted: (place: number) => boolean) => {
    for (let i = selected + step; i >= 0 && i < pairs.length; i += step) if (wanted(i)) return select(i)
  }
  const differs = (place: number) => {
    const at = pairs[place]
    return at !== undefined && difference(at.left === null ? undefined : left[at.left], at.right === null ? undefined : right[at.right]) !== 'same'
  }
  const shown = (place: number) => rows.some((row) => row.type === 'pair' && row.place === place)
  const swap = () => void navigate({ to: '/dashboard/compare', search: { a: b, b: a, tab: search.tab, step: search.step } })
  const differing = pairs.reduce((n, _, i) => n + (differs(i) ? 1 : 0), 0)
  const tabs = ['input', 'output', 'parameters']
  useKeys({
    j: () => move(1, shown), ArrowDown: () => move(1, shown), k: () => move(-1, shown), ArrowUp: () => move(-1, shown),
    e: () => move(1, differs), E: () => move(-1, differs), x: swap,
    ...Object.fromEntries(tabs.map((tab, i) => [String(i + 1), () => set({ tab })])),
  })

  const texts = (of: (payload: Payload) => string) => [payloads[0].data && one ? of(payloads[0].data) : '', payloads[1].data && other ? of(payloads[1].data) : ''] as const
  const diff = (what: string, of: (payload: Payload) => string) => () => {
    if (broken?.error) return <ErrorState error={broken.error} what="The step" onRetry={() => void broken.refetch()} />
    if (pending) return <Loading rows={6} rowHeight={40} label="Loading the step" />
    const [before, after] = texts(of)
    return <TextDiff before={before} after={after} what={what} />
  }
  return (
    <>
      <PageHeader
        title={
          <>
            <Link to="/dashboard/traces" className="inline-flex min-h-6 items-center text-muted no-underline hover:underline">
              Traces
            </Link>
            <span className="text-faint">/</span>
            Compare
            <span className="font-normal text-muted">{differing === 0 ? 'no step differs' : differing === 1 ? '1 step differs' : `${formatCount(differing)} steps differ`}</span>
          </>
        }
      >
        <Button title="Swap A and B  x" onClick={swap}>
          A ⇄ B
        </Button>
      </PageHeader>
      <FactTable facts={factsOf({ id: a, spans: left }, { id: b, spans: right }, (at) => absoluteTime(at, zone))} />
      <div className="flex min-h-0 flex-1 max-md:flex-col">
        <section aria-label="Steps" className="flex min-h-0 w-[52%] flex-none flex-col border-r bg-surface max-md:h-[45%] max-md:w-full max-md:border-b max-md:border-r-0">
          <StepList pairs={pairs} left={left} right={right} rows={rows} selected={selected} onSelect={select} onOpenFold={(first) => setOpened(new Set([...opened, first]))} />
        </section>
        <section aria-label="What the step was told and answered" className="flex min-h-0 min-w-0 flex-1 flex-col bg-surface">
          <Tabs
            label="Compared"
            value={tabs.find((t) => t === search.tab) ?? 'input'}
            onChange={(tab) => set({ tab })}
            end={one && other ? (one.name === other.name ? one.name : `${one.name} → ${other.name}`) : `only in ${one ? 'A' : 'B'}`}
            tabs={[
              { id: 'input', label: 'Input', content: diff('input', inputText) },
              { id: 'output', label: 'Output', content: diff('output', outputText) },
              { id: 'parameters', label: 'Parameters', content: diff('parameters', parameterText) },
            ]}
          />
        </section>
      </div>
    </>
  )
}

const json = (value: unknown): string => (value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value, null, 2))
const inputText = (p: Payload) => (p.toolInput !== null ? json(p.toolInput) : asMarkdown(askedOf(p)))
const outputText = (p: Payload) => [p.statusMessage ?? '', json(p.error), p.toolResponse !== null ? json(p.toolResponse) : asMarkdown(answeredOf(p))].filter(Boolean).join('\n\n')
const parameterText = (p: Payload) => [p.detail?.provider ?? '', json(p.parameters), p.tools === null ? '' : json(p.tools)].filter(Boolean).join('\n')

interface Side {
  id: string
  spans: Span[]
}

const summed = ({ id, spans }: Side) => ({ id, root: spans[0], wall: bounds(spans), sums: sumsOf(spans) })

function factsOf(a: Side, b: Side, time: (at: Date) => string) {
  const [left, right] = [summed(a), summed(b)]
  const fact = (label: string, of: (side: ReturnType<typeof summed>) => number | null, print: (n: number | null) => string) => {
    const [x, y] = [of(left), of(right)]
    const by = x === null || y === null ? null : y - x
    const sign = by !== null && by > 0 ? '+' : '−'
    return { label, left: print(x), right: print(y), change: by === null || by === 0 ? '' : `${sign}${print(Math.abs(by))}`, worse: by !== null && x !== null && by > 0.2 * Math.max(x, 1) }
  }
  const name = (side: ReturnType<typeof summed>) => (
    <Link to="/dashboard/traces/$traceId" params={{ traceId: side.id }} className="user-text inline-block min-h-6 max-w-56 truncate align-bottom leading-6 text-accent underline" dir="auto" title={side.root?.name}>
      {side.root?.name ?? side.id}
    </Link>
  )
  return [
    { label: 'trace', left: name(left), right: name(right) },
    { label: 'started', left: time(new Date(left.wall.start)), right: time(new Date(right.wall.start)) },
    fact('wall clock', (s) => s.wall.end - s.wall.start, formatDuration),
    fact('first token', (s) => s.sums.ttftMs, formatDuration),
    fact('cost', (s) => s.sums.costNanoUsd, formatMoney),
    fact('tokens in', (s) => s.sums.inputTokens, formatCount),
    fact('tokens out', (s) => s.sums.outputTokens, formatCount),
    fact('model calls', (s) => s.sums.calls, formatCount),
    fact('tools', (s) => s.sums.tools, formatCount),
    { label: 'errors', left: errors(left.sums.errors), right: errors(right.sums.errors) },
    { label: 'model', left: left.sums.model ?? '—', right: right.sums.model ?? '—' },
  ]
}

const errors = (n: number) => (n > 0 ? <span className="font-semibold text-error">✕ {formatCount(n)}</span> : '0')
