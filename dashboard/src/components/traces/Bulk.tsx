import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useEffectEvent, useState } from 'react'
import { formatCount, formatTotal } from '@/lib/format/format'
import { deleteTraces, exportTraces, type Choice, type ExportFormat } from '@/services/export'
import { Button, buttonClass } from '../ui/Button'
import { copyText } from '../ui/Copy'
import { Dialog } from '../ui/Dialog'
import { saveFile } from '../ui/saveFile'
import { toast } from '../ui/Toasts'

export interface BulkTask {
  kind: ExportFormat | 'delete'
  choice: Choice
  /** How many traces the choice is; null if nobody counted. */
  total: { value: number; exact: boolean } | null
}

interface BulkProps {
  projectId: string
  mayDelete: boolean
  selected: string[]
  task: BulkTask | null
  onTask: (task: BulkTask | null) => void
  onClear: () => void
}

/** What can be done with the traces that somebody chose, and what is being done with them. */
export default function Bulk({ projectId, mayDelete, selected, task, onTask, onClear }: BulkProps) {
  const on = (kind: BulkTask['kind']) => onTask({ kind, choice: { ids: selected }, total: { value: selected.length, exact: true } })
  const [a, b] = selected
  return (
    <>
      {selected.length > 0 ? (
        <div role="toolbar" aria-label="Selected traces" className="flex flex-none flex-wrap items-center gap-2 border-t bg-surface px-3.5 py-1.5">
          <span role="status" className="font-semibold">
            {formatCount(selected.length)} selected
          </span>
          {selected.length === 2 ? (
            <Link to="/dashboard/compare" search={{ a, b }} className={buttonClass()}>
              Compare two
            </Link>
          ) : null}
          <Button onClick={() => void copyText(selected.join('\n')).then(() => toast('Ids copied'))}>Copy ids</Button>
          <Button disabled={task !== null} onClick={() => on('jsonl')}>
            Export JSONL
          </Button>
          <Button disabled={task !== null} onClick={() => on('csv')}>
            Export CSV
          </Button>
          {mayDelete ? (
            <Button look="danger" disabled={task !== null} onClick={() => on('delete')}>
              Delete…
            </Button>
          ) : null}
          <Button look="quiet" onClick={onClear}>
            Clear
          </Button>
        </div>
      ) : null}
      {task === null ? null : task.kind === 'delete' ? (
        <Deleting projectId={projectId} task={task} onEnd={() => onTask(null)} onDeleted={onClear} />
      ) : (
        <Exporting projectId={projectId} task={task} format={task.kind} onEnd={() => onTask(null)} />
      )}
    </>
  )
}

const traces = (n: string, one: boolean) => `${n} ${one ? 'trace' : 'traces'}`
const counted = (total: BulkTask['total']) => (total === null ? 'the traces' : traces(formatTotal(total), total.value === 1 && total.exact))

function Exporting({ projectId, task, format, onEnd }: { projectId: string; task: BulkTask; format: ExportFormat; onEnd: () => void }) {
  const [done, setDone] = useState(0)
  const [error, setError] = useState('')
  const [attempt, setAttempt] = useState(0)
  const run = useEffectEvent((signal: AbortSignal) => {
    setDone(0)
    setError('')
    exportTraces(projectId, task.choice, format, { signal, onProgress: setDone }).then(
      (blob) => {
        saveFile(`pulse-traces.${format}`, blob)
        toast('Exported')
        onEnd()
      },
      (failure: unknown) => {
        if (!signal.aborted) setError(failure instanceof Error ? failure.message : String(failure))
      },
    )
  })
  useEffect(() => {
    const control = new AbortController()
    run(control.signal)
    return () => control.abort()
  }, [attempt])
  return (
    <div role="group" aria-label="Export" className="flex flex-none flex-wrap items-center gap-3 border-t bg-surface px-3.5 py-1.5">
      {error ? (
        <span role="alert" className="text-error">
          {error}
        </span>
      ) : (
        <Progress label={`${formatCount(done)} of ${counted(task.total)} exported`} done={done} total={task.total} />
      )}
      {error ? <Button onClick={() => setAttempt(attempt + 1)}>Try again</Button> : null}
      <Button onClick={onEnd}>{error ? 'Close' : 'Cancel'}</Button>
    </div>
  )
}

function Deleting({ projectId, task, onEnd, onDeleted }: { projectId: string; task: BulkTask; onEnd: () => void; onDeleted: () => void }) {
  const [control, setControl] = useState<AbortController | null>(null)
  const [done, setDone] = useState(0)
  const [error, setError] = useState('')
  const client = useQueryClient()
  const run = async () => {
    const own = new AbortController()
    setControl(own)
    setError('')
    try {
      const deleted = await deleteTraces(projectId, task.choice, { signal: own.signal, onProgress: setDone })
      toast(`${traces(formatCount(deleted), deleted === 1)} deleted`)
      onDeleted()
      onEnd()
    } catch (failure) {
      if (own.signal.aborted) onEnd()
      else setError(failure instanceof Error ? failure.message : String(failure))
    } finally {
      setControl(null)
      void client.invalidateQueries() // whatever adds traces up is another number now
    }
  }
  const what = counted(task.total)
  return (
    <Dialog title={`Delete ${what}?`} dismissible={control === null} onClose={onEnd}>
      <p>
        {'ids' in task.choice ? 'What is selected goes' : 'All that the filter finds in this range goes'}, with every span and payload, for good. Counts and costs become those of what stays.
      </p>
      {control ? (
        <div className="mt-3">
          <Progress label={`${formatCount(done)} of ${what} deleted`} done={done} total={task.total} />
        </div>
      ) : null}
      {error ? (
        <p role="alert" className="mt-3 text-error">
          {error}
        </p>
      ) : null}
      <div className="mt-4 flex justify-end gap-2">
        <Button autoFocus onClick={() => (control ? control.abort() : onEnd())}>
          {control ? 'Stop' : 'Keep them'}
        </Button>
        <Button look="danger" busy={control !== null} onClick={() => void run()}>
          Delete {what}
        </Button>
      </div>
    </Dialog>
  )
}

function Progress({ label, done, total }: { label: string; done: number; total: BulkTask['total'] }) {
  const known = total?.exact && total.value > 0 ? Math.min(done, total.value) / total.value : undefined
  return (
    <span className="flex items-center gap-3">
      <progress aria-label="Progress" className="w-40" max={1} value={known} />
      <span role="status">{label}</span>
    </span>
  )
}
