import { cx } from './classes'

interface ChoiceProps<T extends string> {
  label: string
  value: T
  /** Texts by value, in their order. */
  options: Record<T, string>
  onChange: (value: T) => void
}

/** One of few, all in sight. */
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <span role="group" aria-label={label} className="inline-flex flex-wrap gap-1">
      {(Object.keys(options) as T[]).map((id) => ( // the keys are those of the type
        <button key={id} type="button" aria-pressed={value === id} className={cx('min-h-6 rounded-control px-2', value === id ? 'bg-select font-semibold' : 'text-muted hover:bg-sunken')} onClick={() => onChange(id)}>
          {options[id]}
        </button>
      ))}
    </span>
  )
}
