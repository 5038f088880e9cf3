import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { DeleteProject } from '@/components/project/DeleteProject'
import { Button } from '@/components/ui/Button'
import { Copy } from '@/components/ui/Copy'
import { Field, inputClass } from '@/components/ui/Field'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { toast } from '@/components/ui/Toasts'
import { Table, TableActions, TableCell, TableRow } from '@/components/ui/Table'
import { Loading } from '@/components/ui/state/Loading'
import { useZone } from '@/hooks/useZone'
import { absoluteTime, formatCount, formatMoney, unknown } from '@/lib/format/format'
import { resolveRange, type Range } from '@/lib/time/range'
import { overviewQuery, type KpiKey } from '@/services/overview'
import { createProject, deleteProject, projectsKey, projectsQuery, renameProject, type Project } from '@/services/projects'

export const Route = createFileRoute('/dashboard/projects')({ component: ProjectsPage })

function ProjectsPage() {
  const projects = useQuery(projectsQuery)
  const zone = useZone()
  const [name, setName] = useState('')
  const [doomed, setDoomed] = useState<Project | null>(null)
  const [{ day, month }] = useState(() => ({ day: resolveRange({}, new Date()), month: resolveRange({ from: '-30d' }, new Date()) }))
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const create = useMutation({
    mutationFn: () => createProject(name.trim()),
    onSuccess: async (created) => {
      await queryClient.invalidateQueries({ queryKey: projectsKey })
      await navigate({ to: '/dashboard/start', search: { p: created.id } })
    },
  })
  return (
    <>
      <PageHeader title="Projects" />
      <div className="min-h-0 flex-1 overflow-y-auto p-3.5">
        <form
          className="mb-4 flex max-w-[520px] items-end gap-2"
          onSubmit={(event) => {
            event.preventDefault()
            create.mutate()
          }}
        >
          <Field label="New project" placeholder="its name" required value={name} onChange={(event) => setName(event.target.value)} error={create.error?.message} className="flex-1" />
          <Button type="submit" look="primary" busy={create.isPending} className="!h-8">
            Create
          </Button>
        </form>
        {projects.error && !projects.data ? (
          <ErrorState error={projects.error} what="Projects" onRetry={() => void projects.refetch()} />
        ) : projects.data?.length === 0 ? (
          <p className="text-muted">You are in no project.</p>
        ) : projects.data ? (
          <Table className="max-w-[1100px]" head={['name', 'your role', 'traces 24 h', 'cost 30 d', 'created', 'id']}>
              {projects.data.map((p) => (
                <TableRow key={p.id}>
                  <TableCell first>
                    <Name project={p} />
                  </TableCell>
                  <TableCell>{p.role === 'admin' ? 'administrator' : 'member'}</TableCell>
                  <TableCell label="traces in 24 h">
                    <Sum project={p} range={day} of="traces" print={formatCount} />
                  </TableCell>
                  <TableCell label="cost in 30 d">
                    <Sum project={p} range={month} of="cost" print={formatMoney} />
                  </TableCell>
                  <TableCell label="since" className="text-muted">
                    {absoluteTime(p.createdAt, zone)}
                  </TableCell>
                  <TableCell className="whitespace-nowrap font-mono text-label text-faint" title={p.id}>
                    {p.id.slice(0, 8)}… <Copy text={p.id} label={`Copy the id of ${p.name}`} quiet />
                  </TableCell>
                  <TableActions>
                    {p.role === 'admin' ? (
                      <Button look="danger" aria-label={`Delete ${p.name}`} onClick={() => setDoomed(p)}>
                        Delete
                      </Button>
                    ) : null}
                  </TableActions>
                </TableRow>
              ))}
          </Table>
        ) : (
          <Loading />
        )}
      </div>
      {doomed ? (
        <DeleteProject
          name={doomed.name}
          onClose={() => {
            setDoomed(null)
            void queryClient.invalidateQueries({ queryKey: projectsKey })
          }}
          onDelete={async (onProgress) => {
            await deleteProject(doomed.id, doomed.name, onProgress)
            await navigate({ to: '.', search: (old) => ({ ...old, p: old.p === doomed.id ? undefined : old.p }) })
            await queryClient.invalidateQueries({ queryKey: projectsKey })
            toast(`${doomed.name} is deleted`)
            setDoomed(null)
          }}
        />
      ) : null}
    </>
  )
}

interface SumProps {
  project: Project
  range: Range
  of: KpiKey
  print: (value: number | null | undefined) => string
}

/** What a project had in a range, as its overview has it. */
function Sum({ project, range, of, print }: SumProps) {
  const { data, error } = useQuery(overviewQuery(project.id, '', range))
  if (error && !data) return <span title={error.message}>{unknown}</span>
  return data ? print(data.kpis[of]?.value) : <span className="text-faint">…</span>
}

/** A project's name, which its administrators change in place. */
function Name({ project }: { project: Project }) {
  const queryClient = useQueryClient()
  const [name, setName] = useState<string | null>(null)
  const rename = useMutation({
    mutationFn: (to: string) => renameProject(project.id, to),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: projectsKey })
      setName(null)
    },
  })
  if (name === null) {
    return (
      <>
        <Link to="/dashboard" search={{ p: project.id }} dir="auto">
          {project.name}
        </Link>
        {project.role === 'admin' ? (
          <Button look="quiet" className="ml-1 font-normal" aria-label={`Rename ${project.name}`} onClick={() => setName(project.name)}>
            Rename
          </Button>
        ) : null}
      </>
    )
  }
  return (
    <form
      className="flex flex-wrap items-center gap-1"
      onSubmit={(event) => {
        event.preventDefault()
        rename.mutate(name.trim())
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') setName(null)
      }}
    >
      <input className={`${inputClass} !h-7 !w-52`} aria-label={`New name of ${project.name}`} required maxLength={200} autoFocus value={name} onChange={(event) => setName(event.target.value)} />
      <Button type="submit" busy={rename.isPending}>
        Save
      </Button>
      {rename.error ? (
        <span role="alert" className="w-full font-normal text-error">
          {rename.error.message}
        </span>
      ) : null}
    </form>
  )
}
