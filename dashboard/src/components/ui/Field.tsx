import { useId, type ComponentProps, type ReactNode } from 'react'
import { cx } from './classes'

interface FieldProps extends ComponentProps<'input'> {
  label: string
  hint?: ReactNode
  error?: string | undefined
}

export const inputClass = 'h-8 w-full rounded-control border border-border-strong bg-surface px-2 text-body text-text placeholder:text-faint aria-invalid:border-error disabled:border-border disabled:bg-sunken disabled:text-muted'

/** An input with its label above it, and below it what is wrong or worth knowing. */
export function Field({ label, hint, error, className, ...input }: FieldProps) {
  const id = useId()
  const note = error ?? hint
  return (
    <div className={cx('flex flex-col gap-1', className)}>
      <label htmlFor={id} className="font-semibold">
        {label}
      </label>
      <input id={id} className={inputClass} aria-invalid={error ? true : undefined} aria-describedby={note ? `${id}-note` : undefined} {...input} />
      {note ? (
        <p id={`${id}-note`} className={error ? 'text-error' : 'text-faint'}>
          {note}
        </p>
      ) : null}
    </div>
  )
}
