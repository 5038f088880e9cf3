import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'
import { isOpen, resolveRange, type Range, type RangeText } from '@/lib/time/range'
import { useNow } from './useNow'

const frame = getRouteApi('/dashboard')

/**
 * The range of the URL. An open one moves with the clock, in steps that keep
 * queries from being asked anew at every paint.
 */
export function useRange(): { text: RangeText; range: Range; open: boolean; set: (next: RangeText) => void } {
  const { from, to } = frame.useSearch()
  const navigate = useNavigate()
  const set = useCallback((next: RangeText) => void navigate({ to: '.', search: (old) => ({ ...old, from: next.from, to: next.to }), hash: true }), [navigate])
  const now = useNow(15_000)
  return useMemo(() => {
    const text = { from, to }
    return { text, range: resolveRange(text, now), open: isOpen(text), set }
  }, [from, to, now, set])
}
