import { lazy, Suspense, useState, type ReactNode } from 'react'
import { usePreference } from '@/hooks/usePreference'
import type { Message, Part } from '@/lib/messages/messages'
import { formatCount } from '@/lib/format/format'
import { wholeSlice } from '@/lib/text/slice'
import { visible } from '@/lib/text/visible'
import { Json } from '../ui/Json'
import { cx } from '../ui/classes'

const foldAt = 20 // lines
const markdownLimit = 200_000 // characters: beyond it a text stays text
const textLimit = 2_000 // characters that are shown before somebody asks for more
const textStep = 200_000 // that each time more are shown of
const messageStep = 200 // messages that are shown at first, the last ones, and each time more are asked for

const Markdown = lazy(() => import('./Markdown'))

interface ConversationProps {
  messages: Message[]
  note?: (index: number) => ReactNode
  /** How many of the first messages were said before, and where: they are one row until somebody asks for them. */
  before?: { count: number; where: ReactNode } | undefined
}

/** Messages in their order, as text or Markdown; JSON only where nothing else was said. */
export function Conversation({ messages, note, before }: ConversationProps) {
  const [mode] = usePreference('pulse.text', 'text')
  const [open, setOpen] = useState(false)
  const markdown = mode === 'markdown'
  // Of what was said before, the last thing that somebody asked stays: the rest is about it.
  const hidden = before && !open ? before.count : 0
  const asked = messages.findLastIndex((m, i) => i < hidden && m.role === 'user')
  const [steps, setSteps] = useState(1)
  const start = Math.max(messages.length - steps * messageStep, 0)
  // The first says what it is about, and the last question what is answered.
  const question = messages.findLastIndex((m) => m.role === 'user')
  const left = messages.filter((_, i) => i > 0 && i < start && i !== question).length
  return (
    <ol className="list-none">
      {before && before.count > 0 ? (
        <li className="border-b bg-sunken px-3.5 py-1.5 text-muted">
          {before.where} ·{' '}
          <button type="button" className="text-accent underline" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? 'hide' : 'show'}
          </button>
        </li>
      ) : null}
      {left > 0 && start > hidden ? (
        <li className="border-b bg-sunken px-3.5 py-1.5 text-muted">
          {formatCount(left)} earlier messages are left out ·{' '}
          <button type="button" className="text-accent underline" onClick={() => setSteps(steps + 1)}>
            show {formatCount(Math.min(messageStep, left))}
          </button>
        </li>
      ) : null}
      {messages.map((message, i) => (i < hidden && i !== asked) || (i < start && i > 0 && i !== question) ? null : (
        <li key={i} className="flex gap-3 border-b px-3.5 py-2">
          <div className="w-16 flex-none text-label text-faint">
            {message.role}
            {message.name ? <div className="truncate">{message.name}</div> : null}
            {note?.(i)}
          </div>
          <div className="min-w-0 flex-1">
            {message.parts.length === 0 ? <p className="text-faint">nothing</p> : message.parts.map((part, j) => <PartView key={j} part={part} quiet={message.role === 'system'} markdown={markdown} />)}
          </div>
        </li>
      ))}
    </ol>
  )
}

/** Whether what was said is shown as it was written, or as the Markdown it may be. */
export function TextMode() {
  const [mode, setMode] = usePreference('pulse.text', 'text')
  return (
    <span className="flex gap-2 text-label">
      {['text', 'markdown'].map((it) => (
        <button key={it} type="button" aria-pressed={it === mode} className={cx('h-6 min-w-6', it === mode ? 'font-semibold' : 'text-accent')} onClick={() => setMode(it)}>
          {it === 'text' ? 'Text' : 'Markdown'}
        </button>
      ))}
    </span>
  )
}

function PartView({ part, quiet, markdown }: { part: Part; quiet: boolean; markdown: boolean }) {
  switch (part.type) {
    case 'text':
      return <Text text={part.text} quiet={quiet} markdown={markdown} />
    case 'reasoning':
      return (
        <details className="my-1 rounded-control border px-2 py-1 text-muted">
          <summary>Reasoning</summary>
          <Text text={part.text} quiet />
        </details>
      )
    case 'toolCall':
      return (
        <div className="my-1 rounded-control border border-l-[3px] border-l-tool bg-canvas px-2.5 py-1.5">
          <span className="font-semibold text-tool">T {part.name}</span>
          {part.arguments === null ? null : <Json value={part.arguments} />}
        </div>
      )
    case 'toolResult':
      return (
        <div className={cx('my-1 rounded-control border border-l-[3px] px-2.5 py-1.5', part.failed ? 'border-l-error bg-error-bg' : 'border-l-border-strong bg-canvas')}>
          <span className={cx('text-label', part.failed ? 'text-error' : 'text-faint')}>{part.failed ? '✕ failed' : 'result'}</span>
          {typeof part.result === 'string' ? <Text text={part.result} quiet={false} mono /> : <Json value={part.result} />}
        </div>
      )
    case 'image':
      return <Image uri={part.uri} />
    case 'file':
      return <p className="text-muted">File{part.mediaType ? ` · ${part.mediaType}` : ''}{part.uri && !part.uri.startsWith('data:') ? ` · ${part.uri}` : ''}</p>
    case 'json':
      return <Json value={part.value} />
  }
}

/** Images that came inside the message are shown; others are text, since opening them would tell somebody. SVG can hold scripts and stays out. */
function Image({ uri }: { uri: string | null }) {
  if (uri && /^data:image\/(png|jpeg|gif|webp);base64,/.test(uri)) return <img src={uri} alt="in the message" className="my-1 max-h-80 max-w-full rounded-control border" />
  return <p className="user-text text-muted">Image{uri ? ` · ${uri.slice(0, 200)}` : ''}</p>
}

/** What somebody wrote: its own direction, folded when long, and never HTML. */
export function Text({ text, quiet, mono = false, markdown = false }: { text: string; quiet: boolean; mono?: boolean; markdown?: boolean }) {
  const [steps, setSteps] = useState(0) // 0: folded
  const lines = text.split('\n', foldAt + 1).length
  const long = lines > foldAt || text.length > textLimit
  const first = lines > foldAt ? text.split('\n', foldAt).join('\n').length : text.length
  const cut = long ? wholeSlice(text, 0, steps > 0 ? steps * textStep : Math.min(first, textLimit)) : text
  const more = text.length - cut.length
  const shown = `${cut}${more > 0 ? '…' : ''}`
  const plain = <p dir="auto" className={cx('user-text whitespace-pre-wrap', quiet && 'text-muted', mono && 'font-mono text-[12px]')}>{visible(shown)}</p>
  return (
    <div>
      {markdown && shown.length <= markdownLimit ? (
        <Suspense fallback={plain}>
          <Markdown text={shown} />
        </Suspense>
      ) : (
        plain
      )}
      {long ? (
        <span className="flex flex-wrap gap-x-3">
          {more > 0 ? (
            <button type="button" className="min-h-6 text-accent" onClick={() => setSteps(steps + 1)}>
              {steps > 0 ? `Show ${formatCount(Math.min(more, textStep))} of ${formatCount(more)} further characters` : text.length > textStep ? `Show ${formatCount(textStep)} of ${formatCount(text.length)} characters` : `Show all ${formatCount(text.length)} characters`}
            </button>
          ) : null}
          {steps > 0 ? (
            <button type="button" className="min-h-6 text-accent" onClick={() => setSteps(0)}>
              Show less
            </button>
          ) : null}
        </span>
      ) : null}
    </div>
  )
}
