import { useState } from 'react'
import { formatCount } from '@/lib/format/format'
import { sameName } from '@/lib/text/name'
import { Field } from '../ui/Field'
import { FormDialog } from '../ui/FormDialog'

interface DeleteProjectProps {
  name: string
  /** Deletes, and tells how many spans are gone so far. */
  onDelete: (onProgress: (deletedSpans: number) => void) => Promise<unknown>
  onClose: () => void
}

/** Asks for the project's name, then shows how far the deletion is. It goes on until all is gone; what a closed page leaves, the server deletes within a day. */
export function DeleteProject({ name, onDelete, onClose }: DeleteProjectProps) {
  const [typed, setTyped] = useState('')
  const [deleted, setDeleted] = useState<number | null>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const submit = async () => {
    setBusy(true)
    setError('')
    try {
      await onDelete(setDeleted)
    } catch (cause) {
      setError(cause instanceof Error ? cause.message : String(cause))
      setBusy(false)
    }
  }
  return (
    <FormDialog title={`Delete ${name}`} action={deleted === null ? 'Delete for ever' : 'Go on'} look="danger" busy={busy} disabled={!sameName(typed, name)} onSubmit={() => void submit()} onClose={onClose}>
      <p>
        All traces, keys, members, invites, views and prices of the project go, for everybody. <strong>This cannot be undone.</strong>
      </p>
      <Field label="Type its name" required autoFocus autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} hint={<span dir="auto">{name}</span>} error={error || undefined} />
      {deleted === null ? null : (
        <p role="status" className="text-muted">
          The project is gone. {formatCount(deleted)} spans deleted{busy ? ', and more to come…' : ''}
        </p>
      )}
    </FormDialog>
  )
}
