import { Check, Copy as CopyIcon } from 'lucide-react'
import { useEffect, useState } from 'react'
import { Button } from './Button'
import { cx } from './classes'

/** Copies a text, and says so where it stands. */
export function Copy({ text, label, quiet = false, className }: { text: string; label: string; quiet?: boolean; className?: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 2_000)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <Button
      look={quiet ? 'quiet' : 'plain'}
      className={cx(quiet && 'px-1.5', className)}
      aria-label={quiet ? label : undefined}
      title={quiet ? label : undefined}
      onClick={async () => {
        await copyText(text)
        setCopied(true)
      }}
    >
      {copied ? <Check size={14} aria-hidden /> : <CopyIcon size={14} aria-hidden />}
      {quiet ? null : copied ? 'Copied' : label}
      <span role="status" className="sr-only">
        {copied ? 'Copied' : ''}
      </span>
    </Button>
  )
}

/** Browsers give a clipboard to secure origins only; others copy what is selected. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}
