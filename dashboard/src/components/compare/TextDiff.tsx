import { useEffect, useState } from 'react'
import type { Change } from '@/lib/diff/words'
import { visible } from '@/lib/text/visible'
import { compareTexts } from '@/workers/diff'
import { Loading } from '../ui/state/Loading'

/** Two texts in one: what only the first says is struck, what only the second says is marked. */
export function TextDiff({ before, after, what }: { before: string; after: string; what: string }) {
  const [result, setResult] = useState<{ before: string; after: string; changes: Change[] | null } | null>(null)
  useEffect(() => {
    const stop = new AbortController()
    compareTexts(before, after, stop.signal).then(
      (changes) => setResult({ before, after, changes }),
      () => {
        if (!stop.signal.aborted) setResult({ before, after, changes: null })
      },
    )
    return () => stop.abort()
  }, [before, after])
  if (before === '' && after === '') return <p className="px-3.5 py-8 text-center text-muted">Neither of the two has {what}.</p>
  if (result?.before !== before || result.after !== after) return <Loading rows={6} rowHeight={24} label="Comparing" />
  if (!result.changes) return <p className="px-3.5 py-2 text-muted">The two could not be compared here. Each trace shows its own.</p>
  const removed = count(result.changes, 'removed')
  const added = count(result.changes, 'added')
  return (
    <div className="px-3.5 py-2">
      <p className="mb-1 text-label text-faint" role="status">
        {removed + added === 0 ? `The same ${what}, character by character` : `${words(removed)} only in A · ${words(added)} only in B`}
      </p>
      <div dir="auto" className="user-text whitespace-pre-wrap">
        {result.changes.map((change, i) =>
          change.type === 'same' ? (
            <Same key={i} text={change.text} first={i === 0} last={i === (result.changes?.length ?? 0) - 1} />
          ) : change.type === 'removed' ? (
            <del key={i} className="rounded-bar bg-sunken text-muted">
              {visible(change.text)}
            </del>
          ) : (
            <ins key={i} className="rounded-bar bg-select font-semibold no-underline">
              {visible(change.text)}
            </ins>
          ),
        )}
      </div>
    </div>
  )
}

const count = (changes: Change[], type: Change['type']) => changes.reduce((sum, c) => sum + (c.type === type ? c.text.split(/\s+/).filter(Boolean).length : 0), 0)
const words = (n: number) => `${n.toLocaleString()} ${n === 1 ? 'word' : 'words'}`

const around = 3 // lines that stay beside what changed

/** What both say: its middle is folded where it is long. */
function Same({ text, first, last }: { text: string; first: boolean; last: boolean }) {
  const [open, setOpen] = useState(false)
  const lines = text.split('\n')
  const head = first && !last ? 0 : around
  const tail = last && !first ? 0 : around
  if (open || lines.length <= 2 * around + 2) return <span>{visible(text)}</span>
  return (
    <span>
      {visible(lines.slice(0, head).join('\n'))}
      {head > 0 ? '\n' : ''}
      <button type="button" className="text-accent" onClick={() => setOpen(true)}>
        … {(lines.length - head - tail).toLocaleString()} lines are the same
      </button>
      {tail > 0 ? '\n' : ''}
      {tail > 0 ? visible(lines.slice(-tail).join('\n')) : ''}
    </span>
  )
}
