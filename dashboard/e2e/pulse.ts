import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test as base, expect, type Page } from '@playwright/test'

/** A real Pulse with a data folder of its own. */
export class Pulse {
  #process: ChildProcess | null = null
  private constructor(
    readonly url: string,
    readonly home: string,
    private readonly port: number,
  ) {}

  /** One that runs already, where PULSE_URL names it. */
  static async start(): Promise<Pulse> {
    const there = process.env['PULSE_URL']
    if (there) return new Pulse(there, '', 0)
    const port = await freePort()
    const pulse = new Pulse(`http://localhost:${port}`, mkdtempSync(join(tmpdir(), 'pulse-e2e-')), port)
    await pulse.up()
    return pulse
  }

  async up(): Promise<void> {
    const log: string[] = []
    // Every journey signs in, more often than one person may in a minute.
    const child = spawn(resolve(import.meta.dirname, '../../dist/pulse'), ['serve'], { env: { AUTH_RATE_LIMIT: 'off', PATH: process.env['PATH'] ?? '', PORT: String(this.port), PULSE_HOME: this.home, HOME: this.home }, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (data: Buffer) => log.push(data.toString()))
    child.stderr.on('data', (data: Buffer) => log.push(data.toString()))
    this.#process = child
    for (let i = 0; i < 150; i++) {
      if (child.exitCode !== null) break
      const ready = await fetch(`${this.url}/health/ready`).then((r) => r.ok, () => false)
      if (ready) return
      await new Promise((done) => setTimeout(done, 100))
    }
    throw new Error(`Pulse did not start:\n${log.join('')}`)
  }

  async down(): Promise<void> {
    const child = this.#process
    this.#process = null
    if (!child || child.exitCode !== null) return
    const ended = new Promise((done) => child.once('exit', done))
    child.kill('SIGTERM')
    await ended
  }

  async end(): Promise<void> {
    await this.down()
    if (this.home) rmSync(this.home, { recursive: true, force: true })
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer()
    server.once('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address ? done(address.port) : fail(new Error('no port'))))
    })
  })
}

export interface Person {
  name: string
  email: string
  password: string
  project: string
}

export const ada: Person = { name: 'Ada', email: 'ada@example.com', password: 'correct horse', project: 'aurora-support' }
export const bob: Person = { name: 'Bob', email: 'bob@example.com', password: 'battery staple', project: 'other project' }

/** What went wrong in a page that nobody would see: errors of scripts, reports of the policy, requests to elsewhere. */
export interface Watch {
  problems: string[]
  /** Answers that a test provokes, by what their line in the console holds. */
  expected: RegExp[]
}

export const test = base.extend<{ watch: Watch }, { pulse: Pulse }>({
  pulse: [
    // oxlint-disable-next-line no-empty-pattern -- a fixture that asks for none
    async ({}, use) => {
      const pulse = await Pulse.start()
      await use(pulse)
      await pulse.end()
    },
    { scope: 'worker' },
  ],
  watch: [
    async ({ page, pulse }, use) => {
      const watch: Watch = { problems: [], expected: [] }
      const note = (text: string) => {
        if (!watch.expected.some((pattern) => pattern.test(text))) watch.problems.push(text)
      }
      page.on('console', (message) => {
        if (message.type() === 'error') note(`console: ${message.text()}`)
      })
      page.on('pageerror', (error) => note(`script: ${error.stack ?? error.message}`))
      page.on('request', (request) => {
        const url = new URL(request.url())
        if (url.origin !== pulse.url && url.protocol !== 'data:' && url.protocol !== 'blob:') note(`request to ${url.origin}`)
      })
      await page.addInitScript(() => {
        document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`))
      })
      await use(watch)
      expect(watch.problems).toEqual([])
    },
    { auto: true },
  ],
  baseURL: async ({ pulse }, use) => use(pulse.url),
})

export { expect }

/** Creates an account over the API, and gives its cookie and project. */
export async function account(pulse: Pulse, person: Person): Promise<{ cookie: string; projectId: string; key: string }> {
  const json = { 'Content-Type': 'application/json', Origin: pulse.url }
  await fetch(`${pulse.url}/dashboard/api/signup`, { method: 'POST', headers: json, body: JSON.stringify({ name: person.name, email: person.email, password: person.password, projectName: person.project }) })
  const signedIn = await fetch(`${pulse.url}/api/auth/sign-in/email`, { method: 'POST', headers: json, body: JSON.stringify({ email: person.email, password: person.password }) })
  if (!signedIn.ok) throw new Error(`sign-in: ${signedIn.status} ${await signedIn.text()}`)
  const cookie = signedIn.headers.getSetCookie().map((c) => c.split(';')[0]).join('; ')
  const projects = (await (await fetch(`${pulse.url}/dashboard/api/projects`, { headers: { cookie } })).json()) as { projects: { id: string; name: string }[] }
  const projectId = projects.projects.find((p) => p.name === person.project)?.id ?? ''
  const made = (await (await fetch(`${pulse.url}/dashboard/api/api-keys`, { method: 'POST', headers: { ...json, cookie, 'X-Project-Id': projectId }, body: JSON.stringify({ name: 'seed' }) })).json()) as { apiKey: string }
  return { cookie, projectId, key: made.apiKey }
}

/** Signs in as people do. */
export async function signIn(page: Page, person: Person): Promise<void> {
  await page.goto('/login')
  await page.getByLabel('E-mail').fill(person.email)
  await page.getByLabel('Password').fill(person.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Pages' }).waitFor()
}
