import { expect, test } from 'vitest'
import { sameName } from './name'

test.each([
  ['CI', 'CI', true],
  [' CI', 'CI  ', true],
  ['my laptop', '  my\u00A0 laptop', true],
  ['ci', 'CI', false],
  ['', 'CI', false],
  ['mylaptop', 'my laptop', false],
])('%j for %j: %s', (typed, name, same) => expect(sameName(typed, name)).toBe(same))
