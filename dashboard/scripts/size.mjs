// Fails the build where it is larger than what somebody should wait for. Sizes
// are of what travels: compressed.
import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'

const assets = new URL('../dist/assets/', import.meta.url)
const stored = readdirSync(assets)
const files = stored.map((name) => name.replace(/\.gz$/, ''))
const read = (name) => readFileSync(new URL(name, assets))
const compressed = (name) => stored.includes(`${name}.gz`)
const gz = (name) => (compressed(name) ? read(`${name}.gz`) : gzipSync(read(name))).length
const textOf = (name) => (compressed(name) ? gunzipSync(read(`${name}.gz`)) : read(name)).toString('utf8')
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`

/** A script and all that it imports before it runs. */
function closure(name, seen = new Set()) {
  if (seen.has(name)) return seen
  seen.add(name)
  const text = textOf(name)
  for (const [, imported] of text.matchAll(/(?:from|import)\s*["'`]\.\/([^"'`]+\.js)["'`]/g)) closure(imported, seen)
  return seen
}

const script = (prefix) => files.filter((f) => f.startsWith(prefix) && f.endsWith('.js'))
const html = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8')
const entry = /src="\/assets\/(index-[^"]+\.js)"/.exec(html)?.[1]
if (!entry) throw new Error('dist/index.html names no script')
const sum = (names) => [...names].reduce((all, name) => all + gz(name), 0)
const withEntry = (prefix) => script(prefix).reduce((all, name) => new Set([...all, ...closure(name)]), closure(entry))
const shell = withEntry('frame-')

const budgets = [
  ['scripts of sign-in', sum(closure(entry)), 130_000],
  ['scripts of the overview, with the frame', sum(shell), 215_000],
  ['scripts of a trace on top of the frame', sum(withEntry('_traceId-')) - sum([...withEntry('_traceId-')].filter((f) => shell.has(f))), 45_000],
  ['styles', sum(files.filter((f) => f.endsWith('.css'))), 20_000],
  ['fonts, Latin', files.filter((f) => /latin-wght.*\.woff2$/.test(f) && !f.includes('ext')).reduce((all, name) => all + readFileSync(new URL(name, assets)).length, 0), 90_000],
]

let over = false
for (const [name, size, limit] of budgets) {
  if (size === 0) throw new Error(`${name}: no such file in dist`)
  console.log(`${name}: ${kb(size)} of ${kb(limit)}`)
  over ||= size > limit
}
if (over) {
  console.error('over the budget: see dashboard/scripts/size.mjs')
  process.exit(1)
}
