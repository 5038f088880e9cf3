/**
 * The filter language: terms with blanks between them, all of which must hold.
 *
 *   field:value        equal; `a,b` for one of them, `*` for any text
 *   -field:value       not
 *   cost>0.01          also <, >=, <=; 2s, 10k and the like are understood
 *   ttft:1s..5s        between
 *   has:error          there is one
 *   "free text"        anywhere in the conversation
 *
 * A value with blanks, quotes or commas in it stands in quotes, where `\` keeps
 * the next character from its meaning.
 */
export type Operator = 'is' | 'gt' | 'gte' | 'lt' | 'lte' | 'between'

export interface FieldTerm {
  kind: 'field'
  field: string
  negated: boolean
  operator: Operator
  /** One or more for `is`, two for `between`, else one. */
  values: string[]
}

export interface TextTerm {
  kind: 'text'
  text: string
  negated: boolean
}

export type Term = FieldTerm | TextTerm

export interface FilterError {
  /** Where in the text, in UTF-16 units: begin and end. */
  at: [number, number]
  message: string
}

export interface Parsed {
  terms: Term[]
  errors: FilterError[]
}

type FieldType = 'text' | 'duration' | 'money' | 'count'

/** The fields that can be filtered on. What begins with `meta.` is one too. */
export const fields: Record<string, FieldType> = {
  status: 'text', name: 'text', kind: 'text', provider: 'text', model: 'text', tool: 'text', source: 'text', service: 'text', session: 'text', user: 'text',
  env: 'text', release: 'text', tag: 'text', trace: 'text', error: 'text', has: 'text', latency: 'duration', ttft: 'duration', cost: 'money', tokens: 'count',
  in: 'count', out: 'count', spans: 'count',
}

const typeOf = (field: string): FieldType | undefined => (field.startsWith('meta.') ? 'text' : Object.hasOwn(fields, field) ? fields[field] : undefined)

const operators: [string, Operator][] = [['>=', 'gte'], ['<=', 'lte'], ['>', 'gt'], ['<', 'lt'], [':', 'is']]

/** Reads a filter. What is wrong is reported and left out; the rest still counts. */
export function parseFilter(text: string): Parsed {
  const terms: Term[] = []
  const errors: FilterError[] = []
  let i = 0
  while (i < text.length) {
    if (/\s/.test(text[i] ?? '')) {
      i++
      continue
    }
    const begin = i
    const negated = text[i] === '-' && i + 1 < text.length && !/\s/.test(text[i + 1] ?? '')
    if (negated) i++
    if (text[i] === '"') {
      const quoted = readQuoted(text, i)
      i = quoted.end
      if (!quoted.closed) errors.push({ at: [begin, i], message: 'The quote is not closed' })
      else if (quoted.value === '') errors.push({ at: [begin, i], message: 'Nothing stands between the quotes' })
      else terms.push({ kind: 'text', text: quoted.value, negated })
      continue
    }
    const name = /^[A-Za-z_][\w.-]*/.exec(text.slice(i))?.[0] ?? ''
    const operator = operators.find(([sign]) => text.startsWith(sign, i + name.length))
    if (name === '' || !operator) {
      const word = /^\S+/.exec(text.slice(i))?.[0] ?? ''
      i += word.length
      terms.push({ kind: 'text', text: word, negated }) // a bare word is text
      continue
    }
    const field = name.startsWith('meta.') ? name : name.toLowerCase()
    i += name.length + operator[0].length
    const list = readValues(text, i)
    i = list.end
    const at: [number, number] = [begin, i]
    const type = typeOf(field)
    if (!list.closed) errors.push({ at, message: 'The quote is not closed' })
    else if (!type) errors.push({ at, message: `There is no field "${name}"` })
    else if (list.values.some((v) => v === '')) errors.push({ at, message: `${name} needs a value` })
    else {
      const term = fieldTerm(field, type, negated, operator[1], list.values)
      if (typeof term === 'string') errors.push({ at, message: term })
      else terms.push(term)
    }
  }
  return { terms, errors }
}

function fieldTerm(field: string, type: FieldType, negated: boolean, operator: Operator, values: string[]): FieldTerm | string {
  if (type === 'text') return operator === 'is' ? { kind: 'field', field, negated, operator, values } : `${field} is text: write ${field}:value`
  const range = operator === 'is' && values.length === 1 ? /^(.+?)\.\.(.+)$/.exec(values[0] ?? '') : null
  const list = range ? [range[1] ?? '', range[2] ?? ''] : values
  if (!range && list.length !== 1) return `${field} takes one value, or a range such as ${field}:1..5`
  for (const value of list) {
    if (quantity(value, type) === null) return `${field} needs ${type === 'duration' ? 'a time such as 2s or 400ms' : 'a number such as 0.01 or 10k'}, not "${value}"`
  }
  return { kind: 'field', field, negated, operator: range ? 'between' : operator, values: list }
}

const multiples: Record<FieldType, Record<string, number>> = {
  text: {},
  duration: { '': 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
  money: { '': 1, $: 1 },
  count: { '': 1, k: 1e3, m: 1e6, g: 1e9 },
}

/** A value in the unit of its field: milliseconds, dollars, or a count; null for what is none. */
export function quantity(value: string, type: FieldType): number | null {
  const match = /^\$?(\d+(?:\.\d+)?)([a-z$]*)$/i.exec(value)
  const multiple = match ? multiples[type][(match[2] ?? '').toLowerCase()] : undefined
  return match && multiple !== undefined ? Number(match[1]) * multiple : null
}

function readQuoted(text: string, begin: number): { value: string; end: number; closed: boolean } {
  let value = ''
  let i = begin + 1
  while (i < text.length) {
    const c = text[i] ?? ''
    if (c === '"') return { value, end: i + 1, closed: true }
    if (c === '\\' && i + 1 < text.length) i++
    value += text[i]
    i++
  }
  return { value, end: i, closed: false }
}

function readValues(text: string, begin: number): { values: string[]; end: number; closed: boolean } {
  const values: string[] = []
  let closed = true
  let i = begin
  do {
    if (i > begin) i++ // the comma
    if (text[i] === '"') {
      const quoted = readQuoted(text, i)
      values.push(quoted.value)
      closed &&= quoted.closed
      i = quoted.end
    } else {
      const bare = /^[^\s,"]*/.exec(text.slice(i))?.[0] ?? ''
      values.push(bare)
      i += bare.length
    }
  } while (text[i] === ',')
  if (i < text.length && !/\s/.test(text[i] ?? '')) {
    // What hangs on to a value belongs to it, and makes it none.
    const rest = /^\S+/.exec(text.slice(i))?.[0] ?? ''
    return { values: [...values.slice(0, -1), ''], end: i + rest.length, closed }
  }
  return { values, end: i, closed }
}

const signs: Record<Operator, string> = { is: ':', between: ':', gt: '>', gte: '>=', lt: '<', lte: '<=' }

const quote = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`

const printValue = (value: string) => (/^[^\s,"]+$/.test(value) ? value : quote(value))

export function printTerm(term: Term): string {
  const sign = term.negated ? '-' : ''
  if (term.kind === 'text') return sign + quote(term.text)
  return `${sign}${term.field}${signs[term.operator]}${term.operator === 'between' ? term.values.join('..') : term.values.map(printValue).join(',')}`
}

/** Writes a filter in its canonical form. */
export const printFilter = (terms: Term[]): string => terms.map(printTerm).join(' ')

/** The filter with a value of a field in it, or without it where it was. */
export function toggleTerm(text: string, field: string, value: string, negated = false): string {
  const { terms } = parseFilter(text)
  const same = (t: Term) => t.kind === 'field' && t.field === field && t.operator === 'is' && t.negated === negated && t.values.length === 1 && t.values[0] === value
  const rest = terms.filter((t) => !same(t))
  return printFilter(rest.length < terms.length ? rest : [...terms, { kind: 'field', field, negated, operator: 'is', values: [value] }])
}
