import { Moon, Sun, SunMoon } from 'lucide-react'
import { useEffect } from 'react'
import { usePreference } from '@/hooks/usePreference'

const next = { system: 'light', light: 'dark', dark: 'system' } as const
const icons = { system: SunMoon, light: Sun, dark: Moon }

/** Goes round: the system's theme, light, dark. opening/script.ts reads the same choice before the first paint. */
export function ThemeSwitch() {
  const [value, set] = usePreference('pulse.theme', 'system')
  const theme = value === 'light' || value === 'dark' ? value : 'system'
  useEffect(() => {
    const media = matchMedia('(prefers-color-scheme: dark)')
    const apply = () => {
      document.documentElement.dataset['theme'] = theme === 'system' ? (media.matches ? 'dark' : 'light') : theme
    }
    apply()
    media.addEventListener('change', apply)
    return () => media.removeEventListener('change', apply)
  }, [theme])
  const Icon = icons[theme]
  return (
    <button type="button" className="flex min-h-7 items-center gap-2 rounded-control px-2 text-muted hover:bg-sunken hover:text-text" onClick={() => set(next[theme])} title={`Theme: ${theme}`} aria-label={`Theme: ${theme}. Change to ${next[theme]}`}>
      <Icon size={15} aria-hidden />
      <span className="max-lg:sr-only">Theme: {theme}</span>
    </button>
  )
}
