import { describe, expect, it } from 'vitest'
import { agentRows, isPart, sumOf, type AgentSpan } from './agent'

let n = 0
const span = (at: number, kind: string, event: string, more: Partial<AgentSpan> = {}): AgentSpan => ({
  id: `s${n++}`, traceId: 't', at, durationMs: null, kind, event, failed: false, interrupted: false, toolUseId: null, toolName: null, toolInput: null, error: null, agentName: null, model: null, tokens: null,
  costNanoUsd: null, outputText: null, metadata: null, ...more,
})
const tool = (at: number, event: string, toolUseId: string, toolName: string, toolInput: unknown, more: Partial<AgentSpan> = {}) => span(at, 'tool_use', event, { toolUseId, toolName, toolInput, ...more })

describe('agentRows', () => {
  it('makes one row of what came before and after a tool', () => {
    const rows = agentRows([
      tool(0, 'pre_tool_use', 'a', 'Edit', { file_path: '/x.ts' }),
      tool(5, 'pre_tool_use', 'b', 'Bash', { command: 'make test' }),
      tool(30, 'post_tool_use', 'a', 'Edit', { file_path: '/x.ts' }),
      tool(905, 'post_tool_use_failure', 'b', 'Bash', { command: 'make test' }, { failed: true, error: { message: 'exit 2' } }),
      tool(910, 'pre_tool_use', 'c', 'Read', { file_path: '/y.ts' }),
    ])
    expect(rows.map((r) => [r.kind, r.name, r.text, r.durationMs, r.failed, r.error, r.open])).toEqual([
      ['edit', 'Edit', '/x.ts', 30, false, null, false],
      ['command', 'Bash', 'make test', 900, true, 'exit 2', false],
      ['tool', 'Read', '/y.ts', null, false, null, true],
    ])
  })

  it('waits until something else happens, and does not take the tool for the wait', () => {
    const rows = agentRows([
      tool(0, 'pre_tool_use', 'a', 'Bash', { command: ['rm', '-r', 'x'] }),
      tool(10, 'permission_request', 'a', 'Bash', { command: ['rm', '-r', 'x'] }),
      span(20, 'notification', 'notification', { metadata: { message: 'Claude needs your permission to use Bash' } }),
      tool(60_020, 'post_tool_use', 'a', 'Bash', null),
      span(60_030, 'notification', 'notification', { metadata: { message: 'done' } }),
      span(60_040, 'notification', 'notification', { metadata: { raw: { message: 'Claude is waiting for your input' } } }),
    ])
    expect(rows.map((r) => [r.kind, r.durationMs, r.open])).toEqual([['command', 60_020, false], ['wait', 10, false], ['wait', 60_000, false], ['notice', null, false], ['wait', null, true]])
    expect(rows[1]?.text).toBe('Bash rm -r x')
    expect(sumOf(rows)).toMatchObject({ commands: 1, waits: 3, waitedMs: 60_010, edits: 0 })
  })

  it('joins a sub-agent with its end, twice', () => {
    const rows = agentRows([
      span(0, 'agent_run', 'subagent_start', { agentName: 'reviewer' }), span(50, 'agent_run', 'subagent_stop', { agentName: 'reviewer' }),
      span(60, 'agent_run', 'subagent_start', { agentName: 'reviewer' }), span(90, 'agent_run', 'subagent_stop', { agentName: 'reviewer', failed: true }),
      span(99, 'agent_run', 'subagent_stop', { agentName: 'other' }),
      tool(100, 'post_tool_use', 'z', 'Task', { subagent_type: 'planner', description: 'plan it' }, { durationMs: 7 }),
    ])
    expect(rows.map((r) => [r.kind, r.name, r.durationMs, r.failed])).toEqual([['agent', 'reviewer', 50, false], ['agent', 'reviewer', 30, true], ['agent', 'other', null, false], ['agent', 'planner', 7, false]])
    expect(rows.filter((r) => isPart(r, 'errors'))).toHaveLength(1)
    expect(rows.filter((r) => isPart(r, undefined))).toHaveLength(4)
  })

  it('takes whatever comes', () => {
    const rows = agentRows([
      span(0, 'user_prompt', 'user_prompt_submit', { metadata: { prompt: 'Fix it' } }), span(1, 'llm_response', 'assistant_message', { model: 'm', outputText: 'Done', tokens: 4 }),
      span(2, 'session', 'session_end', { metadata: 'x' }), tool(3, 'post_tool_use', 'q', 'odd', [1, 2]), span(4, 'strange', 'e.x', { metadata: [] }),
    ])
    expect(rows.map((r) => [r.kind, r.name, r.text])).toEqual([['prompt', 'prompt', 'Fix it'], ['model', 'm', 'Done'], ['session', 'session end', ''], ['tool', 'odd', '[1,2]'], ['notice', 'e x', '']])
    expect(sumOf([])).toMatchObject({ files: [], errors: 0 })
  })
  it('counts files', () => {
    const rows = agentRows([tool(0, 'post_tool_use', '1', 'Write', { file_path: '/b' }), tool(1, 'post_tool_use', '2', 'Edit', { file_path: '/a' }), tool(2, 'post_tool_use', '3', 'Edit', { file_path: '/a' })])
    expect(sumOf(rows).files).toEqual([{ path: '/a', edits: 2 }, { path: '/b', edits: 1 }])
  })
})
