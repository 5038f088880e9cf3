import { account, ada, bob, expect, signIn, test } from './pulse'
import { ids, seed } from './seed'

test.describe.configure({ mode: 'serial' })

let key = ''
let projectId = ''

test('sign-up to the first trace, in one go', async ({ page, pulse }) => {
  await page.goto('/')
  await expect(page).toHaveURL(/\/login/)
  await page.getByRole('link', { name: 'Create one' }).click()
  await page.getByLabel('Name').fill(ada.name)
  await page.getByLabel('E-mail').fill(ada.email)
  await page.getByLabel('Password').fill('short')
  await page.getByLabel('Project').fill(ada.project)
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(page.getByText('at least 8 characters')).toBeVisible()
  await expect(page.getByLabel('Password')).toBeFocused()
  await page.getByLabel('Password').fill(ada.password)
  await page.keyboard.press('Enter')

  await expect(page).toHaveURL(/\/dashboard\/start/)
  const shown = page.locator('code').first()
  await expect(shown).toHaveText(/^pulse_sk_/)
  key = (await shown.textContent()) ?? ''
  expect(page.url()).not.toContain('pulse_sk')
  await expect(page.locator('pre')).toContainText(key)
  await expect(page.getByText('Waiting for the first trace')).toBeVisible()

  // What is refused is told on the page that waits for it.
  const refused = await fetch(`${pulse.url}/v1/traces/batch`, { method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify([{ trace_id: 7 }]) })
  expect(refused.status).toBe(400)
  await expect(page.getByRole('region', { name: 'Refused in the last day' })).toContainText('trace_id')

  const sent = await fetch(`${pulse.url}/v1/traces/batch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify([{ trace_id: crypto.randomUUID(), timestamp: new Date().toISOString(), provider: 'openai', model_requested: 'gpt-4o-mini', status: 'success', latency_ms: 420, request_body: { messages: [{ role: 'user', content: 'Hello from the first run' }] }, output_text: 'Hi!', input_tokens: 8, output_tokens: 2 }]),
  })
  expect(sent.status).toBe(202)
  await page.getByRole('link', { name: 'Open the trace' }).click()
  await expect(page.getByText('Hello from the first run')).toBeVisible()
  await expect(page.getByText('Hi!')).toBeVisible()
  await expect(page.getByText('ended → accepted → stored')).toBeVisible()

  projectId = new URL(page.url()).searchParams.get('p') ?? (await page.evaluate(() => localStorage.getItem('pulse.project'))) ?? ''
  // The key is gone with the page.
  await page.goto('/dashboard/start')
  await expect(page.getByRole('button', { name: 'Create a key' })).toBeVisible()
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain('pulse_sk')
})

test('from the notice to the offending prompt in two clicks', async ({ page, pulse }) => {
  test.setTimeout(120_000)
  await seed(pulse.url, key)
  await signIn(page, ada)
  await expect(page.getByText(/Error rate .* → .* since/)).toBeVisible()
  // What the chart adds up to is the number above it, embeddings and all.
  const cost = await page.getByRole('link', { name: /^Cost / }).locator('.text-kpi').textContent()
  expect(cost).toMatch(/^\$\d/)
  await expect(page.getByRole('heading', { name: 'Cost by model' }).locator('xpath=../..')).toContainText(cost ?? '')
  await page.getByRole('link', { name: 'Show the traces' }).click() // one
  await expect(page).toHaveURL(/q=status:error/)
  await page.getByRole('row').filter({ hasText: 'answer_question' }).getByRole('link').click() // two
  await expect(page.getByRole('listitem').getByText('How do I return boots?')).toBeVisible()
  await expect(page.getByText('429 Too Many Requests: rate limit reached').first()).toBeVisible()

  // Whether a trace is slow for one of its name, where there are enough of them.
  await expect(page.getByText('wall clock', { exact: true })).toBeVisible()
  await page.goto('/dashboard/traces?q=session:chat-1')
  await page.getByRole('row').getByRole('link').first().click()
  await expect(page.getByText(/^wall clock · p95 \d/)).toBeVisible()
})

test('the overview: what to look at, what changed, of which traces', async ({ page }) => {
  await signIn(page, ada)
  const card = (name: string | RegExp) => page.getByRole('heading', { name }).locator('xpath=../..')
  // The same three looks at the cost, the errors, the tokens; each adds up to its number above.
  const kpi = (name: RegExp) => page.getByRole('link', { name }).locator('.text-kpi').textContent()
  await card('Cost by model').getByRole('button', { name: 'Tokens' }).click()
  await expect(page).toHaveURL(/chart=tokens/)
  await expect(card('Tokens by model')).toContainText((await kpi(/^Tokens /)) ?? '-')
  await card('Tokens by model').getByRole('button', { name: 'Errors' }).click()
  await expect(card('Errors by model').getByRole('img')).toHaveAttribute('aria-label', /^Errors by model: \d+ in/)

  await card('Needs a look').getByRole('button', { name: 'costliest' }).click()
  await expect(card('Needs a look').getByRole('listitem').first()).toContainText('travel_agent › run_sql')
  await card('Needs a look').getByRole('button', { name: 'slowest' }).click()
  await expect(card('Needs a look').getByRole('listitem').first()).toContainText('nightly_index')

  // What changed since the period before, and its traces.
  await card('What is different').getByRole('button', { name: 'since the period before' }).click()
  const changed = card('What is different').getByRole('listitem').filter({ hasText: 'error' }).first()
  await expect(changed).toContainText('status')
  await page.reload()
  await changed.getByRole('button', { name: 'Traces with status error' }).click()
  await expect(page).toHaveURL(/\/traces\?.*q=status:error/)
  await page.goBack()

  // A filter is of all numbers, and goes with every link.
  const filter = page.getByRole('combobox', { name: 'Filter' })
  await filter.fill('model:house-llama-9')
  await filter.press('Enter')
  await expect(page.getByRole('link', { name: /^Traces / }).locator('.text-kpi')).toHaveText('1')
  await expect(card('What is different').getByRole('button', { pressed: true })).toHaveText('since the period before')
  await page.getByRole('link', { name: /^Error rate / }).click()
  await expect(page).toHaveURL(/q=model:house-llama-9(\+|%20| )status:error/)
})

test('the error that the root hides', async ({ page }) => {
  await signIn(page, ada)
  await page.goto(`/dashboard/traces/${ids.agent}`)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('error · 1 of 496')
  await expect(page.getByText('run_sql failed').first()).toBeVisible()
  await expect(page.getByRole('treeitem', { name: /run_sql.*failed/ })).toHaveAttribute('aria-selected', 'true')
  await expect(page.getByRole('treeitem').filter({ hasText: '118 more · all ok' })).toBeVisible()

  // Keys: up to the model call, its conversation, and back to the error.
  await page.keyboard.press('ArrowUp')
  await expect(page.getByText('Plan a 3-day trip to Tromsø')).toBeVisible()
  await page.keyboard.press('3')
  await expect(page.getByText(/Priced by Pulse, from the price list of .* for claude-sonnet-4-5 of anthropic/)).toBeVisible()
  await expect(page.getByRole('table', { name: 'Cost by kind of token' }).getByRole('row', { name: /^output/ })).toHaveText('output90$15$0.00135')
  await page.keyboard.press('5')
  await page.getByRole('button', { name: 'input', exact: true }).click()
  await expect(page.getByRole('region', { name: 'Stored JSON' }).getByText('You are a travel agent')).toBeVisible()
  await page.keyboard.press('3')
  await page.keyboard.press('e')
  await expect(page.getByRole('treeitem', { name: /run_sql.*failed/ })).toHaveAttribute('aria-selected', 'true')
  const url = page.url()
  expect(url).toContain('span=')
  expect(url).toContain('tab=cost')

  // The same in a cold window.
  const cold = await page.context().newPage()
  await cold.goto(url)
  await expect(cold.getByRole('treeitem', { name: /run_sql.*failed/ })).toHaveAttribute('aria-selected', 'true')
  await expect(cold.getByRole('tab', { name: 'Cost' })).toHaveAttribute('aria-selected', 'true')
  await cold.close()

  // Beside the list the same is said, and what the tool was given.
  await page.goto(`/dashboard/traces?peek=${ids.agent}`)
  const peek = page.getByRole('complementary', { name: 'Peek' })
  await expect(peek.getByText('upstream timeout after 30000 ms').first()).toBeVisible()
  await expect(peek.getByText('"q": "TOS"')).toBeVisible()

  await page.goto(url)
  await page.getByRole('button', { name: 'only errors' }).click()
  await expect(page.getByRole('treeitem')).toHaveCount(3)
  await page.getByLabel('Find a span by name, model, kind or id').fill('get_weather')
  await expect(page.getByText(/\d+ found/)).toBeVisible()
})

test('where the money went, and what was done twice', async ({ page }) => {
  await signIn(page, ada)
  await page.goto(`/dashboard/traces/${ids.agent}`)
  await expect(page.getByText('of input said before')).toBeVisible()
  await expect(page.getByText(/, same arguments$/)).toBeVisible()
  await page.keyboard.press('v')
  await expect(page).toHaveURL(/view=flame/)
  await expect(page.getByRole('img', { name: /Icicle of .* by money/ })).toBeVisible()
  await page.keyboard.press('w')
  await expect(page.getByRole('img', { name: /Icicle of .* by time/ })).toBeVisible()
  await page.keyboard.press('Alt+t')
  const largest = page.getByRole('region', { name: 'Largest spans' })
  await expect(largest.getByRole('row').nth(1)).toContainText('100%')
  await largest.getByRole('button').nth(2).click()
  await expect(largest.locator('tr[aria-selected=true]')).toHaveCount(1)
  await page.keyboard.press('Alt+t')
  await expect(page.getByRole('img', { name: /Icicle of .* by time/ })).toBeVisible()
  await expect(page.getByText(/had been said in an earlier call/)).toBeVisible()
  const loop = page.getByRole('region', { name: 'Loops' }).getByRole('button').first()
  await expect(loop).toContainText('"q":"TOS"')
  await loop.click()
  const first = new URL(page.url()).searchParams.get('span')
  await loop.click()
  await expect(page).not.toHaveURL(new RegExp(`span=${first}`))

  // What a step was told before is one row, but for the question.
  await page.goto(`/dashboard/traces/${ids.agent}?find=step 30`)
  await page.getByRole('treeitem', { name: /step 30/ }).click()
  await page.keyboard.press('ArrowDown')
  await expect(page.getByText('Plan a 3-day trip to Tromsø')).toBeVisible()
  await expect(page.getByText(/59 messages, about .* tok, unchanged since step 29/)).toBeVisible()
  await expect(page.getByText('You are a travel agent')).toBeHidden()
  await page.getByRole('button', { name: 'show', exact: true }).click()
  await expect(page.getByText('You are a travel agent')).toBeVisible()
})

test('a bad answer beside the last good one', async ({ page }) => {
  await signIn(page, ada)
  await page.goto(`/dashboard/traces/${ids.rag}`)
  await page.getByRole('link', { name: 'Compare with last good' }).click()
  await expect(page).toHaveURL(new RegExp(`/dashboard/compare\\?.*a=${ids.good}.*b=${ids.rag}`))
  // It opens on the step that failed in one of them.
  await expect(page.getByRole('option', { name: /chat gpt-4o.*failed/ })).toHaveAttribute('aria-selected', 'true')
  await expect(page.locator('del')).toHaveText(['wet '])
  await page.keyboard.press('2')
  await expect(page.locator('ins').filter({ hasText: 'rate limit' }).first()).toBeVisible()
  await page.keyboard.press('x')
  await expect(page.locator('del').filter({ hasText: 'rate limit' }).first()).toBeVisible()
  await page.keyboard.press('k')
  await expect(page.getByRole('option', { name: /retrieve articles/ })).toHaveAttribute('aria-selected', 'true')

  // Markdown is read as such when somebody asks for it, and stays so.
  await page.goto(`/dashboard/traces/${ids.good}`)
  await page.getByRole('treeitem', { name: /chat gpt-4o/ }).click()
  await expect(page.getByText('Within **30 days**')).toBeVisible()
  await page.getByRole('button', { name: 'Markdown' }).click()
  await expect(page.locator('strong', { hasText: '30 days' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'the shop' })).toHaveAttribute('rel', 'noopener noreferrer')
  await page.goto(`/dashboard/traces/${ids.hostile}`)
  await expect(page.getByText('<script>document.title="owned"').nth(1)).toBeVisible()
  expect(await page.locator('#page a[href^="javascript"], #page img, #page svg[onload]').count()).toBe(0)
  await page.getByRole('button', { name: 'Text', exact: true }).click()
})

test('a trace of 10,000 spans', async ({ page }) => {
  await signIn(page, ada)
  await page.goto(`/dashboard/traces/${ids.large}`)
  await expect(page.getByText('10,000 spans')).toBeVisible()
  expect(await page.locator('*').count()).toBeLessThan(1_500)
  await page.getByLabel('Find a span by name, model, kind or id').fill('shard 98')
  await expect(page.getByText('1 found')).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('treeitem', { name: /shard 98/ })).toHaveAttribute('aria-selected', 'true')
})

test('a page asks once for what it shows, and first for what it shows first', async ({ page, browser, pulse }) => {
  await signIn(page, ada)
  const context = await browser.newContext({ baseURL: pulse.url, storageState: await page.context().storageState() }) // an empty cache
  const cold = await context.newPage()
  const paths: string[] = []
  cold.on('request', (request) => paths.push(new URL(request.url()).pathname))
  const open = async (path: string, seen: () => Promise<unknown>) => {
    paths.length = 0
    await cold.goto(path)
    await seen()
    await cold.waitForLoadState('networkidle')
  }
  const times = (end: string) => paths.filter((path) => path.endsWith(end)).length

  await open('/dashboard', () => cold.getByRole('region', { name: 'Model calls by model' }).getByRole('table').waitFor())
  const [numbers, script] = [paths.indexOf('/dashboard/api/query/overview'), paths.findIndex((path) => path.includes('/frame-'))]
  expect(numbers).toBeGreaterThan(0)
  expect(numbers).toBeLessThan(script)
  expect(paths.indexOf('/dashboard/api/query/heatmap')).toBeGreaterThan(script)
  expect(['/query/overview', '/api/projects', '/get-session'].map(times)).toEqual([1, 1, 1])
  expect(paths.length).toBeLessThanOrEqual(14)

  await open(`/dashboard/traces/${ids.large}?p=${projectId}`, () => cold.getByRole('treeitem').nth(5).waitFor())
  expect(paths.findIndex((path) => path.endsWith('/tree'))).toBeLessThan(paths.findIndex((path) => path.includes('_traceId-')))
  expect(['/tree', '/api/projects', '/get-session'].map(times)).toEqual([1, 1, 1])

  // For nobody nothing is asked in vain.
  await context.clearCookies()
  await cold.evaluate(() => localStorage.removeItem('pulse.signed-in'))
  await open('/dashboard', () => cold.getByLabel('Password').waitFor())
  expect(['/query/overview', '/api/projects'].map(times)).toEqual([0, 0])
  await context.close()
})

test('filter, back and forward, and what cannot be answered', async ({ page }) => {
  test.setTimeout(120_000)
  await signIn(page, ada)
  await page.goto('/dashboard/traces')
  await expect(page.getByRole('row').nth(5)).toBeVisible()
  await page.keyboard.press('/')
  await page.keyboard.type('status:err')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/q=status:error/)
  await expect(page.getByRole('button', { name: 'only errors' })).toHaveAttribute('aria-pressed', 'true')
  const ground = (name: string) => page.getByRole('button', { name }).evaluate((element) => getComputedStyle(element).backgroundColor)
  expect(await ground('only errors')).not.toBe(await ground('Save view'))
  await page.goBack()
  await expect(page).not.toHaveURL(/q=/)
  await page.goForward()
  await expect(page).toHaveURL(/q=status:error/)
  const filter = page.getByRole('combobox', { name: 'Filter' })
  await filter.fill('colour:red')
  await filter.press('Enter')
  await expect(page.getByText('There is no such field')).toBeVisible()

  // All of the language, and words of a text that stay out of the query.
  await filter.fill('-status:error model:gpt-4o* latency<1s "birthday poem"')
  await filter.press('Enter')
  await expect(page.getByRole('row').nth(1)).toContainText('birthday poem')
  expect(new URL(page.url()).search).not.toContain('birthday')
  await page.reload()
  await expect(filter).toHaveValue('-status:error model:gpt-4o* latency<1s "birthday poem"')
  await expect(page.getByRole('row').nth(1)).toContainText('birthday poem')

  // Columns of one's own, in the link and for the next time.
  await page.getByRole('button', { name: 'Columns' }).click()
  await page.getByRole('menuitem', { name: 'session' }).click()
  await expect(page.getByRole('columnheader', { name: 'session' })).toBeVisible()
  await expect(page).toHaveURL(/cols=session/)
  await page.goto('/dashboard/traces')
  await expect(page.getByRole('row').filter({ hasText: 'travel_agent' }).getByRole('cell', { name: 'trip-long' })).toBeVisible()

  // The costliest first.
  await filter.fill('')
  await filter.press('Enter')
  await page.getByRole('columnheader', { name: 'cost' }).getByRole('button').click()
  await expect(page.getByRole('row').nth(1)).toContainText('travel_agent › run_sql')

  // A facet takes a value in, or all but it.
  const facets = page.getByRole('complementary', { name: 'Facets' })
  await facets.getByRole('button', { name: /^success/ }).click({ modifiers: ['Alt'] })
  await expect(filter).toHaveValue('-status:success')
  await expect(facets.getByRole('button', { name: /^success left out/ })).toBeVisible()
  await facets.getByRole('button', { name: /^success left out/ }).click()
  await expect(filter).toHaveValue('')
  // Beside a value that was chosen the others are still there, and any of them will do.
  await facets.getByRole('button', { name: /^gpt-4o-mini/ }).click()
  await expect(filter).toHaveValue('model:gpt-4o-mini')
  await facets.getByRole('button', { name: /^house-llama-9/ }).click()
  await expect(filter).toHaveValue('model:gpt-4o-mini,house-llama-9')
  await expect(facets.getByRole('button', { pressed: true })).toHaveCount(2)
  await facets.getByRole('button', { name: /^gpt-4o-mini/ }).click()
  await expect(filter).toHaveValue('model:house-llama-9')
  // Where nothing matches it says which term is to blame.
  await filter.fill('model:house-llama-9 status:error')
  await filter.press('Enter')
  await expect(page.getByText('No trace matches')).toBeVisible()
  const ways = page.getByRole('paragraph').filter({ hasText: 'without' })
  await expect(ways).toHaveText([/without model:house-llama-9\d+ traces/, /without status:error1 trace/])
  await ways.filter({ hasText: 'status:error' }).getByRole('button').click()
  await expect(filter).toHaveValue('model:house-llama-9')
  await expect(page.getByRole('row').nth(1)).toContainText('house-llama-9')
  // What is offered does not cover what was asked for.
  const offers = page.getByRole('listbox', { name: 'Offers' })
  await filter.fill('')
  await expect(offers).toBeVisible()
  await filter.press('Enter')
  await expect(offers).toHaveCount(0)
  await filter.press('ArrowDown')
  await expect(offers).toBeVisible()
  await filter.press('Enter')
  await expect(offers).toHaveCount(0)

  // On a phone the facets are behind a button.
  await page.setViewportSize({ width: 390, height: 844 })
  await page.getByRole('button', { name: 'Facets' }).click()
  const sheet = page.getByRole('dialog', { name: 'Facets' })
  await sheet.getByRole('button', { name: /^error/ }).click()
  await expect(sheet.getByRole('button', { name: /^error/ })).toHaveAttribute('aria-pressed', 'true')
  await sheet.getByRole('button', { name: 'Show the traces' }).click()
  await expect(sheet).toBeHidden()
  await expect(page).toHaveURL(/q=status:error/)
})

test('with the keyboard alone', async ({ page }) => {
  await signIn(page, ada)
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible() // keys are for the page that is there
  await page.keyboard.press('g')
  await page.keyboard.press('t')
  await expect(page.getByRole('heading', { name: 'Traces', exact: true })).toBeVisible()
  await expect(page.getByRole('row').nth(3)).toBeVisible()
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('Space')
  await expect(page.getByRole('complementary', { name: 'Peek' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('complementary', { name: 'Peek' })).toBeHidden()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/dashboard\/traces\/./)
  await page.keyboard.press('ControlOrMeta+k')
  await page.keyboard.type('analyt')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'Analytics' })).toBeVisible()

  // A recent trace, by its name, its session or the begin of its id. What is typed is in no URL.
  const urls: string[] = []
  page.on('request', (request) => urls.push(request.url()))
  for (const typed of ['Travel_ag', 'trip-lo', ids.agent.slice(0, 12)]) {
    await page.keyboard.press('ControlOrMeta+k')
    await page.keyboard.type(typed)
    await expect(page.getByRole('dialog').getByRole('option').filter({ hasText: 'travel_agent' }).first()).toHaveAttribute('aria-selected', 'true')
    await page.keyboard.press('Enter')
    await expect(page).toHaveURL(/\/dashboard\/traces\/./)
    await expect(page.getByRole('heading', { level: 1 })).toContainText('travel_agent')
    await page.keyboard.press('g')
    await page.keyboard.press('a')
    await expect(page.getByRole('heading', { name: 'Analytics' })).toBeVisible()
  }
  expect(urls.filter((url) => /travel_ag|trip-lo/i.test(url))).toEqual([])
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Help' })).toBeVisible()
})

test('hostile content is text', async ({ page }) => {
  await signIn(page, ada)
  await page.goto(`/dashboard/traces/${ids.hostile}`)
  await expect(page.getByText('{"broken": [1, 2')).toBeVisible()
  await expect(page.getByText('⟨U+202E⟩abc')).toBeVisible()
  expect(await page.locator('#page a[href^="javascript"]').count()).toBe(0)
  await page.getByRole('tab', { name: /Attributes/ }).click()
  await expect(page.getByText('attribute.number.1', { exact: true })).toBeVisible()
  await page.goto('/dashboard/traces')
  await expect(page.getByText('<script>document.title="owned"').first()).toBeVisible()
  await expect(page).toHaveTitle('Pulse')

  await page.goto(`/dashboard/traces/${ids.huge}`)
  await page.getByRole('button', { name: 'Show 200K of 8.8M characters' }).click()
  await page.getByRole('button', { name: 'Show 200K of 8.6M further characters' }).click()
  await expect(page.getByRole('button', { name: 'Show 200K of 8.4M further characters' })).toBeVisible()
  await page.keyboard.press('3') // and the page is as quick as before
  await expect(page.getByRole('tab', { name: 'Cost' })).toHaveAttribute('aria-selected', 'true')
  await page.goto(`/dashboard/traces/${ids.image}`)
  await expect(page.locator('img[src^="data:image/png"]')).toBeVisible()
  await page.goto(`/dashboard/traces/${ids.arabic}`)
  await expect(page.getByText('متى يصل طلبي؟')).toBeVisible()
})

test('a session reads as one conversation', async ({ page }) => {
  await signIn(page, ada)
  await page.goto('/dashboard/sessions')
  await page.getByRole('link', { name: /trip-long/ }).click()
  await expect(page.getByText('Plan a 3-day trip to Tromsø')).toBeVisible()
  await page.goto('/dashboard/sessions/support-jp')
  await expect(page.getByText('テントの防水性能はどのくらいですか？')).toBeVisible()
  await expect(page.getByText('フライシートの耐水圧は3,000mmです。')).toBeVisible()
  // What a coding agent's hooks tell is a conversation, too: an answer is what was said last.
  await page.goto('/dashboard/sessions/code-refunds?tab=chat')
  await expect(page.getByRole('listitem', { name: 'Turn 1' })).toContainText('The ledger booked the refund again')
  await expect(page.getByRole('listitem', { name: 'Turn 2' })).toContainText('Done.')
})

test('a session is replayed with the keyboard', async ({ page }) => {
  await signIn(page, ada)
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible() // keys are for the page that is there
  await page.keyboard.press('g')
  await page.keyboard.press('s')
  await expect(page.getByRole('heading', { name: 'Sessions' })).toBeVisible()
  await page.keyboard.press('/')
  await page.keyboard.type('"refund"')
  await page.keyboard.press('Enter')
  await expect(page.getByText('Words of a text are for traces only')).toBeVisible()
  const filter = page.getByRole('combobox', { name: 'Filter' })
  await filter.fill('status:error tool:run_sql')
  await filter.press('Enter')
  await expect(page.getByText('1 session', { exact: true })).toBeVisible()
  await filter.press('Escape')
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/sessions\/trip-long/)
  await expect(page.getByText('2h 04m later')).toBeVisible()
  await expect(page.getByText('overloaded_error: the model is overloaded')).toBeVisible()
  const work = page.getByRole('button', { name: '165 tool calls, 1 failed (run_sql)' })
  await work.click()
  await expect(page.getByRole('link', { name: /run_sql 1 failed/ })).toBeVisible()

  for (const turn of [1, 2, 3]) {
    await page.goto('/dashboard/sessions/trip-long')
    await expect(page.getByRole('listitem', { name: 'Turn 1' })).toBeVisible()
    for (let i = 0; i < turn; i++) await page.keyboard.press('n')
    await expect(page.getByRole('listitem', { name: `Turn ${turn + 1}` })).toHaveAttribute('aria-current', 'true')
  }
  const url = page.url()
  expect(url).toContain('at=')
  await page.keyboard.press('p')
  await expect(page.getByRole('listitem', { name: 'Turn 3' })).toHaveAttribute('aria-current', 'true')
  await page.goto(url)
  await expect(page.getByRole('slider')).toHaveAttribute('aria-valuenow', '4')
  await page.keyboard.press('v')
  await page.keyboard.press('v')
  await expect(page.getByRole('table', { name: 'Turns' }).getByRole('row')).toHaveCount(5)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('treeitem', { name: /run_sql.*failed/ })).toHaveAttribute('aria-selected', 'true')
})

test('what a coding agent did', async ({ page }) => {
  await signIn(page, ada)
  await page.goto('/dashboard/agents')
  await expect(page.getByRole('row').nth(1)).toContainText('/home/ada/aurora')
  await expect(page.getByRole('row').nth(1)).toContainText('2 sessions')
  await page.getByLabel('Agent').selectOption('codex')
  await expect(page.getByRole('row')).toHaveCount(3)
  await page.getByLabel('Agent').selectOption('all')
  await page.getByRole('link', { name: /Refunds over 100 euros/ }).click()
  await expect(page.getByRole('button', { name: '15 edits in 5 files' })).toBeVisible()
  await expect(page.getByRole('button', { name: '1 wait, 1m 00s' })).toBeVisible()
  await page.getByRole('button', { name: '1 failed' }).click()
  await expect(page).toHaveURL(/only=errors/)
  const rows = page.getByRole('table', { name: 'What the agent did' }).getByRole('row')
  await expect(rows).toHaveCount(2)
  await expect(rows.nth(1)).toContainText('npm test -- refunds')
  await expect(rows.nth(1)).toContainText('41.0 s')
  await expect(rows.nth(1)).toContainText('1 of 14 tests failed')
})

test('sums add up, and each number opens its traces', async ({ page, pulse }) => {
  await signIn(page, ada)
  const table = page.getByRole('region', { name: /^Traces by/ })
  const numbers = async () => (await table.getByRole('row').allTextContents()).slice(2)
  for (const by of ['model', 'session', 'status']) {
    await page.goto(`/dashboard/analytics?from=-48h&by=${by}`)
    await expect(table.getByText('Total')).toBeVisible()
    const cells = await table.locator('tbody tr').evaluateAll((rows) => rows.map((row) => Number((row.querySelectorAll('td')[1]?.textContent ?? '').replaceAll(',', ''))))
    const total = cells.pop() ?? 0
    expect(total).toBeGreaterThan(600)
    expect(cells.reduce((a, b) => a + b, 0)).toBe(total)
    if (by === 'session') expect((await numbers()).some((row) => row.startsWith('Other'))).toBe(true)
  }

  // A project's own sums, beside its name.
  await page.goto('/dashboard')
  const traces = await page.getByRole('link', { name: /^Traces \d/ }).evaluate((link) => /\d[\d,]*/.exec(link.textContent ?? '')?.[0])
  await page.goto('/dashboard/projects')
  const cells = page.getByRole('row').filter({ has: page.getByRole('link') }).first().getByRole('cell')
  await expect(cells.nth(2)).toHaveText(`traces in 24 h ${traces}`)
  await expect(cells.nth(3)).toHaveText(/^cost in 30 d \$\d/)

  // What is in no row, and what failed in one.
  await page.goto('/dashboard/analytics?from=-48h&by=session')
  const other = table.getByRole('row').filter({ hasText: /^Other/ })
  const count = await other.getByRole('cell').nth(1).textContent()
  await other.getByRole('link', { name: 'Other' }).click()
  await expect(page.getByText(`${count} traces`)).toBeVisible()
  await page.goto('/dashboard/analytics?from=-48h&by=model')
  const failed = table.getByRole('row').filter({ hasText: /^gpt-4o\d/ }).getByRole('cell').nth(2)
  const errors = await failed.getByRole('link').evaluate((link) => link.firstChild?.textContent) // the share stands behind it
  await failed.getByRole('link').click()
  await expect(page).toHaveURL(/q=model:gpt-4o\+status:error/)
  await expect(page.getByText(`${errors} traces`)).toBeVisible()

  // A member of the metadata is a field as any other.
  const ofTeam = await fetch(`${pulse.url}/v1/traces/batch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify([{ trace_id: crypto.randomUUID(), timestamp: new Date().toISOString(), provider: 'openai', model_requested: 'gpt-4o-mini', status: 'success', latency_ms: 42, request_body: {}, metadata: { team: 'red' } }]),
  })
  expect(ofTeam.status).toBe(202)
  await page.goto('/dashboard/analytics?from=-1h')
  await page.getByRole('combobox', { name: /^by/ }).selectOption('meta.team')
  await table.getByRole('row').filter({ hasText: /^red/ }).getByRole('cell').nth(1).getByRole('link').click()
  await expect(page).toHaveURL(/q=meta\.team:red/)
  await expect(page.getByText('1 trace', { exact: true })).toBeVisible()

  await page.goto('/dashboard/analytics?from=-48h&m=p95')
  await expect(page.getByRole('img', { name: /^Latency p95 by model/ })).toBeVisible()
  await page.keyboard.press('Alt+t')
  await expect(page).toHaveURL(/chart=table/)
  await expect(page.getByRole('region', { name: 'Latency p95 by model, as a table' })).toBeVisible()
  await page.keyboard.press('Alt+t')
  const chart = page.getByRole('img', { name: /^Latency p95 by model/ })
  const box = await chart.boundingBox()
  if (!box) throw new Error('no chart')
  await page.mouse.move(box.x + box.width * 0.5, box.y + 50)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.8, box.y + 50)
  await page.mouse.up()
  await expect(page).toHaveURL(/from=\d{4}-.*to=\d{4}-/)
  // A range that moves with the clock goes on to, and nothing is later than now.
  await page.goto('/dashboard/analytics')
  await expect(page.getByRole('button', { name: /Last 24 h/ })).toBeVisible()
  await page.keyboard.press(']')
  await page.keyboard.press('[')
  await expect(page).toHaveURL(/from=-2d.*to=-24h/)
  await page.keyboard.press(']')
  await expect(page.getByRole('button', { name: /Last 24 h/ })).toBeVisible()
})

test('keys: made, shown once, renamed, revoked', async ({ page, pulse }) => {
  await signIn(page, ada)
  await page.goto('/dashboard/api-keys')
  await page.getByRole('button', { name: 'Create a key' }).click()
  await page.getByLabel('Name').fill('laptop')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  const secret = (await page.getByRole('dialog').locator('code').textContent()) ?? ''
  expect(secret).toMatch(/^pulse_sk_/)
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toBeVisible()
  await page.getByRole('button', { name: 'I have copied it' }).click()
  const row = page.getByRole('row').filter({ hasText: 'laptop' })
  await expect(row).toContainText(`…${secret.slice(-4)}`)
  expect(await page.content()).not.toContain(secret)
  const works = () => fetch(`${pulse.url}/v1/traces?limit=1`, { headers: { Authorization: `Bearer ${secret}` } }).then((r) => r.status)
  expect(await works()).toBe(200)

  // What it sent is found by it, and read by its name.
  const sent = await fetch(`${pulse.url}/v1/traces/batch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' },
    body: JSON.stringify([{ trace_id: crypto.randomUUID(), timestamp: new Date().toISOString(), provider: 'openai', model_requested: 'gpt-4o-mini', status: 'success', latency_ms: 42, request_body: { messages: [{ role: 'user', content: 'Hello from the laptop' }] } }]),
  })
  expect(sent.status).toBe(202)
  await row.getByRole('link', { name: 'Traces of laptop' }).click()
  await expect(page.getByText('API key: laptop')).toBeVisible()
  await expect(page.getByText('1 trace', { exact: true })).toBeVisible()
  await page.getByRole('row').filter({ hasText: 'Hello from the laptop' }).getByRole('link').click()
  await page.getByRole('tab', { name: /^Attributes/ }).click()
  await expect(page.getByText('laptop', { exact: true })).toBeVisible()
  const filter = page.getByRole('combobox', { name: 'Filter' })
  await page.goto('/dashboard/traces')
  await filter.pressSequentially('key:lap')
  await page.getByRole('option', { name: /key:.* laptop$/ }).click()
  await expect(page.getByText('API key: laptop')).toBeVisible()
  await page.goto('/dashboard/analytics?by=key')
  const table = page.getByRole('region', { name: 'Traces by key' })
  await expect(table.getByRole('row').filter({ hasText: /^laptop1/ })).toBeVisible()
  await page.goto('/dashboard/api-keys')

  await row.getByRole('button', { name: 'Rename' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('old laptop')
  await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click()
  const renamed = page.getByRole('row').filter({ hasText: 'old laptop' })
  await renamed.getByRole('button', { name: 'Revoke' }).click()
  const revoke = page.getByRole('dialog').getByRole('button', { name: 'Revoke' })
  await expect(revoke).toBeDisabled()
  await page.getByRole('dialog').getByRole('textbox').fill('old laptop')
  await revoke.click()
  await expect(renamed).toBeHidden()
  expect(await works()).toBe(401)
  await page.goto('/dashboard/analytics?by=key')
  await expect(table.getByRole('row').filter({ hasText: /^deleted key [0-9a-f]{8}1/ })).toBeVisible()
})

test('a member without the role sees why, and nothing of other projects', async ({ page, pulse, watch }) => {
  const other = await account(pulse, bob)
  await signIn(page, ada)
  await page.goto('/dashboard/members')
  await page.getByRole('button', { name: 'Add somebody' }).click()
  await page.getByLabel('E-mail').fill(bob.email)
  await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click()
  await expect(page.getByRole('row').filter({ hasText: bob.email })).toContainText('member')
  watch.expected.push(/401/) // what the page asks before it is left
  await page.context().clearCookies()

  await signIn(page, bob)
  await page.goto(`/dashboard/api-keys?p=${projectId}`)
  await expect(page.getByText('API keys need the admin role')).toBeVisible()
  await page.goto(`/dashboard/traces?p=${projectId}`)
  await expect(page.getByRole('row').nth(3)).toBeVisible()
  // A trace of one project, asked for in another.
  watch.expected.push(/404/)
  await page.goto(`/dashboard/traces/${ids.agent}?p=${other.projectId}`)
  await expect(page.getByText('There is no such trace in this project')).toBeVisible()
  await page.getByRole('link', { name: ada.project }).click()
  await expect(page.getByText('run_sql failed').first()).toBeVisible()
  // An empty project begins with how to send.
  await page.goto(`/dashboard?p=${other.projectId}`)
  await expect(page).toHaveURL(/\/dashboard\/start/)
})

test('prices, account and sign-out', async ({ page, watch }) => {
  watch.expected.push(/400/)
  await signIn(page, ada)
  await page.goto(`/dashboard/traces/${ids.unpriced}?tab=cost`)
  await expect(page.getByText('No price is known for this model')).toBeVisible()
  await page.getByRole('link', { name: 'Set a price of your own' }).click()
  await page.getByLabel('Model').fill('house-llama-*')
  await page.getByLabel('Input').fill('two')
  await page.getByRole('button', { name: 'Set price' }).click()
  await expect(page.getByRole('alert')).toHaveText(/^Input: Invalid price: expected dollars for a million tokens/)
  await expect(page.getByLabel('Input')).toHaveAttribute('aria-invalid', 'true')
  await page.getByLabel('Input').fill('0.2')
  await page.getByLabel('Output').fill('0.6')
  await page.getByRole('button', { name: 'Set price' }).click()
  await expect(page.getByRole('row').filter({ hasText: 'house-llama-*' })).toContainText('0.6')
  // The call came before it, and is explained by it.
  await page.goto(`/dashboard/traces/${ids.unpriced}?tab=cost`)
  await expect(page.getByText(/the project's own price for house-llama-\*.* came before that price was known/)).toBeVisible()
  await expect(page.getByRole('table', { name: 'Cost by kind of token' }).getByRole('row')).toHaveText([/^what was used/, 'input640$0.20$0.000128', 'output180$0.60$0.000108', 'together$0.000236'])
  await page.goto('/dashboard/account')
  await page.getByLabel('Name').fill('Ada L.')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Name saved')).toBeVisible()
  await expect(page.getByText('this one')).toBeVisible()
  await expect(page.getByText(/^(Headless )?Chrome on Linux$/).first()).toBeVisible()
  await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
  await expect(page).toHaveURL(/\/login/)
  await page.goto('/dashboard/traces?q=status:error')
  await expect(page).toHaveURL(/\/login\?next=/)
  await page.getByLabel('E-mail').fill(ada.email)
  await page.getByLabel('Password').fill(ada.password)
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/dashboard\/traces\?.*q=status:error/)
})

test('rows are as dense as somebody likes', async ({ page }) => {
  await signIn(page, ada)
  const height = async () => {
    await page.goto('/dashboard/traces')
    return page.getByRole('row').nth(2).evaluate((row) => row.getBoundingClientRect().height)
  }
  expect(await height()).toBe(28)
  await page.goto('/dashboard/account')
  await page.getByLabel(/^Rows/).selectOption('roomy')
  expect(await height()).toBe(36)
})

test('days and hours are those of the project', async ({ page }) => {
  await signIn(page, ada)
  await page.goto('/dashboard/settings')
  await page.getByLabel('Time zone').fill('Asia/Tokyo')
  await page.getByRole('button', { name: 'Save settings' }).click()
  await expect(page.getByText('Settings saved')).toBeVisible()

  // Pages are asked for in it, and say so.
  const zones = new Set<unknown>()
  page.on('request', (request) => {
    if (/query\/(histogram|heatmap)$/.test(request.url())) zones.add((request.postDataJSON() as { tz?: unknown }).tz)
  })
  for (const at of ['/dashboard', '/dashboard/analytics', '/dashboard/traces']) {
    await page.goto(at)
    await expect(page.getByRole('button', { name: 'Last 24 h · Asia/Tokyo' })).toBeVisible()
    await expect(page.getByRole('img', { name: /cost by provider|by model|over time/i }).first()).toBeVisible()
  }
  expect([...zones]).toEqual(['Asia/Tokyo'])

  await page.goto('/dashboard/traces?from=2026-11-22T15:00:00.000Z&to=2026-11-23T15:00:00.000Z')
  await page.getByRole('button', { name: /23 Nov.* 00:00:00 – 24 Nov.* 00:00:00 · Asia\/Tokyo/ }).click()
  await page.getByRole('menuitem', { name: 'From … to …' }).click()
  await expect(page.getByLabel('From', { exact: true })).toHaveValue('2026-11-23 00:00')
  await page.getByLabel('From', { exact: true }).fill('2026-11-23 09:30')
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  await expect(page).toHaveURL(/from=2026-11-23T00:30:00.000Z&to=2026-11-23T15:00:00.000Z/)
  await expect(page.getByRole('button', { name: /23 Nov.* 09:30:00 – 24 Nov/ })).toBeVisible()

  // Somebody may want another; and without one the browser's counts.
  await page.getByRole('button', { name: /Asia\/Tokyo/ }).click()
  await page.getByRole('menuitem', { name: 'Times in UTC', exact: true }).click()
  await expect(page.getByRole('button', { name: /23 Nov.* 00:30:00 – .* · UTC/ })).toBeVisible()
  await page.goto('/dashboard/account')
  await page.getByLabel('Times in').selectOption({ label: "Asia/Tokyo, the project's" })
  await page.goto('/dashboard/settings')
  await page.getByLabel('Time zone').fill('')
  await page.getByRole('button', { name: 'Save settings' }).click()
  await expect(page.getByText('Settings saved')).toBeVisible()
  await page.goto('/dashboard?from=-24h')
  await expect(page.getByRole('button', { name: 'Last 24 h · UTC' })).toBeVisible()
})

test('live rows wait to be shown', async ({ page, pulse }) => {
  await signIn(page, ada)
  await page.goto('/dashboard/traces?live=1')
  await expect(page.getByRole('row').nth(3)).toBeVisible()
  const first = await page.getByRole('row').nth(1).textContent()
  await fetch(`${pulse.url}/v1/traces/batch`, { method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify([{ trace_id: crypto.randomUUID(), timestamp: new Date().toISOString(), provider: 'openai', model_requested: 'brand-new-model', status: 'success', latency_ms: 1, request_body: {}, output_text: 'x' }]) })
  await expect(page.getByRole('button', { name: '1 new ↑' })).toBeVisible()
  expect((await page.getByRole('row').nth(1).textContent())?.replace(/\d+ (s|min) ago|just now/, '')).toBe(first?.replace(/\d+ (s|min) ago|just now/, ''))
  await page.getByRole('button', { name: '1 new ↑' }).click()
  await expect(page.getByRole('row').nth(1)).toContainText('brand-new-model')
})

test('the server stops, and comes back', async ({ page, pulse, watch }) => {
  watch.expected.push(/ERR_CONNECTION|Failed to load/)
  await signIn(page, ada)
  await page.goto('/dashboard/traces?live=1')
  await expect(page.getByRole('row').nth(3)).toBeVisible()
  await pulse.down()
  await expect(page.getByText('Pulse does not answer.')).toBeVisible({ timeout: 20_000 })
  await expect(page.getByRole('row').nth(3)).toBeVisible()
  await pulse.up()
  await expect(page.getByText('Pulse does not answer.')).toBeHidden({ timeout: 20_000 })
})
