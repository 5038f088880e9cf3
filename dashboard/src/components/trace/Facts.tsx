import type { ReactNode } from 'react'
import { cx } from '../ui/classes'

export interface Fact {
  value: ReactNode
  label: ReactNode
  title?: string | undefined
  bad?: boolean
}

/** The numbers of a thing, in one line. */
export function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl className="flex flex-none flex-wrap gap-x-6 gap-y-1 max-2xl:gap-x-4 border-b bg-surface px-3.5 py-2">
      {facts.map((fact, i) => (
        <div key={i} className="flex flex-col-reverse" title={fact.title}>
          <dt className="text-label text-faint">{fact.label}</dt>
          <dd className={cx('text-fact font-semibold', fact.bad && 'text-error')}>{fact.value}</dd>
        </div>
      ))}
    </dl>
  )
}
