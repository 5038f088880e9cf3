/** A slice that does not end within a surrogate pair. */
export function wholeSlice(text: string, start: number, end: number): string {
  const last = text.charCodeAt(end - 1)
  return text.slice(start, end < text.length && end - 1 > start && last >= 0xd800 && last <= 0xdbff ? end - 1 : end)
}
