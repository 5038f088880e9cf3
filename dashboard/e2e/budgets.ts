import { writeFileSync } from 'node:fs'
import { expect, test, type Page } from '@playwright/test'
import { signIn, type Person } from './pulse'
import { ids, sendLarge } from './seed'

/**
 * Measures the budgets of the pages against a server that is there already, on
 * the store that it has: BUDGETS_URL, with an account, and the key and the id of
 * its project. Each row of the file BUDGETS_OUT is what was measured, the figure and the
 * budget. Nothing fails for being slow.
 */
const { BUDGETS_URL: url = '', BUDGETS_KEY: key = '', BUDGETS_ACCOUNT: accountText = '{}', BUDGETS_PROJECT: project = '', BUDGETS_OUT: out = '' } = process.env
const account = JSON.parse(accountText) as Person
const rows: [string, string, string][] = []
const rounds = 5

test.use({ baseURL: url, trace: 'off' })

async function median(round: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < rounds; i++) times.push(await round())
  return times.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN
}

/** Milliseconds until something is to be seen. */
async function until(begin: () => Promise<unknown>, seen: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await begin()
  await seen()
  return performance.now() - start
}

const add = (what: string, value: number, unit: string, budget: string) => rows.push([what, `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en')}${unit}`, budget])

/** From a key to the frame after it, in the page's own time. */
const keyToPaint = (page: Page, name: string) =>
  page.evaluate(
    (pressed) =>
      new Promise<number>((done) => {
        const start = performance.now()
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: pressed, bubbles: true }))
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)))
      }),
    name,
  )

test('budgets', async ({ page, browser }) => {
  test.setTimeout(300_000)
  await sendLarge(url, key)
  await signIn(page, account)
  await page.goto(`/dashboard?p=${project}`) // which the browser keeps
  await page.getByRole('link', { name: /^Traces/ }).first().waitFor()
  const signedIn = await page.context().storageState()

  let requests = 0
  const cold = async () => {
    const context = await browser.newContext({ baseURL: url, storageState: signedIn, viewport: { width: 1440, height: 900 } })
    const fresh = await context.newPage()
    requests = 0
    fresh.on('request', () => requests++)
    const ms = await until(() => fresh.goto('/dashboard', { waitUntil: 'commit' }), () => fresh.getByRole('link', { name: /^Traces \d/ }).waitFor())
    await fresh.waitForLoadState('networkidle')
    await context.close()
    return ms
  }
  await cold() // what the server reads for the first time
  add('overview, cold, until its numbers', await median(cold), ' ms', '< 800 ms')
  add('requests of a cold overview', requests, '', '≤ 14')

  const tree = page.getByRole('treeitem').nth(5)
  add('trace of 10,000 spans until its first rows', await median(() => until(() => page.goto(`/dashboard/traces/${ids.large}`, { waitUntil: 'commit' }), () => tree.waitFor())), ' ms', '< 500 ms')
  await expect(page.getByText('10,000 spans')).toBeVisible()
  add('its DOM nodes', await page.locator('*').count(), '', '< 1,500')
  add('a key in it until it is painted', await median(() => keyToPaint(page, 'j')), ' ms', '< 100 ms')
  const frames = await page.getByRole('tree').evaluate(
    (element) =>
      new Promise<number[]>((done) => {
        const times: number[] = []
        let last = performance.now()
        const step = () => {
          const now = performance.now()
          times.push(now - last)
          last = now
          element.scrollTop += 400
          if (times.length < 120) requestAnimationFrame(step)
          else done(times)
        }
        requestAnimationFrame(step)
      }),
  )
  add('a frame of its scrolling, p95', frames.toSorted((a, b) => a - b)[Math.floor(frames.length * 0.95)] ?? Number.NaN, ' ms', '< 50 ms')

  const row = page.getByRole('row').nth(20)
  const list = () => until(() => page.goto('/dashboard/traces?from=-30d', { waitUntil: 'commit' }), () => row.waitFor())
  await list()
  add('list of 30 days, the page too, until its rows', await median(list), ' ms', '')
  const filter = page.getByRole('combobox', { name: 'Filter' })
  const answered = () => page.waitForResponse((response) => response.url().endsWith('/query/traces/search'))
  const again = async (change: () => Promise<unknown>) => {
    const answer = answered()
    return until(change, async () => {
      await answer
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))))
    })
  }
  const filters = ['status:error', 'model:gpt-4o*', 'latency>2s', 'cost>0.001', '-status:error']
  let at = 0
  add('a filter until its rows', await median(async () => {
    await filter.fill(filters[at++ % filters.length] ?? '')
    return again(() => filter.press('Enter'))
  }), ' ms', '< 300 ms')
  at = 0
  add('another order until its rows', await median(async () => {
    await list() // a page that has no answer yet
    return again(() => page.getByRole('columnheader', { name: at++ % 2 === 0 ? 'cost' : 'lat' }).getByRole('button').click())
  }), ' ms', '< 300 ms')
  writeFileSync(out, JSON.stringify(rows))
})
