import { useQuery } from '@tanstack/react-query'
import { useNavigate, useRouter } from '@tanstack/react-router'
import { useEffect, useEffectEvent, useState } from 'react'
import { viewPath } from '@/lib/view/view'
import type { Project } from '@/services/projects'
import { viewsQuery } from '@/services/views'
import { cx } from '../ui/classes'
import { Dialog } from '../ui/Dialog'
import { inputClass } from '../ui/Field'
import { pages } from './pages'

interface Entry {
  id: string
  label: string
  note: string
  go: () => void
}

/** ⌘K: a page, a saved view, a project, or the id of a trace or session that was pasted. */
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
  const [chosen, setChosen] = useState(0)
  const wanted = text.trim().toLowerCase()
  const all: Entry[] = [
    ...pages.map((p) => ({ id: p.path, label: p.label, note: p.key ? `g ${p.key}` : 'page', go: () => void navigate({ to: p.path }) })),
    ...(views.data ?? []).map((v) => ({ id: v.id, label: v.name, note: `view of ${v.page}`, go: () => router.history.push(viewPath(v, projectId)) })),
    ...projects.map((p) => ({ id: p.id, label: p.name, note: 'project', go: () => void navigate({ to: '/dashboard', search: { p: p.id } }) })),
  ]
  const entries = all.filter((e) => e.label.toLowerCase().includes(wanted))
  if (/^\S{6,}$/.test(text.trim())) {
    const id = text.trim()
    entries.push(
      { id: 'trace', label: `Trace ${id}`, note: 'open', go: () => void navigate({ to: '/dashboard/traces/$traceId', params: { traceId: id } }) },
      { id: 'session', label: `Session ${id}`, note: 'open', go: () => void navigate({ to: '/dashboard/sessions/$sessionId', params: { sessionId: id } }) },
    )
  }
  const at = Math.min(chosen, entries.length - 1)
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
        aria-activedescendant={entries[at] ? `palette-${entries[at].id}` : undefined}
        aria-label="A page, a view, a project, or an id"
        placeholder="A page, a view, a project, or paste a trace or session id"
        autoFocus
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setChosen(0)
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setChosen(Math.min(at + 1, entries.length - 1))
          else if (event.key === 'ArrowUp') setChosen(Math.max(at - 1, 0))
          else if (event.key === 'Enter') pick(entries[at])
          else return
          event.preventDefault()
        }}
      />
      <ul id="palette" role="listbox" aria-label="Results" className="mt-2 max-h-80 overflow-y-auto">
        {entries.map((entry, i) => (
          <li key={entry.id} id={`palette-${entry.id}`} role="option" aria-selected={i === at} className={cx('flex min-h-7 items-center justify-between gap-3 rounded-control px-2', i === at && 'bg-select')} onPointerMove={() => setChosen(i)} onClick={() => pick(entry)}>
            <span className="truncate">{entry.label}</span>
            <span className="flex-none text-label text-faint">{entry.note}</span>
          </li>
        ))}
        {entries.length === 0 ? <li className="px-2 py-1 text-faint">Nothing of that name</li> : null}
      </ul>
    </Dialog>
  )
}
