/** A number in its parts, as a line. Gaps are gaps. */
export function Sparkline({ values, color = 'var(--accent)' }: { values: (number | null)[]; color?: string }) {
  const known = values.filter((v): v is number => v !== null)
  if (known.length < 2) return <span className="block h-5" />
  const top = Math.max(...known, 0)
  const low = Math.min(...known, 0)
  const span = top - low || 1
  const parts: string[] = []
  let open = false
  values.forEach((v, i) => {
    if (v === null) {
      open = false
      return
    }
    parts.push(`${open ? 'L' : 'M'}${((i / (values.length - 1)) * 100).toFixed(1)} ${(19 - ((v - low) / span) * 18).toFixed(1)}`)
    open = true
  })
  return (
    <svg viewBox="0 0 100 20" preserveAspectRatio="none" className="h-5 w-full" aria-hidden="true">
      <path d={parts.join('')} fill="none" style={{ stroke: color }} strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  )
}
