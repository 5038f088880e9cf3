/** Programs by what their user agents hold; the first that fits, since most claim to be others too. */
const programs: [RegExp, string][] = [
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\b(?:OPR|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\bHeadlessChrome\//, 'Headless Chrome'],
  [/\b(?:Chrome|CriOS|Chromium)\//, 'Chrome'],
  [/\bVersion\/[\d.]+ .*\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
]

const systems: [RegExp, string][] = [
  [/\b(?:iPhone|iPod)\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bLinux\b|\bX11\b/, 'Linux'],
]

/** What somebody signed in with, as "Chrome on Linux"; what is not known is shown as it was sent. */
export function deviceOf(userAgent: string | null): string {
  if (!userAgent) return 'unknown browser'
  const find = (list: [RegExp, string][]) => list.find(([sign]) => sign.test(userAgent))?.[1]
  const [program, system] = [find(programs), find(systems)]
  if (program && system) return `${program} on ${system}`
  return program ?? (system && userAgent.startsWith('Mozilla/') ? `a browser on ${system}` : userAgent)
}

/** An address as short as it can be written; of a long one of IPv6 the network, which is what a line or a house has. "" for one that says nothing. */
export function shortAddress(address: string): string {
  const parts = groupsOf(address)
  if (!parts) return address
  const mapped = parts.slice(0, 5).every((n) => n === 0) && parts[5] === 0xffff
  if (mapped) return [parts[6] ?? 0, parts[7] ?? 0].flatMap((n) => [n >> 8, n & 255]).join('.')
  if (parts.every((n) => n === 0)) return ''
  const hex = parts.map((n) => n.toString(16))
  const zeros = longestZeros(parts)
  if (zeros.length < 3) return `${hex.slice(0, 4).join(':')}:…`
  return `${hex.slice(0, zeros.at).join(':')}::${hex.slice(zeros.at + zeros.length).join(':')}`
}

/** The eight groups of an address of IPv6; null for anything else. */
function groupsOf(address: string): number[] | null {
  if (!address.includes(':') || !/^[\da-f:]+$/i.test(address)) return null
  const [head = '', tail, more] = address.split('::')
  if (more !== undefined) return null
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((it) => (/^[\da-f]{1,4}$/i.test(it) ? Number.parseInt(it, 16) : Number.NaN)))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const missing = 8 - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 1) return null
  const all = [...before, ...Array.from({ length: missing }, () => 0), ...after]
  return all.some(Number.isNaN) ? null : all
}

function longestZeros(parts: number[]): { at: number; length: number } {
  let best = { at: 0, length: 0 }
  for (let at = 0; at < parts.length; at++) {
    let length = 0
    while (parts[at + length] === 0) length++
    if (length > best.length) best = { at, length }
  }
  return best
}
