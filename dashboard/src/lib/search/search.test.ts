import { describe, expect, it } from 'vitest'
import { parseSearch, stringifySearch } from './search'

describe('search', () => {
  it.each([
    [{ q: 'status:error model:gpt-4o*', from: '-24h' }, '?q=status:error+model:gpt-4o*&from=-24h'],
    [{ q: 'a+b & c=d "e"' }, '?q=a%2Bb+%26+c%3Dd+%22e%22'],
    [{ q: '', live: false, span: undefined }, ''],
    [{ q: '日本語', n: 3 }, '?q=%E6%97%A5%E6%9C%AC%E8%AA%9E&n=3'],
  ])('prints %j', (values, text) => {
    expect(stringifySearch(values)).toBe(text)
  })

  it('reads what it printed', () => {
    const values = { q: 'cost>0.01 meta.a/b:"x%y"', p: '1', t: '日本' }
    expect(parseSearch(stringifySearch(values))).toEqual(values)
  })
})
