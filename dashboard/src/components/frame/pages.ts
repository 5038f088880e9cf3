/** The pages of the rail, in its order. */
export const pages = [
  { path: '/dashboard', label: 'Overview', key: 'o', below: false },
  { path: '/dashboard/traces', label: 'Traces', key: 't', below: false },
  { path: '/dashboard/sessions', label: 'Sessions', key: 's', below: false },
  { path: '/dashboard/agents', label: 'Agents', key: 'c', below: false },
  { path: '/dashboard/analytics', label: 'Analytics', key: 'a', below: false },
  { path: '/dashboard/api-keys', label: 'API keys', key: 'k', below: true },
  { path: '/dashboard/members', label: 'Members', key: 'm', below: true },
  { path: '/dashboard/settings', label: 'Settings', key: '', below: true },
  { path: '/dashboard/account', label: 'Account', key: '', below: true },
] as const

export type PagePath = (typeof pages)[number]['path']
