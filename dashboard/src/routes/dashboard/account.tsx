import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Field } from '@/components/ui/Field'
import { Select } from '@/components/ui/Select'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { toast } from '@/components/ui/Toasts'
import { singleKeysOff } from '@/hooks/useKeys'
import { usePreference } from '@/hooks/usePreference'
import { densityKey } from '@/hooks/useRows'
import { useZones } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { deviceOf, shortAddress } from '@/lib/text/device'
import type { ZoneChoice } from '@/lib/time/zone'
import { accountKey, accountQuery, changePassword, devicesQuery, rename, revokeDevice, signOut } from '@/services/auth'

export const Route = createFileRoute('/dashboard/account')({ component: AccountPage })

function AccountPage() {
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const { zone, choice, choose, options } = useZones()
  const [density, setDensity] = usePreference(densityKey, 'dense')
  const [keys, setKeys] = usePreference(singleKeysOff, 'on')
  const account = useQuery(accountQuery)
  const devices = useQuery(devicesQuery)
  const [name, setName] = useState<string | null>(null)
  const [passwords, setPasswords] = useState({ current: '', next: '' })
  const save = useMutation({
    mutationFn: (value: string) => rename(value),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: accountKey })
      toast('Name saved')
    },
  })
  const change = useMutation({
    mutationFn: () => changePassword(passwords.current, passwords.next),
    onSuccess: async () => {
      setPasswords({ current: '', next: '' })
      await queryClient.invalidateQueries({ queryKey: accountKey })
      toast('Password changed; other devices were signed out')
    },
  })
  const end = useMutation({ mutationFn: revokeDevice, onSuccess: () => queryClient.invalidateQueries({ queryKey: devicesQuery.queryKey }) })
  const leave = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      queryClient.clear()
      await navigate({ to: '/login' })
    },
  })
  return (
    <>
      <PageHeader title="Account">
        {leave.error ? (
          <span role="alert" className="text-error">
            {leave.error.message}
          </span>
        ) : null}
        <Button busy={leave.isPending} onClick={() => leave.mutate()}>
          Sign out
        </Button>
      </PageHeader>
      <div className="grid min-h-0 flex-1 auto-rows-min grid-cols-2 gap-3.5 overflow-y-auto p-3.5 max-xl:grid-cols-1">
        <Card title="You" note={account.data?.email}>
          <form
            className="flex items-end gap-2"
            onSubmit={(event) => {
              event.preventDefault()
              save.mutate((name ?? account.data?.name ?? '').trim())
            }}
          >
            <Field label="Name" required value={name ?? account.data?.name ?? ''} onChange={(event) => setName(event.target.value)} error={save.error?.message} className="flex-1" />
            <Button type="submit" busy={save.isPending} className="!h-8">
              Save
            </Button>
          </form>
        </Card>
        <Card title="Reading">
          <div className="flex flex-col gap-2">
            <label className="flex min-h-6 items-center gap-2">
              <input type="checkbox" className="size-4" checked={keys !== 'off'} onChange={(event) => setKeys(event.target.checked ? 'on' : 'off')} />
              Single keys act (press ? to see them)
            </label>
            <Select label="Rows" value={density} options={{ dense: 'dense', roomy: 'roomy' }} onChange={setDensity} />
            <Select label="Times in" value={choice} options={Object.fromEntries(options.map((it) => [it.choice, it.label]))} onChange={(next) => choose(next as ZoneChoice)} /* the options are those */ />
          </div>
        </Card>
        <Card title="Password">
          <form
            className="flex flex-col gap-3"
            onSubmit={(event) => {
              event.preventDefault()
              change.mutate()
            }}
          >
            <Field label="Present password" type="password" autoComplete="current-password" required value={passwords.current} onChange={(event) => setPasswords({ ...passwords, current: event.target.value })} error={change.error?.message} />
            <Field label="New password" type="password" autoComplete="new-password" minLength={8} required hint="At least 8 characters" value={passwords.next} onChange={(event) => setPasswords({ ...passwords, next: event.target.value })} />
            <Button type="submit" busy={change.isPending} className="self-start">
              Change password
            </Button>
          </form>
        </Card>
        <Card title="Devices" note="where you are signed in">
          {devices.error && !devices.data ? (
            <ErrorState error={devices.error} what="Devices" onRetry={() => void devices.refetch()} />
          ) : !devices.data ? (
            <Loading rows={3} />
          ) : (
            <ul>
              {devices.data.map((device) => (
                <li key={device.token} className="flex min-h-9 items-center gap-3 border-t first:border-t-0">
                  <span className="min-w-0 flex-1">
                    <span className="block truncate" title={device.userAgent ?? undefined}>
                      {deviceOf(device.userAgent)}
                    </span>
                    <span className="text-label text-faint">
                      {device.ipAddress && shortAddress(device.ipAddress) ? <span title={device.ipAddress}>{shortAddress(device.ipAddress)} · </span> : null}
                      since {absoluteTime(device.createdAt, zone)}
                    </span>
                  </span>
                  {device.current ? (
                    <span className="text-muted">this one</span>
                  ) : (
                    <Button look="danger" busy={end.isPending} onClick={() => end.mutate(device.token)}>
                      Sign out
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          )}
          {end.error ? (
            <p role="alert" className="mt-2 text-error">
              {end.error.message}
            </p>
          ) : null}
        </Card>
      </div>
    </>
  )
}
