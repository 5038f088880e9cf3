import type { ReactNode } from 'react'
import { cx } from './classes'

interface TableProps {
  /** Names of the columns; that of actions is the last, and is not shown. */
  head: string[]
  className?: string
  children: ReactNode
}

/** Few rows with something to do in each. On a phone a row is a paragraph. */
export function Table({ head, className, children }: TableProps) {
  return (
    <div className={cx('overflow-hidden rounded-card border bg-surface', className)}>
      <table className="w-full max-sm:block">
        <thead className="max-sm:sr-only">
          <tr className="h-8 text-left text-label text-faint">
            {head.map((name) => (
              <th key={name} className="pr-3 font-normal first:pl-3.5">
                {name}
              </th>
            ))}
            <th className="pr-3.5">
              <span className="sr-only">actions</span>
            </th>
          </tr>
        </thead>
        <tbody className="max-sm:block">{children}</tbody>
      </table>
    </div>
  )
}

export const TableRow = ({ children }: { children: ReactNode }) => <tr className="h-9 border-t max-sm:flex max-sm:h-auto max-sm:flex-wrap max-sm:items-center max-sm:gap-x-3 max-sm:gap-y-1 max-sm:px-3.5 max-sm:py-2 max-sm:first:border-t-0">{children}</tr>

interface TableCellProps {
  /** Says on a phone what the value is, where there is no head above it. */
  label?: string
  /** The cell stands first, and has a line of its own on a phone. */
  first?: boolean
  className?: string
  title?: string | undefined
  children: ReactNode
}

export function TableCell({ label, first = false, className, title, children }: TableCellProps) {
  return (
    <td className={cx('pr-3 max-sm:p-0', first && 'pl-3.5 font-semibold max-sm:basis-full', className)} title={title} dir={first ? 'auto' : undefined}>
      {label ? <span className="text-faint sm:hidden">{label} </span> : null}
      {children}
    </td>
  )
}

export const TableActions = ({ children }: { children: ReactNode }) => <td className="whitespace-nowrap pr-3.5 text-right max-sm:ml-auto max-sm:p-0">{children}</td>
