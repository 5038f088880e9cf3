/**
 * Messages in one shape, from whatever a provider or Pulse's own mapping calls
 * them. The shapes read here: OpenAI's chat completions and responses, Anthropic's
 * messages, Google's generateContent, and Pulse's (docs/data-model.md). What is
 * none of these is kept as it is, as JSON; nothing throws.
 */
export type Part =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  | { type: 'toolCall'; id: string | null; name: string; arguments: unknown }
  | { type: 'toolResult'; id: string | null; name: string | null; result: unknown; failed: boolean }
  | { type: 'image'; uri: string | null }
  | { type: 'file'; uri: string | null; mediaType: string | null }
  | { type: 'json'; value: unknown }

export interface Message {
  role: string
  name: string | null
  parts: Part[]
}

type Fields = Record<string, unknown>

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined || value === null ? [] : [value])

/** An integer that may be beyond 2^53, outside of quotes or at the begin of some. */
const longInteger = /(?:^|[:[,\s])-?\d{16,}/

/**
 * Arguments that are JSON in a string, as OpenAI sends them. With integers that a
 * number cannot hold they stay text: better unformatted than wrong.
 */
function unwrap(value: unknown): unknown {
  if (typeof value !== 'string' || longInteger.test(value)) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

function partOf(value: unknown): Part[] {
  if (typeof value === 'string') return value === '' ? [] : [{ type: 'text', text: value }]
  if (!isObject(value)) return value === null || value === undefined ? [] : [{ type: 'json', value }]
  const type = text(value['type'])
  switch (type) {
    case 'text':
    case 'input_text':
    case 'output_text':
    case 'summary_text':
      return textPart(value, isObject(value['text']) ? value['text']['value'] : value['text'])
    case 'refusal':
      return textPart(value, value['refusal'])
    case 'reasoning':
    case 'thinking': {
      const said = text(value['text']) ?? text(value['thinking']) ?? list(value['summary']).map((s) => (isObject(s) ? (text(s['text']) ?? '') : '')).join('\n')
      return said === '' ? [] : [{ type: 'reasoning', text: said }]
    }
    case 'tool_call':
    case 'tool_use':
    case 'server_tool_use':
    case 'mcp_tool_use':
      return [{ type: 'toolCall', id: text(value['id']), name: text(value['name']) ?? 'tool', arguments: unwrap(value['arguments'] ?? value['input'] ?? null) }]
    case 'function_call':
    case 'custom_tool_call':
      return [{ type: 'toolCall', id: text(value['call_id']) ?? text(value['id']), name: text(value['name']) ?? 'tool', arguments: unwrap(value['arguments'] ?? value['input'] ?? null) }]
    case 'function':
      return isObject(value['function']) ? [{ type: 'toolCall', id: text(value['id']), name: text(value['function']['name']) ?? 'tool', arguments: unwrap(value['function']['arguments'] ?? null) }] : [{ type: 'json', value }]
    case 'tool_result':
    case 'mcp_tool_result':
    case 'web_search_tool_result':
    case 'web_fetch_tool_result':
    case 'code_execution_tool_result':
    case 'bash_code_execution_tool_result':
    case 'text_editor_code_execution_tool_result':
      return [{ type: 'toolResult', id: text(value['tool_use_id']) ?? text(value['id']), name: text(value['name']), result: flat(value['result'] ?? value['content'] ?? null), failed: value['is_error'] === true }]
    case 'function_call_output':
    case 'custom_tool_call_output':
      return [{ type: 'toolResult', id: text(value['call_id']), name: null, result: unwrap(value['output'] ?? null), failed: false }]
    case 'image_url':
      return [{ type: 'image', uri: text(value['image_url']) ?? (isObject(value['image_url']) ? text(value['image_url']['url']) : null) }]
    case 'input_image':
      return [{ type: 'image', uri: text(value['image_url']) }]
    case 'image':
      return [{ type: 'image', uri: text(value['uri']) ?? source(value['source']) }]
    case 'input_file':
    case 'input_audio': {
      const audio = isObject(value['input_audio']) ? value['input_audio'] : {}
      const [data, format] = [text(audio['data']), text(audio['format'])]
      if (data && format) return [{ type: 'file', uri: `data:audio/${format};base64,${data}`, mediaType: `audio/${format}` }]
      return [{ type: 'file', uri: text(value['file_data']) ?? text(value['file_url']) ?? text(value['file_id']), mediaType: null }]
    }
    case 'audio':
    case 'file':
    case 'document':
      if (text(value['text'])) return partOf(value['text'])
      return [{ type: 'file', uri: text(value['uri']) ?? source(value['source']) ?? chatFile(value['file']), mediaType: text(value['mimeType']) ?? (isObject(value['source']) ? text(value['source']['media_type']) : null) }]
    default:
      if (type === null) return googlePart(value)
      return [{ type: 'json', value }]
  }
}

/** Text where there is some; else the whole as it is. */
function textPart(whole: Fields, said: unknown): Part[] {
  return typeof said === 'string' || said === null || said === undefined ? partOf(said) : [{ type: 'json', value: whole }]
}

/** The file of a part of OpenAI's chat completions. */
const chatFile = (value: unknown): string | null => (isObject(value) ? (text(value['file_data']) ?? text(value['file_id'])) : null)

function source(value: unknown): string | null {
  if (!isObject(value)) return null
  const data = text(value['data'])
  const media = text(value['media_type'])
  return data && media ? `data:${media};base64,${data}` : text(value['url'])
}

/** What a tool answered: content of one text is that text. */
function flat(value: unknown): unknown {
  const parts = Array.isArray(value) ? value : null
  if (parts && parts.every((p) => isObject(p) && p['type'] === 'text' && typeof p['text'] === 'string')) return unwrap(parts.map((p) => (isObject(p) ? String(p['text']) : '')).join('\n'))
  return unwrap(value)
}

function googlePart(value: Fields): Part[] {
  if (typeof value['text'] === 'string') return value['thought'] === true ? [{ type: 'reasoning', text: value['text'] }] : partOf(value['text'])
  const call = value['functionCall'] ?? value['function_call']
  if (isObject(call)) return [{ type: 'toolCall', id: text(call['id']), name: text(call['name']) ?? 'tool', arguments: call['args'] ?? null }]
  const answer = value['functionResponse'] ?? value['function_response']
  if (isObject(answer)) return [{ type: 'toolResult', id: text(answer['id']), name: text(answer['name']), result: answer['response'] ?? null, failed: false }]
  const file = value['fileData'] ?? value['file_data']
  if (isObject(file)) {
    const media = text(file['mimeType']) ?? text(file['mime_type'])
    const uri = text(file['fileUri']) ?? text(file['file_uri'])
    return [media?.startsWith('image/') ? { type: 'image', uri } : { type: 'file', uri, mediaType: media }]
  }
  const inline = value['inlineData'] ?? value['inline_data']
  if (isObject(inline)) {
    const media = text(inline['mimeType']) ?? text(inline['mime_type'])
    const data = text(inline['data'])
    const uri = media && data ? `data:${media};base64,${data}` : null
    return [media?.startsWith('image/') ? { type: 'image', uri } : { type: 'file', uri, mediaType: media }]
  }
  return [{ type: 'json', value }]
}

function messageOf(value: unknown, role: string): Message[] {
  if (typeof value === 'string') return [{ role, name: null, parts: partOf(value) }]
  if (!isObject(value)) return value === null || value === undefined ? [] : [{ role, name: null, parts: [{ type: 'json', value }] }]
  const own = text(value['role'])
  const type = text(value['type'])
  if (own === null && type !== null && type !== 'message') {
    // An item of OpenAI's responses.
    const result = type.endsWith('_output')
    return [{ role: result ? 'tool' : type.startsWith('input_') ? role : 'assistant', name: null, parts: partOf(value) }]
  }
  const parts: Part[] = []
  const reasoning = text(value['reasoning_content']) ?? text(value['reasoning'])
  if (reasoning) parts.push({ type: 'reasoning', text: reasoning })
  if (own === 'tool' || own === 'function') {
    if (Array.isArray(value['parts'])) parts.push(...value['parts'].flatMap(partOf))
    else parts.push({ type: 'toolResult', id: text(value['tool_call_id']), name: text(value['name']), result: flat(value['content'] ?? null), failed: false })
  } else {
    parts.push(...list(value['parts'] ?? value['content']).flatMap(partOf))
    if (text(value['refusal'])) parts.push(...partOf(value['refusal']))
  }
  parts.push(...list(value['tool_calls']).flatMap(partOf))
  if (isObject(value['function_call'])) parts.push({ type: 'toolCall', id: null, name: text(value['function_call']['name']) ?? 'tool', arguments: unwrap(value['function_call']['arguments'] ?? null) })
  return [{ role: own === 'model' ? 'assistant' : (own ?? role), name: text(value['name']), parts }]
}

/** Messages that Pulse's mapping made, or a bare list of a provider's. */
export function messagesOf(value: unknown, role = 'user'): Message[] {
  return merge(list(value).flatMap((m) => messageOf(m, role)))
}

/** What a request to a provider asked. */
export function messagesOfRequest(request: unknown): Message[] {
  const body = unwrap(request)
  if (!isObject(body)) return messagesOf(body)
  const system = body['system'] ?? body['instructions'] ?? body['systemInstruction'] ?? body['system_instruction'] ?? (isObject(body['config']) ? body['config']['systemInstruction'] : undefined)
  const asked = body['messages'] ?? body['input'] ?? body['contents'] ?? body['prompt']
  if (system === undefined && asked === undefined) return [{ role: 'user', name: null, parts: [{ type: 'json', value: body }] }]
  const first: Message[] = []
  if (system !== undefined && system !== null) {
    const parts = isObject(system) && Array.isArray(system['parts']) ? system['parts'].flatMap(partOf) : list(system).flatMap(partOf)
    first.push({ role: 'system', name: null, parts })
  }
  return merge([...first, ...list(asked).flatMap((m) => messageOf(m, 'user'))])
}

/** What a provider answered. */
export function messagesOfResponse(response: unknown): Message[] {
  const body = unwrap(response)
  if (!isObject(body)) return messagesOf(body, 'assistant')
  if (Array.isArray(body['choices'])) {
    return body['choices'].flatMap((choice) => (isObject(choice) ? messageOf(choice['message'] ?? choice['delta'] ?? choice['text'], 'assistant') : []))
  }
  if (Array.isArray(body['output'])) return merge(body['output'].flatMap((item) => messageOf(item, 'assistant')))
  if (Array.isArray(body['candidates'])) return body['candidates'].flatMap((c) => (isObject(c) ? messageOf(c['content'], 'assistant') : []))
  if (body['content'] !== undefined) return messageOf({ ...body, role: body['role'] ?? 'assistant' }, 'assistant')
  return [{ role: 'assistant', name: null, parts: [{ type: 'json', value: body }] }]
}

/** Items of one role that follow one another are one message, as they were one turn. */
function merge(messages: Message[]): Message[] {
  const out: Message[] = []
  for (const message of messages) {
    const last = out.at(-1)
    if (last && last.role === 'assistant' && message.role === 'assistant' && last.name === message.name) last.parts.push(...message.parts)
    else out.push({ ...message, parts: [...message.parts] })
  }
  return out
}
