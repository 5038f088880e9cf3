import { ada, expect, signIn, test } from './pulse'
import { ids, sendQuestions } from './seed'

/** What has to work wherever Pulse runs: from sign-up to why an answer was bad. */
test('the journeys in short', async ({ page, pulse, watch }) => {
  test.setTimeout(240_000)
  await page.goto('/')
  await page.getByRole('link', { name: 'Create one' }).click()
  await page.getByLabel('Name').fill(ada.name)
  await page.getByLabel('E-mail').fill(ada.email)
  await page.getByLabel('Password').fill(ada.password)
  await page.getByLabel('Project').fill(ada.project)
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(page).toHaveURL(/\/dashboard\/start/)
  const shown = page.locator('code').first()
  await expect(shown).toHaveText(/^pulse_sk_/)
  const key = (await shown.textContent()) ?? ''

  const sent = await fetch(`${pulse.url}/v1/traces/async`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify([{ trace_id: crypto.randomUUID(), timestamp: new Date().toISOString(), provider: 'openai', model_requested: 'gpt-4o-mini', status: 'success', latency_ms: 420, session_id: 'first', request_body: { messages: [{ role: 'user', content: 'Hello from the first run' }] }, output_text: 'Hi!', input_tokens: 8, output_tokens: 2 }]),
  })
  expect(sent.status).toBe(202)
  await page.getByRole('link', { name: 'Open the trace' }).click()
  await expect(page.getByText('Hello from the first run')).toBeVisible()

  await sendQuestions(pulse.url, key)
  await page.goto('/dashboard')
  await expect(page.getByRole('link', { name: /^Traces 3/ })).toBeVisible()
  await page.goto('/dashboard/traces?q=status:error')
  await page.getByRole('row').filter({ hasText: 'answer_question' }).getByRole('link').click()
  await expect(page.getByText('429 Too Many Requests: rate limit reached').first()).toBeVisible()
  await page.keyboard.press('5')
  await page.getByRole('button', { name: 'input', exact: true }).click()
  await expect(page.getByRole('region', { name: 'Stored JSON' }).getByText('How do I return boots?')).toBeVisible()
  await page.getByRole('link', { name: 'Compare with last good' }).click()
  await expect(page.locator('del')).toHaveText(['wet '])
  for (const [path, text] of [['sessions/first', 'Hello from the first run'], ['analytics', 'gpt-4o'], ['api-keys', 'Default Key'], ['members', ada.email], ['settings', 'Set price']] as const) {
    await page.goto(`/dashboard/${path}`)
    await expect(page.getByText(text).first()).toBeVisible()
  }
  await page.goto('/dashboard/account')
  watch.expected.push(/401/) // how far behind reads are may be asked for at that moment
  await page.getByRole('button', { name: 'Sign out', exact: true }).first().click()
  await expect(page).toHaveURL(/\/login/)
  await page.goto(`/dashboard/traces/${ids.rag}`)
  await expect(page).toHaveURL(/\/login\?next=/)
  await signIn(page, ada)
  watch.expected.push(/404/)
  await page.goto('/dashboard/traces/nowhere')
  await expect(page.getByText('There is no such trace')).toBeVisible()
})
