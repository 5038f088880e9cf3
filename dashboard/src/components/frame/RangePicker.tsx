import { CalendarRange } from 'lucide-react'
import { useState } from 'react'
import { useKeys } from '@/hooks/useKeys'
import { useRange } from '@/hooks/useRange'
import { useZone } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { parseMoment, presets, rangeLabel, shiftRange, zoomOut, type RangeText } from '@/lib/time/range'
import { Button } from '../ui/Button'
import { Field } from '../ui/Field'
import { FormDialog } from '../ui/FormDialog'
import { Menu, MenuItem, MenuLine } from '../ui/Menu'

/** The range of time that all pages share; it stands in the URL. */
export function RangePicker() {
  const { text, range, set } = useRange()
  const [zone, setZone] = useZone()
  const [editing, setEditing] = useState(false)
  const move = (next: RangeText) => {
    if (next !== text) set(next)
  }
  const earlier = () => move(shiftRange(text, new Date(), -1))
  const later = () => move(shiftRange(text, new Date(), 1))
  const wider = () => move(zoomOut(text, new Date()))
  useKeys({ '[': earlier, ']': later, '\\': wider })
  return (
    <>
      <Menu
        align="end"
        trigger={
          <Button title="Range of time">
            <CalendarRange size={14} aria-hidden />
            {rangeLabel(text, range, (date) => absoluteTime(date, zone))} · {zone === 'utc' ? 'UTC' : 'local'}
          </Button>
        }
      >
        {presets.map((preset) => (
          <MenuItem key={preset.from} onSelect={() => set({ from: preset.from, to: undefined })} checked={text.from === preset.from && !text.to}>
            {preset.label}
          </MenuItem>
        ))}
        <MenuItem onSelect={() => setEditing(true)}>From … to …</MenuItem>
        <MenuLine />
        <MenuItem onSelect={earlier} shortcut="[">
          Earlier
        </MenuItem>
        <MenuItem onSelect={later} shortcut="]">
          Later
        </MenuItem>
        <MenuItem onSelect={wider} shortcut="\">
          Wider
        </MenuItem>
        <MenuLine />
        <MenuItem onSelect={() => setZone(zone === 'utc' ? 'local' : 'utc')}>Show times in {zone === 'utc' ? 'local time' : 'UTC'}</MenuItem>
      </Menu>
      {editing ? <Absolute range={range} onClose={() => setEditing(false)} onSet={set} /> : null}
    </>
  )
}

function Absolute({ range, onClose, onSet }: { range: { from: Date; to: Date }; onClose: () => void; onSet: (text: RangeText) => void }) {
  const [from, setFrom] = useState(range.from.toISOString())
  const [to, setTo] = useState(range.to.toISOString())
  const now = new Date()
  const [begin, end] = [parseMoment(from.trim(), now), parseMoment(to.trim(), now)]
  return (
    <FormDialog title="Range of time" action="Show" disabled={!begin || !end || begin >= end} onSubmit={() => {
        onSet({ from: from.trim(), to: to.trim() === 'now' ? undefined : to.trim() })
        onClose()
      }} onClose={onClose}>
      <Field label="From" value={from} onChange={(e) => setFrom(e.target.value)} hint="2026-11-23T08:00:00Z, or -3h, -2d" error={begin ? undefined : 'Neither a date nor an age such as -3h'} />
      <Field label="To" value={to} onChange={(e) => setTo(e.target.value)} hint="likewise, or now" error={!end ? 'Neither a date, an age such as -3h, nor now' : begin && begin >= end ? 'The end is before the begin' : undefined} />
    </FormDialog>
  )
}
