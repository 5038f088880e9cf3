const colors = ['var(--accent)', 'var(--kind-tool)', 'var(--kind-llm)', 'var(--ok)', 'var(--kind-notification)', 'var(--kind-retrieval)', 'var(--warn)', 'var(--kind-session)']

function placeOf(name: string): number {
  let hash = 0
  for (const c of name) hash = (hash * 31 + (c.codePointAt(0) ?? 0)) >>> 0
  return hash % colors.length
}

/** Colours of series that stand in one chart: by name, so the same on every page, but each its own: where two would have the same the smaller takes the next that is free. */
export function seriesColors(names: readonly string[]): Record<string, string> {
  const taken = new Set([colors.length - 1]) // grey is for the rest
  return Object.fromEntries(
    names.map((name) => {
      let place = placeOf(name)
      for (let i = 0; i < colors.length && taken.has(place); i++) place = (place + 1) % colors.length
      taken.add(place)
      return [name, colors[place] ?? 'var(--accent)']
    }),
  )
}
