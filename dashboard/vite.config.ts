import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import { tanstackRouter } from '@tanstack/router-plugin/vite'
import react from '@vitejs/plugin-react'
import type { Rolldown } from 'vite'
import { defineConfig } from 'vitest/config'

// `npm run dev` shows a Pulse that runs elsewhere: PULSE_URL, else `make run`.
const pulse = process.env['PULSE_URL'] ?? 'http://localhost:3000'

export default defineConfig({
  plugins: [tanstackRouter({ target: 'react', autoCodeSplitting: true }), react(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'es2022',
    reportCompressedSize: false,
    assetsInlineLimit: 0, // a data URL of a font or script would break the page's policy
    modulePreload: { polyfill: false },
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: chunkOf, debugName: 'by page', includeDependenciesRecursively: false }] } } },
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
