import { useVirtualizer } from '@tanstack/react-virtual'
import { ChevronDown, ChevronRight } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { formatCount } from '@/lib/format/format'
import { copyTextOf, pathOf } from '@/lib/json/path'
import { foldedFrom, isContainer, jsonLine, lineStarts, reveal, rowIndexOf, toggleFolded, visibleJsonRows } from '@/lib/json/rows'
import type { JsonHit } from '@/lib/json/search'
import { visible } from '@/lib/text/visible'
import type { JsonDocument } from '@/workers/json'
import { Button } from '../ui/Button'
import { copyText } from '../ui/Copy'
import { cx } from '../ui/classes'
import { inputClass } from '../ui/Field'
import { toast } from '../ui/Toasts'

const lineHeight = 18
const openDepth = 3 // levels that are open at first
const large = 5_000 // values from which on deeper ones are folded at first

/** A document as a tree of lines, of which only those in sight are drawn. What is no JSON is shown as the text it is. */
export function JsonView({ document }: { document: JsonDocument }) {
  return document.index.error ? <PlainText document={document} /> : <JsonTree document={document} />
}

function JsonTree({ document: { text, index, search } }: { document: JsonDocument }) {
  const scroller = useRef<HTMLDivElement>(null)
  const [folded, setFolded] = useState<ReadonlySet<number>>(() => (index.count > large ? foldedFrom(index, openDepth) : new Set<number>()))
  const [query, setQuery] = useState('')
  const [hits, setHits] = useState<{ list: JsonHit[]; more: boolean } | null>(null)
  const [at, setAt] = useState(0)
  const rows = useMemo(() => visibleJsonRows(index, folded), [index, folded])
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => lineHeight, overscan: 20 })
  const [target, setTarget] = useState<number | null>(null)

  useEffect(() => {
    if (query === '') return setHits(null)
    const stop = new AbortController()
    search(query, {}, stop.signal).then(
      (found) => {
        setHits({ list: found.hits, more: found.more })
        setAt(0)
      },
      () => {}, // another search took its place
    )
    return () => stop.abort()
  }, [query, search])

  // A hit may be folded away: it is opened first, and gone to once its row is there.
  useEffect(() => {
    if (target === null) return
    const row = rowIndexOf(rows, index, target)
    if (row >= 0) virtual.scrollToIndex(row, { align: 'center' })
    else setFolded(reveal(index, folded, target))
  }, [target, rows, index, folded, virtual])
  const go = (step: number) => {
    if (!hits || hits.list.length === 0) return
    const next = (at + step + hits.list.length) % hits.list.length
    setAt(next)
    setTarget(hits.list[next]?.node ?? null)
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-none items-center gap-2 py-1">
        <input
          className={cx(inputClass, '!h-7 max-w-64')}
          aria-label="Search in the stored text"
          placeholder="search"
          value={query}
          onChange={(event) => setQuery(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') go(event.shiftKey ? -1 : target === null ? 0 : 1)
          }}
        />
        {hits ? <span role="status" className="text-label text-faint">{`${formatCount(hits.list.length)}${hits.more ? '+' : ''} found`}</span> : null}
        <span className="ml-auto text-label text-faint">{formatCount(index.count)} values</span>
        <Button look="quiet" onClick={() => setFolded(foldedFrom(index, 1))}>
          Fold
        </Button>
        <Button look="quiet" onClick={() => setFolded(new Set())}>
          Unfold
        </Button>
      </div>
      <div ref={scroller} className="min-h-0 flex-1 overflow-auto rounded-control border bg-canvas font-mono text-[12px]" tabIndex={0} role="region" aria-label="Stored JSON">
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const line = jsonLine(text, index, folded, rows[item.index] ?? 0)
            const opens = !line.close && isContainer(index, line.node) && line.value !== '{}' && line.value !== '[]'
            return (
              <div
                key={item.index}
                className={cx('absolute inset-x-0 flex whitespace-pre pl-1 hover:bg-sunken', line.node === target && !line.close && 'bg-select')}
                style={{ transform: `translateY(${item.start}px)`, height: lineHeight, lineHeight: `${lineHeight}px`, paddingLeft: 4 + line.depth * 14 }}
              >
                {opens || line.hidden !== null ? (
                  <button type="button" className="w-4 flex-none text-faint" aria-label={line.hidden === null ? 'Fold' : 'Unfold'} onClick={() => setFolded(toggleFolded(folded, line.node))}>
                    {line.hidden === null ? <ChevronDown size={12} aria-hidden /> : <ChevronRight size={12} aria-hidden />}
                  </button>
                ) : (
                  <span className="w-4 flex-none" />
                )}
                {line.key === null ? null : (
                  <button
                    type="button"
                    className="flex-none text-accent"
                    title="Copy its path; with Shift its value"
                    onClick={(event) => void copyText(event.shiftKey ? copyTextOf(text, index, line.node) : pathOf(text, index, line.node)).then(() => toast(event.shiftKey ? 'Value copied' : 'Path copied'))}
                  >
                    {visible(line.key)}
                    {': '}
                  </button>
                )}
                <span>
                  {visible(line.value)}
                  {line.cut > 0 ? `… ${formatCount(line.cut)} more characters` : ''}
                  {line.hidden === null ? '' : ` ${formatCount(line.hidden)} in it`}
                  {line.comma ? ',' : ''}
                </span>
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function PlainText({ document: { text, index } }: { document: JsonDocument }) {
  const scroller = useRef<HTMLDivElement>(null)
  const starts = useMemo(() => lineStarts(text), [text])
  const virtual = useVirtualizer({ count: starts.length, getScrollElement: () => scroller.current, estimateSize: () => lineHeight, overscan: 20 })
  const looksLikeJson = /^\s*[[{]/.test(text)
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      {index.error && looksLikeJson ? (
        <p className="flex-none py-1 text-warn">
          No JSON from line {index.error.line}, column {index.error.column} on: {index.error.reason}
        </p>
      ) : null}
      <div ref={scroller} className="min-h-0 flex-1 overflow-auto rounded-control border bg-canvas font-mono text-[12px]" tabIndex={0} role="region" aria-label="Stored text">
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => (
            <div key={item.index} className="absolute inset-x-0 whitespace-pre px-2" style={{ transform: `translateY(${item.start}px)`, height: lineHeight, lineHeight: `${lineHeight}px` }}>
              {visible(text.slice(starts[item.index], starts[item.index + 1]).replace(/\n$/, ''))}
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}
