import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef } from 'react'

const soon = 10 // rows before the end that more is asked for

interface RowsOptions {
  count: number
  rowHeight: number
  /** The row that has to be seen; -1 for none. */
  at?: number
  /** The end comes into sight. */
  onEnd?: () => void
}

/** Rows of one height of which only those that can be seen are in the document. */
export function useRows({ count, rowHeight, at = -1, onEnd }: RowsOptions) {
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 20 })
  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? 0
  useEffect(() => {
    if (last >= count - soon) onEnd?.()
  }, [last, count, onEnd])
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: 'auto' })
  }, [at, virtual])
  return { scroller, items, height: virtual.getTotalSize() }
}
