import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import tailwindcss from '@tailwindcss/vite'
import { tanstackRouter } from '@tanstack/router-plugin/vite'
import react from '@vitejs/plugin-react'
import { build, type Plugin, type Rolldown } from 'vite'
import { defineConfig } from 'vitest/config'

// `npm run dev` shows a Pulse that runs elsewhere: PULSE_URL, else `make run`.
const pulse = process.env['PULSE_URL'] ?? 'http://localhost:3000'

const resolve = { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } }

export default defineConfig({
  plugins: [tanstackRouter({ target: 'react', autoCodeSplitting: true }), react(), tailwindcss(), opening(), compressed()],
  resolve,
  build: {
    target: 'es2022',
    reportCompressedSize: false,
    assetsInlineLimit: 0, // a data URL of a font or script would break the page's policy
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { pluginTimings: false }, output: { codeSplitting: { groups: [{ name: chunkOf, debugName: 'by page', includeDependenciesRecursively: false }] } } },
  },
  server: {
    proxy: Object.fromEntries(['/api', '/dashboard/api', '/v1', '/health'].map((path) => [path, pulse])),
  },
  test: { include: ['src/**/*.test.{ts,tsx}'] },
})

/**
 * Which script a module is in, so that a page asks for few and nobody who signs
 * in waits for what only pages need: one has all of sign-in, one what surrounds
 * every page or is shared by many, with the overview, where most begin. The others are as the bundler cuts them.
 */
function chunkOf(id: string, bundle: Rolldown.ChunkingContext) {
  const of = rootsOf(id, bundle)
  const any = (path: string) => [...of].some((root) => root.includes(path))
  if (any('/src/main.tsx') || any('/index.html') || any('/src/routes/login.tsx?')) return 'sign-in'
  return any('/src/routes/dashboard/route.tsx?') || any('/src/routes/dashboard/index.tsx?') || of.size >= 5 ? 'frame' : null
}

/** The modules that are loaded on demand and bring in a module. */
function rootsOf(id: string, bundle: Rolldown.ChunkingContext) {
  const found = new Set<string>()
  const seen = new Set([id])
  for (const next of seen) {
    const module = bundle.getModuleInfo(next)
    if (!module || module.isEntry || module.dynamicImporters.length > 0) found.add(next)
    for (const importer of module?.importers ?? []) seen.add(importer)
  }
  return found
}

/**
 * Puts src/opening/script.ts before all other scripts, whole in a file of its own,
 * with the names of those that pages begin with, and asks for the font of their texts.
 */
function opening(): Plugin {
  const script = '/src/opening/script.ts'
  return {
    name: 'opening',
    async buildStart() {
      if (this.meta.watchMode) return // the development server serves it as it is
      const built = (await build({
        configFile: false,
        logLevel: 'warn',
        resolve,
        publicDir: false,
        build: { target: 'es2022', write: false, rolldownOptions: { input: `.${script}`, output: { format: 'iife' } } },
      })) as Rolldown.RolldownOutput // for one input, nothing is written or watched
      this.emitFile({ type: 'asset', name: 'opening.js', source: built.output[0].code })
    },
    transformIndexHtml: {
      order: 'post',
      handler(_, { bundle }) {
        if (!bundle) return [{ tag: 'script', attrs: { type: 'module', src: script }, injectTo: 'head-prepend' }]
        const files = Object.values(bundle)
        const named = (part: string) => files.find((file) => file.fileName.startsWith(`assets/${part}`))?.fileName ?? this.error(`no file ${part}`)
        const entry = named('index-')
        const withImports = (name: string, seen = new Set<string>()): Set<string> => {
          const file = bundle[name]
          if (name === entry || seen.has(name) || file?.type !== 'chunk') return seen
          seen.add(name)
          for (const imported of file.imports) withImports(imported, seen)
          return seen
        }
        const frame = withImports(named('frame-'))
        const trace = [...withImports(named('_traceId-'))].filter((name) => !frame.has(name))
        const paths = (names: Iterable<string>) => [...names].map((name) => `/${name}`).join(' ')
        return [
          { tag: 'script', attrs: { src: `/${named('opening-')}`, 'data-frame': paths(frame), 'data-trace': paths(trace) }, injectTo: 'head-prepend' },
          { tag: 'link', attrs: { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: '', href: `/${named('inter-latin-wght-')}` }, injectTo: 'head' },
        ]
      },
    },
  }
}

/**
 * Puts in the place of each script and style what travels of it, so that the server need not compress it for everybody
 * anew. It inflates it for the few who cannot: both would make its package too large.
 */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle)) {
        if (!dir || !/^assets\/.*\.(js|css)$/.test(name)) continue
        const content = readFileSync(join(dir, name))
        if (content.length < 1024) continue // shorter than what compressing saves is worth
        writeFileSync(join(dir, `${name}.gz`), gzipSync(content, { level: 9 }))
        rmSync(join(dir, name))
      }
    },
  }
}
