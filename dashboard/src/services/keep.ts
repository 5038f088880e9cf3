/**
 * What stays on the screen while the next answer is on its way: the one before,
 * but never that of another project. Query keys have the project second.
 */
export function keepOf(project: string) {
  return <T>(previous: T | undefined, query: { queryKey: readonly unknown[] } | undefined): T | undefined => (query?.queryKey[1] === project ? previous : undefined)
}
