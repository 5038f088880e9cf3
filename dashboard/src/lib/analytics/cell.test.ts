import { describe, expect, it } from 'vitest'
import { cellFilter, otherFilter, rowFilter } from './cell'
import { otherBefore } from './measures'

describe('filters of cells', () => {
  it('name the row', () => {
    expect(rowFilter('env:prod', ['model', 'user'], ['gpt-4o', 'a b'])).toBe('env:prod model:gpt-4o user:"a b"')
    expect(rowFilter('', ['model'], ['a*'])).toBe('model:"a*"')
    expect(rowFilter('"refund"', ['user'], [''])).toBe('"refund" -has:user')
    expect(rowFilter('model:gpt-4o', ['model'], ['gpt-4o'])).toBe('model:gpt-4o')
    expect(rowFilter('', ['meta.team', 'meta.n'], ['red', ''])).toBe('meta.team:red -meta.n:*')
  })
  it('name what is in no row', () => {
    expect(otherFilter('env:prod', ['model'], [{ keys: ['a'] }, { keys: ['b'] }])).toBe('env:prod -model:a,b')
    expect(otherFilter('', ['user'], [{ keys: [''] }, { keys: ['b'] }])).toBe('-user:b has:user')
    expect(otherFilter('', ['tool'], [{ keys: ['a'] }])).toBeNull()
    expect(otherFilter('', ['meta.team'], [{ keys: ['a'] }])).toBeNull()
    expect(otherFilter('', ['model', 'user'], [{ keys: ['a', 'b'] }])).toBeNull()
    expect(otherFilter('', ['user'], Array.from({ length: 33 }, (_, i) => ({ keys: [`u${i}`] })))).toBeNull()
  })
  it('name what a number is made of', () => {
    expect(cellFilter('model:a', 'errors')).toBe('model:a status:error')
    expect(cellFilter('model:a', 'ttft95')).toBe('model:a has:ttft')
    expect(cellFilter('model:a', 'cost')).toBe('model:a')
  })
})

describe('otherBefore', () => {
  const sums = { rows: [{ values: { count: 5 }, previous: { count: 3 } }, { values: { count: 2 }, previous: null }], previous: { count: 10, p95: 4 } }
  it('is the rest of the total', () => expect(otherBefore(sums, 'count', ['model'])).toBe(7))
  it('is unknown where parts do not add up', () => {
    expect(otherBefore(sums, 'p95', ['model'])).toBeNull()
    expect(otherBefore(sums, 'count', ['tool'])).toBeNull()
    expect(otherBefore({ ...sums, previous: null }, 'count', ['model'])).toBeNull()
  })
})
