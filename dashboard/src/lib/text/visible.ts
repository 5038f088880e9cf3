/** Characters that turn the direction of what follows are shown for what they are. */
export function visible(text: string): string {
  return text.replace(/[\u202A-\u202E\u2066-\u2069]/g, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase()}⟩`)
}
