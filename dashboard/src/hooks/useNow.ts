import { useEffect, useState } from 'react'
import { endOpening, openedAt } from '@/opening/opening'

/** The time, at most `every` ms old; for what says "3 min ago". While a page opens it is that of what was asked for. */
export function useNow(every = 10_000): Date {
  const [now, setNow] = useState(() => openedAt() ?? new Date())
  useEffect(() => {
    endOpening()
    const timer = setInterval(() => setNow(new Date()), every)
    return () => clearInterval(timer)
  }, [every])
  return now
}
