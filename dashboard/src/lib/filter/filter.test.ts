import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addTerm, chosenIn, parseFilter, printFilter, removeTerm, termOf, toggleTerm, toggleValue, withoutField, type FilterError, type Op, type Term } from './filter'

interface Case {
  input: string
  print?: string
  filter?: { terms: Term[] }
  errors?: FilterError[]
}

// The table that the server's parser is held to as well.
const cases = JSON.parse(readFileSync(new URL('../../../../shared/filter/testdata/filter.json', import.meta.url), 'utf8')) as Case[]

describe('shared/filter/testdata/filter.json', () => {
  it('is there', () => expect(cases.length).toBeGreaterThan(100))
  it.each(cases)('$input', ({ input, print, filter, errors }) => {
    const parsed = parseFilter(input)
    expect(parsed.errors).toEqual(errors ?? [])
    if (errors) return
    expect(parsed.terms).toEqual(filter?.terms)
    expect(printFilter(parsed.terms)).toBe(print)
  })
})

describe('printFilter', () => {
  // A small generator with a fixed seed: the same filters in every run.
  let seed = 42
  const random = (n: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n
  const alphabet = ['a', 'Z', '0', ' ', '"', '\\', ',', ':', '*', '-', '.', '日', '🙂', '\t', '<', '>', '\u3000']
  const word = () => Array.from({ length: 1 + random(8) }, () => alphabet[random(alphabet.length)]).join('')
  const term = (): Term => {
    const not = random(3) === 0 ? ({ not: true } as const) : {}
    switch (random(4)) {
      case 0:
        return { field: '', op: 'is', values: [{ text: `${word()}x` }] }
      case 1:
        return { ...not, field: 'tokens', op: (['>', '>=', '<', '<='] as Op[])[random(4)] ?? '>', values: [{ text: '12', number: 12 }] }
      case 2:
        return { ...not, field: 'ttft', op: 'range', values: [{ text: '1s', number: 1_000_000 }, { text: '2s', number: 2_000_000 }] }
      default:
        return { ...not, field: ['model', 'user', 'meta.a-b.c', 'session'][random(4)] ?? 'user', op: 'is', values: Array.from({ length: 1 + random(3) }, () => ({ text: word() })) }
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
})

it('adds and removes terms, and excludes', () => {
  const gpt = termOf('model', 'gpt 4')
  expect(addTerm('', gpt)).toBe('model:"gpt 4"')
  expect(addTerm('model:"gpt 4" env:a', gpt)).toBe('model:"gpt 4" env:a')
  expect(addTerm('-model:"gpt 4" env:a', gpt)).toBe('env:a model:"gpt 4"')
  expect(addTerm('model:"gpt 4"', { ...gpt, not: true })).toBe('-model:"gpt 4"')
  expect(removeTerm('status:ok env:a', termOf('status', 'success'))).toBe('env:a')
  expect(removeTerm('env:a', gpt)).toBe('env:a')
  expect(toggleTerm('model:x', 'model', 'x', true)).toBe('-model:x')
  expect(toggleTerm('-model:x', 'model', 'x', true)).toBe('')
  expect(toggleTerm('-model:x', 'model', 'x')).toBe('model:x')
  expect(addTerm('"free text"', { ...termOf('name', 'a*'), values: [{ text: 'a*', glob: true }] })).toBe('"free text" name:a*')
})

it('chooses values of a field one by one', () => {
  expect(toggleValue('status:error', 'model', 'a')).toBe('status:error model:a')
  expect(toggleValue('model:a status:error', 'model', 'b')).toBe('model:a,b status:error')
  expect(toggleValue('model:a,b status:error', 'model', 'a')).toBe('model:b status:error')
  expect(toggleValue('model:b', 'model', 'b')).toBe('')
  expect(toggleValue('model:a', 'model', 'b', true)).toBe('model:a -model:b')
  expect(toggleValue('-model:b', 'model', 'c', true)).toBe('-model:b,c')
  expect(toggleValue('-model:b,c', 'model', 'b')).toBe('-model:c')
  // A pattern is no value, whatever it reads like.
  expect(toggleValue('model:gpt*', 'model', 'gpt*')).toBe('model:gpt*,"gpt*"')
  const { terms } = parseFilter('model:a,b -env:dev latency>2s')
  expect(['a', 'c'].map((v) => chosenIn(terms, 'model', v))).toEqual(['in', null])
  expect(chosenIn(terms, 'env', 'dev')).toBe('out')
  expect(withoutField('model:a status:error -model:b', 'model')).toBe('status:error')
})
