import { Button } from './Button'
import { Copy } from './Copy'
import { Dialog } from './Dialog'

/** What is shown once and never again: it closes only for who says to have copied it. */
export function SecretDialog({ title, note, secret, copy, onClose }: { title: string; note: string; secret: string; copy: string; onClose: () => void }) {
  return (
    <Dialog title={title} onClose={onClose} dismissible={false}>
      <p className="mb-2 text-muted">{note}</p>
      <code className="user-text block rounded-control bg-sunken p-2 font-mono text-[12px]">{secret}</code>
      <div className="mt-3 flex justify-end gap-2">
        <Copy text={secret} label={copy} />
        <Button look="primary" onClick={onClose}>
          I have copied it
        </Button>
      </div>
    </Dialog>
  )
}
