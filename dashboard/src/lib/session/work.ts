import { formatCount } from '../format/format'

interface Done {
  spans: number
  toolCalls: number
  failedTools: number
  /** The span that failed first. */
  worst: string | null
}

/** What was done between a question and its answer, in a line; null for a call that only answered. */
export function workLine({ spans, toolCalls, failedTools, worst }: Done): string | null {
  const calls = (n: number, what: string) => `${formatCount(n)} ${what}${n === 1 ? '' : 's'}`
  if (toolCalls > 0) return `${calls(toolCalls, 'tool call')}${failedTools > 0 ? `, ${formatCount(failedTools)} failed${worst ? ` (${worst})` : ''}` : ''}`
  return spans > 1 ? calls(spans, 'step') : null
}

interface Step {
  id: string
  name: string
  kind: string
  durationMs: number | null
  failed: boolean
  counted: boolean
}

/** What was called more than once, as one. */
export interface Work {
  name: string
  kind: string
  count: number
  failed: number
  ms: number
  /** The span to look at: the first that failed, else the longest. */
  spanId: string
}

const called = new Set(['tool_use', 'llm_call', 'embedding', 'retrieval', 'rerank', 'guardrail', 'evaluator'])

/** The calls of a turn by name: what failed first, then what took longest. Steps that only hold others are left out, unless there is nothing else. */
export function foldWork(steps: readonly Step[]): Work[] {
  const calls = steps.filter((step) => called.has(step.kind) && step.counted)
  const byName = new Map<string, Work>()
  const longest = new Map<Work, number>()
  for (const step of calls.length > 0 ? calls : steps.slice(1)) {
    const key = `${step.kind} ${step.name}`
    const work = byName.get(key) ?? { name: step.name, kind: step.kind, count: 0, failed: 0, ms: 0, spanId: step.id }
    const ms = step.durationMs ?? 0
    work.count++
    work.ms += ms
    if (step.failed ? work.failed === 0 : work.failed === 0 && ms > (longest.get(work) ?? -1)) work.spanId = step.id
    longest.set(work, Math.max(longest.get(work) ?? -1, ms))
    if (step.failed) work.failed++
    byName.set(key, work)
  }
  return [...byName.values()].toSorted((a, b) => Number(b.failed > 0) - Number(a.failed > 0) || b.ms - a.ms)
}
