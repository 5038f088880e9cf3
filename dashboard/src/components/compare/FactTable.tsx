import type { ReactNode } from 'react'

export interface ComparedFact {
  label: string
  left: ReactNode
  right: ReactNode
  /** How the second differs from the first. */
  change?: string
  worse?: boolean
}

/** The numbers of two things beside one another. */
export function FactTable({ facts }: { facts: ComparedFact[] }) {
  return (
    <div className="flex-none overflow-x-auto border-b bg-surface px-3.5 py-2">
      <table className="w-full max-w-5xl">
        <thead>
          <tr className="text-left text-label text-faint">
            <th className="font-normal" />
            {facts.map((fact) => (
              <th key={fact.label} className="whitespace-nowrap pr-4 font-normal" scope="col">
                {fact.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {(['left', 'right'] as const).map((side) => (
            <tr key={side}>
              <th className="w-14 text-left font-semibold" scope="row">
                {side === 'left' ? 'A' : 'B'}
              </th>
              {facts.map((fact) => (
                <td key={fact.label} className="whitespace-nowrap pr-4">
                  {fact[side]}
                </td>
              ))}
            </tr>
          ))}
          <tr className="text-label">
            <th className="whitespace-nowrap pr-3 text-left font-normal text-faint" scope="row">
              B − A
            </th>
            {facts.map((fact) => (
              <td key={fact.label} className={fact.worse ? 'whitespace-nowrap pr-4 font-semibold text-warn' : 'whitespace-nowrap pr-4 text-muted'}>
                {fact.change ?? ''}
              </td>
            ))}
          </tr>
        </tbody>
      </table>
    </div>
  )
}
