import { Empty } from './Empty'

/** Who lacks a role sees what it is for, and is not left guessing. */
export function NoPermission({ what }: { what: string }) {
  return <Empty title={`${what} need the admin role`}>You are a member of this project without that role. Whoever created the project, or another of its administrators, can give it to you.</Empty>
}
