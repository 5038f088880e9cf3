import { useEffect, useEffectEvent } from 'react'
import { read } from '@/lib/preference/preference'

/** What a key does: named as KeyboardEvent.key, or as two keys one after the other ("g t"). */
export type Keymap = Record<string, (event: KeyboardEvent) => void>

interface Press {
  key: string
  at: number
}

// The presses before this one, kept once for all listeners.
let last: Press | null = null
let before: Press | null = null

if (typeof window !== 'undefined') {
  window.addEventListener(
    'keydown',
    (event) => {
      before = last
      last = typing(event.target) || event.ctrlKey || event.metaKey || event.altKey ? null : { key: event.key, at: event.timeStamp }
    },
    { capture: true },
  )
}

const together = 1_200 // ms between two keys that belong together

export const singleKeysOff = 'pulse.keys'

/** Whether a key press belongs to what has the focus, and not to the page. */
function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) || target.closest('[role=menu],dialog') !== null)
}

/**
 * Listens to single keys. Nothing happens while somebody types, with a modifier
 * held (but Shift), or where the account switched single keys off.
 */
export function useKeys(keymap: Keymap, enabled = true): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return
    if (read(singleKeysOff) === 'off') return
    const first = before && event.timeStamp - before.at < together ? before.key : ''
    const action = keymap[`${first} ${event.key}`] ?? (first === 'g' ? undefined : keymap[event.key])
    if (action) {
      event.preventDefault()
      action(event)
    }
  })
  useEffect(() => {
    if (!enabled) return
    const listener = (event: KeyboardEvent) => onKey(event)
    window.addEventListener('keydown', listener)
    return () => window.removeEventListener('keydown', listener)
  }, [enabled])
}
