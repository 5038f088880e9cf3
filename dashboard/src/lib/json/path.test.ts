import { describe, expect, it } from 'vitest'
import { copyTextOf, decodeString, keyOf, nodeAt, pathOf, stepsTo } from './path'
import { tokeniseJson } from './tokenise'

const text = '{"messages":[{"content":"a\\nb"},{"x y":{"~/":1}}],"é\\"":[[true]],"\\u0061":2}'
const index = tokeniseJson(text)

describe('pathOf', () => {
  it.each([
    [0, '$', '.', ''],
    [3, '$.messages[0].content', '.messages[0].content', '/messages/0/content'],
    [6, '$.messages[1]["x y"]["~/"]', '.messages[1]["x y"]["~/"]', '/messages/1/x y/~0~1'],
    [9, '$["é\\""][0][0]', '.["é\\""][0][0]', '/é"/0/0'],
    [10, '$.a', '.a', '/a'],
  ])('of node %i', (node, jsonpath, jq, pointer) => {
    expect(pathOf(text, index, node)).toBe(jsonpath)
    expect(pathOf(text, index, node, 'jq')).toBe(jq)
    expect(pathOf(text, index, node, 'pointer')).toBe(pointer)
  })

  it('leads to the value', () => {
    for (let node = 0; node < index.count; node++) {
      let value: unknown = JSON.parse(text)
      for (const step of stepsTo(text, index, node)) value = (value as Record<string | number, unknown>)[step] // each step but the last leads to a container
      expect(value).toEqual(JSON.parse(text.slice(index.start[node], index.end[node])))
    }
  })

  it('of an array begins with a dot in jq', () => {
    const list = tokeniseJson('[1]')
    expect(pathOf('[1]', list, 1, 'jq')).toBe('.[0]')
    expect(pathOf('[1]', list, 1)).toBe('$[0]')
  })
})

it('copies text of strings, and what is stored of all else', () => {
  expect(copyTextOf(text, index, 3)).toBe('a\nb')
  expect(copyTextOf(text, index, 8)).toBe('[true]')
  expect(copyTextOf('12345678901234567890', tokeniseJson('12345678901234567890'), 0)).toBe('12345678901234567890')
})

it('decodes keys', () => {
  expect(keyOf(text, index, 10)).toBe('a')
  expect(keyOf(text, index, 0)).toBeNull()
  expect(decodeString('"\\ud83d\\ude42\\/"', 0, 16)).toBe('🙂/')
})

it('finds the node at an offset', () => {
  const at = (part: string) => nodeAt(index, text.indexOf(part))
  expect(at('messages')).toBe(1)
  expect(at('"content"')).toBe(3)
  expect(at('a\\nb')).toBe(3)
  expect(at(',{"x')).toBe(1)
  expect(at(',"é')).toBe(0)
  expect(nodeAt(index, text.length)).toBe(-1)
  expect(nodeAt(tokeniseJson('  1'), 0)).toBe(-1)
  expect(nodeAt(tokeniseJson('x'), 0)).toBe(-1)
})
