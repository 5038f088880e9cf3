import { useSyncExternalStore } from 'react'

const listeners = new Set<() => void>()

function subscribe(listener: () => void) {
  listeners.add(listener)
  window.addEventListener('storage', listener)
  return () => {
    listeners.delete(listener)
    window.removeEventListener('storage', listener)
  }
}

/** What this browser keeps under a name. */
export function read(name: string): string | null {
  try {
    return localStorage.getItem(name)
  } catch {
    return null
  }
}

/** A choice that this browser keeps. Nothing of a prompt belongs here. */
export function usePreference(name: string, fallback: string): [string, (value: string) => void] {
  const value = useSyncExternalStore(subscribe, () => read(name) ?? fallback)
  return [
    value,
    (next) => {
      try {
        localStorage.setItem(name, next)
      } catch {
        // A browser that keeps nothing forgets it at the next load.
      }
      for (const listener of listeners) listener()
    },
  ]
}
