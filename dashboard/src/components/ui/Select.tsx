interface SelectProps {
  label: string
  value: string
  /** Texts by value, in their order. */
  options: Record<string, string>
  onChange: (value: string) => void
}

/** A choice of few, with its label before it. */
export function Select({ label, value, options, onChange }: SelectProps) {
  return (
    <label className="flex items-center gap-2 text-muted">
      {label}
      <select className="h-8 max-w-44 rounded-control border border-border-strong bg-surface px-1.5 text-text" value={value} onChange={(event) => onChange(event.target.value)}>
        {Object.entries(options).map(([id, text]) => (
          <option key={id} value={id}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}
