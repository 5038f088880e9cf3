import { formatTotal } from '@/lib/format/format'
import { Button } from '../ui/Button'
import { Menu, MenuItem, MenuLine } from '../ui/Menu'

interface BulkMenuProps {
  total: { value: number; exact: boolean } | null
  mayDelete: boolean
  busy: boolean
  onTask: (kind: 'jsonl' | 'csv' | 'delete') => void
}

/** What can be done with all traces that the filter finds. */
export function BulkMenu({ total, mayDelete, busy, onTask }: BulkMenuProps) {
  const all = total?.value === 1 ? 'the 1 trace' : `all ${formatTotal(total)} traces`
  return (
    <Menu
      align="end"
      trigger={
        <Button disabled={busy || !total || total.value === 0} title="All traces that the filter finds">
          Export ▾
        </Button>
      }
    >
      <MenuItem onSelect={() => onTask('jsonl')}>Export {all} as JSONL</MenuItem>
      <MenuItem onSelect={() => onTask('csv')}>Export {all} as CSV</MenuItem>
      {mayDelete ? (
        <>
          <MenuLine />
          <MenuItem onSelect={() => onTask('delete')}>Delete {all}…</MenuItem>
        </>
      ) : null}
    </Menu>
  )
}
