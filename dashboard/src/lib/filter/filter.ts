/**
 * The language in which traces are asked for:
 *
 *   status:error model:gpt-4o* -env:test cost>0.01 ttft:1s..5s "refund"
 *
 * Terms are ANDed, the values of one term ORed. The package shared/filter reads
 * the same language on the server; shared/filter/testdata/filter.json says what
 * both make of an input.
 */
export type Op = 'is' | 'range' | '>' | '>=' | '<' | '<='

export interface Value {
  /** As written, without quotes. */
  text: string
  /** Each * of the text stands for any text. */
  glob?: true
  /** A whole number of the field's unit: microseconds, nano-dollars, or ones. */
  number?: number
}

export interface Term {
  not?: true
  /** "" for free text. */
  field: string
  op: Op
  values: Value[]
}

export interface FilterError {
  /** Where it is wrong, in UTF-16 code units: begin and end. */
  pos: number
  end: number
  code: string
  field?: string
  /** What is wrong and what would be right. */
  message: string
}

export interface Parsed {
  /** The terms that are right. */
  terms: Term[]
  errors: FilterError[]
}

type Kind = 'text' | 'enum' | 'duration' | 'money' | 'count'

interface Spec {
  field: string
  kind: Kind
  options: readonly string[]
}

const open = (field: string, kind: Kind): Spec => ({ field, kind, options: [] })

const specs: readonly Spec[] = [
  { field: 'status', kind: 'enum', options: ['error', 'success'] },
  open('name', 'text'),
  { field: 'kind', kind: 'enum', options: ['agent_run', 'chain', 'embedding', 'evaluator', 'event', 'generic', 'guardrail', 'llm_call', 'llm_response', 'notification', 'rerank', 'retrieval', 'session', 'tool_use', 'user_prompt'] },
  open('provider', 'text'),
  open('model', 'text'),
  open('tool', 'text'),
  { field: 'source', kind: 'enum', options: ['claude_code', 'codex', 'openclaw', 'opencode', 'sdk'] },
  open('service', 'text'),
  open('session', 'text'),
  open('user', 'text'),
  open('env', 'text'),
  open('release', 'text'),
  open('tag', 'text'),
  open('key', 'text'),
  open('trace', 'text'),
  open('error', 'text'),
  { field: 'has', kind: 'enum', options: ['cost', 'env', 'error', 'key', 'model', 'name', 'provider', 'release', 'service', 'session', 'tag', 'tokens', 'tool', 'ttft', 'user'] },
  open('latency', 'duration'),
  open('ttft', 'duration'),
  open('cost', 'money'),
  open('tokens', 'count'),
  open('in', 'count'),
  open('out', 'count'),
  open('spans', 'count'),
]

/** The fields, in the order that people read them in; `meta.` and a name is one too. */
export const fields: readonly string[] = specs.map((s) => s.field)

/** What a field can be; empty where that is open. */
export const optionsOf = (field: string): readonly string[] => specOf(field)?.options ?? []

/** Whether a field is compared as a number. */
export const isNumeric = (field: string): boolean => numeric(specOf(field)?.kind ?? 'text')

const numeric = (kind: Kind) => kind === 'duration' || kind === 'money' || kind === 'count'

const metaPrefix = 'meta.'

/** Whether a field is a member of the metadata. */
export const isMeta = (field: string): boolean => field.startsWith(metaPrefix)

/** Whether payloads have to be read for a filter, which then finds traces by start only. */
export const asksPayloads = (filter: string): boolean => parseFilter(filter).terms.some((t) => t.field === '' || t.field === 'error' || isMeta(t.field))

/** The term for traces of which a field is known. */
export const known = (field: string, not = false): Term => (isMeta(field) ? { ...(not ? ({ not: true } as const) : {}), field, op: 'is', values: [{ text: '*', glob: true }] } : termOf('has', field, not))

function specOf(field: string): Spec | undefined {
  if (field.startsWith(metaPrefix)) return field.length > metaPrefix.length ? open(field, 'text') : undefined
  return specs.find((s) => s.field === field)
}

const maxBytes = 4096
const maxTerms = 32
const maxValues = 32 // of one term

const spaces = ' \t\n\r\u00A0\u3000'
const isSpace = (c: string) => c !== '' && spaces.includes(c)

/** Whether a character is in no filter. */
function refused(c: string): boolean {
  const code = c.codePointAt(0) ?? 0
  return (code >= 0xd800 && code <= 0xdfff) || ((code < 0x20 || code === 0x7f) && !isSpace(c))
}

/** Thrown within the parser where a term ends for good. */
class Fault extends Error {
  constructor(readonly error: FilterError) {
    super(error.message)
  }
}

export function parseFilter(source: string): Parsed {
  if (new TextEncoder().encode(source).length > maxBytes) return { terms: [], errors: [{ pos: 0, end: source.length, code: 'too_long', message: 'A filter has at most 4096 bytes' }] }
  const parser = new Parser(source)
  const terms: Term[] = []
  const errors: FilterError[] = []
  for (parser.skipSpace(); parser.at < source.length; parser.skipSpace()) {
    const start = parser.at
    try {
      const term = parser.term()
      if (terms.length === maxTerms) {
        errors.push({ pos: start, end: parser.at, code: 'too_many', ...(term.field ? { field: term.field } : {}), message: 'A filter has at most 32 terms: drop this one' })
        break
      }
      terms.push(term)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      errors.push(error.error)
      parser.skipTerm(start)
    }
  }
  return { terms, errors }
}

class Parser {
  at = 0
  constructor(private readonly source: string) {}

  /** The character here, whole; "" at the end. */
  private peek(): string {
    const code = this.source.codePointAt(this.at)
    return code === undefined ? '' : String.fromCodePoint(code)
  }

  private fail(pos: number, end: number, code: string, field: string, message: string): never {
    throw new Fault({ pos, end, code, ...(field ? { field } : {}), message })
  }

  skipSpace(): void {
    while (isSpace(this.peek())) this.at++
  }

  /** Goes to the end of a term that is wrong: the next blank that is in no quotes. */
  skipTerm(start: number): void {
    let quoted = false
    for (this.at = start; this.at < this.source.length; ) {
      const c = this.peek()
      if (c === '"') quoted = !quoted
      else if (quoted && c === '\\' && this.at + 1 < this.source.length) {
        this.at += 1 + (String.fromCodePoint(this.source.codePointAt(this.at + 1) ?? 0).length)
        continue
      } else if (!quoted && isSpace(c)) return
      this.at += c.length
    }
  }

  term(): Term {
    const start = this.at
    const not = this.peek() === '-'
    if (not) this.at++
    if (this.peek() === '"') return this.text(not, start)
    const nameAt = this.at
    for (let c = this.peek(); c !== ''; c = this.peek()) {
      if (refused(c)) this.fail(this.at, this.at + c.length, 'character', '', 'A filter holds no control characters: remove this one')
      if (isSpace(c) || ':<>=",'.includes(c)) break
      this.at += c.length
    }
    const name = this.source.slice(nameAt, this.at)
    const sign = this.peek()
    if (sign === '' || !':<>='.includes(sign)) {
      this.skipTerm(start)
      this.fail(start, this.at, 'bare', '', 'Put free text in quotes, or a field and a colon before it, as in name:chat')
    }
    const spec = specOf(name)
    if (!spec) return this.fail(nameAt, this.at, 'field', '', `There is no such field: use meta. and a name, or one of ${fields.join(', ')}`)
    return this.compare(not, spec)
  }

  private text(not: boolean, start: number): Term {
    if (not) {
      this.skipTerm(start)
      this.fail(start, this.at, 'operator', '', 'Free text cannot be negated: drop the minus')
    }
    const text = this.quoted('')
    if ([...text].every(isSpace)) this.fail(start, this.at, 'empty', '', 'Write something between the quotes')
    this.ended('')
    return { field: '', op: 'is', values: [{ text }] }
  }

  private ended(field: string): void {
    const c = this.peek()
    if (c !== '' && !isSpace(c)) this.fail(this.at, this.at + c.length, 'value', field, 'A blank must follow the closing quote, or a comma and another value')
  }

  private quoted(field: string): string {
    const start = this.at
    let text = ''
    this.at++
    for (let c = this.peek(); c !== ''; c = this.peek()) {
      if (refused(c)) this.fail(this.at, this.at + c.length, 'character', field, 'A filter holds no control characters: remove this one')
      if (c === '"') {
        this.at++
        return text
      }
      if (c === '\\' && this.at + 1 < this.source.length) {
        this.at++
        c = this.peek()
        if (c !== '"' && c !== '\\') this.fail(this.at - 1, this.at + c.length, 'value', field, 'Behind a backslash in quotes stands " or \\')
      }
      text += c
      this.at += c.length
    }
    return this.fail(start, this.source.length, 'unclosed', field, 'A quote is missing at the end')
  }

  private compare(not: boolean, spec: Spec): Term {
    const opAt = this.at
    let sign = this.peek()
    this.at++
    if ((sign === '>' || sign === '<') && this.peek() === '=') {
      sign += '='
      this.at++
    }
    const negated = not ? ({ not: true } as const) : {}
    if (sign === '=') this.fail(opAt, this.at, 'operator', spec.field, 'Write a colon instead of =')
    if (sign === ':') return { ...negated, field: spec.field, ...this.is(spec) }
    if (!numeric(spec.kind)) this.fail(opAt, this.at, 'operator', spec.field, 'Only numbers are compared so: write a colon')
    const at = this.at
    const text = this.bare(spec.field)
    if (this.peek() === ',') this.fail(this.at, this.at + 1, 'operator', spec.field, 'One number follows a comparison: several need a colon')
    return { ...negated, field: spec.field, op: sign as Op, values: [this.number(spec, text, at)] } // only the four comparisons are left
  }

  private bare(field: string): string {
    const start = this.at
    for (let c = this.peek(); c !== ''; c = this.peek()) {
      if (refused(c)) this.fail(this.at, this.at + c.length, 'character', field, 'A filter holds no control characters: remove this one')
      if (c === '"') this.fail(this.at, this.at + 1, 'value', field, 'Quotes hold a value whole: move the first one to its begin')
      if (isSpace(c) || c === ',') break
      this.at += c.length
    }
    return this.source.slice(start, this.at)
  }

  private is(spec: Spec): { op: Op; values: Value[] } {
    const values: Value[] = []
    for (;;) {
      const at = this.at
      let value = this.value(spec)
      if (numeric(spec.kind)) {
        const cut = value.text.indexOf('..')
        if (cut >= 0) return this.between(spec, value.text.slice(0, cut), value.text.slice(cut + 2), at, values.length > 0)
        value = this.number(spec, value.text, at)
      }
      values.push(value)
      if (values.length > maxValues) this.fail(at, this.at, 'too_many', spec.field, 'A term has at most 32 values: drop this one')
      if (this.peek() !== ',') return { op: 'is', values }
      this.at++
    }
  }

  private value(spec: Spec): Value {
    const at = this.at
    const value: Value = { text: '' }
    if (this.peek() === '"') {
      value.text = this.quoted(spec.field)
      if (this.peek() !== ',') this.ended(spec.field)
    } else {
      value.text = this.bare(spec.field)
      if (spec.kind === 'text' && value.text.includes('*')) value.glob = true
    }
    if (value.text === '') this.fail(at, this.at, 'empty', spec.field, 'Write a value behind the colon, and behind each comma')
    if (spec.kind === 'enum') {
      if (value.text === 'ok' && spec.options.includes('success')) value.text = 'success'
      if (!spec.options.includes(value.text)) this.fail(at, this.at, 'value', spec.field, `It is one of ${spec.options.join(', ')}`)
    }
    return value
  }

  private between(spec: Spec, low: string, high: string, at: number, more: boolean): { op: Op; values: Value[] } {
    if (more || this.peek() === ',') this.fail(at, this.at, 'value', spec.field, 'A range stands alone: make it a term of its own')
    const from = this.number(spec, low, at)
    const to = this.number(spec, high, at)
    if ((from.number ?? 0) > (to.number ?? 0)) this.fail(at, this.at, 'value', spec.field, 'The smaller number comes first')
    return { op: 'range', values: [from, to] }
  }

  /** A number in the unit of its field. Less than a unit is cut off. */
  private number(spec: Spec, text: string, at: number): Value {
    const match = /^(\d+)(?:\.(\d+))?([a-z]*)$/i.exec(text)
    const unit = units[spec.kind][(match?.[3] ?? '').toLowerCase()]
    const whole = match?.[1] ?? ''
    const fraction = match?.[2] ?? ''
    if (!match || unit === undefined || whole.length + fraction.length > maxDigits) return this.fail(at, this.at, 'number', spec.field, numberHelp[spec.kind])
    const exact = (BigInt(whole + fraction) * unit) / 10n ** BigInt(fraction.length)
    if (exact > maxNumber) this.fail(at, this.at, 'number', spec.field, 'The number is too large')
    return { text, ...(exact > 0n ? { number: Number(exact) } : {}) }
  }
}

const maxDigits = 18
const maxNumber = 9_000_000_000_000_000n

const units: Record<Kind, Record<string, bigint>> = {
  text: {},
  enum: {},
  duration: { '': 1_000n, us: 1n, ms: 1_000n, s: 1_000_000n, m: 60_000_000n, h: 3_600_000_000n },
  money: { '': 1_000_000_000n },
  count: { '': 1n, k: 1_000n, m: 1_000_000n, b: 1_000_000_000n },
}

const numberHelp: Record<Kind, string> = {
  text: '',
  enum: '',
  duration: 'It is a number of milliseconds, or one with a unit: us, ms, s, m or h, as in 2.5s',
  money: 'It is a number of dollars, as in 0.01',
  count: 'It is a number, as in 1200, 10k or 1.5m',
}

const quote = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`

/** A value as a filter has it, quoted where it would read as something else. */
export function printValue(value: Value): string {
  return value.text === '' || /[ \t\n\r\u00A0\u3000,"]/.test(value.text) || (!value.glob && value.text.includes('*')) ? quote(value.text) : value.text
}

export function printTerm(term: Term): string {
  const sign = term.not ? '-' : ''
  const [first, second] = term.values
  if (term.field === '') return sign + quote(first?.text ?? '')
  if (term.op === 'is') return `${sign}${term.field}:${term.values.map(printValue).join(',')}`
  if (term.op === 'range') return `${sign}${term.field}:${first?.text}..${second?.text}`
  return `${sign}${term.field}${term.op}${first?.text}`
}

/** Writes a filter in its canonical form, which is read as the same. */
export const printFilter = (terms: Term[]): string => terms.map(printTerm).join(' ')

/** A term for a field and one value, or for all but that. */
export const termOf = (field: string, text: string, not = false): Term => ({ ...(not ? ({ not: true } as const) : {}), field, op: 'is', values: [{ text }] })

/** The terms of a filter without one, however it was written; terms that are wrong are dropped. */
function without(filter: string, term: Term): { rest: Term[]; found: boolean } {
  const { terms } = parseFilter(filter)
  const wanted = printTerm(term)
  const rest = terms.filter((t) => printTerm(t) !== wanted)
  return { rest, found: rest.length < terms.length }
}

/** The filter with a term in it, and once only. What would contradict it, the same term negated, goes. */
export function addTerm(filter: string, term: Term): string {
  const { not, ...plain } = term
  const { rest } = without(filter, not ? plain : { not: true, ...plain })
  const wanted = printTerm(term)
  return printFilter(rest.some((t) => printTerm(t) === wanted) ? rest : [...rest, term])
}

/** The filter without a term. */
export const removeTerm = (filter: string, term: Term): string => printFilter(without(filter, term).rest)

/** How a filter chooses a value of a field: taken in, left out, or neither. */
export function chosenIn(terms: readonly Term[], field: string, text: string): 'in' | 'out' | null {
  const term = terms.find((t) => t.field === field && t.op === 'is' && t.values.some((v) => v.text === text && !v.glob))
  return term ? (term.not ? 'out' : 'in') : null
}

/** The filter without what it says of a field. */
export const withoutField = (filter: string, field: string): string => printFilter(parseFilter(filter).terms.filter((t) => t.field !== field))

/**
 * The filter with one more value of a field, so that any of them will do; without
 * the value where it was chosen, in whichever way. With `not` all but the value.
 */
export function toggleValue(filter: string, field: string, text: string, not = false): string {
  const { terms } = parseFilter(filter)
  if (chosenIn(terms, field, text)) {
    const kept = terms.map((t) => (t.field === field && t.op === 'is' ? { ...t, values: t.values.filter((v) => v.text !== text || v.glob) } : t))
    return printFilter(kept.filter((t) => t.values.length > 0))
  }
  const at = terms.findIndex((t) => t.field === field && t.op === 'is' && Boolean(t.not) === not && t.values.length < maxValues)
  const joined = terms.map((t, i) => (i === at ? { ...t, values: [...t.values, { text }] } : t))
  return printFilter(at < 0 ? [...terms, termOf(field, text, not)] : joined)
}

/** The filter with a value of a field in it, or without it where it was. With `not` its exclusion. */
export function toggleTerm(filter: string, field: string, text: string, not = false): string {
  const term = termOf(field, text, not)
  return without(filter, term).found ? removeTerm(filter, term) : addTerm(filter, term)
}
