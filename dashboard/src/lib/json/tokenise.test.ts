import { describe, expect, it } from 'vitest'
import { NodeKind, tokeniseJson, type JsonIndex } from './tokenise'

/** The values that an index holds, as text. */
const values = (text: string, index: JsonIndex) => Array.from({ length: index.count }, (_, n) => text.slice(index.start[n], index.end[n]))

/** Same numbers in every run. */
function generator(seed: number): (n: number) => number {
  return (n) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n
}

/** Whether JSON.parse takes a text. */
function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('tokeniseJson', () => {
  it('says where each value stands', () => {
    const text = ' {"a": [1, "x\\"y", {}], "b":null, "c":true , "d":false}\n'
    const index = tokeniseJson(text)
    expect(index.error).toBeNull()
    expect(values(text, index)).toEqual([text.trim(), '[1, "x\\"y", {}]', '1', '"x\\"y"', '{}', 'null', 'true', 'false'])
    expect([...index.kind]).toEqual([NodeKind.object, NodeKind.array, NodeKind.number, NodeKind.string, NodeKind.object, NodeKind.null, NodeKind.true, NodeKind.false])
    expect([...index.parent]).toEqual([-1, 0, 1, 1, 1, 0, 0, 0])
    expect([...index.next]).toEqual([8, 5, 3, 4, 5, 6, 7, 8])
    expect([...index.depth]).toEqual([0, 1, 2, 2, 2, 1, 1, 1])
    expect([...index.position]).toEqual([0, 0, 0, 1, 2, 1, 2, 3])
    expect([...index.size]).toEqual([4, 3, 0, 0, 0, 0, 0, 0])
    expect([...index.keyStart].map((at, n) => (at < 0 ? null : text.slice(at, index.keyEnd[n])))).toEqual([null, '"a"', null, null, null, '"b"', '"c"', '"d"'])
  })

  it('keeps what JSON.parse loses', () => {
    const text = '{"10":1,"2":2,"2":3,"n":12345678901234567890,"f":1.10,"e":1E400}'
    const index = tokeniseJson(text)
    expect(values(text, index).slice(1)).toEqual(['1', '2', '3', '12345678901234567890', '1.10', '1E400'])
  })

  it.each(['0', '-0', '1.5e+10', '""', '"\\u00e9\\ud83d"', 'true', ' null ', '[]', '{}', '[[],[{}]]', '\t[\r\n1 ]', '{"":0}'])('takes %j', (text) => {
    expect(parses(text)).toBe(true)
    expect(tokeniseJson(text).error).toBeNull()
  })

  it.each([
    ['', 0, 'The text ends where a value is missing'],
    ['  ', 2, 'The text ends where a value is missing'],
    ['[1,]', 3, 'This begins no value'],
    ['[1 2]', 3, 'A comma or ] is missing'],
    ['{"a":1', 6, 'A comma or } is missing'],
    ['{"a" 1}', 5, 'A colon is missing behind the key'],
    ['{a:1}', 1, 'A key in double quotes is missing'],
    ['{"a":1,}', 7, 'A key in double quotes is missing'],
    ['{"a":}', 5, 'This begins no value'],
    ['"abc', 0, 'This string has no end'],
    ['"abc\\', 0, 'This string has no end'],
    ['"\\u12', 0, 'This string has no end'],
    ['"\\u12x4"', 5, 'Four hexadecimal digits follow \\u'],
    ['"\\x"', 2, 'There is no such escape'],
    ['"a\nb"', 2, 'A control character stands in a string'],
    ['01', 1, 'A number does not begin with 0'],
    ['-', 1, 'A digit is missing'],
    ['1.', 2, 'A digit is missing'],
    ['1e', 2, 'A digit is missing'],
    ['+1', 0, 'This begins no value'],
    ['nul', 0, 'This begins no value'],
    ['NaN', 0, 'This begins no value'],
    ['{} {}', 3, 'Something follows the end of the value'],
    ['\ufeff{}', 0, 'This begins no value'],
    ['[1}', 2, 'A comma or ] is missing'],
  ])('refuses %j at %i', (text, offset, reason) => {
    expect(parses(text)).toBe(false)
    const index = tokeniseJson(text)
    expect(index.error).toMatchObject({ offset, reason })
    expect(index.count).toBe(0)
  })

  it('gives line and column of what is wrong', () => {
    expect(tokeniseJson('{\n  "a": 1,\n  "b": x\n}').error).toEqual({ offset: 19, line: 3, column: 8, reason: 'This begins no value' })
    expect(tokeniseJson('\n[').error).toMatchObject({ offset: 2, line: 2, column: 2 })
  })

  it('is of one mind with JSON.parse about whatever comes', () => {
    const random = generator(7)
    const pieces = ['{', '}', '[', ']', ',', ':', '"', '"a"', '"\\', '\\u00', '1', '-', '.', 'e', '0', 'true', 'null', ' ', '\n', '日', '\u0001', '"k":']
    let taken = 0
    for (let n = 0; n < 20_000; n++) {
      const text = Array.from({ length: 1 + random(9) }, () => pieces[random(pieces.length)]).join('')
      const whole = parses(text)
      if (whole) taken++
      expect(tokeniseJson(text).error === null, text).toBe(whole)
    }
    expect(taken).toBeGreaterThan(100)
  })

  it('reads back any value', () => {
    const random = generator(11)
    const value = (depth: number): unknown => {
      switch (random(depth > 4 ? 4 : 6)) {
        case 0:
          return random(1_000_000) / 7
        case 1:
          return ['', 'a"b\\c', '日本語\n', '\u0000🙂', 'x'.repeat(random(50))][random(5)]
        case 2:
          return random(2) === 0
        case 3:
          return null
        case 4:
          return Array.from({ length: random(5) }, () => value(depth + 1))
        default:
          return Object.fromEntries(Array.from({ length: random(5) }, (_, i) => [`k"${i}`, value(depth + 1)]))
      }
    }
    const rebuilt = (text: string, index: JsonIndex, node: number): unknown => {
      if ((index.kind[node] ?? 0) > NodeKind.array) return JSON.parse(text.slice(index.start[node], index.end[node]))
      const inside: [string, unknown][] = []
      for (let at = node + 1; at < (index.next[node] ?? 0); at = index.next[at] ?? 0) {
        const key = index.keyStart[at] ?? -1
        inside.push([key < 0 ? '' : (JSON.parse(text.slice(key, index.keyEnd[at])) as string), rebuilt(text, index, at)]) // a key is a string
      }
      return index.kind[node] === NodeKind.object ? Object.fromEntries(inside) : inside.map(([, v]) => v)
    }
    for (let n = 0; n < 500; n++) {
      const made = value(0)
      const text = JSON.stringify(made, null, random(3))
      expect(rebuilt(text, tokeniseJson(text), 0)).toEqual(JSON.parse(text))
    }
  })

  it('goes as deep as the text does', () => {
    const depth = 200_000
    const index = tokeniseJson('['.repeat(depth) + ']'.repeat(depth))
    expect(index.error).toBeNull()
    expect(index.depth[depth - 1]).toBe(depth - 1)
    expect(tokeniseJson('['.repeat(depth)).error?.offset).toBe(depth)
  })

  it('is quick about 6 million characters', () => {
    const text = JSON.stringify(Array.from({ length: 60_000 }, (_, i) => ({ id: i, name: `span ${i}`, cost: 0.0123, tags: ['a', 'b'], text: 'Some words of a prompt that are here for their length.' })))
    const begin = performance.now()
    const index = tokeniseJson(text)
    const took = performance.now() - begin
    expect(text.length).toBeGreaterThan(6_000_000)
    expect(index.count).toBe(1 + 60_000 * 8)
    expect(took).toBeLessThan(2_000) // about 100 ms alone; much room for a machine that does other things
  })
})
