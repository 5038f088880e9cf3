import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { Button } from '@/components/ui/Button'
import { Field } from '@/components/ui/Field'
import { FormDialog } from '@/components/ui/FormDialog'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { NoPermission } from '@/components/ui/state/NoPermission'
import { toast } from '@/components/ui/Toasts'
import { useProject } from '@/hooks/useProject'
import { useZone } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { addMember, membersKey, membersQuery } from '@/services/members'
import type { Role } from '@/services/projects'

export const Route = createFileRoute('/dashboard/members')({ component: MembersPage })

function MembersPage() {
  const project = useProject()
  const [zone] = useZone()
  const members = useQuery({ ...membersQuery(project.id), enabled: project.role === 'admin' })
  const [adding, setAdding] = useState(false)
  if (project.role !== 'admin') return <NoPermission what="Members" />
  return (
    <>
      <PageHeader title="Members">
        <Button look="primary" onClick={() => setAdding(true)}>
          Add somebody
        </Button>
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto p-3.5">
        {members.error && !members.data ? (
          <ErrorState error={members.error} what="Members" onRetry={() => void members.refetch()} />
        ) : !members.data ? (
          <Loading />
        ) : (
          <table className="w-full max-w-[900px] rounded-card border bg-surface">
            <thead>
              <tr className="h-8 text-left text-label text-faint">
                <th className="pl-3.5 font-normal">name</th>
                <th className="font-normal">e-mail</th>
                <th className="font-normal">role</th>
                <th className="pr-3.5 font-normal">since</th>
              </tr>
            </thead>
            <tbody>
              {members.data.map((m) => (
                <tr key={m.userId} className="h-9 border-t">
                  <td className="pl-3.5 font-semibold" dir="auto">
                    {m.name}
                  </td>
                  <td>{m.email}</td>
                  <td>{m.role === 'admin' ? 'administrator' : 'member'}</td>
                  <td className="pr-3.5 text-muted">{absoluteTime(m.since, zone)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
      {adding ? <AddDialog projectId={project.id} onClose={() => setAdding(false)} /> : null}
    </>
  )
}

function AddDialog({ projectId, onClose }: { projectId: string; onClose: () => void }) {
  const queryClient = useQueryClient()
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role>('user')
  const [account, setAccount] = useState<{ name: string; password: string } | null>(null)
  const add = useMutation({
    mutationFn: () => addMember(projectId, { email: email.trim(), role, ...account }),
    onSuccess: async (member) => {
      await queryClient.invalidateQueries({ queryKey: membersKey(projectId) })
      toast(`${member.name} is a member now`)
      onClose()
    },
    // Nobody has an account with this address: then one is made, for which more is needed.
    onError: (error) => {
      if (/new user/i.test(error.message)) setAccount({ name: '', password: '' })
    },
  })
  return (
    <FormDialog title="Add somebody" action="Add" busy={add.isPending} onSubmit={() => add.mutate()} onClose={onClose}>
      <Field label="E-mail" type="email" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} error={add.error && !account ? add.error.message : undefined} />
      <label className="flex flex-col gap-1 font-semibold">
        Role
        <select className="h-8 rounded-control border border-border-strong bg-surface px-2 font-normal" value={role} onChange={(event) => setRole(event.target.value === 'admin' ? 'admin' : 'user')}>
          <option value="user">member: reads everything</option>
          <option value="admin">administrator: keys and members too</option>
        </select>
      </label>
      {account ? (
        <>
          <p className="text-muted">Nobody has an account with this address yet. Make one, and tell them the password; they can change it under Account.</p>
          <Field label="Name" required value={account.name} onChange={(event) => setAccount({ ...account, name: event.target.value })} />
          <Field label="First password" type="password" autoComplete="new-password" minLength={8} required value={account.password} onChange={(event) => setAccount({ ...account, password: event.target.value })} hint="At least 8 characters" error={add.error && !/new user/i.test(add.error.message) ? add.error.message : undefined} />
        </>
      ) : null}
    </FormDialog>
  )
}
