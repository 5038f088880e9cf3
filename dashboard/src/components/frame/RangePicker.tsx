import { CalendarRange } from 'lucide-react'
import { useState } from 'react'
import { useKeys } from '@/hooks/useKeys'
import { useRange } from '@/hooks/useRange'
import { useZones } from '@/hooks/useZone'
import { absoluteTime } from '@/lib/format/format'
import { presets, rangeLabel, shiftRange, zoomOut, type Range, type RangeText } from '@/lib/time/range'
import { printWall, readMoment, type Zone } from '@/lib/time/zone'
import { Button } from '../ui/Button'
import { Field } from '../ui/Field'
import { FormDialog } from '../ui/FormDialog'
import { Menu, MenuItem, MenuLine } from '../ui/Menu'

/** The range of time that all pages share; it stands in the URL. */
export function RangePicker() {
  const { text, range, set } = useRange()
  const { zone, choice, choose, options } = useZones()
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
            {rangeLabel(text, range, (date) => absoluteTime(date, zone))} · {zone}
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
        {options.map((option) => (
          <MenuItem key={option.choice} checked={option.choice === choice} onSelect={() => choose(option.choice)}>
            Times in {option.label}
          </MenuItem>
        ))}
      </Menu>
      {editing ? <Absolute range={range} zone={zone} onClose={() => setEditing(false)} onSet={set} /> : null}
    </>
  )
}

interface AbsoluteProps {
  range: Range
  zone: Zone
  onClose: () => void
  onSet: (text: RangeText) => void
}

/** Both ends as dates by the clock of the zone. */
function Absolute({ range, zone, onClose, onSet }: AbsoluteProps) {
  const shown = { from: printWall(range.from, zone), to: printWall(range.to, zone) }
  const [from, setFrom] = useState(shown.from)
  const [to, setTo] = useState(shown.to)
  const now = new Date()
  // An end that nobody touched stays what it is, to the millisecond.
  const read = (typed: string, before: string, date: Date) => (typed === before ? { text: date.toISOString(), date } : readMoment(typed, now, zone))
  const [begin, end] = [read(from, shown.from, range.from), read(to, shown.to, range.to)]
  const turned = begin !== null && end !== null && begin.date >= end.date
  return (
    <FormDialog
      title="Range of time"
      action="Show"
      disabled={!begin || !end || turned}
      onSubmit={() => {
        if (begin && end) onSet({ from: begin.text, to: end.text === 'now' ? undefined : end.text })
        onClose()
      }}
      onClose={onClose}
    >
      <Field label="From" value={from} onChange={(e) => setFrom(e.target.value)} hint={`2026-11-23 08:00 in ${zone}, or -3h, -2d`} error={begin ? undefined : 'Neither a date nor an age such as -3h'} />
      <Field label="To" value={to} onChange={(e) => setTo(e.target.value)} hint="likewise, or now" error={!end ? 'Neither a date, an age such as -3h, nor now' : turned ? 'The end is before the begin' : undefined} />
    </FormDialog>
  )
}
