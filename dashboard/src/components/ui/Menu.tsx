import { DropdownMenu } from 'radix-ui'
import type { ReactNode } from 'react'
import { Kbd } from './Kbd'
import { cx } from './classes'

/** A menu below its button. It is not modal: a modal one would write style elements, which the page's policy forbids. */
export function Menu({ trigger, children, align = 'start', onOpen }: { trigger: ReactNode; children: ReactNode; align?: 'start' | 'end'; onOpen?: () => void }) {
  return (
    <DropdownMenu.Root modal={false} onOpenChange={(open) => open && onOpen?.()}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-[70vh] min-w-44 overflow-y-auto rounded-card border bg-surface p-1 shadow-float"
          onCloseAutoFocus={(event) => event.stopPropagation()}
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}

export function MenuItem({ children, onSelect, shortcut, checked }: { children: ReactNode; onSelect: () => void; shortcut?: string; checked?: boolean }) {
  return (
    <DropdownMenu.Item
      onSelect={onSelect}
      className={cx('flex min-h-7 cursor-pointer items-center justify-between gap-4 rounded-control px-2 outline-none data-[highlighted]:bg-select', checked && 'font-semibold')}
    >
      <span className="min-w-0 truncate">{children}</span>
      {checked ? <span aria-label="chosen">✓</span> : shortcut ? <Kbd>{shortcut}</Kbd> : null}
    </DropdownMenu.Item>
  )
}

export const MenuLine = () => <DropdownMenu.Separator className="my-1 border-t" />
