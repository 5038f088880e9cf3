import type { ReactNode } from 'react'

export function Card({ title, note, children, className = '' }: { title: string; note?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`min-w-0 rounded-card border bg-surface p-3.5 ${className}`}>
      <h2 className="mb-2 font-semibold">
        {title} {note ? <span className="font-normal text-faint">{note}</span> : null}
      </h2>
      {children}
    </section>
  )
}
