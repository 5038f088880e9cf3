import type { ReactNode } from 'react'

interface CardProps {
  title: string
  note?: ReactNode
  /** What can be chosen of it, beside the title. */
  choice?: ReactNode
  children: ReactNode
  className?: string
}

export function Card({ title, note, choice, children, className = '' }: CardProps) {
  return (
    <section className={`min-w-0 rounded-card border bg-surface p-3.5 ${className}`}>
      <div className="mb-2 flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="font-semibold">
          {title} {note ? <span className="font-normal text-faint">{note}</span> : null}
        </h2>
        {choice ? <div className="ml-auto">{choice}</div> : null}
      </div>
      {children}
    </section>
  )
}
