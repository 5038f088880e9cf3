import { resolve } from 'node:path'
import { account, ada, expect, signIn, test } from './pulse'
import { ids, seed } from './seed'

const pictures = [
  ['start', '/dashboard/start'],
  ['overview', '/dashboard'],
  ['traces', '/dashboard/traces'],
  ['trace', `/dashboard/traces/${ids.agent}`],
  ['session', '/dashboard/sessions/trip-long'],
  ['analytics', '/dashboard/analytics'],
] as const

test('pictures', async ({ page, pulse }) => {
  test.setTimeout(180_000)
  const { key } = await account(pulse, ada)
  await seed(pulse.url, key)
  await signIn(page, ada)
  for (const theme of ['light', 'dark']) {
    await page.evaluate((value) => localStorage.setItem('pulse.theme', value), theme)
    for (const [name, path] of pictures) {
      await page.goto(path)
      await expect(page.locator('h1')).toBeVisible()
      await expect(page.getByRole('status', { name: /^Loading/ })).toHaveCount(0)
      await page.waitForLoadState('networkidle')
      await expect(page.getByText('complete to')).toBeVisible()
      // Rows of text make large pictures: twenty are enough.
      const clip = { x: 0, y: 0, width: 1440, height: name === 'traces' ? 620 : 900 }
      await page.screenshot({ clip, path: resolve(import.meta.dirname, `../../docs/images/${name}-${theme}.png`) })
    }
  }
})
