import { Link } from '@tanstack/react-router'
import { Button } from '../ui/Button'
import { Dialog } from '../ui/Dialog'
import { pages } from './pages'

const keys: [string, string][] = [
  ['⌘K', 'search: pages, projects, recent traces, an id'],
  ['/', 'filter, or find in a trace'],
  ['j k ↓ ↑', 'next and previous row'],
  ['Enter o', 'open, or open in a new tab'],
  ['Space', 'peek at a trace'],
  ['x X', 'select a row, or all from the last one on'],
  ['Esc', 'close'],
  ['Alt click', 'facets: all but this value'],
  ['.', 'live on and off'],
  ['y', 'copy a link to what you see'],
  ['[ ] \\', 'earlier, later, wider range'],
  ['→ ←', 'trace: open, close or go to the parent'],
  ['e E', 'trace: next and previous error'],
  ['s c', 'trace: next slowest, next costliest'],
  ['n N', 'trace: next and previous span that was found'],
  ['+ - 0 f', 'trace: zoom in and out, show all, fit the span'],
  ['1 … 5', 'trace: tabs'],
  ['J K', 'trace: next and previous trace'],
  ['v w', 'trace: timeline or flame, and what its width stands for'],
  ['n p', 'session: next and previous turn'],
  ['v', 'session: conversation, what the agent did, table'],
  ['Alt T', 'analytics: the chart as a table'],
  ['l m', 'trace: compare with the last good one, or with a marked one'],
  ['x e E', 'compare: swap; next and previous difference'],
]

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Help" onClose={onClose}>
      <p className="mb-3 flex flex-wrap gap-x-4">
        <Link to="/dashboard/start" onClick={onClose} className="inline-flex min-h-6 items-center text-accent underline">
          How to send traces
        </Link>
        <a href="/openapi.json" className="inline-flex min-h-6 items-center text-accent underline">
          The API
        </a>
      </p>
      <h3 className="mb-1 text-label text-faint">Keys</h3>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        {[...keys, ...pages.flatMap((p): [string, string][] => (p.key ? [[`g ${p.key}`, p.label]] : []))].map(([key, text]) => (
          <div key={key} className="contents">
            <dt className="font-mono text-muted">{key}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-3 text-muted">Single keys can be switched off in Account.</p>
      <div className="mt-3 flex justify-end">
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  )
}
