import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/frame/PageHeader'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { Copy } from '@/components/ui/Copy'
import { Field } from '@/components/ui/Field'
import { ErrorState } from '@/components/ui/state/ErrorState'
import { Loading } from '@/components/ui/state/Loading'
import { useProject } from '@/hooks/useProject'
import { useZone } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { ApiError } from '@/services/http'
import { deletePrice, pricesKey, pricesQuery, putPrice } from '@/services/prices'

export const Route = createFileRoute('/dashboard/settings')({ component: SettingsPage })

function SettingsPage() {
  const project = useProject()
  const [zone] = useZone()
  return (
    <>
      <PageHeader title="Settings" />
      <div className="flex min-h-0 flex-1 flex-col gap-3.5 overflow-y-auto p-3.5">
        <Card title="Project" className="flex-none">
          <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
            <dt className="text-faint">name</dt>
            <dd dir="auto">{project.name}</dd>
            <dt className="text-faint">id</dt>
            <dd className="font-mono text-[12px]">
              {project.id} <Copy text={project.id} label="Copy project id" quiet />
            </dd>
            <dt className="text-faint">created</dt>
            <dd>{absoluteTime(project.createdAt, zone)}</dd>
            <dt className="text-faint">your role</dt>
            <dd>{project.role === 'admin' ? 'administrator' : 'member'}</dd>
          </dl>
          <p className="mt-2 text-muted">How long traces are kept is a setting of the server: RETENTION_DAYS.</p>
        </Card>
        <Prices projectId={project.id} admin={project.role === 'admin'} />
      </div>
    </>
  )
}

const shown = ['input', 'output', 'cacheRead', 'cacheWrite5m', 'reasoning'] as const

function Prices({ projectId, admin }: { projectId: string; admin: boolean }) {
  const queryClient = useQueryClient()
  const [zone] = useZone()
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
        <div className="overflow-x-auto">
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
  const field = (name: keyof typeof blank) => ({ value: values[name], onChange: (event: { target: { value: string } }) => setValues({ ...values, [name]: event.target.value }) })
  const issues = add.error instanceof ApiError ? add.error.issues.map((issue) => `${issue.path}: ${issue.message}`).join(' · ') : ''
  return (
    <form
      className="flex flex-wrap items-end gap-2"
      onSubmit={(event) => {
        event.preventDefault()
        add.mutate()
      }}
    >
      <Field label="Model" placeholder="house-llama-*" required {...field('model')} className="w-52" />
      <Field label="Provider" placeholder="all" {...field('provider')} className="w-32" />
      <Field label="Input" inputMode="decimal" placeholder="0.2" required {...field('input')} className="w-24" />
      <Field label="Output" inputMode="decimal" placeholder="0.6" {...field('output')} className="w-24" />
      <Field label="Cache read" inputMode="decimal" {...field('cacheRead')} className="w-24" />
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
