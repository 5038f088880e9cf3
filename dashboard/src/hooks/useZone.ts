import { useContext } from 'react'
import { zoneChoices, zoneOf, zoneOptions, type Zone, type ZoneChoice, type ZoneOption } from '@/lib/time/zone'
import { usePreference } from './usePreference'
import { ProjectContext } from './useProject'

interface Zones {
  /** The one that times are shown in. */
  zone: Zone
  choice: ZoneChoice
  choose: (choice: ZoneChoice) => void
  options: ZoneOption[]
}

// By choice and project's zone, for as long as the page is loaded: asking the browser
// for its zone takes milliseconds, and all that shows a time wants to know it.
const shown = new Map<string, { zone: Zone; options: ZoneOption[] }>()

function zonesOf(choice: ZoneChoice, own: string | undefined) {
  const key = `${choice} ${own}`
  let found = shown.get(key)
  if (!found) shown.set(key, (found = { zone: zoneOf(choice, own), options: zoneOptions(choice, own) }))
  return found
}

/** The zone of the times of a page, and the others that there are: the project's, UTC, and the browser's, which is that of a project that has set none. */
export function useZones(): Zones {
  const own = useContext(ProjectContext)?.timeZone
  const [kept, keep] = usePreference('pulse.zone', 'project')
  const choice = zoneChoices.find((it) => it === kept) ?? 'project'
  return { ...zonesOf(choice, own), choice, choose: keep }
}

/** The zone that times are shown in. */
export const useZone = (): Zone => useZones().zone
