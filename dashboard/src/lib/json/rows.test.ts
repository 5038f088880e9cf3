import { describe, expect, it } from 'vitest'
import { foldedFrom, jsonLine, lineStarts, reveal, rowIndexOf, toggleFolded, visibleJsonRows } from './rows'
import { tokeniseJson } from './tokenise'

const text = '{"a":[1,{"b":"x"},[]],"c":{},"d":"long"}'
const index = tokeniseJson(text)
const none = new Set<number>()

/** What a viewer would show. */
const shown = (folded: ReadonlySet<number>) =>
  Array.from(visibleJsonRows(index, folded), (row) => {
    const line = jsonLine(text, index, folded, row)
    return `${' '.repeat(line.depth)}${line.key === null ? '' : `${line.key}: `}${line.value}${line.hidden === null ? '' : ` (${line.hidden})`}${line.comma ? ',' : ''}`
  })

describe('rows', () => {
  it('are those of a pretty printer', () => {
    expect(shown(none)).toEqual(['{', ' "a": [', '  1,', '  {', '   "b": "x"', '  },', '  []', ' ],', ' "c": {},', ' "d": "long"', '}'])
    expect(shown(none).map((l) => l.trim())).toEqual(JSON.stringify(JSON.parse(text), null, 1).split('\n').map((l) => l.trim()))
  })

  it('leave out what is folded', () => {
    expect(shown(new Set([1]))).toEqual(['{', ' "a": [] (3),', ' "c": {},', ' "d": "long"', '}'])
    expect(shown(new Set([0]))).toEqual(['{} (3)'])
  })

  it('are one for a scalar and none for what is no JSON', () => {
    expect([...visibleJsonRows(tokeniseJson('1'), none)]).toEqual([0])
    expect([...visibleJsonRows(tokeniseJson('x'), none)]).toEqual([])
  })

  it('fold from a depth on', () => {
    expect([...foldedFrom(index, 0)]).toEqual([0, 1, 3])
    expect([...foldedFrom(index, 1)]).toEqual([1, 3])
    expect([...foldedFrom(index, 2)]).toEqual([3])
  })

  it('toggle and reveal', () => {
    expect([...toggleFolded(new Set([1]), 1)]).toEqual([])
    expect([...toggleFolded(new Set([1]), 3)]).toEqual([1, 3])
    expect([...reveal(index, new Set([0, 1, 3]), 4)]).toEqual([])
    expect([...reveal(index, new Set([0, 1, 3]), 2)]).toEqual([3])
  })

  it('are found by their node', () => {
    for (const folded of [none, new Set([1]), new Set([3])]) {
      const rows = visibleJsonRows(index, folded)
      for (let node = 0; node < index.count; node++) expect(rowIndexOf(rows, index, node)).toBe(rows.indexOf(node * 2))
    }
  })

  it('cut long values, and no character in two', () => {
    const long = `["${'x'.repeat(100)}","🙂🙂🙂"]`
    const at = tokeniseJson(long)
    expect(jsonLine(long, at, none, 2, 10)).toMatchObject({ value: '"xxxxxxxxx', cut: 92 })
    expect(jsonLine(long, at, none, 4, 4)).toMatchObject({ value: '"🙂', cut: 5 })
    const key = tokeniseJson('{"abcdefgh":1}')
    expect(jsonLine('{"abcdefgh":1}', key, none, 2, 4).key).toBe('"abc…')
  })

  it('are quick when there are many, and however deep', () => {
    const wide = tokeniseJson(JSON.stringify(Array.from({ length: 100_000 }, (_, i) => ({ i }))))
    const begin = performance.now()
    expect(visibleJsonRows(wide, none).length).toBe(2 + 300_000)
    expect(performance.now() - begin).toBeLessThan(1_000)
    const deep = tokeniseJson('['.repeat(100_000) + '1' + ']'.repeat(100_000))
    expect(visibleJsonRows(deep, none).length).toBe(200_001)
  })
})

describe('lineStarts', () => {
  it.each([
    ['', [0]],
    ['a', [0]],
    ['a\nb', [0, 2]],
    ['a\n', [0, 2]],
    ['abcdefghij', [0, 4, 8]],
    ['abcd\nef', [0, 5]],
    ['abc🙂def', [0, 3, 7]],
  ])('of %j', (text, starts) => expect(lineStarts(text, 4)).toEqual(starts))
})
