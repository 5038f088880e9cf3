import { account, expect, signIn, test, type Person } from './pulse'

// Not those of the other journeys, which may meet the same server.
const mia: Person = { name: 'Mia', email: 'mia@example.com', password: 'correct horse', project: 'aurora-shop' }
const tom = { ...mia, name: 'Tom', email: 'tom@example.com', password: 'battery staple' }

let projectId: string
let key: string
let link: string

test.describe.configure({ mode: 'serial' })

test('a link lets somebody new in, once', async ({ page, pulse, watch }) => {
  ;({ projectId, key } = await account(pulse, mia))
  await signIn(page, mia)
  await page.goto('/dashboard/members')
  await page.getByRole('button', { name: 'Invite by link' }).click()
  await page.getByLabel('Counts for days').fill('3')
  await page.getByRole('button', { name: 'Make the link' }).click()
  const shown = page.getByRole('dialog').locator('code')
  await expect(shown).toHaveText(/\/invite\/[\w-]{43}$/)
  link = (await shown.textContent()) ?? ''
  await page.getByRole('button', { name: 'I have copied it' }).click()
  await expect(page.getByText('Whoever has the link')).toBeVisible()
  expect(await page.content()).not.toContain(link)
  watch.expected.push(/401/) // what the page asks before it is left
  await page.context().clearCookies()

  await page.goto(link)
  await expect(page.getByRole('heading', { name: `Join ${mia.project}` })).toBeVisible()
  await page.getByLabel('Name').fill(tom.name)
  await page.getByLabel('E-mail').fill(tom.email)
  await page.getByLabel('Password').fill(tom.password)
  await page.getByRole('button', { name: 'Create account and join' }).click()
  await expect(page).toHaveURL(new RegExp(`/dashboard.*p=${projectId}`))
  await page.goto('/dashboard/members')
  await expect(page.getByText('Members need the admin role')).toBeVisible()

  watch.expected.push(/404/)
  await page.goto(link)
  await expect(page.getByText('This invite does not count')).toBeVisible()
})

test('a link for who has an account goes by way of sign-in; another is revoked', async ({ page, watch }) => {
  await signIn(page, mia)
  await page.goto('/dashboard/members')
  await expect(page.getByRole('row').filter({ hasText: tom.email })).toBeVisible()
  // The last administrator stays one.
  watch.expected.push(/409|404/)
  await page.getByLabel('Role of Mia').selectOption('user')
  await expect(page.getByRole('alert')).toContainText('last administrator')
  await expect(page.getByLabel('Role of Mia')).toHaveValue('admin')
  await page.getByRole('button', { name: 'Remove Tom' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await expect(page.getByRole('row').filter({ hasText: tom.email })).toHaveCount(0)

  const invite = async () => {
    await page.getByRole('button', { name: 'Invite by link' }).click()
    await page.getByRole('button', { name: 'Make the link' }).click()
    const text = (await page.getByRole('dialog').locator('code').textContent()) ?? ''
    await page.getByRole('button', { name: 'I have copied it' }).click()
    return text
  }
  const revoked = await invite()
  await page.getByRole('button', { name: 'Revoke' }).click()
  await expect(page.getByText('Pending invites')).toHaveCount(0)
  link = await invite()
  watch.expected.push(/401/) // what the page asks before it is left
  await page.context().clearCookies()

  await page.goto(revoked)
  await expect(page.getByText('This invite does not count')).toBeVisible()
  await page.goto(link)
  await page.getByRole('link', { name: 'Sign in' }).click()
  await page.getByLabel('E-mail').fill(tom.email)
  await page.getByLabel('Password').fill(tom.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: `Join as ${tom.email}` }).click()
  await expect(page).toHaveURL(new RegExp(`/dashboard.*p=${projectId}`))
  watch.expected.push(/401/) // what the page asks before it is left
  await page.context().clearCookies()

  await signIn(page, mia)
  await page.goto('/dashboard/members')
  await page.getByLabel('Role of Tom').selectOption('admin')
  await page.reload()
  await expect(page.getByLabel('Role of Tom')).toHaveValue('admin')
})

test('views: saved, opened from the menu and the palette, shared, deleted', async ({ page, pulse, watch }) => {
  await signIn(page, mia)
  await page.goto('/dashboard/traces?q=status:error&sort=cost&from=-7d#text=secretword')
  await page.getByRole('button', { name: 'Save view' }).click()
  await page.getByRole('menuitem', { name: 'Save this view…' }).click()
  await page.getByLabel('Name').fill('Costly errors')
  await page.getByLabel('All members see it').check()
  const saved = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/dashboard/api/views'))
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  expect((await saved).postData()).not.toContain('secretword')
  await expect(page.getByRole('button', { name: 'Costly errors' })).toBeVisible()
  watch.expected.push(/401/) // what the page asks before it is left
  await page.context().clearCookies()

  await signIn(page, tom)
  await page.goto(`/dashboard/traces?p=${projectId}`)
  await page.getByRole('button', { name: 'Save view' }).click()
  await page.getByRole('menuitem', { name: 'Costly errors' }).click()
  await expect(page).toHaveURL(/q=status(:|%3A)error/)
  await expect(page).toHaveURL(/sort=cost/)
  await page.goto(`/dashboard/settings?p=${projectId}`)
  await expect(page.getByLabel('Name of the project')).toBeVisible()
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'A page, a view' }).fill('costly')
  await expect(page.getByRole('dialog').getByRole('option')).toContainText(['view of traces'])
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/dashboard\/traces\?.*sort=cost/)
  await page.getByRole('button', { name: 'Costly errors' }).click()
  await page.getByRole('menuitem', { name: 'Share or delete…' }).click()
  await page.getByRole('button', { name: 'Delete Costly errors' }).click()
  await page.getByRole('button', { name: 'Close' }).click()
  await expect(page.getByRole('button', { name: 'Save view' })).toBeVisible()

  // The overview of a project without a trace leads elsewhere.
  const sent = { trace_id: crypto.randomUUID(), timestamp: new Date().toISOString(), provider: 'openai', model_requested: 'gpt-4o-mini', status: 'success', latency_ms: 42, request_body: {} }
  expect((await fetch(`${pulse.url}/v1/traces/batch`, { method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify([sent]) })).status).toBe(202)
  for (const [at, name] of [['analytics?by=provider&m=cost&from=-7d', 'Money by provider'], ['sessions?sort=cost&from=-7d', 'Costly sessions'], ['?from=-7d', 'The week'], ['agents?source=codex&from=-7d', 'Codex']] as const) {
    await page.goto(`/dashboard${at.startsWith('?') ? '' : '/'}${at}&p=${projectId}`)
    await page.getByRole('button', { name: 'Save view' }).click()
    await page.getByRole('menuitem', { name: 'Save this view…' }).click()
    await page.getByRole('textbox', { name: 'Name' }).fill(name)
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
    await expect(page.getByRole('button', { name })).toBeVisible()
  }
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: 'A page, a view' }).fill('money')
  await expect(page.getByRole('dialog').getByRole('option')).toContainText(['view of analytics'])
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/dashboard\/analytics\?.*by=provider/)
  await expect(page.getByRole('button', { name: 'Money by provider' })).toBeVisible()
})

test('settings, rename, and the end of a project', async ({ page, watch }) => {
  await signIn(page, mia)
  await page.goto('/dashboard/settings')
  await page.getByLabel('Name of the project').fill('aurora two')
  await page.getByLabel('Keep traces for days').fill('30')
  await expect(page.getByText('older than 30 days is deleted for good')).toBeVisible()
  await page.getByLabel('Time zone').fill('Mars/Olympus')
  watch.expected.push(/400/)
  await page.getByRole('button', { name: 'Save settings' }).click()
  await expect(page.getByLabel('Time zone')).toHaveAccessibleDescription('Invalid time zone: expected a name like Europe/Berlin')
  await page.getByLabel('Time zone').fill('Europe/Berlin')
  await page.getByRole('button', { name: 'Save settings' }).click()
  await expect(page.getByText('Settings saved')).toBeVisible()
  await page.reload()
  await expect(page.getByLabel('Name of the project')).toHaveValue('aurora two')
  await expect(page.getByLabel('Keep traces for days')).toHaveValue('30')
  await expect(page.getByLabel('Time zone')).toHaveValue('Europe/Berlin')

  await page.goto('/dashboard/projects')
  await page.getByRole('button', { name: 'Rename aurora two' }).click()
  await page.getByLabel('New name of aurora two').fill('aurora three')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('link', { name: 'aurora three' })).toBeVisible()
  await page.getByRole('button', { name: 'Delete aurora three' }).click()
  await expect(page.getByRole('button', { name: 'Delete for ever' })).toBeDisabled()
  await page.getByLabel('Type its name').fill('aurora three')
  await page.getByRole('button', { name: 'Delete for ever' }).click()
  // It was the last one: what is left is to make another.
  await expect(page.getByText('You are in no project.')).toBeVisible()
  await page.getByLabel('New project').fill('fresh start')
  await page.getByRole('button', { name: 'Create' }).click()
  await expect(page).toHaveURL(/\/dashboard\/start/)
})
