import { useEffect, useState } from 'react'

/** Bars of the final size, from 150 ms on; after five seconds it says that it still works. */
export function Loading({ rows = 8, rowHeight = 28, label = 'Loading' }: { rows?: number; rowHeight?: number; label?: string }) {
  const [age, setAge] = useState<'new' | 'shown' | 'long'>('new')
  useEffect(() => {
    const shown = setTimeout(() => setAge('shown'), 150)
    const long = setTimeout(() => setAge('long'), 5_000)
    return () => {
      clearTimeout(shown)
      clearTimeout(long)
    }
  }, [])
  return (
    <div role="status" aria-label={label} className={age === 'new' ? 'invisible' : undefined}>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className="flex items-center px-3.5" style={{ height: rowHeight }}>
          <div className="h-2.5 animate-pulse rounded-bar bg-sunken" style={{ width: `${50 + ((i * 37) % 45)}%` }} />
        </div>
      ))}
      {age === 'long' ? <p className="px-3.5 py-2 text-faint">Still working…</p> : null}
    </div>
  )
}
