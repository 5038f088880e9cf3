import { describe, expect, it } from 'vitest'
import { foldWork, workLine } from './work'

describe('workLine', () => {
  it.each([
    [{ spans: 496, toolCalls: 165, failedTools: 1, worst: 'run_sql' }, '165 tool calls, 1 failed (run_sql)'],
    [{ spans: 3, toolCalls: 1, failedTools: 0, worst: null }, '1 tool call'],
    [{ spans: 3, toolCalls: 0, failedTools: 0, worst: 'chat' }, '3 steps'],
    [{ spans: 1, toolCalls: 0, failedTools: 0, worst: null }, null],
  ])('%j', (done, line) => expect(workLine(done)).toBe(line))
})

describe('foldWork', () => {
  const step = (id: string, kind: string, name: string, durationMs: number, failed = false, counted = true) => ({ id, kind, name, durationMs, failed, counted })
  it('adds up by name, what failed first', () => {
    const work = foldWork([
      step('root', 'agent_run', 'agent', 900), step('1', 'llm_call', 'chat', 400), step('2', 'tool_use', 'search', 10), step('3', 'llm_call', 'chat', 500), step('4', 'tool_use', 'sql', 5),
      step('5', 'tool_use', 'sql', 7, true), step('6', 'tool_use', 'sql', 90), step('7', 'llm_call', 'chat', 500, false, false),
    ])
    expect(work).toEqual([
      { name: 'sql', kind: 'tool_use', count: 3, failed: 1, ms: 102, spanId: '5' },
      { name: 'chat', kind: 'llm_call', count: 2, failed: 0, ms: 900, spanId: '3' },
      { name: 'search', kind: 'tool_use', count: 1, failed: 0, ms: 10, spanId: '2' },
    ])
  })
  it('shows steps where nothing was called', () => {
    expect(foldWork([step('root', 'chain', 'run', 9), step('1', 'chain', 'one', 4)]).map((w) => w.name)).toEqual(['one'])
    expect(foldWork([])).toEqual([])
  })
})
