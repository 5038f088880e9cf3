import { describe, expect, test } from 'vitest'
import { savedQuery, viewPath } from './view'

describe('savedQuery', () => {
  test('keeps filter, order and range, and nothing of the moment', () => {
    expect(savedQuery('?q=status%3Aerror&p=project&sort=cost&from=-24h&peek=trace&live=1&sel=x')).toBe('from=-24h&q=status%3Aerror&sort=cost')
    expect(savedQuery('')).toBe('')
  })
  test('is equal for equal pages', () => {
    expect(savedQuery('?sort=cost&q=a%20b')).toBe(savedQuery('?q=a+b&sort=cost&p=x'))
  })
})

describe('viewPath', () => {
  test('opens in the project that is asked for, whatever was stored', () => {
    expect(viewPath({ page: 'traces', query: 'q=status%3Aerror&p=other&peek=x' }, 'mine')).toBe('/dashboard/traces?q=status%3Aerror&p=mine')
    expect(viewPath({ page: 'sessions', query: '' }, 'mine')).toBe('/dashboard/sessions?p=mine')
    expect(viewPath({ page: 'overview', query: 'from=-7d' }, 'mine')).toBe('/dashboard?from=-7d&p=mine')
  })
  test('comes back to the same query', () => {
    const query = savedQuery('?q=name%3A"a b" cost>1&from=-7d')
    expect(savedQuery(viewPath({ page: 'traces', query }, 'p').split('?')[1] ?? '')).toBe(query)
  })
})
