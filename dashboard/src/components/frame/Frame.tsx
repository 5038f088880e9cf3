import { Link, useMatches, useNavigate } from '@tanstack/react-router'
import { BarChart3, Bot, CircleQuestionMark, CircleUser, Gauge, KeyRound, ListTree, MessagesSquare, Search, Settings, Users, type LucideIcon } from 'lucide-react'
import { Fragment, useState, type ReactNode } from 'react'
import { useKeys } from '@/hooks/useKeys'
import type { Account } from '@/services/auth'
import type { Project } from '@/services/projects'
import { Kbd } from '../ui/Kbd'
import { Empty } from '../ui/state/Empty'
import { Loading } from '../ui/state/Loading'
import { FreshnessFoot } from './FreshnessFoot'
import { Help } from './Help'
import { Logo } from './Logo'
import { OfflineBar } from './OfflineBar'
import { Palette } from './Palette'
import { ProjectSwitcher } from './ProjectSwitcher'
import { pages, type PagePath } from './pages'
import { ThemeSwitch } from './ThemeSwitch'
import { WaitingBar } from './WaitingBar'

const icons: Record<PagePath, LucideIcon> = {
  '/dashboard': Gauge,
  '/dashboard/traces': ListTree,
  '/dashboard/sessions': MessagesSquare,
  '/dashboard/agents': Bot,
  '/dashboard/analytics': BarChart3,
  '/dashboard/api-keys': KeyRound,
  '/dashboard/members': Users,
  '/dashboard/settings': Settings,
  '/dashboard/account': CircleUser,
}

// The pages from here on stand at the foot of the rail.
const firstBelow = pages.find((page) => page.below)?.path

interface FrameProps {
  account: Account
  projects: Project[]
  project: Project | null
  /** Whether there is one is being asked. */
  looking: boolean
  children: ReactNode
}

/** The rail on the left, and beside it the page. */
export function Frame({ account, projects, project, looking, children }: FrameProps) {
  const navigate = useNavigate()
  const [open, setOpen] = useState<'palette' | 'help' | null>(null)
  const go = Object.fromEntries(pages.filter((page) => page.key).map((page) => [`g ${page.key}`, () => void navigate({ to: page.path })]))
  useKeys({ ...go, '?': () => setOpen('help') })

  return (
    <div className="flex h-full max-md:flex-col">
      <a href="#page" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:bg-surface focus:p-2">
        Skip to the page
      </a>
      <nav aria-label="Pages" className="relative flex w-[200px] flex-none flex-col gap-0.5 overflow-y-auto border-r px-2 py-2.5 max-lg:w-[52px] max-md:w-full max-md:flex-row max-md:flex-wrap max-md:items-center max-md:overflow-visible max-md:border-r-0 max-md:border-b max-md:py-1">
        <Link to="/dashboard" className="px-2 pb-2 pt-1 no-underline max-md:p-1" aria-label="Pulse: overview">
          <Logo />
        </Link>
        <ProjectSwitcher projects={projects} project={project} />
        {/* On a phone the pages are a row of their own, below what is here before and behind them. */}
        <div className="contents max-md:order-1 max-md:flex max-md:w-full max-md:justify-between">
        {pages.map((page) => {
          const Icon = icons[page.path]
          return (
            <Fragment key={page.path}>
            {page.path === firstBelow ? <span className="mt-auto max-md:hidden" /> : null}
            <Link
              to={page.path}
              activeOptions={{ exact: page.path === '/dashboard', includeSearch: false }}
              className="flex min-h-7 flex-none items-center gap-2 rounded-control px-2 text-muted no-underline hover:bg-sunken hover:text-text max-md:min-h-9 max-md:flex-1 max-md:justify-center"
              activeProps={{ className: 'bg-sunken font-semibold !text-text max-lg:bg-select', 'aria-current': 'page' }}
              title={page.label}
            >
              <Icon size={15} aria-hidden className="flex-none" />
              <span className="flex-1 max-lg:sr-only max-lg:flex-none">{page.label}</span>
              {page.key ? (
                <span className="max-lg:hidden">
                  <Kbd>{`g ${page.key}`}</Kbd>
                </span>
              ) : null}
            </Link>
            </Fragment>
          )
        })}
        </div>
        <div className="flex flex-col gap-0.5 max-md:mt-0 max-md:flex-row">
          <button type="button" className="flex min-h-7 items-center gap-2 rounded-control px-2 text-muted hover:bg-sunken hover:text-text" onClick={() => setOpen('palette')} title="Search">
            <Search size={15} aria-hidden className="flex-none" />
            <span className="flex-1 text-left max-lg:sr-only">Search</span>
            <span className="max-lg:hidden">
              <Kbd>⌘K</Kbd>
            </span>
          </button>
          <button type="button" className="flex min-h-7 items-center gap-2 rounded-control px-2 text-muted hover:bg-sunken hover:text-text" onClick={() => setOpen('help')} title="Help: keys, and how to send traces">
            <CircleQuestionMark size={15} aria-hidden className="flex-none" />
            <span className="flex-1 text-left max-lg:sr-only">Help</span>
            <span className="max-lg:hidden">
              <Kbd>?</Kbd>
            </span>
          </button>
          <ThemeSwitch />
          {project ? <FreshnessFoot projectId={project.id} /> : null}
        </div>
      </nav>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <OfflineBar />
        <main id="page" tabIndex={-1} className="relative flex min-h-0 flex-1 flex-col overflow-hidden outline-none">
          <WaitingBar />
          {project ? children : <WithoutProject email={account.email} projects={projects} looking={looking}>{children}</WithoutProject>}
        </main>
      </div>
      <Palette open={open === 'palette'} onOpen={() => setOpen('palette')} onClose={() => setOpen(null)} projects={projects} project={project} />
      {open === 'help' ? <Help onClose={() => setOpen(null)} /> : null}
    </div>
  )
}

const needNone = ['/dashboard/projects', '/dashboard/account']

interface WithoutProjectProps {
  email: string
  projects: Project[]
  looking: boolean
  children: ReactNode
}

/** For who is in no project, or not in the one that a link names: the pages that need none, and on others what to do. */
function WithoutProject({ email, projects, looking, children }: WithoutProjectProps) {
  // By the page that is drawn: the location is ahead of it while that one loads.
  const free = useMatches({ select: (matches) => matches.some((match) => needNone.includes(match.routeId)) })
  if (free) return children
  if (looking) return <Loading rows={12} />
  const [first] = projects
  if (first) {
    return (
      <Empty title="The project of this link is none of yours">
        <p>
          It was deleted, or you are no member of it. Whoever sent you the link can add {email} to it.
        </p>
        <Link to="/dashboard" search={{ p: first.id }} className="text-accent underline">
          Open {first.name}
        </Link>{' '}
        ·{' '}
        <Link to="/dashboard/projects" search={{ p: undefined }} className="text-accent underline">
          All projects
        </Link>
      </Empty>
    )
  }
  return (
    <Empty title="You are in no project">
      <Link to="/dashboard/projects" className="text-accent underline">
        Create one
      </Link>
      , or ask somebody to add {email} to theirs.
    </Empty>
  )
}
