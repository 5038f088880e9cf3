import { useMemo, type ReactNode } from 'react'
import { labelOf, type KeyNames } from '@/lib/filter/label'
import { formatCount } from '@/lib/format/format'
import type { Payload, Span } from '@/services/spans'
import { Text } from '../conversation/Conversation'
import { Json } from '../ui/Json'
import { ErrorState } from '../ui/state/ErrorState'
import { Loading } from '../ui/state/Loading'
import { Tabs } from '../ui/Tabs'
import { Section, SpanConversation, type Before } from './SpanConversation'

export type PaneTab = 'conversation' | 'io' | 'cost' | 'attributes' | 'raw'

interface SpanPaneProps {
  span: Span
  payload: Payload | undefined
  pending: boolean
  error: Error | null
  onRetry: () => void
  tab: PaneTab
  onTab: (tab: PaneTab) => void
  /** What the tab of stored bytes shows. */
  raw: (payload: Payload) => ReactNode
  /** What the tab of the cost shows. */
  cost: () => ReactNode
  /** The call whose conversation this one goes on with. */
  before: Before | null
  keys: KeyNames | undefined
}

/** One span: what was said, what went in and out, what it cost, and all the rest. */
export function SpanPane({ span, payload, pending, error, onRetry, tab, onTab, raw, cost, before, keys }: SpanPaneProps) {
  const attributes = useMemo(() => rowsOf(payload?.attributes), [payload])
  const with_ = (content: (payload: Payload) => ReactNode) => () => {
    if (error) return <ErrorState error={error} what="The span's content" onRetry={onRetry} />
    if (pending || !payload) return <Loading rows={6} rowHeight={40} label="Loading the span" />
    return (
      <>
        {payload.truncated ? <p className="border-b bg-sunken px-3.5 py-2 text-warn">Too large for one answer. The API gives it in full: GET /v1/spans/{span.id}</p> : null}
        {content(payload)}
      </>
    )
  }
  return (
    <Tabs
      label="Views of the span"
      value={tab}
      onChange={(id) => onTab(id as PaneTab)} // the ids are those below
      end={span.name}
      tabs={[
        { id: 'conversation', label: 'Conversation', content: with_((p) => <SpanConversation span={span} payload={p} before={before} />) },
        { id: 'io', label: 'Input / output', content: with_((p) => <InputOutput payload={p} />) },
        { id: 'cost', label: 'Cost', content: cost },
        { id: 'attributes', label: `Attributes${attributes.length > 0 ? ` ${formatCount(attributes.length)}` : ''}`, content: with_((p) => <AttributesTab span={span} payload={p} attributes={attributes} keys={keys} />) },
        { id: 'raw', label: 'Raw', content: with_(raw) },
      ]}
    />
  )
}

function InputOutput({ payload }: { payload: Payload }) {
  const sections: [string, unknown][] = [
    ['error', payload.error],
    ['request', payload.request],
    ['input', payload.inputMessages],
    ['tool input', payload.toolInput],
    ['response', payload.response],
    ['output', payload.outputMessages ?? payload.outputText],
    ['tool result', payload.toolResponse],
    ['parameters', payload.parameters],
    ['tools', payload.tools],
  ]
  const there = sections.filter(([, value]) => value !== null && value !== undefined)
  return there.length > 0 ? there.map(([title, value]) => <Section key={title} title={title} value={value} />) : <p className="px-3.5 py-8 text-center text-muted">This span carries neither input nor output.</p>
}

function rowsOf(attributes: unknown): [string, unknown][] {
  return typeof attributes === 'object' && attributes !== null ? Object.entries(attributes) : []
}

const shownAttributes = 500

function AttributesTab({ span, payload, attributes, keys }: { span: Span; payload: Payload; attributes: [string, unknown][]; keys: KeyNames | undefined }) {
  const d = payload.detail
  const own: [string, unknown][] = [
    ['span id', span.id], ['parent', d?.parentId], ['kind', span.kind], ['operation', d?.operation], ['service', d?.service], ['provider', d?.provider], ['model', span.model],
    ['agent', d?.agentName], ['tool call', d?.toolCallId], ['session', d?.sessionId], ['user', d?.userId], ['environment', d?.environment], ['release', d?.release], ['API key', d?.apiKeyId ? labelOf('key', d.apiKeyId, keys) : null],
    ['tags', d && d.tags.length > 0 ? d.tags.join(', ') : null], ['request of the provider', d?.providerRequestId], ['instrumentation', d?.scope],
  ]
  return (
    <>
      <Table title="Span" rows={own.filter(([, value]) => value !== null && value !== undefined)} />
      <Table title="Attributes" rows={attributes} />
      <Table title="Metadata" rows={rowsOf(payload.metadata)} />
      <Table title="Resource" rows={rowsOf(payload.resource)} />
      {[['events', payload.events], ['links', payload.links]].map(([title, value]) => (Array.isArray(value) && value.length === 0 ? null : <Section key={String(title)} title={String(title)} value={value} />))}
    </>
  )
}

function Table({ title, rows }: { title: string; rows: [string, unknown][] }) {
  if (rows.length === 0) return null
  return (
    <section className="border-b px-3.5 py-2">
      <h3 className="text-label text-faint">{title}</h3>
      <dl className="grid grid-cols-[minmax(120px,38%)_1fr] gap-x-3">
        {rows.slice(0, shownAttributes).map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="user-text text-muted">{name}</dt>
            <dd className="user-text min-w-0 font-mono text-[12px]">{typeof value === 'object' && value !== null ? <Json value={value} /> : <Text text={String(value)} quiet={false} mono />}</dd>
          </div>
        ))}
      </dl>
      {rows.length > shownAttributes ? <p className="text-muted">{formatCount(rows.length - shownAttributes)} more are in Raw.</p> : null}
    </section>
  )
}
