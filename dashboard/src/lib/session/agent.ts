import type { agentParts } from '../search/names'

/** A span of a session, as far as a timeline of what an agent did asks. Times are milliseconds. */
export interface AgentSpan {
  id: string
  traceId: string | null
  at: number
  durationMs: number | null
  kind: string
  /** What a hook or exporter called it: "pre_tool_use", "notification" … */
  event: string
  failed: boolean
  interrupted: boolean
  toolUseId: string | null
  toolName: string | null
  toolInput: unknown
  error: unknown
  agentName: string | null
  model: string | null
  tokens: number | null
  costNanoUsd: number | null
  outputText: string | null
  metadata: unknown
}

export type AgentRowKind = 'prompt' | 'edit' | 'command' | 'tool' | 'wait' | 'agent' | 'model' | 'session' | 'notice'

/** A thing that an agent did, or waited for. */
export interface AgentRow {
  id: string
  traceId: string | null
  kind: AgentRowKind
  at: number
  /** Null where nobody told, and nothing else says. */
  durationMs: number | null
  name: string
  text: string
  failed: boolean
  error: string | null
  /** Begun, and no end was told. */
  open: boolean
  tokens: number | null
  costNanoUsd: number | null
}

type Fields = Record<string, unknown>
const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

function textIn(value: unknown, ...names: string[]): string | null {
  if (!isObject(value)) return null
  for (const name of names) {
    const field = value[name]
    if (typeof field === 'string' && field !== '') return field
    if (Array.isArray(field) && field.length > 0 && field.every((part) => typeof part === 'string')) return field.join(' ') // a command in its words
  }
  return null
}

const metaText = (span: AgentSpan, name: string) => textIn(span.metadata, name) ?? (isObject(span.metadata) ? textIn(span.metadata['raw'], name) : null)

const editors = new Set(['Edit', 'Write', 'MultiEdit', 'NotebookEdit', 'apply_patch', 'edit', 'write', 'patch'])
const shells = new Set(['Bash', 'bash', 'shell', 'local_shell', 'exec_command', 'unified_exec'])
const waits = /permission|waiting for your|approv|blocked_on_user/i

/** Of a tool's input what names it best: the file, the command, or the begin of all. */
function argument(input: unknown): string {
  const named = textIn(input, 'file_path', 'notebook_path', 'path', 'command', 'cmd', 'pattern', 'query', 'url', 'description', 'prompt')
  if (named !== null) return named
  if (typeof input === 'string') return input
  return input === null || input === undefined ? '' : (JSON.stringify(input) ?? '')
}

function errorText(error: unknown): string | null {
  if (typeof error === 'string') return error === '' ? null : error
  return error === null || error === undefined ? null : (textIn(error, 'message', 'error', 'stderr') ?? JSON.stringify(error) ?? null)
}

function kindOf(span: AgentSpan): AgentRowKind {
  if (span.event === 'permission_request' || waits.test(span.event) || (span.kind === 'notification' && waits.test(metaText(span, 'message') ?? ''))) return 'wait'
  switch (span.kind) {
    case 'tool_use':
      if (editors.has(span.toolName ?? '')) return 'edit'
      if (shells.has(span.toolName ?? '')) return 'command'
      return span.toolName === 'Task' || textIn(span.toolInput, 'subagent_type') !== null ? 'agent' : 'tool'
    case 'agent_run':
      return 'agent'
    case 'user_prompt':
      return 'prompt'
    case 'llm_call':
    case 'llm_response':
      return 'model'
    case 'notification':
      return 'notice'
    case 'session':
      return 'session'
  }
  return 'notice'
}

const words = (event: string) => event.replaceAll(/[_.]/g, ' ')

function rowOf(span: AgentSpan): AgentRow {
  const kind = kindOf(span)
  const named: Record<AgentRowKind, [string, string]> = {
    prompt: ['prompt', metaText(span, 'prompt') ?? argument(span.toolInput)],
    edit: [span.toolName ?? 'edit', argument(span.toolInput)],
    command: [span.toolName ?? 'command', argument(span.toolInput)],
    tool: [span.toolName ?? words(span.event), argument(span.toolInput)],
    wait: ['waits for permission', metaText(span, 'message') ?? [span.toolName, argument(span.toolInput)].filter(Boolean).join(' ')],
    agent: [span.agentName ?? textIn(span.toolInput, 'subagent_type') ?? 'sub-agent', textIn(span.toolInput, 'description', 'prompt') ?? ''],
    model: [span.model ?? 'model', span.outputText ?? ''],
    notice: [words(span.event), metaText(span, 'message') ?? ''],
    session: [words(span.event), metaText(span, 'reason') ?? ''],
  }
  const [name, text] = named[kind]
  return {
    id: span.id, traceId: span.traceId, kind, at: span.at, durationMs: span.durationMs, name, text, failed: span.failed,
    error: span.failed ? (errorText(span.error) ?? (span.interrupted ? 'interrupted' : null)) : null, open: false, tokens: span.tokens, costNanoUsd: span.costNanoUsd,
  }
}

/** Which spans tell of one thing: those of a tool's use, and the begin and end of a sub-agent. */
function pairKey(span: AgentSpan): string | null {
  if (span.event === 'permission_request') return null // beside the tool it asks for
  if (span.kind === 'tool_use' && span.toolUseId) return `tool ${span.toolUseId}`
  if (/^subagent_(start|stop)$/.test(span.event)) return `agent ${metaText(span, 'agent_id') ?? span.agentName ?? ''}`
  return null
}

const begins = /^(pre_tool_use|tool_request|subagent_start)$/

/**
 * What an agent did, in its order: the spans before and after a tool's use are
 * one row, and a wait lasts until something else happens. Spans come by time.
 */
export function agentRows(spans: readonly AgentSpan[]): AgentRow[] {
  const rows: AgentRow[] = []
  const pairs = new Map<string, AgentRow>()
  spans.forEach((span, i) => {
    const key = pairKey(span)
    const before = key === null ? undefined : pairs.get(key)
    const row = rowOf(span)
    if (before) {
      before.open = false
      before.durationMs = before.durationMs === null && row.durationMs === null ? span.at - before.at : Math.max(before.durationMs ?? 0, row.durationMs ?? 0)
      before.failed ||= row.failed
      before.error ??= row.error
      before.text ||= row.text
      before.tokens ??= row.tokens
      before.costNanoUsd ??= row.costNanoUsd
      // Another sub-agent of the same name begins anew.
      if (span.event === 'subagent_stop' && key) pairs.delete(key)
      return
    }
    row.open = begins.test(span.event)
    if (row.kind === 'wait' && row.durationMs === null) {
      const next = spans[i + 1]
      row.open = next === undefined
      row.durationMs = next ? next.at - span.at : null
    }
    if (key !== null && span.event !== 'subagent_stop') pairs.set(key, row)
    rows.push(row)
  })
  return rows
}

export interface AgentSums {
  /** Files with how often each was edited, the most often first. */
  files: { path: string; edits: number }[]
  edits: number
  commands: number
  waits: number
  waitedMs: number
  agents: number
  errors: number
}

export function sumOf(rows: readonly AgentRow[]): AgentSums {
  const count = (kind: AgentRowKind) => rows.filter((row) => row.kind === kind).length
  const files = new Map<string, number>()
  for (const row of rows) if (row.kind === 'edit' && row.text !== '') files.set(row.text, (files.get(row.text) ?? 0) + 1)
  return {
    files: [...files].map(([path, edits]) => ({ path, edits })).toSorted((a, b) => b.edits - a.edits || a.path.localeCompare(b.path)),
    edits: count('edit'), commands: count('command'), waits: count('wait'), agents: count('agent'),
    waitedMs: rows.reduce((sum, row) => sum + (row.kind === 'wait' ? (row.durationMs ?? 0) : 0), 0),
    errors: rows.filter((row) => row.failed).length,
  }
}

/** Parts of a timeline that can be looked at alone, as the URL has them. */
export type AgentPart = (typeof agentParts)[number]

export function isPart(row: AgentRow, part: AgentPart | undefined): boolean {
  switch (part) {
    case 'edits':
      return row.kind === 'edit'
    case 'commands':
      return row.kind === 'command'
    case 'waits':
      return row.kind === 'wait'
    case 'agents':
      return row.kind === 'agent'
    case 'errors':
      return row.failed
  }
  return true
}
