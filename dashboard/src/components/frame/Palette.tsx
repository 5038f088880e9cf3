import { useQuery } from '@tanstack/react-query'
import { useNavigate, useRouter } from '@tanstack/react-router'
import { useEffect, useEffectEvent, useState } from 'react'
import { useNow } from '@/hooks/useNow'
import { useSettled } from '@/hooks/useSettled'
import { useZone } from '@/hooks/useZone'
import { leastTyped } from '@/lib/filter/typed'
import { relativeTime } from '@/lib/format/format'
import { visible } from '@/lib/text/visible'
import { viewPath } from '@/lib/view/view'
import type { Project } from '@/services/projects'
import { typedTracesQuery } from '@/services/traces'
import { viewsQuery } from '@/services/views'
import { cx } from '../ui/classes'
import { Dialog } from '../ui/Dialog'
import { inputClass } from '../ui/Field'
import { pages } from './pages'

interface Entry {
  id: string
  label: string
  note: string
  failed?: boolean
  go: () => void
}

const pause = 200 // ms without a key before traces are searched
const recentDays = 30

/** ⌘K: a page, a saved view, a project, a recent trace, or the id of a trace or session that was pasted. */
export function Palette({ open, onOpen, onClose, projects, project }: { open: boolean; onOpen: () => void; onClose: () => void; projects: Project[]; project: Project | null }) {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if ((event.metaKey || event.ctrlKey) && (event.key === 'k' || event.key === 'p')) {
      event.preventDefault()
      onOpen()
    }
  })
  useEffect(() => {
    const listener = (event: KeyboardEvent) => onKey(event)
    window.addEventListener('keydown', listener)
    return () => window.removeEventListener('keydown', listener)
  }, [])
  return open ? <PaletteDialog onClose={onClose} projects={projects} project={project} /> : null
}

function PaletteDialog({ onClose, projects, project }: { onClose: () => void; projects: Project[]; project: Project | null }) {
  const navigate = useNavigate()
  const router = useRouter()
  const projectId = project?.id ?? ''
  const views = useQuery({ ...viewsQuery(projectId), enabled: project !== null })
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState<string | null>(null)
  const now = useNow()
  const zone = useZone()
  const [since] = useState(() => new Date(now.getTime() - recentDays * 86_400_000))
  const typed = text.trim()
  const settled = useSettled(typed, pause)
  const asks = project !== null && typed.length >= leastTyped
  const search = useQuery({ ...typedTracesQuery(projectId, settled, since), enabled: asks && settled === typed })
  const searching = asks && (settled !== typed || search.isFetching)
  const traces = asks && settled === typed ? (search.data ?? []) : []
  const wanted = typed.toLowerCase()
  const all: Entry[] = [
    ...pages.map((p) => ({ id: p.path, label: p.label, note: p.key ? `g ${p.key}` : 'page', go: () => void navigate({ to: p.path }) })),
    ...(views.data ?? []).map((v) => ({ id: v.id, label: v.name, note: `view of ${v.page}`, go: () => router.history.push(viewPath(v, projectId)) })),
    ...projects.map((p) => ({ id: p.id, label: p.name, note: 'project', go: () => void navigate({ to: '/dashboard', search: { p: p.id } }) })),
  ]
  const entries = all.filter((e) => e.label.toLowerCase().includes(wanted))
  const openTrace = (traceId: string) => void navigate({ to: '/dashboard/traces/$traceId', params: { traceId } })
  for (const t of traces) {
    entries.push({ id: `trace ${t.id}`, label: t.name, failed: t.failed, note: ['trace', t.sessionId && visible(t.sessionId), relativeTime(t.start, now, zone)].filter(Boolean).join(' · '), go: () => openTrace(t.id) })
  }
  // What is surely an id can be opened at once, other words once nothing was found for them.
  if (/^[0-9a-f-]{16,}$/i.test(typed) || (/^\S{6,}$/.test(typed) && !searching)) {
    if (!traces.some((t) => t.id === typed)) entries.push({ id: 'trace', label: `Trace ${typed}`, note: 'open', go: () => openTrace(typed) })
    entries.push({ id: 'session', label: `Session ${typed}`, note: 'open', go: () => void navigate({ to: '/dashboard/sessions/$sessionId', params: { sessionId: typed } }) })
  }
  // What was pointed at stays so when traces come in above it.
  const at = Math.max(entries.findIndex((e) => e.id === chosen), 0)
  const choose = (index: number) => setChosen(entries[index]?.id ?? null)
  const pick = (entry: Entry | undefined) => {
    if (!entry) return
    onClose()
    entry.go()
  }
  return (
    <Dialog title="Go to" onClose={onClose}>
      <input
        className={inputClass}
        role="combobox"
        aria-expanded="true"
        aria-controls="palette"
        aria-activedescendant={entries[at] ? `palette-${at}` : undefined}
        aria-label="A page, a view, a project, a trace, or an id"
        placeholder="A page, a view, a project, a recent trace, or paste an id"
        autoFocus
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setChosen(null)
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') choose(Math.min(at + 1, entries.length - 1))
          else if (event.key === 'ArrowUp') choose(Math.max(at - 1, 0))
          else if (event.key === 'Enter') pick(entries[at])
          else return
          event.preventDefault()
        }}
      />
      <ul id="palette" role="listbox" aria-label="Results" className="mt-2 max-h-80 overflow-y-auto">
        {entries.map((entry, i) => (
          <li key={entry.id} id={`palette-${i}`} role="option" aria-selected={i === at} className={cx('flex min-h-7 items-center justify-between gap-3 rounded-control px-2', i === at && 'bg-select')} onPointerMove={() => choose(i)} onClick={() => pick(entry)}>
            <span dir="auto" className="user-text min-w-0 truncate">
              {entry.failed ? <span className="text-error">✕ </span> : null}
              {entry.label}
            </span>
            <span className="max-w-[55%] flex-none truncate text-label text-faint">{entry.note}</span>
          </li>
        ))}
      </ul>
      <p role="status" className="min-h-6 px-2 pt-1 text-label text-faint">
        {searching ? 'Searching recent traces…' : search.error && asks ? 'Recent traces could not be searched' : entries.length === 0 ? 'Nothing of that name' : ''}
      </p>
    </Dialog>
  )
}
