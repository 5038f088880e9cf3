import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { Button, buttonClass } from '@/components/ui/Button'
import { Field } from '@/components/ui/Field'
import { FormDialog } from '@/components/ui/FormDialog'
import { SecretDialog } from '@/components/ui/SecretDialog'
import { Empty } from '@/components/ui/state/Empty'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { NoPermission } from '@/components/ui/state/NoPermission'
import { Table, TableActions, TableCell, TableRow } from '@/components/ui/Table'
import { useNow } from '@/hooks/useNow'
import { useProject } from '@/hooks/useProject'
import { useZone } from '@/hooks/useZone'
import { printTerm, termOf } from '@/lib/filter/filter'
import { absoluteTime, relativeTime } from '@/lib/format/format'
import { sameName } from '@/lib/text/name'
import { createKey, keysKey, keysQuery, renameKey, revokeKey, type CreatedKey, type Key } from '@/services/keys'

export const Route = createFileRoute('/dashboard/api-keys')({ component: KeysPage })

type Open = { what: 'create' } | { what: 'rename' | 'revoke'; key: Key } | null

function KeysPage() {
  const project = useProject()
  const now = useNow()
  const zone = useZone()
  const keys = useQuery({ ...keysQuery(project.id), enabled: project.role === 'admin' })
  const [open, setOpen] = useState<Open>(null)
  if (project.role !== 'admin') return <NoPermission what="API keys" />
  return (
    <>
      <PageHeader title="API keys">
        <Link to="/dashboard/start" className={buttonClass()}>
          How to send traces
        </Link>
        <Button look="primary" onClick={() => setOpen({ what: 'create' })}>
          Create a key
        </Button>
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto p-3.5">
        {keys.error && !keys.data ? (
          <ErrorState error={keys.error} what="API keys" onRetry={() => void keys.refetch()} />
        ) : !keys.data ? (
          <Loading />
        ) : keys.data.length === 0 ? (
          <Empty title="This project has no key">A program needs one to send its traces.</Empty>
        ) : (
          <Table className="max-w-[1000px]" head={['name', 'key', 'created', 'last used']}>
              {keys.data.map((key) => (
                <TableRow key={key.id}>
                  <TableCell first>{key.name}</TableCell>
                  <TableCell className="font-mono text-[12px] text-muted max-sm:basis-full">pulse_sk_…{key.last4 ?? ''}</TableCell>
                  <TableCell label="created" className="text-muted" title={absoluteTime(key.createdAt, zone)}>
                    {relativeTime(key.createdAt, now, zone)}
                  </TableCell>
                  <TableCell label="used" className="text-muted" title={key.lastUsedAt ? absoluteTime(key.lastUsedAt, zone) : undefined}>
                    {key.lastUsedAt ? relativeTime(key.lastUsedAt, now, zone) : 'never'}
                  </TableCell>
                  <TableActions>
                    <Link to="/dashboard/traces" search={{ q: printTerm(termOf('key', key.id)), from: '-30d' }} className={buttonClass('quiet')} aria-label={`Traces of ${key.name}`}>
                      Traces
                    </Link>
                    <Button look="quiet" onClick={() => setOpen({ what: 'rename', key })}>
                      Rename
                    </Button>
                    <Button look="danger" onClick={() => setOpen({ what: 'revoke', key })}>
                      Revoke
                    </Button>
                  </TableActions>
                </TableRow>
              ))}
          </Table>
        )}
      </div>
      {open?.what === 'create' ? <CreateDialog projectId={project.id} onClose={() => setOpen(null)} /> : null}
      {open?.what === 'rename' ? <RenameDialog projectId={project.id} apiKey={open.key} onClose={() => setOpen(null)} /> : null}
      {open?.what === 'revoke' ? <RevokeDialog projectId={project.id} apiKey={open.key} onClose={() => setOpen(null)} /> : null}
    </>
  )
}

function CreateDialog({ projectId, onClose }: { projectId: string; onClose: () => void }) {
  const queryClient = useQueryClient()
  const [name, setName] = useState('')
  const [created, setCreated] = useState<CreatedKey | null>(null)
  const create = useMutation({
    mutationFn: () => createKey(projectId, name.trim()),
    onSuccess: async (key) => {
      setCreated(key)
      await queryClient.invalidateQueries({ queryKey: keysKey(projectId) })
    },
  })
  if (created) {
    return <SecretDialog title={`Key ${created.name}`} note="This is the only time that it is shown." secret={created.secret} copy="Copy key" onClose={onClose} />
  }
  return (
    <FormDialog title="Create a key" action="Create" busy={create.isPending} onSubmit={() => create.mutate()} onClose={onClose}>
      <Field label="Name" hint="Where it will be used: production, CI, my laptop" required autoFocus value={name} onChange={(event) => setName(event.target.value)} error={create.error?.message} />
    </FormDialog>
  )
}

function RenameDialog({ projectId, apiKey, onClose }: { projectId: string; apiKey: Key; onClose: () => void }) {
  const queryClient = useQueryClient()
  const [name, setName] = useState(apiKey.name)
  const rename = useMutation({
    mutationFn: () => renameKey(projectId, apiKey.id, name.trim()),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keysKey(projectId) })
      onClose()
    },
  })
  return (
    <FormDialog title="Rename the key" action="Rename" busy={rename.isPending} onSubmit={() => rename.mutate()} onClose={onClose}>
      <Field label="Name" required autoFocus value={name} onChange={(event) => setName(event.target.value)} error={rename.error?.message} />
    </FormDialog>
  )
}

function RevokeDialog({ projectId, apiKey, onClose }: { projectId: string; apiKey: Key; onClose: () => void }) {
  const queryClient = useQueryClient()
  const [typed, setTyped] = useState('')
  const revoke = useMutation({
    mutationFn: () => revokeKey(projectId, apiKey.id),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: keysKey(projectId) })
      onClose()
    },
  })
  return (
    <FormDialog title={`Revoke ${apiKey.name}`} action="Revoke" look="danger" busy={revoke.isPending} disabled={!sameName(typed, apiKey.name)} onSubmit={() => revoke.mutate()} onClose={onClose}>
      <p className="text-muted">Programs that use it can send nothing from now on. This cannot be undone.</p>
      <Field label={`Type the name of the key: ${apiKey.name}`} autoFocus value={typed} onChange={(event) => setTyped(event.target.value)} error={revoke.error?.message} />
    </FormDialog>
  )
}
