import type { Message, Part } from './messages'

/** Parts as text, for copies and for comparing: what has no words is named. */
function printPart(part: Part): string {
  switch (part.type) {
    case 'text':
      return part.text
    case 'reasoning':
      return `<reasoning>\n${part.text}\n</reasoning>`
    case 'toolCall':
      return `→ ${part.name}(${json(part.arguments)})`
    case 'toolResult':
      return `← ${part.failed ? 'failed: ' : ''}${typeof part.result === 'string' ? part.result : json(part.result)}`
    case 'image':
      return `[image${part.uri && !part.uri.startsWith('data:') ? ` ${part.uri}` : ''}]`
    case 'file':
      return `[file${part.mediaType ? ` ${part.mediaType}` : ''}${part.uri && !part.uri.startsWith('data:') ? ` ${part.uri}` : ''}]`
    case 'json':
      return json(part.value)
  }
}

const json = (value: unknown) => JSON.stringify(value, null, 2) ?? ''

/** A conversation as Markdown: the role as a heading, then what was said. */
export function asMarkdown(messages: readonly Message[]): string {
  return messages.map((m) => `## ${m.role}${m.name ? ` ${m.name}` : ''}\n\n${m.parts.map(printPart).join('\n\n')}\n`).join('\n')
}

const text = (value: unknown) => (typeof value === 'string' ? value : json(value))
const plain = (message: Message) => message.parts.every((p) => p.type === 'text')
const words = (message: Message) => message.parts.map((p) => (p.type === 'text' ? p.text : printPart(p))).join('\n')

interface Tool {
  name: string
  description: string | undefined
  /** Of its arguments. */
  schema: object
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What a call was given to use, from whichever provider's shape. A tool without a name, or of the provider's own, cannot be given again. */
function toolsOf(value: unknown): Tool[] {
  return (Array.isArray(value) ? value : []).flatMap((it: unknown) => {
    if (!isObject(it)) return []
    if (Array.isArray(it['functionDeclarations'])) return toolsOf(it['functionDeclarations']) // Gemini's
    const tool = [it['function'], it['toolSpec']].find(isObject) ?? it // OpenAI's, Bedrock's
    const { name, description } = tool
    if (typeof name !== 'string' || name === '') return []
    const given = [tool['parameters'], tool['input_schema'], tool['inputSchema']].find(isObject)
    if (!given && typeof it['type'] === 'string' && it['type'] !== 'function') return [] // such as Anthropic's web_search
    const schema = given && isObject(given['json']) ? given['json'] : (given ?? { type: 'object', properties: {} })
    return [{ name, description: typeof description === 'string' ? description : undefined, schema }]
  })
}

const optionalTools = (tools: object[]) => (tools.length > 0 ? { tools } : {})

/** The request body of OpenAI's chat completions that asks the same. */
export function asOpenAI(model: string, messages: readonly Message[], parameters: unknown, tools: unknown): object {
  const given = toolsOf(tools).map(({ schema, ...tool }) => ({ type: 'function', function: { ...tool, parameters: schema } }))
  return { model, ...settings(parameters), ...optionalTools(given), messages: messages.flatMap(openAIMessage) }
}

function openAIMessage(message: Message): object[] {
  const results = message.parts.filter((p) => p.type === 'toolResult')
  if (results.length > 0) return results.map((p) => ({ role: 'tool', tool_call_id: p.id ?? '', content: text(p.result) }))
  const calls = message.parts.filter((p) => p.type === 'toolCall')
  const rest = message.parts.filter((p) => p.type !== 'toolCall' && p.type !== 'reasoning')
  const content = rest.every((p) => p.type === 'text')
    ? rest.map((p) => p.text).join('\n')
    : rest.map((p) => (p.type === 'image' && p.uri ? { type: 'image_url', image_url: { url: p.uri } } : { type: 'text', text: p.type === 'text' ? p.text : printPart(p) }))
  return [
    {
      role: message.role,
      ...(rest.length > 0 || calls.length === 0 ? { content } : {}),
      ...(calls.length > 0 ? { tool_calls: calls.map((p) => ({ id: p.id ?? '', type: 'function', function: { name: p.name, arguments: typeof p.arguments === 'string' ? p.arguments : JSON.stringify(p.arguments) } })) } : {}),
    },
  ]
}

/** The request body of Anthropic's messages that asks the same. */
export function asAnthropic(model: string, messages: readonly Message[], parameters: unknown, tools: unknown): object {
  const system = messages.filter((m) => m.role === 'system' || m.role === 'developer').map(words).join('\n\n')
  return {
    model,
    max_tokens: 1024, // it must be there
    ...settings(parameters),
    ...(system ? { system } : {}),
    ...optionalTools(toolsOf(tools).map(({ schema, ...tool }) => ({ ...tool, input_schema: schema }))),
    messages: messages
      .filter((m) => m.role !== 'system' && m.role !== 'developer')
      .map((m) => ({ role: m.role === 'assistant' ? 'assistant' : 'user', content: plain(m) ? words(m) : m.parts.flatMap(anthropicPart) })),
  }
}

function anthropicPart(part: Part): object[] {
  switch (part.type) {
    case 'toolCall':
      return [{ type: 'tool_use', id: part.id ?? '', name: part.name, input: part.arguments ?? {} }]
    case 'toolResult':
      return [{ type: 'tool_result', tool_use_id: part.id ?? '', content: text(part.result), ...(part.failed ? { is_error: true } : {}) }]
    case 'image': {
      const data = /^data:([^;,]+);base64,(.*)$/s.exec(part.uri ?? '')
      return part.uri ? [{ type: 'image', source: data ? { type: 'base64', media_type: data[1], data: data[2] } : { type: 'url', url: part.uri } }] : []
    }
    case 'reasoning':
      return [] // needs a signature that is not kept
    default:
      return [{ type: 'text', text: printPart(part) }]
  }
}

const settingNames = ['temperature', 'top_p', 'top_k', 'max_tokens', 'max_completion_tokens', 'stop', 'stop_sequences', 'seed', 'presence_penalty', 'frequency_penalty']

/** The parameters of a call that both providers know by these names. */
function settings(parameters: unknown): Record<string, unknown> {
  if (typeof parameters !== 'object' || parameters === null) return {}
  return Object.fromEntries(Object.entries(parameters).flatMap(([name, value]) => {
    const known = name.replaceAll(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
    return settingNames.includes(known) && value !== null ? [[known, value]] : []
  }))
}

/** A command that sends a body; the key is the shell's. */
export function asCurl(url: string, headers: string[], body: object): string {
  return `curl ${url} ${[...headers, 'Content-Type: application/json'].map((h) => `-H "${h}"`).join(' ')} -d '${JSON.stringify(body, null, 2).replaceAll("'", "'\\''")}'`
}
