import { defineConfig } from '@playwright/test'
import base from './playwright.config'

/** What the pages take in a browser, by `make bench`. */
export default defineConfig({ ...base, testDir: 'e2e', testMatch: 'budgets.ts', reporter: 'line' })
