import { describe, expect, it } from 'vitest'
import { messagesOf, messagesOfRequest, messagesOfResponse, type Message } from './messages'

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

it('throws at nothing', () => {
  for (const value of [null, undefined, 0, true, '', [], {}, [null], [[]], { messages: 5 }, { messages: [{ content: [null, 3, { type: 7 }] }] }, { choices: [null] }, { output: [1] }, { candidates: [{}] }, { tool_calls: 1 }, [{ role: 'user', tool_calls: [{ type: 'function' }] }]]) {
    expect(() => [messagesOf(value), messagesOfRequest(value), messagesOfResponse(value)]).not.toThrow()
  }
})

describe('what is unusual', () => {
  const partsOf = (content: unknown) => messagesOf([{ role: 'user', content }])[0]?.parts

  it.each<[string, unknown, Message['parts']]>([
    ['text in an object', { type: 'text', text: { value: 'hi', annotations: [] } }, [{ type: 'text', text: 'hi' }]],
    ['text that is none', { type: 'text', text: 5 }, [{ type: 'json', value: { type: 'text', text: 5 } }]],
    ['a file of chat completions', { type: 'file', file: { file_id: 'f1' } }, [{ type: 'file', uri: 'f1', mediaType: null }]],
    ['a file of responses', { type: 'input_file', file_url: 'https://x/y.pdf' }, [{ type: 'file', uri: 'https://x/y.pdf', mediaType: null }]],
    ['sound', { type: 'input_audio', input_audio: { data: 'AA', format: 'wav' } }, [{ type: 'file', uri: 'data:audio/wav;base64,AA', mediaType: 'audio/wav' }]],
    ['a document of Anthropic', { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'AA' } }, [{ type: 'file', uri: 'data:application/pdf;base64,AA', mediaType: 'application/pdf' }]],
    ['a file of Google', { fileData: { mimeType: 'video/mp4', fileUri: 'gs://v' } }, [{ type: 'file', uri: 'gs://v', mediaType: 'video/mp4' }]],
    ['a picture of Google', { fileData: { mimeType: 'image/png', fileUri: 'gs://p' } }, [{ type: 'image', uri: 'gs://p' }]],
    ['a tool of an MCP server', { type: 'mcp_tool_use', id: 'm1', name: 'find', input: {} }, [{ type: 'toolCall', id: 'm1', name: 'find', arguments: {} }]],
    ['what such a tool gave', { type: 'mcp_tool_result', tool_use_id: 'm1', is_error: true, content: [{ type: 'text', text: 'no' }] }, [{ type: 'toolResult', id: 'm1', name: null, result: 'no', failed: true }]],
  ])('%s', (_, content, parts) => expect(partsOf([content])).toEqual(parts))

  it('keeps integers that a number cannot hold', () => {
    const args = (json: string) => messagesOf([{ role: 'assistant', tool_calls: [{ type: 'function', id: 'c', function: { name: 'f', arguments: json } }] }])[0]?.parts[0]
    expect(args('{"id":12345678901234567890}')).toMatchObject({ arguments: '{"id":12345678901234567890}' })
    expect(args('{"id":1234}')).toMatchObject({ arguments: { id: 1234 } })
  })

  it('never throws, whatever comes', () => {
    let seed = 9
    const random = (n: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n
    const keys = ['role', 'type', 'content', 'parts', 'text', 'tool_calls', 'function', 'function_call', 'name', 'id', 'arguments', 'input', 'output', 'choices', 'message', 'candidates', 'system', 'messages', 'contents', 'source', 'image_url', 'summary', 'thinking', 'functionCall', 'functionResponse', 'inlineData', 'file', 'input_audio', 'fileData', 'config', 'systemInstruction', 'refusal', 'reasoning']
    const words = ['user', 'tool', 'model', 'text', 'message', 'tool_use', 'tool_result', 'function', 'function_call', 'function_call_output', 'reasoning', 'thinking', 'image', 'image_url', 'input_image', 'input_file', 'input_audio', 'file', 'document', 'refusal', '{"a":', '', '\ud83d']
    const value = (depth: number): unknown => {
      const n = random(depth > 5 ? 4 : 8)
      if (n === 0) return [null, undefined, true, 0, Number.NaN][random(5)]
      if (n < 4) return words[random(words.length)]
      if (n === 4) return Array.from({ length: random(4) }, () => value(depth + 1))
      return Object.fromEntries(Array.from({ length: 1 + random(4) }, () => [keys[random(keys.length)], value(depth + 1)]))
    }
    const roles = new Set(['string'])
    for (let n = 0; n < 5_000; n++) {
      const made = value(0)
      for (const messages of [messagesOf(made), messagesOfRequest(made), messagesOfResponse(made)]) {
        for (const message of messages) roles.add(typeof message.role)
        expect(Array.isArray(messages)).toBe(true)
      }
    }
    expect([...roles]).toEqual(['string'])
  })

  it('never throws at what is very deep', () => {
    for (const [open, close] of [['{"type":"text","text":', '}'], ['{"content":', '}'], ['[', ']'], ['{"type":"reasoning","summary":', '}'], ['{"functionCall":{"args":', '}}']] as const) {
      const deep: unknown = JSON.parse(`${open.repeat(50_000)}1${close.repeat(50_000)}`)
      for (const read of [messagesOf, messagesOfRequest, messagesOfResponse]) expect(Array.isArray(read(deep))).toBe(true)
    }
  })
})
