import { useSyncExternalStore } from 'react'
import { keep, read } from '@/lib/preference/preference'

const listeners = new Set<() => void>()

function subscribe(listener: () => void) {
  listeners.add(listener)
  window.addEventListener('storage', listener)
  return () => {
    listeners.delete(listener)
    window.removeEventListener('storage', listener)
  }
}

/** A choice that this browser keeps. Nothing of a prompt belongs here. */
export function usePreference(name: string, fallback: string): [string, (value: string) => void] {
  const value = useSyncExternalStore(subscribe, () => read(name) ?? fallback)
  return [
    value,
    (next) => {
      keep(name, next)
      for (const listener of listeners) listener()
    },
  ]
}
