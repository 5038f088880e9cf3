import { useState } from 'react'
import { cx } from './classes'

const firstPart = 4_000 // characters

/** A value as indented JSON, the begin of it where it is long. */
export function Json({ value, className }: { value: unknown; className?: string }) {
  const [open, setOpen] = useState(false)
  const text = typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '')
  const cut = !open && text.length > firstPart
  return (
    <>
      <pre dir="auto" className={cx('user-text whitespace-pre-wrap font-mono text-[12px] leading-[18px]', className)}>
        {cut ? `${text.slice(0, firstPart)}…` : text}
      </pre>
      {text.length > firstPart ? (
        <button type="button" className="text-accent" onClick={() => setOpen(!open)}>
          {cut ? `Show all ${text.length.toLocaleString()} characters` : 'Show less'}
        </button>
      ) : null}
    </>
  )
}
