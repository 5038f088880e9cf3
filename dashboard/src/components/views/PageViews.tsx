import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useLocation, useRouteContext, useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { useProject } from '@/hooks/useProject'
import { savedQuery, viewPath } from '@/lib/view/view'
import { changeView, createView, deleteView, viewsKey, viewsQuery, type ViewPage } from '@/services/views'
import { SavedViews } from './SavedViews'

interface PageViewsProps {
  page: ViewPage
  /** Asks for them when the menu is opened: the page has better to do before. */
  later?: boolean
}

/** The saved views of the page that is open. */
export function PageViews({ page, later = false }: PageViewsProps) {
  const [opened, setOpened] = useState(!later)
  const project = useProject()
  const { account } = useRouteContext({ from: '/dashboard' })
  const search = useLocation({ select: (location) => savedQuery(location.searchStr) })
  const router = useRouter()
  const queryClient = useQueryClient()
  const all = useQuery({ ...viewsQuery(project.id), enabled: opened })
  const views = all.data?.filter((view) => view.page === page) ?? []
  const refresh = () => queryClient.invalidateQueries({ queryKey: viewsKey(project.id) })
  return (
    <SavedViews
      views={views}
      onMenu={() => setOpened(true)}
      current={views.find((view) => savedQuery(view.query) === search)}
      mayChange={(view) => view.createdBy === account.id || project.role === 'admin'}
      onOpen={(view) => router.history.push(viewPath(view, project.id))}
      onSave={(name, shared) => createView(project.id, { name, page, query: search, shared }).then(refresh)}
      onShare={(view, shared) => changeView(project.id, view.id, { shared }).then(refresh)}
      onDelete={(view) => deleteView(project.id, view.id).then(refresh)}
    />
  )
}
