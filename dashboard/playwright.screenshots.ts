import { defineConfig } from '@playwright/test'
import base from './playwright.config'

/** The pictures of the README, by `make screenshots`. */
export default defineConfig({ ...base, testDir: 'e2e', testMatch: 'screenshots.ts' })
