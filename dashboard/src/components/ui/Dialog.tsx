import { useEffect, useId, useRef, type ReactNode } from 'react'

/** A modal dialog: the browser's own, which keeps the focus and closes on Escape. */
export function Dialog({ title, onClose, dismissible = true, children }: { title: string; onClose: () => void; dismissible?: boolean; children: ReactNode }) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    if (dialog && !dialog.open) dialog.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      className="w-[480px] max-w-[calc(100vw-32px)] rounded-card border bg-surface p-4 shadow-float"
      onCancel={(event) => {
        event.preventDefault()
        if (dismissible) onClose()
      }}
      onKeyDown={(event) => event.stopPropagation() /* keys of the page do not act below a dialog */}
    >
      <h2 id={id} className="mb-3 text-fact font-semibold">
        {title}
      </h2>
      {children}
    </dialog>
  )
}
