import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from '@playwright/test'
import { account, ada, expect, signIn, test } from './pulse'
import { ids, seed } from './seed'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const pages = [
  '/dashboard', '/dashboard/start', '/dashboard/traces', `/dashboard/traces?peek=${ids.rag}`, `/dashboard/traces/${ids.agent}`, `/dashboard/traces/${ids.agent}?tab=raw`, `/dashboard/traces/${ids.large}`, `/dashboard/traces/${ids.hostile}`, `/dashboard/traces/${ids.agent}?view=flame`, `/dashboard/traces/${ids.japanese}`, `/dashboard/compare?a=${ids.good}&b=${ids.rag}`, '/dashboard/sessions', '/dashboard/sessions/trip-long', '/dashboard/sessions/code-refunds', '/dashboard/sessions/trip-long?tab=table',
  '/dashboard/agents', '/dashboard/analytics', '/dashboard/analytics?chart=heatmap&by=tool&by2=model&m=p95', '/dashboard/analytics?chart=table&m=cost', '/dashboard/projects', '/dashboard/api-keys', '/dashboard/members', '/dashboard/settings', '/dashboard/account', '/dashboard/nowhere',
]

interface Finding {
  id: string
  impact: string
  nodes: { html: string; failureSummary: string }[]
}

/** What somebody would trip over: a page or pane that scrolls sideways, content beyond an edge, text cut short that nothing tells, targets too small for a finger. */
const trips = (page: Page) =>
  page.evaluate(() => {
    const found: string[] = []
    const tell = (what: string, e: Element) => found.push(`${what}: ${e.outerHTML.slice(0, 160)}`)
    for (const e of document.querySelectorAll<HTMLElement>('html, body *')) {
      const box = e.getBoundingClientRect()
      const style = getComputedStyle(e)
      if (box.width < 2 || box.height < 2 || style.visibility === 'hidden') continue // unseen, or for screen readers only
      if (e.scrollWidth > e.clientWidth + 1 && style.overflowX !== 'visible') {
        const cut = style.textOverflow === 'ellipsis'
        // Wide tables scroll in a box of their own, which says so; fields scroll by themselves.
        if (cut && !e.closest('[title]')) tell('cut short, without a title', e)
        if (!cut && !/\boverflow(-x)?-auto\b/.test(e.className) && !e.matches('input')) tell('wider than its box', e)
      }
      // Names in JSON are links in a text.
      if (!e.matches('a, button, select, summary, input, [role=tab], [role=menuitem]') || style.display === 'inline' || e.closest('[aria-label^="Stored"]')) continue
      // A box counts with its label, a link that covers its row with the row.
      const target = e.className.includes('after:inset-0') ? e.closest('[role=row]') : e.closest('label')
      const size = target?.getBoundingClientRect() ?? box
      if (size.width < 24 || size.height < 24) tell(`${Math.round(size.width)} × ${Math.round(size.height)}`, e)
    }
    return found
  })

test.describe.configure({ mode: 'serial' })

test('every page, in both themes and on a phone', async ({ page, pulse, watch }) => {
  test.setTimeout(420_000)
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
    for (const path of pages) {
      await check(path, theme)
      if (theme === 'light') expect.soft(await trips(page), path).toEqual([])
    }
  }
  await page.setViewportSize({ width: 390, height: 844 })
  for (const path of pages) {
    await page.goto(path)
    await expect(page.locator('h1, main p').first()).toBeVisible()
    await expect(page.getByRole('status', { name: /^Loading/ })).toHaveCount(0)
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    expect.soft(overflow, `${path} is wider than a phone`).toBeLessThanOrEqual(0)
    expect.soft(await trips(page), `${path} on a phone`).toEqual([])
  }
})
