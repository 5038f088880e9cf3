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

  const sent = await fetch(`${pulse.url}/v1/traces/batch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify([{ trace_id: crypto.randomUUID(), timestamp: new Date().toISOString(), provider: 'openai', model_requested: 'gpt-4o-mini', status: 'success', latency_ms: 420, request_body: { messages: [{ role: 'user', content: 'Hello from the first run' }] }, output_text: 'Hi!', input_tokens: 8, output_tokens: 2 }]),
  })
  expect(sent.status).toBe(202)
  await page.getByRole('link', { name: 'Open the trace' }).click()
  await expect(page.getByText('Hello from the first run')).toBeVisible()
  await expect(page.getByText('Hi!')).toBeVisible()

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
  await page.getByRole('link', { name: 'Show the traces' }).click() // one
  await expect(page).toHaveURL(/q=status:error/)
  await page.getByRole('row').filter({ hasText: 'answer_question' }).getByRole('link').click() // two
  await expect(page.getByText('How do I return boots?')).toBeVisible()
  await expect(page.getByText('429 Too Many Requests: rate limit reached').first()).toBeVisible()
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
  await expect(page.getByText('Priced by Pulse')).toBeVisible()
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

  await page.getByRole('button', { name: 'only errors' }).click()
  await expect(page.getByRole('treeitem')).toHaveCount(3)
  await page.getByLabel('Find a span by name, model, kind or id').fill('get_weather')
  await expect(page.getByText(/\d+ found/)).toBeVisible()
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

test('filter, back and forward, and what cannot be answered', async ({ page }) => {
  await signIn(page, ada)
  await page.goto('/dashboard/traces')
  await expect(page.getByRole('row').nth(5)).toBeVisible()
  await page.keyboard.press('/')
  await page.keyboard.type('status:err')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/q=status:error/)
  await expect(page.getByRole('button', { name: 'only errors' })).toHaveAttribute('aria-pressed', 'true')
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

  // The costliest first.
  await filter.fill('')
  await filter.press('Enter')
  await page.getByRole('columnheader', { name: 'cost' }).getByRole('button').click()
  await expect(page.getByRole('row').nth(1)).toContainText('travel_agent › run_sql')
})

test('with the keyboard alone', async ({ page }) => {
  await signIn(page, ada)
  await page.keyboard.press('g')
  await page.keyboard.press('t')
  await expect(page.getByRole('heading', { name: 'Traces' })).toBeVisible()
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
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keys' })).toBeVisible()
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
  await expect(page.getByRole('button', { name: /Show all/ })).toBeVisible()
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
})

test('a member without the role sees why, and nothing of other projects', async ({ page, pulse, watch }) => {
  const other = await account(pulse, bob)
  await signIn(page, ada)
  await page.goto('/dashboard/members')
  await page.getByRole('button', { name: 'Add somebody' }).click()
  await page.getByLabel('E-mail').fill(bob.email)
  await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click()
  await expect(page.getByRole('row').filter({ hasText: bob.email })).toContainText('member')
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

test('prices, account and sign-out', async ({ page }) => {
  await signIn(page, ada)
  await page.goto('/dashboard/settings')
  await page.getByLabel('Model').fill('house-llama-*')
  await page.getByLabel('Input').fill('0.2')
  await page.getByLabel('Output').fill('0.6')
  await page.getByRole('button', { name: 'Set price' }).click()
  await expect(page.getByRole('row').filter({ hasText: 'house-llama-*' })).toContainText('0.6')
  await page.goto('/dashboard/account')
  await page.getByLabel('Name').fill('Ada L.')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Name saved')).toBeVisible()
  await expect(page.getByText('this one')).toBeVisible()
  await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
  await expect(page).toHaveURL(/\/login/)
  await page.goto('/dashboard/traces?q=status:error')
  await expect(page).toHaveURL(/\/login\?next=/)
  await page.getByLabel('E-mail').fill(ada.email)
  await page.getByLabel('Password').fill(ada.password)
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/dashboard\/traces\?.*q=status:error/)
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
