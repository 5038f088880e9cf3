const colors = ['var(--accent)', 'var(--kind-tool)', 'var(--kind-llm)', 'var(--ok)', 'var(--kind-notification)', 'var(--kind-retrieval)', 'var(--warn)', 'var(--kind-session)']

/** The colour of a series: the same for a name on every page. */
export function seriesColor(name: string): string {
  let hash = 0
  for (const c of name) hash = (hash * 31 + (c.codePointAt(0) ?? 0)) >>> 0
  return colors[hash % colors.length] ?? 'var(--accent)'
}
