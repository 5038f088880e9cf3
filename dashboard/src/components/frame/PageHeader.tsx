import type { ReactNode } from 'react'

/** The bar above every page: where one is, and what can be done. */
export function PageHeader({ title, children }: { title: ReactNode; children?: ReactNode }) {
  return (
    <header className="flex min-h-11 flex-none flex-wrap items-center gap-2.5 border-b px-3.5 py-1.5">
      <h1 className="flex min-w-0 items-center gap-2 font-semibold">{title}</h1>
      <div className="ml-auto flex flex-wrap items-center gap-2">{children}</div>
    </header>
  )
}
