import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { account, ada, expect, signIn, test } from './pulse'
import { ids, seed } from './seed'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const pages = [
  '/dashboard', '/dashboard/start', '/dashboard/traces', `/dashboard/traces/${ids.agent}`, `/dashboard/traces/${ids.agent}?view=flame`, `/dashboard/traces/${ids.japanese}`, `/dashboard/compare?a=${ids.good}&b=${ids.rag}`, '/dashboard/sessions', '/dashboard/sessions/trip-long', '/dashboard/sessions/code-refunds', '/dashboard/sessions/trip-long?tab=table',
  '/dashboard/agents', '/dashboard/analytics', '/dashboard/analytics?chart=heatmap&by=tool&by2=model&m=p95', '/dashboard/analytics?chart=table&m=cost', '/dashboard/projects', '/dashboard/api-keys', '/dashboard/members', '/dashboard/settings', '/dashboard/account', '/dashboard/nowhere',
]

interface Finding {
  id: string
  impact: string
  nodes: { html: string; failureSummary: string }[]
}

test.describe.configure({ mode: 'serial' })

test('every page, in both themes and on a phone', async ({ page, pulse, watch }) => {
  test.setTimeout(300_000)
  const { key } = await account(pulse, ada)
  await seed(pulse.url, key)
  const check = async (path: string, theme: string) => {
    await page.goto(path)
    await expect(page.locator('h1, form, main p').first()).toBeVisible()
    await expect(page.getByRole('status', { name: /^Loading/ })).toHaveCount(0)
    // The policy of the page forbids added scripts, not those of the debugger.
    await page.evaluate(axe)
    const findings = await page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run: (options: unknown) => Promise<{ violations: Finding[] }> } } // set by the line before
      return (await axe.run({ resultTypes: ['violations'] })).violations
    })
    const bad = findings.filter((f) => f.impact === 'serious' || f.impact === 'critical').map((f) => `${f.id}: ${f.nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`)
    expect.soft(bad, `${path} in ${theme}`).toEqual([])
  }
  await check('/login', 'light')
  await check('/signup', 'light')
  watch.expected.push(/404/)
  await check('/invite/unknown', 'light')
  await signIn(page, ada)
  for (const theme of ['light', 'dark']) {
    await page.evaluate((value) => localStorage.setItem('pulse.theme', value), theme)
    for (const path of pages) await check(path, theme)
  }
  await page.setViewportSize({ width: 390, height: 844 })
  for (const path of pages) {
    await page.goto(path)
    await expect(page.locator('h1, main p').first()).toBeVisible()
    await expect(page.getByRole('status', { name: /^Loading/ })).toHaveCount(0)
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    expect.soft(overflow, `${path} is wider than a phone`).toBeLessThanOrEqual(0)
  }
})
