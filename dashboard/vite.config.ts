import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import { tanstackRouter } from '@tanstack/router-plugin/vite'
import react from '@vitejs/plugin-react'
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
  },
  server: {
    proxy: Object.fromEntries(['/api', '/dashboard/api', '/v1', '/health'].map((path) => [path, pulse])),
  },
  test: { include: ['src/**/*.test.{ts,tsx}'] },
})
