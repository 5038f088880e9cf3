import { describe, expect, it } from 'vitest'
import { messagesOf, messagesOfRequest, messagesOfResponse, previewOf, type Message } from './messages'

const said = (role: string, text: string): Message => ({ role, name: null, parts: [{ type: 'text', text }] })

describe('requests', () => {
  it('of OpenAI chat completions', () => {
    expect(
      messagesOfRequest({
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } }] },
          { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } }] },
          { role: 'tool', tool_call_id: 'c1', content: '{"ok":true}' },
        ],
      }),
    ).toEqual([
      said('system', 'Be brief.'),
      { role: 'user', name: null, parts: [{ type: 'text', text: 'What is this?' }, { type: 'image', uri: 'data:image/png;base64,AA' }] },
      { role: 'assistant', name: null, parts: [{ type: 'toolCall', id: 'c1', name: 'look', arguments: { at: 1 } }] },
      { role: 'tool', name: null, parts: [{ type: 'toolResult', id: 'c1', name: null, result: { ok: true }, failed: false }] },
    ])
  })

  it('of OpenAI responses', () => {
    expect(
      messagesOfRequest({
        instructions: 'Be brief.',
        input: [
          { role: 'user', content: 'Weather?' },
          { type: 'reasoning', summary: [{ type: 'summary_text', text: 'I look.' }] },
          { type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{}' },
          { type: 'function_call_output', call_id: 'c1', output: 'sun' },
        ],
      }),
    ).toEqual([
      said('system', 'Be brief.'),
      said('user', 'Weather?'),
      { role: 'assistant', name: null, parts: [{ type: 'reasoning', text: 'I look.' }, { type: 'toolCall', id: 'c1', name: 'weather', arguments: {} }] },
      { role: 'tool', name: null, parts: [{ type: 'toolResult', id: 'c1', name: null, result: 'sun', failed: false }] },
    ])
  })

  it('of Anthropic', () => {
    expect(
      messagesOfRequest({
        system: [{ type: 'text', text: 'Be brief.' }],
        messages: [
          { role: 'user', content: 'Weather?' },
          { role: 'assistant', content: [{ type: 'thinking', thinking: 'Hm.' }, { type: 'tool_use', id: 't1', name: 'weather', input: { city: 'Oslo' } }] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', is_error: true, content: [{ type: 'text', text: 'no net' }] }] },
        ],
      }),
    ).toEqual([
      said('system', 'Be brief.'),
      said('user', 'Weather?'),
      { role: 'assistant', name: null, parts: [{ type: 'reasoning', text: 'Hm.' }, { type: 'toolCall', id: 't1', name: 'weather', arguments: { city: 'Oslo' } }] },
      { role: 'user', name: null, parts: [{ type: 'toolResult', id: 't1', name: null, result: 'no net', failed: true }] },
    ])
  })

  it('of Google', () => {
    expect(messagesOfRequest({ systemInstruction: { parts: [{ text: 'Be brief.' }] }, contents: [{ role: 'user', parts: [{ text: 'Hi' }] }, { role: 'model', parts: [{ functionCall: { name: 'f', args: { a: 1 } } }] }] })).toEqual([
      said('system', 'Be brief.'),
      said('user', 'Hi'),
      { role: 'assistant', name: null, parts: [{ type: 'toolCall', id: null, name: 'f', arguments: { a: 1 } }] },
    ])
  })

  it('of plain text, and of nothing known', () => {
    expect(messagesOfRequest('Hello')).toEqual([said('user', 'Hello')])
    expect(messagesOfRequest({ prompt: 'Hello' })).toEqual([said('user', 'Hello')])
    expect(messagesOfRequest({ a: 1 })).toEqual([{ role: 'user', name: null, parts: [{ type: 'json', value: { a: 1 } }] }])
    expect(messagesOfRequest(null)).toEqual([])
  })
})

describe('answers', () => {
  it.each([
    ['OpenAI chat completions', { choices: [{ message: { role: 'assistant', content: 'Hi' } }] }],
    ['OpenAI completions', { choices: [{ text: 'Hi' }] }],
    ['OpenAI responses', { output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] }] }],
    ['Anthropic', { role: 'assistant', content: [{ type: 'text', text: 'Hi' }] }],
    ['Google', { candidates: [{ content: { role: 'model', parts: [{ text: 'Hi' }] } }] }],
    ['JSON in a string', '{"choices":[{"message":{"role":"assistant","content":"Hi"}}]}'],
    ['text', 'Hi'],
  ])('of %s', (_, response) => expect(messagesOfResponse(response)).toEqual([said('assistant', 'Hi')]))
})

it("reads Pulse's own", () => {
  expect(messagesOf([{ role: 'assistant', parts: [{ type: 'text', text: 'I look.' }, { type: 'tool_call', id: 'c', name: 'f', arguments: { a: 1 } }] }, { role: 'tool', parts: [{ type: 'tool_result', id: 'c', result: 'x' }] }])).toEqual([
    { role: 'assistant', name: null, parts: [{ type: 'text', text: 'I look.' }, { type: 'toolCall', id: 'c', name: 'f', arguments: { a: 1 } }] },
    { role: 'tool', name: null, parts: [{ type: 'toolResult', id: 'c', name: null, result: 'x', failed: false }] },
  ])
})

it('previews the last of a role', () => {
  expect(previewOf([said('system', 'x'), said('user', 'a\n b'), said('assistant', 'c')], 'user')).toBe('a b')
  expect(previewOf([])).toBe('')
})

it('throws at nothing', () => {
  for (const value of [null, undefined, 0, true, '', [], {}, [null], [[]], { messages: 5 }, { messages: [{ content: [null, 3, { type: 7 }] }] }, { choices: [null] }, { output: [1] }, { candidates: [{}] }, { tool_calls: 1 }, [{ role: 'user', tool_calls: [{ type: 'function' }] }]]) {
    expect(() => [messagesOf(value), messagesOfRequest(value), messagesOfResponse(value), previewOf(messagesOf(value))]).not.toThrow()
  }
})
