import { expect, test } from 'vitest'
import type { Message } from './messages'
import { samePrefix } from './prefix'
import { asAnthropic, asCurl, asMarkdown, asOpenAI } from './print'

const conversation: Message[] = [
  { role: 'system', name: null, parts: [{ type: 'text', text: 'Be short.' }] },
  { role: 'user', name: null, parts: [{ type: 'text', text: "What's in it?" }, { type: 'image', uri: 'data:image/png;base64,AAAA' }] },
  { role: 'assistant', name: null, parts: [{ type: 'reasoning', text: 'hm' }, { type: 'toolCall', id: 'c1', name: 'look', arguments: { at: 1 } }] },
  { role: 'tool', name: null, parts: [{ type: 'toolResult', id: 'c1', name: null, result: { a: 'cat' }, failed: false }] },
]

test('as OpenAI asks', () => {
  expect(asOpenAI('gpt-4o', conversation, { temperature: 0.2, maxTokens: 5, stream: true }, null)).toEqual({
    model: 'gpt-4o',
    temperature: 0.2,
    max_tokens: 5,
    messages: [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: [{ type: 'text', text: "What's in it?" }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] },
      { role: 'assistant', tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: '{\n  "a": "cat"\n}' },
    ],
  })
})

test('as Anthropic asks', () => {
  expect(asAnthropic('claude', conversation, null, null)).toEqual({
    model: 'claude',
    max_tokens: 1024,
    system: 'Be short.',
    messages: [
      { role: 'user', content: [{ type: 'text', text: "What's in it?" }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }] },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'c1', name: 'look', input: { at: 1 } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: '{\n  "a": "cat"\n}' }] },
    ],
  })
})

const schema = { type: 'object', properties: { city: { type: 'string' } } }
test.each([
  ['OpenAI', [{ type: 'function', function: { name: 'look', description: 'Looks', parameters: schema } }]],
  ['Anthropic', [{ name: 'look', description: 'Looks', input_schema: schema }, { type: 'web_search_20250305', name: 'web_search' }]],
  ['OpenTelemetry', [{ type: 'function', name: 'look', description: 'Looks', parameters: schema }]],
  ['the AI SDK', [{ type: 'function', name: 'look', description: 'Looks', inputSchema: schema }]],
  ['Bedrock', [{ toolSpec: { name: 'look', description: 'Looks', inputSchema: { json: schema } } }]],
  ['Gemini', [{ functionDeclarations: [{ name: 'look', description: 'Looks', parameters: schema }] }]],
])('tools as %s has them', (_, tools) => {
  expect(asOpenAI('gpt-4o', [], null, tools)).toMatchObject({ tools: [{ type: 'function', function: { name: 'look', description: 'Looks', parameters: schema } }] })
  expect(asAnthropic('claude', [], null, tools)).toMatchObject({ tools: [{ name: 'look', description: 'Looks', input_schema: schema }] })
})

test.each([null, {}, 'look', [null, 7, {}, { name: '' }]])('no tools: %j', (tools) => {
  expect(asOpenAI('gpt-4o', [], null, tools)).not.toHaveProperty('tools')
  expect(asAnthropic('claude', [], null, tools)).not.toHaveProperty('tools')
})

test('a tool without a schema takes nothing', () => {
  expect(asAnthropic('claude', [], null, [{ type: 'function', name: 'now', description: null, parameters: null }])).toMatchObject({ tools: [{ name: 'now', input_schema: { type: 'object', properties: {} } }] })
})

test('as Markdown, without the bytes of images', () => {
  const said = asMarkdown(conversation)
  expect(said).toContain("## user\n\nWhat's in it?\n\n[image]\n")
  expect(said).toContain('→ look({\n  "at": 1\n})')
  expect(said).not.toContain('AAAA')
})

test('as a command whose quotes hold', () => {
  expect(asCurl('https://api.example/v1', ['Authorization: Bearer $KEY'], { a: "it's" })).toBe(`curl https://api.example/v1 -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -d '{\n  "a": "it'\\''s"\n}'`)
})

test('what two conversations begin with', () => {
  expect(samePrefix(conversation, conversation)).toBe(4)
  expect(samePrefix(conversation.slice(0, 2), conversation)).toBe(2)
  expect(samePrefix([], conversation)).toBe(0)
  const [system, user] = conversation
  if (!system || !user) throw new Error('unreachable')
  expect(samePrefix([system, { ...user, parts: user.parts.slice(0, 1) }], conversation)).toBe(1)
  const call = (args: unknown): Message => ({ role: 'assistant', name: null, parts: [{ type: 'toolCall', id: null, name: 'f', arguments: args }] })
  expect(samePrefix([call({ a: 1, b: [1, { c: 2 }] })], [call({ b: [1, { c: 2 }], a: 1 })])).toBe(1)
  expect(samePrefix([call({ a: 1 })], [call({ a: 1, b: undefined })])).toBe(0)
  expect(samePrefix([call([1])], [call({ 0: 1 })])).toBe(0)
})
