import { Link } from '@tanstack/react-router'
import { Empty } from './Empty'

export function NotFoundPage() {
  return (
    <Empty title="There is no such page">
      <Link to="/dashboard" className="text-accent underline">
        Open the overview
      </Link>
    </Empty>
  )
}
