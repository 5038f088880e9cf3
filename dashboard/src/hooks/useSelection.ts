import { useCallback, useRef, useState } from 'react'

export interface Selection {
  ids: ReadonlySet<string>
  /** Adds or removes one; with range all from the one before on, as it stands in the list. */
  toggle: (list: readonly { id: string }[], index: number, range?: boolean) => void
  clear: () => void
}

const none: ReadonlySet<string> = new Set()

/** Rows that somebody chose, by id, so that they stay chosen where the list grows. */
export function useSelection(): Selection {
  const [ids, setIds] = useState(none)
  const last = useRef<string | null>(null)
  const toggle = useCallback((list: readonly { id: string }[], index: number, range = false) => {
    const id = list[index]?.id
    if (id === undefined) return
    const from = range ? list.findIndex((row) => row.id === last.current) : -1
    last.current = id
    setIds((old) => {
      const next = new Set(old)
      if (from >= 0) for (const row of list.slice(Math.min(from, index), Math.max(from, index) + 1)) next.add(row.id)
      else if (!next.delete(id)) next.add(id)
      return next
    })
  }, [])
  const clear = useCallback(() => setIds(none), [])
  return { ids, toggle, clear }
}
