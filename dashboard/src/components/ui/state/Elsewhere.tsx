import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { resolveQuery } from '@/services/counts'
import { Empty } from './Empty'

/** Nothing of an id in this project: whether another of one's projects has it, and the way there. */
export function Elsewhere({ id, what, children }: { id: string; what: string; children: ReactNode }) {
  const { data } = useQuery({ ...resolveQuery(id), retry: false })
  return (
    <Empty title={`There is no such ${what} in this project`}>
      {data?.map((match) => (
        <p key={`${match.projectId} ${match.kind}`}>
          It is in{' '}
          {match.traceId ? (
            <Link to="/dashboard/traces/$traceId" params={{ traceId: match.traceId }} search={{ p: match.projectId, span: match.spanId ?? undefined }} className="text-accent underline">
              {match.projectName}
            </Link>
          ) : (
            <Link to="/dashboard/sessions/$sessionId" params={{ sessionId: match.sessionId ?? id }} search={{ p: match.projectId }} className="text-accent underline">
              {match.projectName}
            </Link>
          )}
        </p>
      ))}
      {children}
    </Empty>
  )
}
