import { expect, it } from 'vitest'
import { visible } from './visible'

it('shows what would turn the text around', () => {
  expect(visible('a\u202Eb\u2069')).toBe('a⟨U+202E⟩b⟨U+2069⟩')
  expect(visible('متى يصل طلبي؟ 🙂')).toBe('متى يصل طلبي؟ 🙂')
})
