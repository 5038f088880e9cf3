import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Field } from '@/components/ui/Field'
import { FormDialog } from '@/components/ui/FormDialog'
import { SecretDialog } from '@/components/ui/SecretDialog'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { NoPermission } from '@/components/ui/state/NoPermission'
import { Table, TableActions, TableCell, TableRow } from '@/components/ui/Table'
import { toast } from '@/components/ui/Toasts'
import { useProject } from '@/hooks/useProject'
import { useZone } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { faultAt, faultBeside } from '@/services/http'
import { createInvite, invitesKey, invitesQuery, revokeInvite } from '@/services/invites'
import { addMember, membersKey, membersQuery, removeMember, setRole, type Member } from '@/services/members'
import { projectsKey, type Role } from '@/services/projects'

export const Route = createFileRoute('/dashboard/members')({ component: MembersPage })

function MembersPage() {
  const project = useProject()
  const zone = useZone()
  const members = useQuery({ ...membersQuery(project.id), enabled: project.role === 'admin' })
  const { account } = Route.useRouteContext()
  const queryClient = useQueryClient()
  const [open, setOpen] = useState<'add' | 'invite' | Member | null>(null)
  const change = useMutation({
    mutationFn: ({ userId, role }: { userId: string; role: Role }) => setRole(project.id, userId, role),
    onSettled: (_, __, { userId }) => Promise.all([queryClient.invalidateQueries({ queryKey: membersKey(project.id) }), userId === account.id ? queryClient.invalidateQueries({ queryKey: projectsKey }) : null]),
  })
  if (project.role !== 'admin') return <NoPermission what="Members" />
  return (
    <>
      <PageHeader title="Members">
        <Button onClick={() => setOpen('add')}>Add somebody</Button>
        <Button look="primary" onClick={() => setOpen('invite')}>
          Invite by link
        </Button>
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto p-3.5">
        {members.error && !members.data ? (
          <ErrorState error={members.error} what="Members" onRetry={() => void members.refetch()} />
        ) : !members.data ? (
          <Loading />
        ) : (
          <Table className="max-w-[900px]" head={['name', 'e-mail', 'role', 'since']}>
              {members.data.map((m) => (
                <TableRow key={m.userId}>
                  <TableCell first>{m.name}</TableCell>
                  <TableCell className="user-text max-sm:basis-full">{m.email}</TableCell>
                  <TableCell>
                    <select
                      aria-label={`Role of ${m.name}`}
                      className="h-7 rounded-control border border-border-strong bg-surface px-1.5"
                      value={m.role}
                      disabled={change.isPending}
                      onChange={(event) => change.mutate({ userId: m.userId, role: event.target.value === 'admin' ? 'admin' : 'user' })}
                    >
                      <option value="user">member</option>
                      <option value="admin">administrator</option>
                    </select>
                  </TableCell>
                  <TableCell label="since" className="text-muted max-sm:order-last max-sm:basis-full">
                    {absoluteTime(m.since, zone)}
                  </TableCell>
                  <TableActions>
                    <Button look="danger" aria-label={`${m.userId === account.id ? 'Leave the project' : `Remove ${m.name}`}`} onClick={() => setOpen(m)}>
                      {m.userId === account.id ? 'Leave' : 'Remove'}
                    </Button>
                  </TableActions>
                </TableRow>
              ))}
          </Table>
        )}
        {change.error ? (
          <p role="alert" className="mt-2 text-error">
            {change.error.message}
          </p>
        ) : null}
        <Invites projectId={project.id} />
      </div>
      {open === 'add' ? <AddDialog projectId={project.id} onClose={() => setOpen(null)} /> : null}
      {open === 'invite' ? <InviteDialog projectId={project.id} onClose={() => setOpen(null)} /> : null}
      {open !== null && typeof open === 'object' ? <RemoveDialog projectId={project.id} member={open} self={open.userId === account.id} onClose={() => setOpen(null)} /> : null}
    </>
  )
}

function Invites({ projectId }: { projectId: string }) {
  const queryClient = useQueryClient()
  const zone = useZone()
  const invites = useQuery(invitesQuery(projectId))
  const revoke = useMutation({ mutationFn: (id: string) => revokeInvite(projectId, id), onSettled: () => queryClient.invalidateQueries({ queryKey: invitesKey(projectId) }) })
  if (invites.error && !invites.data) return <ErrorState error={invites.error} what="Invites" onRetry={() => void invites.refetch()} />
  if (!invites.data || invites.data.length === 0) return null
  return (
    <Card title="Pending invites" className="mt-3.5 max-w-[900px]">
      <ul>
        {invites.data.map((invite) => (
          <li key={invite.id} className="flex min-h-9 flex-wrap items-center gap-x-4 border-t max-sm:py-1.5">
            <span className="user-text min-w-40 flex-1">{invite.email ?? 'Whoever has the link'}</span>
            <span>{invite.role === 'admin' ? 'administrator' : 'member'}</span>
            <span className="text-muted">until {absoluteTime(invite.expiresAt, zone)}</span>
            <Button look="danger" className="ml-auto" busy={revoke.isPending} onClick={() => revoke.mutate(invite.id)}>
              Revoke
            </Button>
          </li>
        ))}
      </ul>
      {revoke.error ? (
        <p role="alert" className="mt-2 text-error">
          {revoke.error.message}
        </p>
      ) : null}
    </Card>
  )
}

function RoleSelect({ value, onChange }: { value: Role; onChange: (role: Role) => void }) {
  return (
    <label className="flex flex-col gap-1 font-semibold">
      Role
      <select className="h-8 rounded-control border border-border-strong bg-surface px-2 font-normal" value={value} onChange={(event) => onChange(event.target.value === 'admin' ? 'admin' : 'user')}>
        <option value="user">member: reads everything</option>
        <option value="admin">administrator: keys and members too</option>
      </select>
    </label>
  )
}

function InviteDialog({ projectId, onClose }: { projectId: string; onClose: () => void }) {
  const queryClient = useQueryClient()
  const [role, setRoleOfInvite] = useState<Role>('user')
  const [days, setDays] = useState('7')
  const [email, setEmail] = useState('')
  const invite = useMutation({
    mutationFn: () => createInvite(projectId, { role, expiresInDays: Number(days), ...(email.trim() ? { email: email.trim() } : {}) }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: invitesKey(projectId) }),
  })
  if (invite.data !== undefined) {
    return <SecretDialog title="Invite" note="Send this link to one person. It is shown only now, and can be used once." secret={invite.data} copy="Copy link" onClose={onClose} />
  }
  return (
    <FormDialog title="Invite by link" action="Make the link" busy={invite.isPending} onSubmit={() => invite.mutate()} onClose={onClose}>
      <RoleSelect value={role} onChange={setRoleOfInvite} />
      <Field label="Counts for days" type="number" min={1} max={30} required value={days} onChange={(event) => setDays(event.target.value)} error={faultAt(invite.error, 'expiresInDays')} />
      <Field label="Only for the e-mail" type="email" placeholder="anybody who has the link" value={email} onChange={(event) => setEmail(event.target.value)} error={faultBeside(invite.error, 'expiresInDays')} />
    </FormDialog>
  )
}

function RemoveDialog({ projectId, member, self, onClose }: { projectId: string; member: Member; self: boolean; onClose: () => void }) {
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const remove = useMutation({
    mutationFn: () => removeMember(projectId, member.userId),
    onSuccess: async () => {
      onClose()
      if (self) await navigate({ to: '/dashboard/projects', search: { p: undefined } })
      await queryClient.invalidateQueries({ queryKey: self ? projectsKey : membersKey(projectId) })
    },
  })
  return (
    <FormDialog title={self ? 'Leave the project' : `Remove ${member.name}`} action={self ? 'Leave' : 'Remove'} look="danger" busy={remove.isPending} onSubmit={() => remove.mutate()} onClose={onClose}>
      <p>{self ? 'You' : 'They'} will not see the project any more. Invites that {self ? 'you' : 'they'} made, and views that are not shared, go along.</p>
      {remove.error ? (
        <p role="alert" className="text-error">
          {remove.error.message}
        </p>
      ) : null}
    </FormDialog>
  )
}

function AddDialog({ projectId, onClose }: { projectId: string; onClose: () => void }) {
  const queryClient = useQueryClient()
  const [email, setEmail] = useState('')
  const [role, setRoleOfMember] = useState<Role>('user')
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
      <Field label="E-mail" type="email" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} error={account ? faultAt(add.error, 'email') : add.error?.message} />
      <RoleSelect value={role} onChange={setRoleOfMember} />
      {account ? (
        <>
          <p className="text-muted">Nobody has an account with this address yet. Make one, and tell them the password; they can change it under Account.</p>
          <Field label="Name" required value={account.name} onChange={(event) => setAccount({ ...account, name: event.target.value })} error={faultAt(add.error, 'name')} />
          <Field label="First password" type="password" autoComplete="new-password" minLength={8} required value={account.password} onChange={(event) => setAccount({ ...account, password: event.target.value })} hint="At least 8 characters" error={add.error && !/new user/i.test(add.error.message) ? faultBeside(add.error, 'email', 'name') : undefined} />
        </>
      ) : null}
    </FormDialog>
  )
}
