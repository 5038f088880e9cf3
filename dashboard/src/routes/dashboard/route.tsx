import { useQuery } from '@tanstack/react-query'
import { createFileRoute, Outlet, redirect, retainSearchParams, useNavigate, type ParsedLocation } from '@tanstack/react-router'
import { useEffect, useMemo } from 'react'
import * as z from 'zod/mini'
import { Frame } from '@/components/frame/Frame'
import { Loading } from '@/components/ui/state/Loading'
import { chooseProject, lastProject, ProjectContext } from '@/hooks/useProject'
import { usePreference } from '@/hooks/usePreference'
import { optionalText } from '@/lib/search/search'
import { accountQuery } from '@/services/auth'
import { ApiError } from '@/services/http'
import { projectsQuery } from '@/services/projects'
import { onSignedOut } from '@/queryClient'

/** What every page has: project, begin and end of its range. */
const search = z.object({ p: optionalText(), from: optionalText(), to: optionalText() })

const toLogin = (from: ParsedLocation) => redirect({ to: '/login', search: { next: from.pathname + from.searchStr }, hash: from.hash })

export const Route = createFileRoute('/dashboard')({
  validateSearch: search,
  search: { middlewares: [retainSearchParams(['p', 'from', 'to'])] },
  beforeLoad: async ({ context, location }) => {
    const account = await context.queryClient.ensureQueryData(accountQuery)
    if (!account) throw toLogin(location)
    return { account }
  },
  loader: async ({ context, location }) => {
    try {
      return await context.queryClient.ensureQueryData(projectsQuery)
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) throw toLogin(location) // the session has ended since
      throw error
    }
  },
  pendingComponent: () => <Loading rows={12} />,
  component: DashboardLayout,
})

function DashboardLayout() {
  const { p } = Route.useSearch()
  const { account } = Route.useRouteContext()
  const { data: projects = [], isFetching, refetch } = useQuery(projectsQuery)
  const [last, remember] = usePreference(lastProject, '')
  const navigate = useNavigate()
  const project = useMemo(() => chooseProject(projects, p, last), [projects, p, last])

  useEffect(() => {
    if (project && project.id !== last) remember(project.id)
  }, [project, last, remember])
  // Somebody may have been added to it since the list was read.
  const foreign = p !== undefined && project === null
  useEffect(() => {
    if (foreign) void refetch()
  }, [foreign, p, refetch])

  useEffect(
    () =>
      onSignedOut(() => {
        void navigate({ to: '/login', search: { next: location.pathname + location.search }, hash: location.hash.slice(1) })
      }),
    [navigate],
  )

  return (
    <ProjectContext value={project}>
      <Frame account={account} projects={projects} project={project} looking={foreign && isFetching}>
        <Outlet />
      </Frame>
    </ProjectContext>
  )
}
