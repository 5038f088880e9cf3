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

/** The zone of the times of a page, and the others that there are: the project's, UTC, and the browser's, which is that of a project that has set none. */
export function useZones(): Zones {
  const own = useContext(ProjectContext)?.timeZone
  const [kept, keep] = usePreference('pulse.zone', 'project')
  const choice = zoneChoices.find((it) => it === kept) ?? 'project'
  return { zone: zoneOf(choice, own), choice, choose: keep, options: zoneOptions(choice, own) }
}

/** The zone that times are shown in. */
export const useZone = (): Zone => useZones().zone
