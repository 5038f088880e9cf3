import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { formatBytes } from '@/lib/format/format'
import { rawQuery, type PayloadPart } from '@/services/spans'
import { Button } from '../ui/Button'
import { Copy } from '../ui/Copy'
import { Json } from '../ui/Json'
import { ErrorState } from '../ui/state/ErrorState'
import { Loading } from '../ui/state/Loading'

/** The stored bytes of a span, part by part: never parsed, so that order, repeated names and long numbers stay. */
export function RawTab({ projectId, spanId, parts }: { projectId: string; spanId: string; parts: PayloadPart[] }) {
  const [chosen, setPart] = useState(parts[0])
  const part = chosen ?? 'request'
  const raw = useQuery({ ...rawQuery(projectId, spanId, part), enabled: chosen !== undefined })
  if (chosen === undefined) return <p className="px-3.5 py-8 text-center text-muted">This span carries nothing but its name and its times.</p>
  return (
    <div className="px-3.5 py-2">
      <div className="mb-2 flex flex-wrap items-center gap-1">
        {parts.map((it) => (
          <Button key={it} look="quiet" aria-pressed={it === part} className={it === part ? 'bg-select !text-text' : undefined} onClick={() => setPart(it)}>
            {it}
          </Button>
        ))}
      </div>
      {raw.error ? (
        <ErrorState error={raw.error} what="The part" onRetry={() => void raw.refetch()} />
      ) : raw.data === undefined ? (
        <Loading rows={6} />
      ) : raw.data === null ? (
        <p className="py-4 text-muted">The span has no {part}.</p>
      ) : (
        <>
          <div className="flex items-center justify-between">
            <span className="text-label text-faint">{formatBytes(new Blob([raw.data]).size)}</span>
            <span className="flex gap-1">
              <Copy text={raw.data} label="Copy" />
              <Button onClick={() => save(`${spanId}-${part}`, raw.data ?? '')}>Download</Button>
            </span>
          </div>
          <Json value={raw.data} />
        </>
      )}
    </div>
  )
}

function save(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `${name}.${/^\s*[[{"]/.test(text) ? 'json' : 'txt'}`
  link.click()
  URL.revokeObjectURL(url)
}
