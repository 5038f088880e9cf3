import type { ReactNode } from 'react'
import { Logo } from '../frame/Logo'

/** The card of the pages before the dashboard. */
export function AuthCard({ title, children, foot }: { title: string; children: ReactNode; foot: ReactNode }) {
  return (
    <main className="flex min-h-full flex-col items-center gap-4 px-4 py-16">
      <Logo always />
      <section className="w-full max-w-[360px] rounded-card border bg-surface p-5">
        <h1 className="mb-4 text-fact font-semibold">{title}</h1>
        {children}
      </section>
      <p className="text-muted">{foot}</p>
    </main>
  )
}
