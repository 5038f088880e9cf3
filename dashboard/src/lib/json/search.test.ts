import { describe, expect, it } from 'vitest'
import { searchJson, type SearchOptions } from './search'
import { tokeniseJson } from './tokenise'

const find = (text: string, query: string, options?: SearchOptions) =>
  searchJson(text, tokeniseJson(text), query, options).hits.map((h) => `${text.slice(h.start, h.end)}@${h.node}${h.inKey ? ' key' : ''}`)

describe('searchJson', () => {
  it.each<[string, string, string[]]>([
    ['{"name":"Name","n":[true,12]}', 'name', ['name@1 key', 'Name@1']],
    ['{"name":"Name","n":[true,12]}', 'tru', ['tru@3']],
    ['{"name":"Name","n":[true,12]}', '1', ['1@4']],
    ['["a.b","axb"]', 'a.b', ['a.b@1']],
    ['["(a)"]', '(A)', ['(a)@1']],
    ['["x"]', '', []],
    ['["x"]', '[', []],
    ['["x","y"]', 'x","y', []],
    ['{"a":1}', 'a":1', []],
    ['["aaa"]', 'aa', ['aa@1']],
  ])('in %s of %s', (text, query, hits) => expect(find(text, query)).toEqual(hits))

  it('finds what is escaped', () => {
    expect(find('["\\u30c6\\u30f3\\u30C8"]', 'テント')).toEqual(['\\u30c6\\u30f3\\u30C8@1'])
    expect(find('["\\ud83d\\ude42"]', '🙂')).toEqual(['\\ud83d\\ude42@1'])
    expect(find('["\\u00c9t\\u00e9"]', 'été')).toEqual(['\\u00c9t\\u00e9@1'])
    expect(find('["\\u00c9"]', 'é', { matchCase: true })).toEqual([])
    expect(find('["say \\"hi\\""]', '"hi"')).toEqual(['\\"hi\\"@1'])
    expect(find('["a\\nb"]', 'a\nb')).toEqual(['a\\nb@1'])
    expect(find('["\\u003cb>"]', '<b>')).toEqual(['\\u003cb>@1'])
    expect(find('["a\\\\b"]', 'a\\b')).toEqual(['a\\\\b@1'])
    expect(find('["http:\\/\\/x"]', '//x')).toEqual(['\\/\\/x@1'])
  })

  it('does not find how things are escaped', () => {
    expect(find('["a\\nb"]', 'n')).toEqual([])
    expect(find('["a\\nb"]', 'nb')).toEqual([])
    expect(find('["\\u00e9"]', '00e9')).toEqual([])
    expect(find('["\\u00e9"]', 'e')).toEqual([])
    expect(find('["a\\\\nb"]', 'nb')).toEqual(['nb@1'])
    expect(find('["\\\\u00e9"]', 'e9')).toEqual(['e9@1'])
    expect(find('["\\\\"]', '\\')).toEqual(['\\\\@1'])
  })

  it('matches case where asked', () => {
    expect(find('["Aa"]', 'a')).toEqual(['A@1', 'a@1'])
    expect(find('["Aa"]', 'a', { matchCase: true })).toEqual(['a@1'])
    expect(find('["İi"]', 'i')).toEqual(['i@1'])
  })

  it('stops at the limit and says so', () => {
    const text = JSON.stringify(Array.from({ length: 10 }, () => 'x'))
    const index = tokeniseJson(text)
    expect(searchJson(text, index, 'x', { limit: 3 })).toMatchObject({ more: true, hits: { length: 3 } })
    expect(searchJson(text, index, 'x', { limit: 10 })).toMatchObject({ more: false, hits: { length: 10 } })
  })

  it('searches plain text where it is no JSON', () => {
    expect(find('Error: "a\\nb" (x)', 'NB')).toEqual(['nb@-1'])
    expect(find('Error: (x)', '(X)')).toEqual(['(x)@-1'])
  })

  it('goes past what is half of a character', () => {
    expect(find('{"🙂":{}}', '🙂')).toEqual(['🙂@1 key'])
    expect(find('["\\🙂"]', '🙂')).toEqual(['🙂@-1']) // no JSON, so plain text
  })

  it('is of one mind with a search of the decoded texts', () => {
    let seed = 5
    const random = (n: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n
    const letters = ['a', 'n', 'u', '0', '\\', '"', '\n', 'é', '日', '🙂', '/', '<']
    const word = (n: number) => Array.from({ length: n }, () => letters[random(letters.length)]).join('')
    const ascii = (json: string) => json.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    for (let n = 0; n < 3_000; n++) {
      const strings = Array.from({ length: 3 }, () => word(random(8)))
      const query = word(1 + random(2))
      const text = random(2) === 0 ? JSON.stringify(strings) : ascii(JSON.stringify(strings))
      let count = 0
      for (const s of strings) for (let at = s.indexOf(query); at >= 0; at = s.indexOf(query, at + query.length)) count++
      expect(find(text, query, { matchCase: true }).length, `${text} ${query}`).toBe(count)
    }
  })
})
