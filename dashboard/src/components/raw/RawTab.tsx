import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { formatBytes } from '@/lib/format/format'
import { rawQuery, type PayloadPart } from '@/services/spans'
import { openJson, type JsonDocument } from '@/workers/json'
import { Button } from '../ui/Button'
import { Copy } from '../ui/Copy'
import { saveFile } from '../ui/saveFile'
import { ErrorState } from '../ui/state/ErrorState'
import { Loading } from '../ui/state/Loading'
import { JsonView } from './JsonView'

/** The stored bytes of a span, part by part: never parsed, so that order, repeated names and long numbers stay. */
export function RawTab({ projectId, spanId, parts }: { projectId: string; spanId: string; parts: PayloadPart[] }) {
  const [chosen, setPart] = useState(parts[0])
  const part = chosen ?? 'request'
  const raw = useQuery({ ...rawQuery(projectId, spanId, part), enabled: chosen !== undefined })
  const text = raw.data ?? null
  const [opened, setOpened] = useState<{ text: string; document: JsonDocument } | null>(null)
  const [failed, setFailed] = useState<Error | null>(null)
  useEffect(() => {
    setFailed(null)
    if (text === null) return
    const stop = new AbortController()
    let mine: JsonDocument | null = null
    openJson(text, stop.signal).then(
      (document) => {
        mine = document
        setOpened({ text, document })
      },
      (error: unknown) => {
        if (!stop.signal.aborted) setFailed(error instanceof Error ? error : new Error(String(error)))
      },
    )
    return () => {
      stop.abort()
      mine?.close()
    }
  }, [text])
  if (chosen === undefined) return <p className="px-3.5 py-8 text-center text-muted">This span carries nothing but its name and its times.</p>
  const error = raw.error ?? failed
  return (
    <div className="flex h-full flex-col px-3.5 py-2">
      <div className="mb-1 flex flex-none flex-wrap items-center gap-1">
        {parts.map((it) => (
          <Button key={it} look="quiet" aria-pressed={it === part} onClick={() => setPart(it)}>
            {it}
          </Button>
        ))}
        {text === null ? null : (
          <span className="ml-auto flex items-center gap-1">
            <span className="text-label text-faint">{formatBytes(new Blob([text]).size)}</span>
            <Copy text={text} label="Copy all" quiet />
            <Button look="quiet" onClick={() => saveFile(`${spanId}-${part}.${/^\s*[[{"]/.test(text) ? 'json' : 'txt'}`, new Blob([text], { type: 'text/plain' }))}>
              Download
            </Button>
          </span>
        )}
      </div>
      {error ? (
        <ErrorState error={error} what="The part" onRetry={() => void raw.refetch()} />
      ) : raw.data === null ? (
        <p className="py-4 text-muted">The span has no {part}.</p>
      ) : opened && opened.text === text ? (
        <JsonView key={part} document={opened.document} />
      ) : (
        <Loading rows={6} />
      )}
    </div>
  )
}
