import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { Refused } from '@/components/start/Refused'
import { snippetsOf } from '@/components/start/snippets'
import { Button, buttonClass } from '@/components/ui/Button'
import { Copy } from '@/components/ui/Copy'
import { Tabs } from '@/components/ui/Tabs'
import { useProject } from '@/hooks/useProject'
import { formatDuration, formatMoney } from '@/lib/format/format'
import { optionalText } from '@/lib/search/search'
import { freshnessQuery } from '@/services/counts'
import { createKey, keysKey, type CreatedKey } from '@/services/keys'
import { newestTraceQuery, sendSample, tracesKey } from '@/services/traces'

export const Route = createFileRoute('/dashboard/start')({
  validateSearch: z.object({ lang: optionalText(), fresh: optionalText() }),
  component: StartPage,
})

const placeholder = '$PULSE_API_KEY'

function StartPage() {
  const project = useProject()
  return <Start key={project.id} />
}

function Start() {
  const project = useProject()
  const { lang = 'curl', fresh } = Route.useSearch()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const admin = project.role === 'admin'
  const [key, setKey] = useState<CreatedKey | null>(null)
  const [waited, setWaited] = useState(false)
  const first = useQuery({ ...newestTraceQuery(project.id), refetchInterval: (query) => (query.state.data ? false : 2_000) })
  const make = useMutation({
    mutationFn: () => createKey(project.id, 'First key'),
    onSuccess: async (created) => {
      setKey(created)
      await queryClient.invalidateQueries({ queryKey: keysKey(project.id) })
    },
  })
  const sample = useMutation({ mutationFn: () => sendSample(project.id), onSuccess: () => queryClient.invalidateQueries({ queryKey: tracesKey(project.id) }) })

  // Who comes from sign-up gets a key without asking; once, though effects may run twice.
  const asked = useRef(false)
  const makeKey = make.mutate
  useEffect(() => {
    if (fresh !== undefined && admin && !asked.current) {
      asked.current = true
      makeKey()
      void navigate({ to: '.', search: (old) => ({ ...old, fresh: undefined }), replace: true })
    }
  }, [fresh, admin, makeKey, navigate])
  useEffect(() => {
    const timer = setTimeout(() => setWaited(true), 60_000)
    return () => clearTimeout(timer)
  }, [])

  const rejected = useQuery({ ...freshnessQuery(project.id), refetchInterval: first.data ? 10_000 : 2_000 }).data?.rejected ?? []
  const snippets = snippetsOf(location.origin, key?.secret ?? placeholder)
  return (
    <>
      <PageHeader title="Send your first trace">
        <Link to="/dashboard" className={buttonClass()}>
          Skip to the overview
        </Link>
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto p-3.5">
        <div className="mx-auto flex max-w-[920px] flex-col gap-3 rounded-card border bg-surface p-4">
          <div className="flex flex-wrap items-center gap-2">
            <b className="font-semibold">Your key</b>
            {key ? (
              <>
                <code className="user-text font-mono text-[12px]">{key.secret}</code>
                <Copy text={key.secret} label="Copy key" />
                <span className="text-faint">shown once: it is gone when you leave this page</span>
              </>
            ) : admin ? (
              <>
                <Button look="primary" busy={make.isPending} onClick={() => make.mutate()}>
                  Create a key
                </Button>
                {make.error ? (
                  <span role="alert" className="text-error">
                    {make.error.message}
                  </span>
                ) : (
                  <span className="text-muted">or use one that you have in place of {placeholder}</span>
                )}
              </>
            ) : (
              <span className="text-muted">Keys are made by the administrators of {project.name}. Ask one of them, and put it in place of {placeholder}.</span>
            )}
          </div>
          <div className="flex min-h-72 flex-col rounded-control border">
            <Tabs
              label="Ways to send"
              value={snippets.some((s) => s.id === lang) ? lang : 'curl'}
              onChange={(id) => void navigate({ to: '.', search: (old) => ({ ...old, lang: id }), replace: true })}
              tabs={snippets.map((snippet) => ({
                id: snippet.id,
                label: snippet.label,
                content: () => (
                  <div className="p-3">
                    <div className="mb-2 flex items-center justify-between gap-3">
                      <p className="text-muted">{snippet.note}</p>
                      <Copy text={snippet.code} label="Copy" />
                    </div>
                    <pre className="user-text overflow-x-auto whitespace-pre-wrap rounded-control bg-sunken p-3 font-mono text-[12px] leading-[18px]">{snippet.code}</pre>
                  </div>
                ),
              }))}
            />
          </div>
          <div role="status" aria-live="polite" className="flex min-h-8 flex-wrap items-center gap-2">
            {first.data ? (
              <>
                <span className="text-live">●</span>
                <span>
                  Got it: <b className="font-semibold">{first.data.model ?? first.data.name}</b> · {formatDuration(first.data.durationMs)} · {formatMoney(first.data.costNanoUsd)}
                </span>
                <Link to="/dashboard/traces/$traceId" params={{ traceId: first.data.id }} className={buttonClass('primary')}>
                  Open the trace
                </Link>
              </>
            ) : (
              <>
                <span className="animate-pulse text-faint">◌</span>
                <span>Waiting for the first trace…</span>
                <Button busy={sample.isPending} onClick={() => sample.mutate()}>
                  Send a sample for me
                </Button>
                {sample.error ? <span className="text-error">{sample.error.message}</span> : null}
              </>
            )}
          </div>
          {rejected.length > 0 ? <Refused rejected={rejected} /> : null}
          {waited && !first.data ? (
            <ul className="list-disc pl-5 text-muted">
              <li>Does the program print an answer of {location.origin}? 401 is a wrong key, 400 names the field that is wrong.</li>
              <li>Is the clock of the sender right? Traces far in the past are outside of what the pages show.</li>
              <li>Does the program end before it sent what it had? Flush at its end.</li>
            </ul>
          ) : null}
        </div>
      </div>
    </>
  )
}
