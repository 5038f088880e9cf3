import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { Button } from '@/components/ui/Button'
import { Copy } from '@/components/ui/Copy'
import { Field } from '@/components/ui/Field'
import { Loading } from '@/components/ui/state/Loading'
import { useZone } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { createProject, projectsKey, projectsQuery } from '@/services/projects'

export const Route = createFileRoute('/dashboard/projects')({ component: ProjectsPage })

function ProjectsPage() {
  const projects = useQuery(projectsQuery)
  const [zone] = useZone()
  const [name, setName] = useState('')
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
        {projects.data ? (
          <table className="w-full max-w-[900px] rounded-card border bg-surface">
            <thead>
              <tr className="h-8 text-left text-label text-faint">
                <th className="pl-3.5 font-normal">name</th>
                <th className="font-normal">your role</th>
                <th className="font-normal">created</th>
                <th className="pr-3.5 font-normal">id</th>
              </tr>
            </thead>
            <tbody>
              {projects.data.map((p) => (
                <tr key={p.id} className="h-9 border-t">
                  <td className="pl-3.5 font-semibold">
                    <Link to="/dashboard" search={{ p: p.id }} dir="auto">
                      {p.name}
                    </Link>
                  </td>
                  <td>{p.role === 'admin' ? 'administrator' : 'member'}</td>
                  <td className="text-muted">{absoluteTime(p.createdAt, zone)}</td>
                  <td className="pr-3.5 font-mono text-label text-faint">
                    {p.id.slice(0, 8)}… <Copy text={p.id} label={`Copy the id of ${p.name}`} quiet />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : (
          <Loading />
        )}
      </div>
    </>
  )
}
