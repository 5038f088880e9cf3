/** What of a page's URL is a moment's and not a view's: project, what is peeked at, live rows, a part of the heatmap. */
const passing = ['p', 'peek', 'live', 'sel']

/** The query that a view keeps. Words that were searched for stand behind #, which is not part of it. */
export function savedQuery(search: string): string {
  const params = new URLSearchParams(search)
  for (const name of passing) params.delete(name)
  params.sort()
  return params.toString()
}

/** Where a view is opened, in a project. A view says all of its page's query: what it does not name is not set. */
export function viewPath(view: { page: string; query: string }, project: string): string {
  const params = new URLSearchParams(view.query)
  for (const name of passing) params.delete(name)
  params.set('p', project)
  return `/dashboard${view.page === 'overview' ? '' : `/${view.page}`}?${params}`
}
