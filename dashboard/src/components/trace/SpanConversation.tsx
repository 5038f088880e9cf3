import { useMemo } from 'react'
import { formatCount, formatDuration } from '@/lib/format/format'
import { samePrefix } from '@/lib/messages/prefix'
import type { Payload, Span } from '@/services/spans'
import { Conversation, Text, TextMode } from '../conversation/Conversation'
import { conversationOf } from '../conversation/said'
import { Copy } from '../ui/Copy'
import { Json } from '../ui/Json'
import { Failure } from './Failure'
import { lookOf } from './kinds'

export interface Before {
  name: string
  payload: Payload
  /** Tokens that both were told, estimated. */
  tokens: number | null
}

/** What was said in a span, or what a tool was given and gave; what failed stands above it. */
export function SpanConversation({ span, payload, before }: { span: Span; payload: Payload; before: Before | null }) {
  const messages = useMemo(() => conversationOf(payload), [payload])
  // The last message is always shown, and one alone is not worth a fold.
  const same = useMemo(() => (before ? Math.min(samePrefix(conversationOf(before.payload), messages), messages.length - 1) : 0), [before, messages])
  const look = lookOf(span)
  const tool = payload.toolInput !== null || payload.toolResponse !== null
  return (
    <>
      <Failure span={span} payload={payload} />
      {tool ? (
        <>
          <Section title={`${look.letter} ${payload.detail?.toolName ?? span.name}`} value={payload.toolInput} />
          <Section title="result" value={payload.toolResponse} />
        </>
      ) : null}
      <Conversation
        key={span.id}
        messages={messages}
        before={before && same > 1 ? { count: same, where: `${formatCount(same)} messages${before.tokens === null ? '' : `, about ${formatCount(before.tokens)} tok,`} unchanged since ${before.name}` } : undefined}
        note={(i) => (i === messages.length - 1 && span.outputTokens !== null ? <div>{formatCount(span.outputTokens)} tok</div> : null)}
      />
      {!tool && messages.length === 0 ? <p className="px-3.5 py-8 text-center text-muted">Nothing was said here. {!span.failed && (look.letter === 'C' || look.letter === 'A') ? 'A step carries no messages; its model calls below do.' : ''}</p> : null}
      <div className="flex items-center justify-between gap-3 px-3.5 py-2">
        <p className="text-label text-faint">
          {[look.name, span.model, span.ttftMs !== null ? `first token after ${formatDuration(span.ttftMs)}` : null, span.durationMs !== null ? formatDuration(span.durationMs) : 'no end was told', payload.detail?.finishReason ? `finished: ${payload.detail.finishReason}` : null]
            .filter(Boolean)
            .join(' · ')}
        </p>
        {messages.length > 0 ? <TextMode /> : null}
      </div>
    </>
  )
}

/** A value of a span under its name. */
export function Section({ title, value }: { title: string; value: unknown }) {
  if (value === null || value === undefined) return null
  return (
    <section className="border-b px-3.5 py-2">
      <div className="flex items-center justify-between">
        <h3 className="text-label text-faint">{title}</h3>
        <Copy text={typeof value === 'string' ? value : JSON.stringify(value, null, 2)} label={`Copy ${title}`} quiet />
      </div>
      {typeof value === 'string' ? <Text text={value} quiet={false} /> : <Json value={value} />}
    </section>
  )
}
