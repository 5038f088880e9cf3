import { parseMoment } from './range'

/** A time zone by its name, such as Europe/Berlin or UTC. All times of a page are shown in one. */
export type Zone = string

export const utc: Zone = 'UTC'

/** Which zone somebody wants to read times in. */
export const zoneChoices = ['project', 'utc', 'browser'] as const
export type ZoneChoice = (typeof zoneChoices)[number]

/** The zone of this machine. */
export function browserZone(): Zone {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone
  return isZone(name) && name !== 'Etc/Unknown' ? name : utc
}

/** The zone to show times in: the project's unless somebody wants another, and where it has none, or one that this browser does not know, the browser's. */
export function zoneOf(choice: ZoneChoice, project: string | undefined): Zone {
  if (choice === 'utc') return utc
  return choice === 'project' && project && isZone(project) ? project : browserZone()
}

export interface ZoneOption {
  choice: ZoneChoice
  label: string
}

/** What can be chosen for a project with this zone, each zone once; what is chosen is always among it. */
export function zoneOptions(choice: ZoneChoice, project: string | undefined): ZoneOption[] {
  const [own, browser] = [zoneOf('project', project), browserZone()]
  const all = [
    { choice: 'project', zone: own, label: `${own}, ${own === project ? "the project's" : "this browser's"}` },
    { choice: 'utc', zone: utc, label: utc },
    { choice: 'browser', zone: browser, label: `${browser}, this browser's` },
  ] as const
  return all.filter((option, i) => option.choice === choice || !all.some((other, j) => j < i && other.zone === option.zone)).map(({ choice: id, label }) => ({ choice: id, label }))
}

function isZone(name: string): boolean {
  if (name === '') return false
  try {
    return clockOf(name) !== undefined
  } catch {
    return false // a RangeError
  }
}

const clocks = new Map<Zone, Intl.DateTimeFormat>()

function clockOf(zone: Zone): Intl.DateTimeFormat {
  let clock = clocks.get(zone)
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
    clocks.set(zone, clock)
  }
  return clock
}

/** What calendar and clock of a zone say at a moment, to the second, as if they were UTC's. */
function wallOf(date: Date, zone: Zone): Date {
  const part: Record<string, string> = {}
  for (const { type, value } of clockOf(zone).formatToParts(date)) part[type] = value
  return new Date(`${(part['year'] ?? '').padStart(4, '0')}-${part['month']}-${part['day']}T${part['hour']}:${part['minute']}:${part['second']}Z`)
}

/** The moment at which calendar and clock of a zone say this. Of an hour that comes twice it is one of both, and one that is left out is the next. */
function momentOf(wall: Date, zone: Zone): Date {
  const shift = (date: Date) => wallOf(date, zone).getTime() - Math.floor(date.getTime() / 1000) * 1000
  const near = new Date(wall.getTime() - shift(wall))
  return new Date(wall.getTime() - shift(near))
}

export const yearOf = (date: Date, zone: Zone): number => wallOf(date, zone).getUTCFullYear()

/** A moment as people type it: "2026-11-23 09:00:07" by the zone's clock. */
export const printWall = (date: Date, zone: Zone): string => wallOf(date, zone).toISOString().slice(0, 19).replace('T', ' ').replace(/:00$/, '')

const wallPattern = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?$/

/**
 * Reads what somebody typed for a moment, as a range of the URL has it: an age
 * or "now" stay what they are, a date that names its zone is that moment, and
 * one that names none is read by the clock of this zone. Null for what is none.
 */
export function readMoment(typed: string, now: Date, zone: Zone): { text: string; date: Date } | null {
  const text = typed.trim()
  const wall = wallPattern.exec(text)
  if (wall) {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = wall.slice(1).map((part) => Number(part ?? 0))
    const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second))
    if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return null // 30 February
    const moment = momentOf(date, zone)
    return { text: moment.toISOString(), date: moment }
  }
  const date = parseMoment(text, now)
  if (!date) return null
  if (!/^\d/.test(text)) return { text, date }
  return /(z|[+-]\d\d:?\d\d)$/i.test(text) ? { text: date.toISOString(), date } : null
}
