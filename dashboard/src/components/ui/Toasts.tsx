import { useSyncExternalStore } from 'react'

interface Toast {
  id: number
  text: string
}

let toasts: Toast[] = []
let next = 1
const listeners = new Set<() => void>()

function change(list: Toast[]) {
  toasts = list
  for (const listener of listeners) listener()
}

/** Says for a few seconds that something was done. Errors are said where they happen instead. */
export function toast(text: string): void {
  const id = next++
  change([...toasts.slice(-2), { id, text }])
  setTimeout(() => change(toasts.filter((t) => t.id !== id)), 4_000)
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function Toasts() {
  const list = useSyncExternalStore(subscribe, () => toasts)
  return (
    <div role="status" className="pointer-events-none fixed bottom-4 right-4 z-50 flex flex-col gap-2">
      {list.map((t) => (
        <div key={t.id} className="rounded-card border bg-surface px-3 py-2 shadow-float">
          {t.text}
        </div>
      ))}
    </div>
  )
}
