import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { PageHeader } from '@/components/frame/PageHeader'
import { RangePicker } from '@/components/frame/RangePicker'
import { Sessions } from '@/components/session/Sessions'
import { Select } from '@/components/ui/Select'
import { PageViews } from '@/components/views/PageViews'
import { useSessions } from '@/hooks/useSessions'
import { oneOf } from '@/lib/search/names'
import { optionalText } from '@/lib/search/search'
import { sessionSorts } from '@/lib/sort/sort'

const agents = { claude_code: 'Claude Code', codex: 'Codex', openclaw: 'OpenClaw', opencode: 'OpenCode' }
const sources = Object.keys(agents)

export const Route = createFileRoute('/dashboard/agents')({
  validateSearch: z.object({ q: optionalText(), sort: z.catch(z.optional(z.enum(sessionSorts)), undefined), source: optionalText() }),
  component: AgentsPage,
})

function AgentsPage() {
  const { q = '', sort, source: asked } = Route.useSearch()
  const source = oneOf(sources, asked)
  // Coding agents are the sources that are no program of one's own.
  const { list, set } = useSessions(q, sort, [{ field: 'source', op: 'is', values: (source ? [source] : sources).map((text) => ({ text })) }])
  return (
    <>
      <PageHeader title="Agents">
        <PageViews page="agents" />
        <RangePicker />
      </PageHeader>
      <Sessions
        {...list}
        folders
        controls={<Select label="Agent" value={source ?? ''} options={{ '': 'all', ...agents }} onChange={(next) => set({ source: next || undefined })} />}
        onMonth={() => set({ from: '-30d', to: undefined })}
        empty="Claude Code, Codex and other coding agents send their sessions by OpenTelemetry or by their hooks; “How to send traces” has their settings."
      />
    </>
  )
}
