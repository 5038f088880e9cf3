import type { ComponentProps } from 'react'
import { cx } from './classes'

const looks = {
  primary: 'bg-accent text-on-accent border-transparent font-semibold hover:opacity-90',
  plain: 'bg-surface border-border hover:bg-sunken aria-pressed:bg-select',
  danger: 'bg-surface border-border text-error hover:bg-error-bg',
  quiet: 'border-transparent text-muted hover:bg-sunken hover:text-text aria-pressed:bg-select aria-pressed:text-text',
}

export interface ButtonProps extends ComponentProps<'button'> {
  look?: keyof typeof looks
  /** Shows that it works, and takes no second click. */
  busy?: boolean
}

export const buttonClass = (look: keyof typeof looks = 'plain', extra?: string) =>
  cx('inline-flex min-h-7 items-center justify-center gap-1.5 whitespace-nowrap rounded-control border px-2.5 text-body no-underline disabled:opacity-50', looks[look], extra)

export function Button({ look = 'plain', busy = false, className, disabled, type = 'button', ...rest }: ButtonProps) {
  return <button type={type} className={buttonClass(look, className)} disabled={disabled || busy} aria-busy={busy || undefined} {...rest} />
}
