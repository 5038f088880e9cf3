import { useState, type ReactNode } from 'react'
import type { Message, Part } from '@/lib/messages/messages'
import { visible } from '@/lib/text/visible'
import { Json } from '../ui/Json'
import { cx } from '../ui/classes'

const foldAt = 20 // lines
const textLimit = 20_000 // characters that are shown before somebody asks for all

/** Messages in their order, as text; JSON only where nothing else was said. */
export function Conversation({ messages, note }: { messages: Message[]; note?: (index: number) => ReactNode }) {
  return (
    <ol className="list-none">
      {messages.map((message, i) => (
        <li key={i} className="flex gap-3 border-b px-3.5 py-2">
          <div className="w-16 flex-none text-label text-faint">
            {message.role}
            {message.name ? <div className="truncate">{message.name}</div> : null}
            {note?.(i)}
          </div>
          <div className="min-w-0 flex-1">
            {message.parts.length === 0 ? <p className="text-faint">nothing</p> : message.parts.map((part, j) => <PartView key={j} part={part} quiet={message.role === 'system'} />)}
          </div>
        </li>
      ))}
    </ol>
  )
}

function PartView({ part, quiet }: { part: Part; quiet: boolean }) {
  switch (part.type) {
    case 'text':
      return <Text text={part.text} quiet={quiet} />
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

/** What somebody wrote: its own direction, folded when long, and never markup. */
export function Text({ text, quiet, mono = false }: { text: string; quiet: boolean; mono?: boolean }) {
  const [open, setOpen] = useState(false)
  const lines = text.split('\n', foldAt + 1).length
  const long = lines > foldAt || text.length > textLimit / 10
  const cut = open ? text : lines > foldAt ? text.split('\n', foldAt).join('\n').slice(0, textLimit / 10) : text.slice(0, textLimit / 10)
  return (
    <div>
      <p dir="auto" className={cx('user-text whitespace-pre-wrap', quiet && 'text-muted', mono && 'font-mono text-[12px]')}>
        {visible(long ? cut : text)}
        {long && !open ? '…' : ''}
      </p>
      {long ? (
        <button type="button" className="text-accent" onClick={() => setOpen(!open)}>
          {open ? 'Show less' : `Show all ${text.length.toLocaleString()} characters`}
        </button>
      ) : null}
    </div>
  )
}
