import type { Zone } from '@/lib/format/format'
import { usePreference } from './usePreference'

/** Whether times are shown in UTC or in the zone of the browser. */
export function useZone(): [Zone, (zone: Zone) => void] {
  const [value, set] = usePreference('pulse.zone', 'local')
  return [value === 'utc' ? 'utc' : 'local', set]
}
