import * as z from 'zod/mini'

/**
 * Query strings as people write them: `?q=status:error&from=-24h`, without the
 * quotes and brackets of JSON. Every value is a string; empty ones are left out.
 */
export function parseSearch(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search))
}

export function stringifySearch(values: Record<string, unknown>): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      if (value !== '' && value !== false) params.set(name, String(value))
    }
  }
  // Colons, slashes and commas may stand in a query as they are, and filters are full of them.
  const text = params.toString().replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%2C', ',').replaceAll('%3E', '>').replaceAll('%3C', '<')
  return text === '' ? '' : `?${text}`
}

/** A text of the URL that need not be there, for the schema of a route's search. */
export const optionalText = () => z.catch(z.optional(z.string()), undefined)
