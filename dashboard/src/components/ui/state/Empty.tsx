import type { ReactNode } from 'react'

/** Why there is nothing, and the one thing to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-4 py-12 text-center">
      <p className="font-semibold">{title}</p>
      <div className="max-w-[520px] text-muted">{children}</div>
    </div>
  )
}
