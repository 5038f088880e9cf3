import { useNavigate } from '@tanstack/react-router'
import { ChevronsUpDown } from 'lucide-react'
import type { Project } from '@/services/projects'
import { copyText } from '../ui/Copy'
import { Menu, MenuItem, MenuLine } from '../ui/Menu'
import { toast } from '../ui/Toasts'

export function ProjectSwitcher({ projects, project }: { projects: Project[]; project: Project | null }) {
  const navigate = useNavigate()
  return (
    <Menu
      trigger={
        <button type="button" className="mb-2 flex h-8 min-w-0 items-center justify-between gap-1 rounded-control border bg-surface px-2 max-md:mb-0 max-md:flex-1" aria-label={`Project: ${project?.name ?? 'none'}`} title={project?.name}>
          <span className="truncate max-lg:max-md:inline max-lg:md:hidden">{project?.name ?? 'No project'}</span>
          <ChevronsUpDown size={14} aria-hidden className="flex-none text-faint" />
        </button>
      }
    >
      {projects.map((p) => (
        <MenuItem key={p.id} checked={p.id === project?.id} onSelect={() => void navigate({ to: '/dashboard', search: { p: p.id } })}>
          {p.name}
        </MenuItem>
      ))}
      <MenuLine />
      {project ? (
        <MenuItem
          onSelect={() => {
            void copyText(project.id).then(() => toast('Project id copied'))
          }}
        >
          Copy project id
        </MenuItem>
      ) : null}
      <MenuItem onSelect={() => void navigate({ to: '/dashboard/projects' })}>All projects, new project…</MenuItem>
    </Menu>
  )
}
