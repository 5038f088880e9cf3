import { Tabs as Radix } from 'radix-ui'
import type { ReactNode } from 'react'

export interface Tab {
  id: string
  label: ReactNode
  content: () => ReactNode
}

/** Tabs whose content is made when it is first looked at. */
export function Tabs({ tabs, value, onChange, label, end }: { tabs: Tab[]; value: string; onChange: (id: string) => void; label: string; end?: ReactNode }) {
  return (
    <Radix.Root value={value} onValueChange={onChange} className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-[34px] flex-none items-center gap-3 overflow-x-auto border-b px-3.5">
        <Radix.List aria-label={label} className="flex h-full gap-4">
          {tabs.map((tab) => (
            <Radix.Trigger key={tab.id} value={tab.id} className="h-full min-w-6 whitespace-nowrap border-b-2 border-transparent text-muted data-[state=active]:border-accent data-[state=active]:font-semibold data-[state=active]:text-text">
              {tab.label}
            </Radix.Trigger>
          ))}
        </Radix.List>
        <span className="ml-auto min-w-0 truncate text-faint max-sm:hidden" title={typeof end === 'string' ? end : undefined}>
          {end}
        </span>
      </div>
      {tabs.map((tab) => (
        <Radix.Content key={tab.id} value={tab.id} className="min-h-0 flex-1 overflow-y-auto outline-none" tabIndex={0}>
          {tab.id === value ? tab.content() : null}
        </Radix.Content>
      ))}
    </Radix.Root>
  )
}
