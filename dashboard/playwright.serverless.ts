import { defineConfig } from '@playwright/test'
import base from './playwright.config'

/** The journeys in short, against the functions behind their gateway: see shared/testkit/serverless. */
export default defineConfig({ ...base, testDir: 'e2e', testMatch: 'short.ts', expect: { timeout: 30_000 } })
