import { describe, expect, it } from 'vitest'
import { parseFilter, printFilter, quantity, toggleTerm, type Operator, type Term } from './filter'

const field = (name: string, values: string[], operator: Operator = 'is', negated = false): Term => ({ kind: 'field', field: name, negated, operator, values })

describe('parseFilter', () => {
  it.each<[string, Term[]]>([
    ['', []],
    ['status:error', [field('status', ['error'])]],
    ['  status:error   model:gpt-4o* ', [field('status', ['error']), field('model', ['gpt-4o*'])]],
    ['model:a,b,"c d"', [field('model', ['a', 'b', 'c d'])]],
    ['-user:u1', [field('user', ['u1'], 'is', true)]],
    ['cost>0.01 latency>=2s tokens>10k in<5 out<=6', [field('cost', ['0.01'], 'gt'), field('latency', ['2s'], 'gte'), field('tokens', ['10k'], 'gt'), field('in', ['5'], 'lt'), field('out', ['6'], 'lte')]],
    ['ttft:1s..5s', [field('ttft', ['1s', '5s'], 'between')]],
    ['has:error', [field('has', ['error'])]],
    ['meta.release:2026.11.2', [field('meta.release', ['2026.11.2'])]],
    ['"free text" -"say \\"hi\\""', [{ kind: 'text', text: 'free text', negated: false }, { kind: 'text', text: 'say "hi"', negated: true }]],
    ['refund 日本', [{ kind: 'text', text: 'refund', negated: false }, { kind: 'text', text: '日本', negated: false }]],
    ['Model:X', [field('model', ['X'])]],
    ['session:a:b/c', [field('session', ['a:b/c'])]],
  ])('%s', (text, terms) => expect(parseFilter(text)).toEqual({ terms, errors: [] }))

  it.each([
    ['colour:red', 'There is no field "colour"', [0, 10]],
    ['x status:', 'status needs a value', [2, 9]],
    ['"open', 'The quote is not closed', [0, 5]],
    ['model:"open', 'The quote is not closed', [0, 11]],
    ['""', 'Nothing stands between the quotes', [0, 2]],
    ['latency>fast', 'latency needs a time such as 2s or 400ms, not "fast"', [0, 12]],
    ['cost:1,2', 'cost takes one value, or a range such as cost:1..5', [0, 8]],
    ['model>4', 'model is text: write model:value', [0, 7]],
    ['constructor:1', 'There is no field "constructor"', [0, 13]],
    ['model:"a"b', 'model needs a value', [0, 10]],
  ])('%s', (text, message, at) => expect(parseFilter(text).errors).toEqual([{ message, at }]))

  it('keeps what is right beside what is wrong', () => {
    expect(parseFilter('colour:red status:error').terms).toEqual([field('status', ['error'])])
  })
})

describe('printFilter', () => {
  // A small generator with a fixed seed: the same filters in every run.
  let seed = 42
  const random = (n: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n
  const alphabet = ['a', 'Z', '0', ' ', '"', '\\', ',', ':', '*', '-', '.', '日', '🙂', '\t', '<', '>']
  const word = () => Array.from({ length: 1 + random(8) }, () => alphabet[random(alphabet.length)]).join('')
  const term = (): Term => {
    const negated = random(3) === 0
    switch (random(4)) {
      case 0:
        return { kind: 'text', text: word(), negated }
      case 1:
        return field(['latency', 'cost', 'tokens'][random(3)] ?? 'cost', [String(random(1000))], (['gt', 'gte', 'lt', 'lte'] as const)[random(4)], negated)
      case 2:
        return field('ttft', [`${random(10)}s`, `${random(100)}ms`], 'between', negated)
      default:
        return field(['model', 'user', 'meta.a-b.c', 'session'][random(4)] ?? 'user', Array.from({ length: 1 + random(3) }, word), 'is', negated)
    }
  }
  it('is read back as it was', () => {
    for (let n = 0; n < 5_000; n++) {
      const terms = Array.from({ length: random(5) }, term)
      expect(parseFilter(printFilter(terms))).toEqual({ terms, errors: [] })
    }
  })

  it('never fails on what somebody types', () => {
    for (let n = 0; n < 5_000; n++) {
      const { terms } = parseFilter(Array.from({ length: random(20) }, word).join(''))
      expect(parseFilter(printFilter(terms))).toEqual({ terms, errors: [] })
    }
  })
})

it('toggles a value', () => {
  expect(toggleTerm('status:error', 'model', 'gpt 4')).toBe('status:error model:"gpt 4"')
  expect(toggleTerm('status:error model:"gpt 4"', 'model', 'gpt 4')).toBe('status:error')
  expect(toggleTerm('model:a', 'model', 'a', true)).toBe('model:a -model:a')
})

it.each([['2s', 'duration', 2000], ['400ms', 'duration', 400], ['1.5', 'duration', 1500], ['10k', 'count', 10_000], ['$0.01', 'money', 0.01], ['x', 'count', null], ['1e9', 'count', null]] as const)(
  'quantity %s', (text, type, value) => expect(quantity(text, type)).toBe(value),
)
