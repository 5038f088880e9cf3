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

/** What a page shows when it is there: the n-th element of a selector, of those with such a text. */
interface Mark {
  path: string
  selector: string
  n: number
  text?: string
}

/** Tells on the console when the mark of a page is painted, in milliseconds since somebody asked for the page. */
function tellWhenSeen(marks: Mark[]) {
  const mark = marks.find(({ path }) => path === location.pathname)
  if (!mark) return
  const text = new RegExp(mark.text ?? '')
  const look = () => {
    const there = [...document.querySelectorAll(mark.selector)].filter((element) => text.test(element.textContent ?? ''))[mark.n]
    if (there) setTimeout(() => console.debug(`seen ${performance.now()}`)) // after this frame
    else requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}

/**
 * Milliseconds until a page shows its mark, by the page's own clock: to look for
 * it from here would first have Playwright's engine compiled in the page, which holds
 * up the page's scripts for as long as some of the budgets allow in all.
 */
async function open(page: Page, path: string): Promise<number> {
  const seen = page.waitForEvent('console', (message) => message.text().startsWith('seen '))
  await page.goto(path, { waitUntil: 'commit' })
  return Number((await seen).text().slice('seen '.length))
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

const marks: Mark[] = [
  { path: '/dashboard', selector: 'a', n: 0, text: '^Traces\\d' },
  { path: `/dashboard/traces/${ids.large}`, selector: '[role=treeitem]', n: 5 },
  { path: '/dashboard/traces', selector: '[role=row]', n: 20 },
]

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
    await fresh.addInitScript(tellWhenSeen, marks)
    requests = 0
    fresh.on('request', () => requests++)
    const ms = await open(fresh, '/dashboard')
    await fresh.waitForLoadState('networkidle')
    await context.close()
    return ms
  }
  await cold() // what the server reads for the first time
  add('overview, cold, until its numbers', await median(cold), ' ms', '< 800 ms')
  add('requests of a cold overview', requests, '', '≤ 14')

  await page.addInitScript(tellWhenSeen, marks)
  add('trace of 10,000 spans until its first rows', await median(() => open(page, `/dashboard/traces/${ids.large}`)), ' ms', '< 500 ms')
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

  const list = () => open(page, '/dashboard/traces?from=-30d')
  await list()
  add('list of 30 days, the page too, until its rows', await median(list), ' ms', '')
  const filter = page.getByRole('combobox', { name: 'Filter' })
  const answered = () => page.waitForResponse((response) => response.url().endsWith('/query/traces/search'))
  /** From the key or click, without what Playwright does before it, to the frame after the answer. */
  const again = async (type: 'keydown' | 'click', change: () => Promise<unknown>) => {
    const answer = answered()
    const begun = await page.evaluateHandle((event) => {
      const at = { time: Number.NaN }
      addEventListener(event, ({ timeStamp }) => (at.time = timeStamp), { capture: true, once: true })
      return at
    }, type)
    await change()
    await answer
    return begun.evaluate(({ time }) => new Promise<number>((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now() - time)))))
  }
  const filters = ['status:error', 'model:gpt-4o*', 'latency>2s', 'cost>0.001', '-status:error']
  let at = 0
  add('a filter until its rows', await median(async () => {
    await filter.fill(filters[at++ % filters.length] ?? '')
    return again('keydown', () => filter.press('Enter'))
  }), ' ms', '< 300 ms')
  at = 0
  add('another order until its rows', await median(async () => {
    await list() // a page that has no answer yet
    return again('click', () => page.getByRole('columnheader', { name: at++ % 2 === 0 ? 'cost' : 'lat' }).getByRole('button').click())
  }), ' ms', '< 300 ms')
  writeFileSync(out, JSON.stringify(rows))
})
