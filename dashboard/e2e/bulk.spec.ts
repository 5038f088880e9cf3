import { readFile } from 'node:fs/promises'
import type { Download } from '@playwright/test'
import { account, expect, signIn, test, type Person } from './pulse'

const carol: Person = { name: 'Carol', email: 'carol@example.com', password: 'many tidy traces', project: 'bulk' }

const text = async (download: Download) => readFile(await download.path(), 'utf8')

test('select, compare, export, delete', async ({ page, pulse }) => {
  const { key } = await account(pulse, carol)
  const now = Date.now()
  const traces = Array.from({ length: 230 }, (_, i) => ({
    trace_id: `cc000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
    timestamp: new Date(now - i * 1_000 - 60_000).toISOString(),
    provider: 'openai',
    model_requested: i % 46 === 0 ? 'gpt-4o' : 'gpt-4o-mini',
    status: i % 46 === 0 ? 'error' : 'success',
    latency_ms: 100 + i,
    session_id: `session-${i % 7}`,
    request_body: { messages: [{ role: 'user', content: `=HYPERLINK("${i}")` }] },
    output_text: `answer ${i}`,
  }))
  for (let i = 0; i < traces.length; i += 100) {
    const sent = await fetch(`${pulse.url}/v1/traces/batch`, { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${key}` }, body: JSON.stringify(traces.slice(i, i + 100)) })
    expect(sent.status).toBe(202)
  }
  await signIn(page, carol)
  await page.goto('/dashboard/traces')
  await expect(page.getByText('230 traces')).toBeVisible()

  // By pointer: the box is there when the row is pointed at.
  const rows = page.getByRole('row')
  await rows.nth(2).hover()
  await rows.nth(2).getByRole('checkbox').check()
  const bar = page.getByRole('toolbar', { name: 'Selected traces' })
  await expect(bar).toContainText('1 selected')
  await rows.nth(4).getByRole('checkbox').check()
  const compare = await bar.getByRole('link', { name: 'Compare two' }).getAttribute('href')
  expect(compare).toContain(`a=${traces[1]?.trace_id}`)
  expect(compare).toContain(`b=${traces[3]?.trace_id}`)
  await bar.getByRole('button', { name: 'Clear' }).click()
  await expect(bar).toBeHidden()

  // By keys: one, then all up to another.
  for (const press of ['j', 'x', 'j', 'j', 'j', 'X']) await page.keyboard.press(press)
  await expect(bar).toContainText('4 selected')
  await expect(bar.getByRole('link', { name: 'Compare two' })).toBeHidden()
  const [lines] = await Promise.all([page.waitForEvent('download'), bar.getByRole('button', { name: 'Export JSONL' }).click()])
  const exported = (await text(lines)).trim().split('\n').map((line) => JSON.parse(line) as { traceId: string; traces: { request_body: unknown }[] })
  expect(exported).toHaveLength(4)
  expect(exported[0]?.traces[0]?.request_body).toEqual(traces.find((t) => t.trace_id === exported[0]?.traceId)?.request_body)
  await page.keyboard.press('Escape')
  await expect(bar).toBeHidden()

  // All that there are, page by page; no cell is a formula.
  const all = page.getByRole('button', { name: 'Export ▾' })
  await all.click()
  const [table] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Export all 230 traces as CSV' }).click()])
  expect(table.suggestedFilename()).toBe('pulse-traces.csv')
  const csv = (await text(table)).trim().split('\r\n')
  expect(csv).toHaveLength(231)
  expect(csv[1]).toContain(`"'=HYPERLINK(""`)

  // Values that the list of facets does not have are offered too.
  const filter = page.getByRole('combobox', { name: 'Filter' })
  await filter.fill('session:sess')
  await page.getByRole('option', { name: 'session:session-3' }).click()
  await expect(page).toHaveURL(/session-3/)
  await filter.fill('status:error')
  await filter.press('Enter')
  await expect(page.getByText('5 traces')).toBeVisible()

  // Deleting says how many, and can be left alone.
  await all.click()
  await page.getByRole('menuitem', { name: 'Delete all 5 traces…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Keep them' }).click()
  await all.click()
  await page.getByRole('menuitem', { name: 'Delete all 5 traces…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Delete 5 traces?' })
  await dialog.getByRole('button', { name: 'Delete 5 traces' }).click()
  await expect(dialog).toBeHidden()
  await expect(page.getByText('No trace matches')).toBeVisible()
  await page.getByRole('button', { name: 'Drop the filter' }).click()
  await expect(page.getByText('225 traces')).toBeVisible()
})
