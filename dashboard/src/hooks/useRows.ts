import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef } from 'react'
import { usePreference } from './usePreference'

const soon = 10 // rows before the end that more is asked for

/** Where the choice of roomy rows is kept. */
export const densityKey = 'pulse.density'
const roomier = 8 // pixels

interface RowsOptions {
  count: number
  /** In pixels, of dense rows. */
  dense?: number
  /** The row that has to be seen; -1 for none. */
  at?: number
  /** The end comes into sight. */
  onEnd?: () => void
}

/** Rows of one height, as dense as the reader likes, of which only those that can be seen are in the document. */
export function useRows({ count, dense = 28, at = -1, onEnd }: RowsOptions) {
  const [density] = usePreference(densityKey, 'dense')
  const rowHeight = dense + (density === 'roomy' ? roomier : 0)
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
  useEffect(() => virtual.measure(), [rowHeight, virtual])
  return { scroller, items, height: virtual.getTotalSize(), rowHeight }
}
