import type { Span } from '@/services/spans'

export interface KindLook {
  letter: string
  name: string
  /** A colour token, by its CSS variable. */
  color: string
}

const looks = {
  model: { letter: 'L', name: 'model call', color: 'var(--kind-llm)' },
  tool: { letter: 'T', name: 'tool', color: 'var(--kind-tool)' },
  agent: { letter: 'A', name: 'agent', color: 'var(--kind-agent)' },
  user: { letter: 'U', name: 'prompt', color: 'var(--kind-user)' },
  chain: { letter: 'C', name: 'step', color: 'var(--kind-user)' },
  retrieval: { letter: 'R', name: 'retrieval', color: 'var(--kind-retrieval)' },
  embedding: { letter: 'E', name: 'embedding', color: 'var(--kind-embedding)' },
  session: { letter: 'S', name: 'session', color: 'var(--kind-session)' },
  notification: { letter: 'N', name: 'notification', color: 'var(--kind-notification)' },
  guardrail: { letter: 'G', name: 'guardrail', color: 'var(--kind-notification)' },
} satisfies Record<string, KindLook>

const byKind: Record<string, KindLook> = {
  llm_call: looks.model,
  llm_response: looks.model,
  tool_use: looks.tool,
  agent_run: looks.agent,
  user_prompt: looks.user,
  retrieval: looks.retrieval,
  rerank: looks.retrieval,
  embedding: looks.embedding,
  session: looks.session,
  notification: looks.notification,
  guardrail: looks.guardrail,
  evaluator: looks.guardrail,
}

/** How a span is drawn. The letter stands beside the colour, so that hue is never the only sign. */
export function lookOf(span: Pick<Span, 'kind'>): KindLook {
  return byKind[span.kind] ?? looks.chain
}
