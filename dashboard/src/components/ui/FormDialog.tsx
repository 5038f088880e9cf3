import type { ReactNode } from 'react'
import { Button, type ButtonProps } from './Button'
import { Dialog } from './Dialog'

interface FormDialogProps {
  title: string
  /** What the button says that sends the form. */
  action: string
  look?: ButtonProps['look']
  busy?: boolean
  disabled?: boolean
  onSubmit: () => void
  onClose: () => void
  children: ReactNode
}

/** Fields in a dialog, with a way out and a way on. Enter submits. */
export function FormDialog({ title, action, look = 'primary', busy = false, disabled = false, onSubmit, onClose, children }: FormDialogProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          if (!disabled) onSubmit()
        }}
      >
        {children}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look={look} busy={busy} disabled={disabled}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
