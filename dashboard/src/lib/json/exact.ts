/** A string or a number as a whole, wherever one stands in JSON. */
const scalar = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs
const longInteger = /(?:^|[[:,\s])-?\d{16,}/

/**
 * Reads JSON. Integers that a number cannot hold become a string of their
 * digits: an id in what a tool was given is that id, and not the one next to it.
 */
export function parseExactly(text: string): unknown {
  if (!longInteger.test(text)) return JSON.parse(text)
  return JSON.parse(text.replace(scalar, (it) => (/^-?\d{16,}$/.test(it) && !Number.isSafeInteger(Number(it)) ? `"${it}"` : it)))
}
