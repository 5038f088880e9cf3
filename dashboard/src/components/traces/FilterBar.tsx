import { useEffect, useEffectEvent, useId, useRef, useState } from 'react'
import { useKeys } from '@/hooks/useKeys'
import { fields, isMeta, isNumeric, optionsOf, parseFilter, printValue, type Term } from '@/lib/filter/filter'
import { labelOf, type KeyNames } from '@/lib/filter/label'
import { cx } from '../ui/classes'

interface FilterBarProps {
  value: string
  onChange: (text: string) => void
  /** Values to offer for a field. */
  suggest: (field: string) => string[]
  /** Asks for values of a field that begin with a text. */
  lookUp?: (field: string, prefix: string, signal: AbortSignal) => Promise<string[]>
  /** What API keys are called: they are offered by name. */
  keys?: KeyNames | undefined
  placeholder?: string
  /** Fields that cannot be asked for here; "" is free text, a name that ends with a dot all that begins so. */
  without?: readonly string[]
}

const pause = 150 // ms without a key before values are asked for
const lookedUp = ['name', 'provider', 'model', 'tool', 'service', 'session', 'user', 'env', 'release', 'tag']
const hints = 'status:error  model:gpt-4o*  cost>0.01  latency>=2s  "words in a text"   (press /)'
const nothing: readonly string[] = []

/** What is wrong with terms of fields that cannot be asked for. */
const refused = (terms: readonly Term[], without: readonly string[]) =>
  terms.filter((term) => without.some((name) => term.field === name || (name.endsWith('.') && term.field.startsWith(name)))).map((term) => `${term.field === '' ? 'Words of a text are' : `${term.field} is`} for traces only`)

/** The filter as text, with fields and values offered while one types. It acts on Enter. */
export function FilterBar({ value, onChange, suggest, lookUp, keys, placeholder = hints, without = nothing }: FilterBarProps) {
  const [text, setText] = useState(value)
  const [chosen, setChosen] = useState(-1)
  const [focused, setFocused] = useState(false)
  const [entered, setEntered] = useState(false) // and nothing typed since: offers would cover what was found
  const input = useRef<HTMLInputElement>(null)
  const id = useId()
  useEffect(() => setText(value), [value])
  useKeys({ '/': () => input.current?.focus() })

  // What is being typed may be half a term: it is wrong once it was entered, or stands before the last blank.
  const parsed = parseFilter(text)
  const errors = [...parsed.errors.filter((e) => !focused || e.end < text.length).map((e) => e.message), ...refused(parsed.terms, without)]
  const [, , field = '', begun = ''] = valueOf(text) ?? []
  const asks = focused && lookUp !== undefined && (lookedUp.includes(field) || isMeta(field))
  const [found, setFound] = useState<{ field: string; values: string[] }>({ field: '', values: [] })
  const ask = useEffectEvent((signal: AbortSignal) => {
    lookUp?.(field, begun, signal).then(
      (values) => setFound({ field, values }),
      () => undefined, // what the page knows is offered
    )
  })
  useEffect(() => {
    if (!asks) return
    const control = new AbortController()
    const timer = setTimeout(() => ask(control.signal), pause)
    return () => {
      clearTimeout(timer)
      control.abort()
    }
  }, [asks, field, begun])
  const known = (name: string) => [...new Set([...suggest(name), ...(found.field === name ? found.values : []), ...(name === 'key' && keys ? keys.keys() : [])])]
  const offers = focused && !entered ? offersFor(text, known, without, keys) : []
  // An id says nothing to whoever reads it.
  const named = parseFilter(value).terms.flatMap((t) => (t.field === 'key' ? t.values.filter((v) => !v.glob).map((v) => labelOf('key', v.text, keys)) : []))
  const submit = (next: string) => {
    setText(next)
    setChosen(-1)
    setEntered(true)
    const { errors: faults, terms } = parseFilter(next)
    if (faults.length === 0 && refused(terms, without).length === 0) onChange(next.trim())
    else input.current?.blur()
  }
  const take = (offer: string) => {
    const next = text.replace(/\S*$/, offer)
    if (/[:>]$/.test(offer)) setText(next)
    else submit(`${next} `)
    setChosen(-1)
    input.current?.focus()
  }
  return (
    <div className="relative min-w-0 flex-1 max-sm:basis-full">
      <input
        ref={input}
        role="combobox"
        aria-expanded={offers.length > 0}
        aria-controls={`${id}-offers`}
        aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined}
        aria-label="Filter"
        aria-invalid={errors.length > 0 || undefined}
        aria-describedby={errors.length > 0 ? `${id}-error` : undefined}
        // A hint needs no font of its own, which a page would have to ask for.
        className={cx('h-8 w-full rounded-control border border-border-strong bg-surface px-2.5 text-[12px] placeholder:text-faint aria-invalid:border-error', text !== '' && 'font-mono')}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        value={text}
        onFocus={() => {
          setFocused(true)
          setEntered(false)
        }}
        onBlur={() => {
          setFocused(false)
          setChosen(-1)
        }}
        onChange={(event) => {
          setText(event.target.value)
          setChosen(-1)
          setEntered(false)
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown' && entered) setEntered(false)
          else if (event.key === 'ArrowDown' && offers.length > 0) setChosen((chosen + 1) % offers.length)
          else if (event.key === 'ArrowUp' && offers.length > 0) setChosen((chosen + offers.length - 1) % offers.length)
          else if (event.key === 'Enter') {
            const offer = offers[chosen]?.text
            if (offer) take(offer)
            else submit(text)
          } else if (event.key === 'Tab' && chosen >= 0) take(offers[chosen]?.text ?? '')
          else if (event.key === 'Escape') {
            setText(value)
            input.current?.blur()
          } else return
          event.preventDefault()
        }}
      />
      {errors.length > 0 ? (
        <p id={`${id}-error`} className="mt-1 text-error">
          {errors.join(' · ')}
        </p>
      ) : null}
      {named.length > 0 ? (
        <p className="mt-1 text-muted">
          API key: <span dir="auto">{[...new Set(named)].join(', ')}</span>
        </p>
      ) : null}
      {offers.length > 0 ? (
        <ul id={`${id}-offers`} role="listbox" aria-label="Offers" className="absolute left-0 top-9 z-40 max-h-72 min-w-60 overflow-y-auto rounded-card border bg-surface p-1 shadow-float">
          {offers.map((offer, i) => (
            <li
              key={offer.text}
              id={`${id}-${i}`}
              role="option"
              aria-selected={i === chosen}
              className={cx('min-h-6 cursor-pointer rounded-control px-2 font-mono text-[12px] leading-6', i === chosen && 'bg-select')}
              onPointerDown={(event) => {
                event.preventDefault()
                take(offer.text)
              }}
            >
              {offer.text}{' '}
              {offer.name ? (
                <span dir="auto" className="ml-2 font-sans text-muted">
                  {offer.name}
                </span>
              ) : null}
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  )
}

/** The field and the value that are being typed, behind their sign. */
const valueOf = (text: string) => /(?:^|\s)(-?)([\w.-]+):(\S*)$/.exec(text)

interface Offer {
  text: string
  /** What people call it. */
  name?: string
}

/** For the word that is being typed: names of fields, or values of one. */
function offersFor(text: string, suggest: (field: string) => string[], without: readonly string[], keys: KeyNames | undefined): Offer[] {
  const word = /\S*$/.exec(text)?.[0] ?? ''
  const value = /^(-?)([\w.-]+):(.*)$/.exec(word)
  if (!value) {
    if (word === '' && text !== '') return []
    const begun = word.replace(/^-/, '').toLowerCase()
    return fields.filter((name) => name.startsWith(begun) && !without.includes(name)).slice(0, 12).map((name) => ({ text: `${word.startsWith('-') ? '-' : ''}${name}${isNumeric(name) ? '>' : ':'}` }))
  }
  const [, sign, field = '', begun = ''] = value
  const known = optionsOf(field)
  return (known.length > 0 ? known : suggest(field))
    .map((v) => ({ value: v, text: `${sign}${field}:${printValue({ text: v })}`, name: field === 'key' ? labelOf(field, v, keys) : '' }))
    .filter((v) => v.value !== begun && [v.value, v.name].some((it) => it.toLowerCase().startsWith(begun.toLowerCase())))
    .slice(0, 10)
}
