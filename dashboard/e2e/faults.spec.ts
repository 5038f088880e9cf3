import { account, expect, signIn, test, type Person } from './pulse'

// Not those of the other journeys, which may meet the same server.
const eve: Person = { name: 'Eve', email: 'eve@example.com', password: 'correct horse', project: 'eves-secrets' }
const max: Person = { name: 'Max', email: 'max@example.com', password: 'battery staple', project: 'maxs-own' }

let projectId: string

test.describe.configure({ mode: 'serial' })

test('what follows cannot be read: that is said, and asked for again only on demand', async ({ page, pulse, watch }) => {
  const made = await account(pulse, eve)
  projectId = made.projectId
  const now = Date.now()
  const call = (i: number) => ({ trace_id: crypto.randomUUID(), timestamp: new Date(now - 30 * 3_600_000 - i * 60_000).toISOString(), provider: 'openai', model_requested: 'gpt-4o', status: i % 2 ? 'success' : 'error', latency_ms: 420, session_id: `chat-${i}`, request_body: { messages: [{ role: 'user', content: `refund ${i}` }] } })
  for (const half of [0, 60]) {
    const sent = await fetch(`${pulse.url}/v1/traces/batch`, { method: 'POST', headers: { Authorization: `Bearer ${made.key}`, 'Content-Type': 'application/json' }, body: JSON.stringify(Array.from({ length: 60 }, (_, i) => call(half + i))) })
    expect(sent.status).toBe(202)
  }

  await signIn(page, eve)
  watch.expected.push(/429/)
  for (const [path, table, what] of [['traces', 'Traces', 'Further traces'], ['sessions', 'Sessions', 'Further sessions']] as const) {
    let asked = 0
    await page.route(`**/query/${path}/search`, async (route) => {
      if (!(route.request().postDataJSON() as { cursor?: string }).cursor) return route.continue()
      asked++
      return route.fulfill({ status: 429, contentType: 'application/json', body: '{"error":"Too many requests"}' })
    })
    await page.goto(`/dashboard/${path}?from=-7d`)
    const rows = page.getByRole('table', { name: table }).getByRole('rowgroup').last()
    await expect(rows.getByRole('row').first()).toBeVisible()
    // The end comes into sight.
    const toEnd = () => rows.evaluate((element) => element.scrollTo(0, element.scrollHeight))
    await toEnd()
    await expect(page.getByRole('alert').filter({ hasText: `${what} could not be read: Too many requests` })).toBeVisible()
    const before = asked
    await page.keyboard.press('j') // the page is drawn anew
    await page.waitForResponse((response) => response.url().endsWith('/query/status')) // and the world goes on
    expect(asked).toBe(before)

    await page.unroute(`**/query/${path}/search`)
    await page.getByRole('button', { name: 'Try again' }).click()
    await expect(page.getByRole('alert')).toHaveCount(0)
    await expect(page.getByRole('table', { name: table })).toHaveAttribute('aria-rowcount', '101')
    await toEnd()
    await expect(page.getByRole('table', { name: table })).toHaveAttribute('aria-rowcount', '121')
  }
})

test('a trace of which the end cannot be read is not called well', async ({ page, pulse, watch }) => {
  const { key } = await account(pulse, eve)
  const traceId = 'fa0175000000000000000000000fa017'
  const span = (i: number) => ({ traceId, spanId: `fa0175000000000${i}`, ...(i > 0 ? { parentSpanId: 'fa01750000000000' } : {}), name: `step ${i}`, kind: 1, startTimeUnixNano: `${Date.now() - 60_000 + i}000000`, endTimeUnixNano: `${Date.now() - 50_000 + i}000000`, status: i === 3 ? { code: 2, message: 'it failed' } : { code: 1 } })
  const sent = await fetch(`${pulse.url}/v1/traces`, { method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [0, 1, 2, 3].map(span) }] }] }) })
  expect(sent.status).toBe(200)
  await signIn(page, eve)
  watch.expected.push(/429/)
  // Two spans a page.
  await page.route('**/tree', (route) => route.continue({ url: `${route.request().url()}?limit=2` }))
  await page.route('**/tree?cursor=*', (route) => route.fulfill({ status: 429, contentType: 'application/json', body: '{"error":"Too many requests"}' }))
  await page.goto(`/dashboard/traces/${traceId}`)
  await expect(page.getByRole('alert')).toContainText('Further spans could not be read: Too many requests')
  await expect(page.getByRole('heading', { level: 1 })).toContainText('error · 1 of 4')
  await expect(page.getByText('2 of 4 spans read')).toBeVisible()

  await page.unroute('**/tree?cursor=*')
  await page.getByRole('button', { name: 'Try again' }).click()
  await expect(page.getByRole('treeitem', { name: /step 3.*failed/ })).toHaveAttribute('aria-selected', 'true')
  await expect(page.getByText('it failed').first()).toBeVisible()
  await expect(page.getByRole('alert')).toHaveCount(0)
})

test('times of another day are read whole', async ({ page }) => {
  await signIn(page, eve)
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: 900 })
    for (const path of ['traces', 'sessions']) {
      await page.goto(`/dashboard/${path}?from=-7d`)
      const cell = page.getByRole('cell', { name: /^\d+ \w+ \d\d:\d\d$/ }).first()
      await expect(cell).toBeVisible()
      expect(await cell.evaluate((element) => element.scrollWidth - element.clientWidth), `${path} at ${width}`).toBeLessThanOrEqual(0)
    }
  }
})

test('a session ends: nothing of it is left for who signs in next', async ({ page, pulse, watch }) => {
  await account(pulse, max)
  await signIn(page, eve)
  await page.goto(`/dashboard/traces?p=${projectId}&from=-7d&q=status:error`)
  await page.getByRole('combobox', { name: 'Filter' }).fill('status:error "refund"')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/#text=/)
  watch.expected.push(/401/)
  await page.context().clearCookies()
  await page.reload()

  // What was searched for comes along, but not in what a server is asked for.
  await expect(page).toHaveURL(/\/login\?next=.*status:error.*#text=%22refund%22$/)
  expect(new URL(page.url()).search).not.toContain('refund')
  await page.getByLabel('E-mail').fill(eve.email)
  await page.getByLabel('Password').fill(eve.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('combobox', { name: 'Filter' })).toHaveValue('status:error "refund"')
  await expect(page.getByRole('link', { name: 'gpt-4o' }).first()).toBeVisible()

  // This time the page notices by itself, and another signs in.
  await page.context().clearCookies()
  await page.getByRole('link', { name: 'Sessions' }).click()
  await expect(page).toHaveURL(/\/login\?next=/)
  await page.getByLabel('E-mail').fill(max.email)
  await page.getByLabel('Password').fill(max.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByText('The project of this link is none of yours')).toBeVisible()
  await expect(page.getByText(eve.project)).toHaveCount(0)
  await page.getByRole('link', { name: `Open ${max.project}` }).click()
  await expect(page.getByRole('button', { name: `Project: ${max.project}` })).toBeVisible()
})

test('a link to a project of others shows no project of one\'s own instead', async ({ page, pulse }) => {
  await signIn(page, max)
  await page.goto(`/dashboard/traces?p=${projectId}&from=-7d`)
  await expect(page.getByText('The project of this link is none of yours')).toBeVisible()
  await expect(page.getByRole('table')).toHaveCount(0)

  // Once somebody has added them, the page that was open finds it.
  const { cookie } = await account(pulse, eve)
  const added = await fetch(`${pulse.url}/dashboard/api/users`, { method: 'POST', headers: { 'Content-Type': 'application/json', Origin: pulse.url, cookie, 'X-Project-Id': projectId }, body: JSON.stringify({ email: max.email, role: 'user' }) })
  expect(added.status).toBe(201)
  await page.getByRole('link', { name: 'All projects' }).click()
  await expect(page.getByRole('link', { name: max.project })).toBeVisible()
  await page.goBack()
  await expect(page.getByRole('button', { name: `Project: ${eve.project}` })).toBeVisible()
  await expect(page.getByRole('table', { name: 'Traces' })).toBeVisible()
})

test('while the server hangs the page says that what stands there is not what was asked for', async ({ page, pulse }) => {
  await account(pulse, eve)
  await signIn(page, eve)
  await page.goto('/dashboard/traces?from=-7d')
  await expect(page.getByRole('row').nth(5)).toBeVisible()
  const waiting = page.getByText('Waiting for an answer…')
  await expect(waiting).toHaveCount(0)
  let answer = () => {}
  const hung = new Promise<void>((done) => {
    answer = done
  })
  await page.route('**/query/traces/search', async (route) => {
    await hung
    await route.continue()
  })
  await page.getByRole('button', { name: 'only errors' }).click()
  await expect(waiting).toBeVisible()
  await expect(page.getByRole('row').nth(5)).toBeVisible() // what was there stays
  answer()
  await expect(waiting).toHaveCount(0)

  // Nor do the scripts of the next page come.
  await page.route('**/assets/**', () => new Promise(() => {}))
  await page.getByRole('link', { name: 'Settings' }).click()
  await expect(waiting).toBeVisible()
  await page.unrouteAll({ behavior: 'ignoreErrors' })
})
