import { useState } from 'react'
import type { View } from '@/services/views'
import { Button } from '../ui/Button'
import { Dialog } from '../ui/Dialog'
import { Field } from '../ui/Field'
import { FormDialog } from '../ui/FormDialog'
import { Menu, MenuItem, MenuLine } from '../ui/Menu'

interface SavedViewsProps {
  views: View[]
  /** The one that the page shows, if any. */
  current: View | undefined
  /** Whether somebody may change a view. */
  mayChange: (view: View) => boolean
  /** The menu is being opened. */
  onMenu: () => void
  onOpen: (view: View) => void
  onSave: (name: string, shared: boolean) => Promise<unknown>
  onShare: (view: View, shared: boolean) => Promise<unknown>
  onDelete: (view: View) => Promise<unknown>
}

/** The views of a page: to open, to save what it shows, to put in order. */
export function SavedViews({ views, current, mayChange, onMenu, onOpen, onSave, onShare, onDelete }: SavedViewsProps) {
  const [open, setOpen] = useState<'save' | 'manage' | null>(null)
  return (
    <>
      <Menu align="end" onOpen={onMenu} trigger={<Button className="max-w-48">{current ? <span className="truncate">{current.name}</span> : 'Save view'} ▾</Button>}>
        {views.map((view) => (
          <MenuItem key={view.id} checked={view === current} onSelect={() => onOpen(view)}>
            <span dir="auto">{view.name}</span> {view.shared ? <span className="text-faint">shared</span> : null}
          </MenuItem>
        ))}
        {views.length > 0 ? <MenuLine /> : null}
        <MenuItem onSelect={() => setOpen('save')}>Save this view…</MenuItem>
        {views.some(mayChange) ? <MenuItem onSelect={() => setOpen('manage')}>Share or delete…</MenuItem> : null}
      </Menu>
      {open === 'save' ? <SaveDialog onSave={onSave} onClose={() => setOpen(null)} /> : null}
      {open === 'manage' ? <ManageDialog views={views.filter(mayChange)} onShare={onShare} onDelete={onDelete} onClose={() => setOpen(null)} /> : null}
    </>
  )
}

/** Runs one thing at a time, and keeps what went wrong. */
function useAction(): { busy: boolean; error: string; run: (act: () => Promise<unknown>) => Promise<boolean> } {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const run = async (act: () => Promise<unknown>) => {
    setBusy(true)
    setError('')
    try {
      await act()
      return true
    } catch (cause) {
      setError(cause instanceof Error ? cause.message : String(cause))
      return false
    } finally {
      setBusy(false)
    }
  }
  return { busy, error, run }
}

function SaveDialog({ onSave, onClose }: { onSave: SavedViewsProps['onSave']; onClose: () => void }) {
  const [name, setName] = useState('')
  const [shared, setShared] = useState(false)
  const { busy, error, run } = useAction()
  return (
    <FormDialog title="Save this view" action="Save" busy={busy} onClose={onClose} onSubmit={() => void run(() => onSave(name.trim(), shared)).then((done) => done && onClose())}>
      <Field label="Name" required autoFocus maxLength={200} value={name} onChange={(event) => setName(event.target.value)} error={error || undefined} hint="Keeps filter, order and range. Words that you search for in texts are not kept." />
      <label className="flex items-center gap-2">
        <input type="checkbox" checked={shared} onChange={(event) => setShared(event.target.checked)} />
        All members see it
      </label>
    </FormDialog>
  )
}

function ManageDialog({ views, onShare, onDelete, onClose }: Pick<SavedViewsProps, 'views' | 'onShare' | 'onDelete'> & { onClose: () => void }) {
  const { busy, error, run } = useAction()
  return (
    <Dialog title="Saved views" onClose={onClose}>
      <ul className="max-h-80 overflow-y-auto">
        {views.map((view) => (
          <li key={view.id} className="flex min-h-9 items-center gap-2 border-t">
            <span className="min-w-0 flex-1 truncate font-semibold" dir="auto">
              {view.name}
            </span>
            <Button look="quiet" disabled={busy} aria-label={`${view.shared ? 'Stop sharing' : 'Share'} ${view.name}`} onClick={() => void run(() => onShare(view, !view.shared))}>
              {view.shared ? 'Stop sharing' : 'Share'}
            </Button>
            <Button look="danger" disabled={busy} aria-label={`Delete ${view.name}`} onClick={() => void run(() => onDelete(view))}>
              Delete
            </Button>
          </li>
        ))}
      </ul>
      {error ? (
        <p role="alert" className="mt-2 text-error">
          {error}
        </p>
      ) : null}
      <div className="mt-3 flex justify-end">
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  )
}
