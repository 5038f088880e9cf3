import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { DeleteProject } from '@/components/project/DeleteProject'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Copy } from '@/components/ui/Copy'
import { Field } from '@/components/ui/Field'
import { FormDialog } from '@/components/ui/FormDialog'
import { toast } from '@/components/ui/Toasts'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { useProject } from '@/hooks/useProject'
import { useZone } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { browserZone } from '@/lib/time/zone'
import { faultAt, faultBeside } from '@/services/http'
import { removeMember } from '@/services/members'
import { deleteProject, projectsKey } from '@/services/projects'
import { putSettings, settingsKey, settingsQuery, type Settings } from '@/services/settings'
import { deletePrice, pricesKey, pricesQuery, putPrice } from '@/services/prices'

export const Route = createFileRoute('/dashboard/settings')({ component: SettingsPage })

function SettingsPage() {
  const project = useProject()
  const zone = useZone()
  return (
    <>
      <PageHeader title="Settings" />
      <div className="flex min-h-0 flex-1 flex-col gap-3.5 overflow-y-auto p-3.5">
        <Card title="Project" className="flex-none">
          <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
            <dt className="text-faint">id</dt>
            <dd className="font-mono text-[12px]">
              {project.id} <Copy text={project.id} label="Copy project id" quiet />
            </dd>
            <dt className="text-faint">created</dt>
            <dd>{absoluteTime(project.createdAt, zone)}</dd>
            <dt className="text-faint">your role</dt>
            <dd>{project.role === 'admin' ? 'administrator' : 'member'}</dd>
          </dl>
          <General key={project.id} projectId={project.id} admin={project.role === 'admin'} />
        </Card>
        <Prices projectId={project.id} admin={project.role === 'admin'} />
        <Leaving />
      </div>
    </>
  )
}

function General({ projectId, admin }: { projectId: string; admin: boolean }) {
  const settings = useQuery(settingsQuery(projectId))
  if (settings.error && !settings.data) return <ErrorState error={settings.error} what="Settings" onRetry={() => void settings.refetch()} />
  if (!settings.data) return <Loading rows={3} />
  return <GeneralForm projectId={projectId} admin={admin} stored={settings.data} />
}

function GeneralForm({ projectId, admin, stored }: { projectId: string; admin: boolean; stored: Settings }) {
  const queryClient = useQueryClient()
  const [name, setName] = useState(stored.name)
  const [days, setDays] = useState(String(stored.retentionDays ?? ''))
  const [timeZone, setTimeZone] = useState(stored.timeZone)
  const save = useMutation({
    mutationFn: () => putSettings(projectId, { name: name.trim(), retentionDays: days.trim() === '' ? null : Number(days), timeZone: timeZone.trim() }),
    onSuccess: async (now) => {
      queryClient.setQueryData(settingsKey(projectId), now)
      await queryClient.invalidateQueries({ queryKey: projectsKey })
      toast('Settings saved')
    },
  })
  const refused = faultBeside(save.error, 'name', 'retentionDays', 'timeZone')
  const server = stored.serverRetentionDays
  const shorter = days.trim() !== '' && Number(days) < (stored.retentionDays ?? server ?? Infinity)
  return (
    <form
      className="mt-3 flex max-w-[520px] flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        save.mutate()
      }}
    >
      <Field label="Name of the project" required maxLength={200} disabled={!admin} value={name} onChange={(event) => setName(event.target.value)} error={faultAt(save.error, 'name')} />
      <Field
        label="Keep traces for days"
        type="number"
        min={1}
        max={server ?? 36_500}
        placeholder={server === null ? 'for ever' : String(server)}
        disabled={!admin}
        value={days}
        onChange={(event) => setDays(event.target.value)}
        error={faultAt(save.error, 'retentionDays')}
        hint={shorter ? `What is older than ${days} days is deleted for good when maintenance runs next.` : server === null ? 'Empty keeps them for ever.' : `The server keeps none for more than ${server} days.`}
      />
      <Field
        label="Time zone"
        placeholder="Europe/Berlin"
        list="zones"
        disabled={!admin}
        value={timeZone}
        onChange={(event) => setTimeZone(event.target.value)}
        error={faultAt(save.error, 'timeZone')}
        hint={`Days and hours of all pages are in it, unless a reader chooses another. Empty: that of each browser, here ${browserZone()}.`}
      />
      <datalist id="zones">
        {Intl.supportedValuesOf('timeZone').map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      {refused ? (
        <p role="alert" className="text-error">
          {refused}
        </p>
      ) : null}
      {admin ? (
        <Button type="submit" look="primary" busy={save.isPending} className="self-start">
          Save settings
        </Button>
      ) : (
        <p className="text-muted">Administrators of the project change them.</p>
      )}
    </form>
  )
}

/** The ways out: for oneself, or for the whole project. */
function Leaving() {
  const project = useProject()
  const { account } = Route.useRouteContext()
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const [open, setOpen] = useState<'leave' | 'delete' | null>(null)
  const gone = async (text: string) => {
    toast(text)
    await navigate({ to: '/dashboard/projects', search: { p: undefined } })
    await queryClient.invalidateQueries({ queryKey: projectsKey })
  }
  const leave = useMutation({ mutationFn: () => removeMember(project.id, account.id), onSuccess: () => gone(`You have left ${project.name}`) })
  return (
    <Card title="Leave or delete" className="flex-none">
      <div className="flex flex-wrap gap-2">
        <Button look="danger" onClick={() => setOpen('leave')}>
          Leave the project
        </Button>
        {project.role === 'admin' ? (
          <Button look="danger" onClick={() => setOpen('delete')}>
            Delete the project
          </Button>
        ) : null}
      </div>
      {open === 'leave' ? (
        <FormDialog title={`Leave ${project.name}`} action="Leave" look="danger" busy={leave.isPending} onSubmit={() => leave.mutate()} onClose={() => setOpen(null)}>
          <p>You will not see the project any more, until somebody adds you again.</p>
          {leave.error ? (
            <p role="alert" className="text-error">
              {leave.error.message}
            </p>
          ) : null}
        </FormDialog>
      ) : null}
      {open === 'delete' ? (
        <DeleteProject name={project.name} onClose={() => setOpen(null)} onDelete={(onProgress) => deleteProject(project.id, project.name, onProgress).then(() => gone(`${project.name} is deleted`))} />
      ) : null}
    </Card>
  )
}

const shown = ['input', 'output', 'cacheRead', 'cacheWrite5m', 'reasoning'] as const

function Prices({ projectId, admin }: { projectId: string; admin: boolean }) {
  const queryClient = useQueryClient()
  const zone = useZone()
  const prices = useQuery(pricesQuery(projectId))
  const refresh = () => queryClient.invalidateQueries({ queryKey: pricesKey(projectId) })
  const remove = useMutation({ mutationFn: (id: string) => deletePrice(projectId, id), onSuccess: refresh })
  return (
    <Card title="Prices of your own" note="dollars for a million tokens" className="flex-none">
      <p className="mb-2 text-muted">Pulse knows list prices. What you set here comes first, for calls from now on.</p>
      {prices.error && !prices.data ? (
        <ErrorState error={prices.error} what="Prices" onRetry={() => void prices.refetch()} />
      ) : !prices.data ? (
        <Loading rows={3} />
      ) : prices.data.length > 0 ? (
        <div className="relative overflow-x-auto">
          <table className="mb-3 w-full min-w-[640px]">
            <thead>
              <tr className="text-left text-label text-faint">
                <th className="font-normal">model</th>
                <th className="font-normal">provider</th>
                <th className="font-normal">from</th>
                {shown.map((name) => (
                  <th key={name} className="text-right font-normal">
                    {name}
                  </th>
                ))}
                <th>
                  <span className="sr-only">actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {prices.data.map((price) => (
                <tr key={price.id} className="border-t">
                  <td className="font-semibold">{price.model}</td>
                  <td>{price.provider ?? 'all'}</td>
                  <td>{price.from ? absoluteTime(price.from, zone) : 'always'}</td>
                  {shown.map((name) => (
                    <td key={name} className="text-right">
                      {price.prices[name] ?? '—'}
                    </td>
                  ))}
                  <td className="text-right">
                    {admin ? (
                      <Button look="danger" busy={remove.isPending} onClick={() => remove.mutate(price.id)}>
                        Remove
                      </Button>
                    ) : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {remove.error ? (
        <p role="alert" className="text-error">
          {remove.error.message}
        </p>
      ) : null}
      {admin ? <NewPrice projectId={projectId} onDone={refresh} /> : <p className="text-muted">Administrators of the project set them.</p>}
    </Card>
  )
}

const blank = { model: '', provider: '', input: '', output: '', cacheRead: '' }
const labels: Record<keyof typeof blank, string> = { model: 'Model', provider: 'Provider', input: 'Input', output: 'Output', cacheRead: 'Cache read' }

function NewPrice({ projectId, onDone }: { projectId: string; onDone: () => Promise<unknown> }) {
  const [values, setValues] = useState(blank)
  const add = useMutation({
    mutationFn: () =>
      putPrice(projectId, {
        model: values.model.trim(),
        ...(values.provider.trim() ? { provider: values.provider.trim() } : {}),
        prices: Object.fromEntries((['input', 'output', 'cacheRead'] as const).flatMap((name) => (values[name].trim() ? [[name, values[name].trim()]] : []))),
      }),
    onSuccess: async () => {
      setValues(blank)
      await onDone()
    },
  })
  const names = Object.keys(blank) as (keyof typeof blank)[] // the keys are those of the type
  const faultOf = (name: keyof typeof blank) => faultAt(add.error, name) ?? faultAt(add.error, `prices.${name}`)
  const field = (name: keyof typeof blank) => ({
    label: labels[name],
    value: values[name],
    'aria-invalid': faultOf(name) ? true : undefined,
    onChange: (event: { target: { value: string } }) => setValues({ ...values, [name]: event.target.value }),
  })
  // The fields are too narrow for what is wrong with them.
  const issues = names.flatMap((name) => faultOf(name) ? [`${labels[name]}: ${faultOf(name)}`] : []).join(' · ')
  return (
    <form
      className="flex flex-wrap items-end gap-2"
      onSubmit={(event) => {
        event.preventDefault()
        add.mutate()
      }}
    >
      <Field placeholder="house-llama-*" required {...field('model')} className="w-52" />
      <Field placeholder="all" {...field('provider')} className="w-32" />
      <Field inputMode="decimal" placeholder="0.2" required {...field('input')} className="w-24" />
      <Field inputMode="decimal" placeholder="0.6" {...field('output')} className="w-24" />
      <Field inputMode="decimal" {...field('cacheRead')} className="w-24" />
      <Button type="submit" busy={add.isPending} className="!h-8">
        Set price
      </Button>
      {add.error ? (
        <p role="alert" className="w-full text-error">
          {issues || add.error.message}
        </p>
      ) : null}
    </form>
  )
}
