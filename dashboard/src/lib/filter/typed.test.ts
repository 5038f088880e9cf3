import { describe, expect, it } from 'vitest'
import { parseFilter, printFilter } from './filter'
import { typedFilters } from './typed'

describe('typedFilters', () => {
  it.each([
    ['', []],
    [' a ', []],
    ['**', []],
    ['run', ['name:*run*,*RUN*,*Run*', 'model:*run*,*RUN*,*Run*', 'session:*run*,*RUN*,*Run*']],
    ['Trip-7', ['name:*Trip-7*,*trip-7*,*TRIP-7*', 'model:*Trip-7*,*trip-7*,*TRIP-7*', 'session:*Trip-7*,*trip-7*,*TRIP-7*', 'trace:Trip-7*,trip-7*']],
    ['plan  a "trip"', ['name:*plan*a*trip*,*PLAN*A*TRIP*,*Plan*a*trip*', 'model:*plan*a*trip*,*PLAN*A*TRIP*,*Plan*a*trip*', 'session:*plan*a*trip*,*PLAN*A*TRIP*,*Plan*a*trip*']],
    ['日本', ['name:*日本*', 'model:*日本*', 'session:*日本*']],
  ])('%j', (typed, want) => expect(typedFilters(typed)).toEqual(want))

  it.each(['a,b', 'name:x', '-x y', '"', 'x"y', 'cost>5', '12..34', '\\"\\', 'a\u0000b', 'tab\tnew\nline', '\uD800x9', '[a-z]?', '😀😀', 'x'.repeat(5000)])('is a filter whatever was typed: %j', (typed) => {
    for (const filter of typedFilters(typed)) {
      const { terms, errors } = parseFilter(filter)
      expect(errors).toEqual([])
      expect(terms).toHaveLength(1)
      expect(terms[0]?.values.every((value) => value.glob)).toBe(true)
      expect(printFilter(terms)).toBe(filter)
    }
  })
})
