import { describe, expect, test } from 'vitest'
import { keyNames, labelOf } from './label'

const laptop = { id: '5b1f4c1e-6f0e-4a2b', name: 'laptop' }

describe('labelOf', () => {
  test('names API keys, and says of what is not there that it was deleted', () => {
    const keys = keyNames([laptop])
    expect(labelOf('key', laptop.id, keys)).toBe('laptop')
    expect(labelOf('key', '0123456789', keys)).toBe('deleted key 01234567')
  })
  test('claims nothing before the names are there', () => expect(labelOf('key', '0123456789', undefined)).toBe('key 01234567'))
  test('gives other values as they are', () => expect(labelOf('model', 'gpt-4o\u202E', keyNames([laptop]))).toBe('gpt-4o⟨U+202E⟩'))
})

test('keys of one name are told apart', () => {
  const keys = keyNames([laptop, { id: 'ffffffff-1', name: 'laptop' }, { id: 'x', name: 'CI' }])
  expect([...keys.values()]).toEqual(['laptop · 5b1f4c1e', 'laptop · ffffffff', 'CI'])
})
