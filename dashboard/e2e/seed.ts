/** What the tests and the screenshots look at, sent over the public routes. Ids and sizes are fixed; times count back from now. */

export const ids = {
  agent: 'a9e7c0de00000000000000000000a9e7',
  large: '1a49e000000000000000000000001a49',
  rag: '4a600000000000000000000000004a60',
  good: '600d00000000000000000000000600d0',
  hostile: '7057115e000000000000000000007057',
  japanese: 'bb000000-0000-4000-8000-000000000001',
  arabic: 'bb000000-0000-4000-8000-000000000002',
  huge: 'bb000000-0000-4000-8000-000000000003',
  image: 'bb000000-0000-4000-8000-000000000004',
  unpriced: 'bb000000-0000-4000-8000-000000000005',
}

interface OtlpSpan {
  id: string
  parent?: string
  name: string
  at: number // ms after the begin of the trace
  ms: number
  attributes: Record<string, unknown>
  error?: string
}

function value(v: unknown): unknown {
  if (typeof v === 'number') return Number.isInteger(v) ? { intValue: String(v) } : { doubleValue: v }
  if (typeof v === 'boolean') return { boolValue: v }
  if (Array.isArray(v)) return { arrayValue: { values: v.map(value) } }
  return { stringValue: String(v) }
}

const attributes = (values: Record<string, unknown>) => Object.entries(values).map(([key, v]) => ({ key, value: value(v) }))

function otlp(traceId: string, begin: number, spans: OtlpSpan[], service: string): unknown {
  return {
    resourceSpans: [
      {
        resource: { attributes: attributes({ 'service.name': service, 'deployment.environment.name': 'production' }) },
        scopeSpans: [
          {
            scope: { name: 'seed', version: '1' },
            spans: spans.map((s) => ({
              traceId,
              spanId: s.id,
              ...(s.parent ? { parentSpanId: s.parent } : {}),
              name: s.name,
              kind: 1,
              startTimeUnixNano: `${Math.round(begin + s.at)}000000`,
              endTimeUnixNano: `${Math.round(begin + s.at + s.ms)}000000`,
              attributes: attributes(s.attributes),
              status: s.error ? { code: 2, message: s.error } : { code: 1 },
            })),
          },
        ],
      },
    ],
  }
}

/** Ids of spans are unique in a project, so each trace has numbers of its own. */
const idsFrom = (base: number) => (n: number) => (base * 0x1000000 + n).toString(16).padStart(16, '0')
const said = (role: string, content: string) => ({ role, parts: [{ type: 'text', content }] })

/** An agent of 165 steps, of which one tool failed and the agent went on. */
function agent(): OtlpSpan[] {
  const hex = idsFrom(1)
  const spans: OtlpSpan[] = [
    { id: hex(1), name: 'travel_agent', at: 0, ms: 136_000, attributes: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'travel_agent', 'gen_ai.conversation.id': 'trip-long', 'user.id': 'user-5' } },
  ]
  const tools = ['read_file', 'run_sql', 'get_weather', 'search_flights']
  // Each step is told all that was said before it.
  const told: unknown[] = [said('system', 'You are a travel agent. Think step by step and use tools. Ask before paying.'), said('user', 'Plan a 3-day trip to Tromsø for two in February, under €1,400, aurora likely, no driving.')]
  for (let step = 1; step <= 165; step++) {
    const at = (step - 1) * 820
    const base = step * 3
    const tool = step === 121 ? 'run_sql' : (tools[step % tools.length] ?? 'run_sql')
    const asks = { q: 'TOS', budget_eur: 1400 + 10 * Math.floor(step / 12) }
    const answer = { role: 'assistant', parts: [{ type: 'text', content: 'I will check the booking table for free rooms next.' }, { type: 'tool_call', id: `call_${step}`, name: tool, arguments: asks }] }
    spans.push({ id: hex(base), parent: hex(1), name: `step ${step}`, at, ms: 790, attributes: {} })
    spans.push({
      id: hex(base + 1),
      parent: hex(base),
      name: 'chat claude-sonnet-4-5',
      at,
      ms: 430,
      attributes: {
        'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'anthropic', 'gen_ai.request.model': 'claude-sonnet-4-5', 'gen_ai.usage.input_tokens': 900 + step * 140, 'gen_ai.usage.output_tokens': 90,
        'gen_ai.server.time_to_first_token': 0.16,
        'gen_ai.input.messages': JSON.stringify(told),
        'gen_ai.output.messages': JSON.stringify([{ ...answer, finish_reason: 'tool_calls' }]),
      },
    })
    spans.push({
      id: hex(base + 2),
      parent: hex(base),
      name: tool,
      at: at + 440,
      ms: 330,
      attributes: { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': tool, 'gen_ai.tool.call.id': `call_${step}`, 'gen_ai.tool.call.arguments': JSON.stringify(asks), ...(step === 121 ? { 'error.type': 'ToolError' } : { 'gen_ai.tool.call.result': JSON.stringify({ ok: true, rows: step }) }) },
      ...(step === 121 ? { error: 'upstream timeout after 30000 ms' } : {}),
    })
    told.push(answer, { role: 'tool', parts: [{ type: 'tool_call_response', id: `call_${step}`, response: step === 121 ? 'upstream timeout after 30000 ms' : { ok: true, rows: step } }] })
  }
  return spans
}

/** 10,000 spans, three deep. */
function large(): OtlpSpan[] {
  const hex = idsFrom(2)
  const spans: OtlpSpan[] = [{ id: hex(1), name: 'nightly_index', at: 0, ms: 400_000, attributes: {} }]
  for (let i = 0; i < 99; i++) {
    const parent = hex(0x10000 + i)
    spans.push({ id: parent, parent: hex(1), name: `shard ${i}`, at: i * 4_000, ms: 3_900, attributes: {} })
    for (let j = 0; j < 100; j++) spans.push({ id: hex(0x20000 + i * 100 + j), parent, name: `embed batch ${j}`, at: i * 4_000 + j * 39, ms: 35, attributes: { 'gen_ai.operation.name': 'embeddings', 'gen_ai.request.model': 'text-embedding-3-small', 'gen_ai.provider.name': 'openai', 'gen_ai.usage.input_tokens': 800 } })
  }
  return spans
}

function rag(): OtlpSpan[] {
  const hex = idsFrom(3)
  return [
    { id: hex(1), name: 'answer_question', at: 0, ms: 2_640, attributes: { 'user.id': 'user-2', 'gen_ai.conversation.id': 'support-42' } },
    { id: hex(2), parent: hex(1), name: 'retrieve articles', at: 12, ms: 180, attributes: { 'openinference.span.kind': 'RETRIEVER', 'retrieval.documents.0.document.content': 'Boots can be returned within 30 days.', 'retrieval.documents.0.document.id': 'kb-17' } },
    { id: hex(3), parent: hex(1), name: 'chat gpt-4o', at: 210, ms: 2_400, error: '429 Too Many Requests: rate limit reached', attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-4o', 'error.type': '429', 'gen_ai.input.messages': JSON.stringify([said('user', 'How do I return boots?')]) } },
  ]
}

/** The same question, answered: what `rag` is compared with. */
function good(): OtlpSpan[] {
  const hex = idsFrom(5)
  return [
    { id: hex(1), name: 'answer_question', at: 0, ms: 1_900, attributes: { 'user.id': 'user-2' } },
    { id: hex(2), parent: hex(1), name: 'retrieve articles', at: 12, ms: 170, attributes: { 'openinference.span.kind': 'RETRIEVER', 'retrieval.documents.0.document.content': 'Boots can be returned within 30 days.', 'retrieval.documents.0.document.id': 'kb-17' } },
    { id: hex(3), parent: hex(1), name: 'chat gpt-4o', at: 200, ms: 1_650, attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-4o', 'gen_ai.usage.input_tokens': 310, 'gen_ai.usage.output_tokens': 42, 'gen_ai.input.messages': JSON.stringify([said('user', 'How do I return wet boots?')]), 'gen_ai.output.messages': JSON.stringify([said('assistant', '# Returns\n\nWithin **30 days**, see [the shop](https://shop.example/returns).')]) } },
  ]
}

/** Everything that should be shown as text and do nothing. */
function hostile(): OtlpSpan[] {
  const hex = idsFrom(4)
  const script = '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'"><svg onload="document.title=\'owned\'">'
  return [
    {
      id: hex(1), name: `${script} \u202Egnp.exe`, at: 0, ms: 900,
      attributes: {
        'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-4o-mini', 'gen_ai.usage.input_tokens': 10, 'gen_ai.usage.output_tokens': 10,
        'gen_ai.input.messages': JSON.stringify([said('user', `${script} [click](javascript:alert(1)) ![](https://evil.example/p.png) \u202Eabc`)]),
        'gen_ai.output.messages': JSON.stringify([said('assistant', '{"broken": [1, 2')]),
        'broken.json': '{"a": [1, 2',
        ...Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`attribute.number.${i}`, `value ${i} ${script.slice(0, 20)}`])),
      },
    },
  ]
}

/** Two sessions of a coding agent in one folder, and one in another, as its hooks tell them. */
function coding(now: number): unknown[] {
  const minute = 60_000
  const spans: unknown[] = []
  let n = 0
  const hook = (session: string, at: number, kind: string, event: string, more: Record<string, unknown> = {}) => {
    const { trace = `${session}-turn-1`, cwd = '/home/ada/aurora', ...rest } = more
    spans.push({ span_id: `hook-${session}-${n++}`, session_id: session, trace_id: trace, timestamp: new Date(at).toISOString(), source: 'claude_code', kind, event_type: event, status: 'success', cwd, model: 'claude-sonnet-4-5', ...rest })
  }
  const tool = (session: string, at: number, ms: number, name: string, input: unknown, more: Record<string, unknown> = {}) => {
    const id = `use-${session}-${n}`
    hook(session, at, 'tool_use', 'pre_tool_use', { tool_use_id: id, tool_name: name, tool_input: input, ...more, status: 'success', error: undefined })
    hook(session, at + ms, 'tool_use', more['status'] === 'error' ? 'post_tool_use_failure' : 'post_tool_use', { tool_use_id: id, tool_name: name, tool_input: input, ...more })
  }
  const fix = 'code-refunds'
  const begin = now - 5 * 60 * minute
  hook(fix, begin, 'session', 'session_start', { trace: `${fix}-life` })
  hook(fix, begin + 2_000, 'user_prompt', 'user_prompt_submit', { metadata: { prompt: 'Refunds over 100 euros are paid twice. Find out why and fix it.' } })
  tool(fix, begin + 6_000, 300, 'Grep', { pattern: 'refund' })
  tool(fix, begin + 9_000, 200, 'Read', { file_path: '/home/ada/aurora/src/refunds.ts' })
  hook(fix, begin + 20_000, 'agent_run', 'subagent_start', { agent_name: 'test-writer', metadata: { agent_id: 'a1' } })
  tool(fix, begin + 22_000, 900, 'Write', { file_path: '/home/ada/aurora/src/refunds.test.ts', content: 'it()' })
  hook(fix, begin + 60_000, 'agent_run', 'subagent_stop', { agent_name: 'test-writer', metadata: { agent_id: 'a1' } })
  for (let i = 0; i < 12; i++) tool(fix, begin + 70_000 + i * 9_000, 700, 'Edit', { file_path: `/home/ada/aurora/src/${['refunds', 'ledger', 'api'][i % 3]}.ts`, old_string: 'a', new_string: 'b' })
  hook(fix, begin + 190_000, 'notification', 'notification', { metadata: { message: 'Claude needs your permission to use Bash' } })
  tool(fix, begin + 250_000, 41_000, 'Bash', { command: 'npm test -- refunds' }, { status: 'error', error: { message: 'exit code 1: 1 of 14 tests failed' } })
  tool(fix, begin + 300_000, 900, 'Edit', { file_path: '/home/ada/aurora/src/ledger.ts', old_string: 'a', new_string: 'c' })
  tool(fix, begin + 310_000, 39_000, 'Bash', { command: 'npm test -- refunds' })
  hook(fix, begin + 352_000, 'llm_response', 'assistant_message', { output_text: 'The ledger booked the refund again when the webhook was repeated. It is keyed by the refund now, with a test.', input_tokens: 182_000, output_tokens: 6_400, cost_cents: 71.2 })
  hook(fix, begin + 352_100, 'session', 'stop')
  const second = { trace: `${fix}-turn-2` }
  hook(fix, begin + 130 * minute, 'user_prompt', 'user_prompt_submit', { ...second, metadata: { prompt: 'Write the changelog entry.' } })
  tool(fix, begin + 130 * minute + 4_000, 200, 'Edit', { file_path: '/home/ada/aurora/CHANGELOG.md', old_string: '', new_string: 'x' }, second)
  hook(fix, begin + 130 * minute + 9_000, 'llm_response', 'assistant_message', { ...second, output_text: 'Done.', input_tokens: 21_000, output_tokens: 300, cost_cents: 6.9 })

  const review = 'code-review'
  hook(review, now - 90 * minute, 'user_prompt', 'user_prompt_submit', { metadata: { prompt: 'Review the last commit.' } })
  tool(review, now - 89 * minute, 500, 'Bash', { command: 'git show --stat' })
  hook(review, now - 88 * minute, 'llm_response', 'assistant_message', { output_text: 'Nothing to add.', input_tokens: 9_000, output_tokens: 120, cost_cents: 3.1 })
  const docs = 'code-docs'
  const site = { cwd: '/home/ada/site', source: 'codex' }
  hook(docs, now - 200 * minute, 'user_prompt', 'user_prompt_submit', { ...site, metadata: { prompt: 'Translate the index page to Japanese.' } })
  tool(docs, now - 199 * minute, 2_000, 'apply_patch', { file_path: '/home/ada/site/index.ja.md' }, site)
  hook(docs, now - 198 * minute, 'llm_response', 'assistant_message', { ...site, output_text: 'インデックスページを翻訳しました。', input_tokens: 14_000, output_tokens: 900 })
  return spans
}

const pixel = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

interface CallOptions {
  id?: string
  at: number
  model?: string
  provider?: string
  prompt: unknown
  answer: string
  latency: number
  error?: string
  session?: string
  tokens?: [number, number]
}

function call(o: CallOptions): unknown {
  return {
    trace_id: o.id ?? crypto.randomUUID(),
    timestamp: new Date(o.at).toISOString(),
    provider: o.provider ?? 'openai',
    model_requested: o.model ?? 'gpt-4o-mini',
    status: o.error ? 'error' : 'success',
    latency_ms: o.latency,
    ...(o.session ? { session_id: o.session } : {}),
    request_body: { model: o.model ?? 'gpt-4o-mini', messages: [{ role: 'user', content: o.prompt }] },
    ...(o.error ? { error: { name: 'RateLimitError', message: o.error } } : { output_text: o.answer }),
    input_tokens: o.tokens?.[0] ?? 640,
    output_tokens: o.error ? 0 : (o.tokens?.[1] ?? 180),
  }
}

async function post(url: string, path: string, key: string, body: unknown): Promise<void> {
  const response = await fetch(url + path, { method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
}

/** Sends all of it, and waits until it can be read. */
export async function seed(url: string, key: string): Promise<void> {
  const now = Date.now()
  const hour = 3_600_000
  const models = [['openai', 'gpt-4o'], ['openai', 'gpt-4o-mini'], ['anthropic', 'claude-sonnet-4-5'], ['google', 'gemini-2.5-flash']] as const
  const questions = ['How do I return boots?', 'Is the tent waterproof?', 'When does my order arrive?', 'Write a birthday poem for a climber', 'Compare the two stoves', 'Summarise this contract']
  const calls: unknown[] = []
  for (let i = 0; i < 600; i++) {
    const [provider, model] = models[(i * 7) % models.length] ?? models[0]
    const at = now - 47 * hour + (i / 600) * 46.5 * hour
    const bad = (model === 'gpt-4o' && at > now - 9 * hour && i % 8 !== 2) || i % 53 === 0
    calls.push(call({ at, provider, model, prompt: questions[i % questions.length] ?? '', answer: `Answer number ${i}: it depends on what you ordered.`, latency: 300 + ((i * 137) % 2_400), tokens: [300 + ((i * 31) % 900), 60 + ((i * 17) % 300)], session: `chat-${i % 40}`, ...(bad ? { error: '429 Too Many Requests: rate limit reached for gpt-4o' } : {}) }))
  }
  // The last half hour is busy, and one model is refused: what the notice speaks of.
  for (let i = 0; i < 60; i++) {
    const model = i % 2 === 0 ? 'gpt-4o' : 'gpt-4o-mini'
    const bad = model === 'gpt-4o' && i % 8 !== 2
    calls.push(call({ at: now - 40 * 60_000 + i * 30_000, model, prompt: questions[i % questions.length] ?? '', answer: 'It depends.', latency: bad ? 6_000 + i * 40 : 700 + i * 9, ...(bad ? { error: '429 Too Many Requests: rate limit reached for gpt-4o' } : {}) }))
  }
  calls.push(
    call({ id: ids.japanese, at: now - 9 * 60_000, prompt: 'テントの防水性能はどのくらいですか？', answer: 'フライシートの耐水圧は3,000mmです。', latency: 2_100, session: 'support-jp' }),
    call({ id: ids.arabic, at: now - 8 * 60_000, prompt: 'متى يصل طلبي؟', answer: 'يصل طلبك يوم الثلاثاء 🙂', latency: 900, session: 'support-ar' }),
    call({ id: ids.huge, at: now - 7 * 60_000, prompt: `Summarise: ${'All work and no play makes Jack a dull boy.\n'.repeat(200_000)}`, answer: 'Jack is dull.', latency: 41_000, tokens: [2_000_000, 5] }),
    call({ id: ids.image, at: now - 6 * 60_000, prompt: [{ type: 'text', text: 'What is on the picture?' }, { type: 'image_url', image_url: { url: pixel } }], answer: 'One pixel.', latency: 700 }),
    call({ id: ids.unpriced, at: now - 5 * 60_000, provider: 'house', model: 'house-llama-9', prompt: 'Hello', answer: 'Hi!', latency: 120 }),
  )
  // The trip begins hours before the agent's long run, and one turn of it fails.
  const trip = (at: number, prompt: string, answer: string, more: Partial<CallOptions> = {}) => calls.unshift(call({ at, provider: 'anthropic', model: 'claude-sonnet-4-5', prompt, answer, latency: 3_400, session: 'trip-long', ...more }))
  trip(now - 3.2 * hour, 'When is the best time to see the aurora in Tromsø?', 'From late September to early April. February has long nights and is usually colder and clearer than December.')
  trip(now - 3.2 * hour + 90_000, 'And without driving?', 'Tromsø works well without a car: guided tours pick you up in town, and buses run to the fjords.')
  trip(now - 1.1 * hour, 'What did I say about the budget?', '', { error: 'overloaded_error: the model is overloaded' })
  for (let i = 0; i < calls.length - 5; i += 100) await post(url, '/v1/traces/batch', key, calls.slice(i, Math.min(i + 100, calls.length - 5)))
  for (const one of calls.slice(-5)) await post(url, '/v1/traces/batch', key, [one])
  await post(url, '/v1/traces', key, otlp(ids.agent, now - 3 * 60_000 - 136_000, agent(), 'travel'))
  await sendQuestions(url, key)
  await post(url, '/v1/traces', key, otlp(ids.hostile, now - 4 * 60_000, hostile(), 'support'))
  await post(url, '/v1/spans/batch', key, coding(now))
  await sendLarge(url, key)
  for (const id of [ids.agent, ids.hostile]) await readable(url, key, id)
}

/** Sends the question that was answered, and the one that was not. */
export async function sendQuestions(url: string, key: string): Promise<void> {
  await post(url, '/v1/traces', key, otlp(ids.good, Date.now() - 50 * 60_000, good(), 'support'))
  await post(url, '/v1/traces', key, otlp(ids.rag, Date.now() - 2 * 60_000, rag(), 'support'))
  for (const id of [ids.good, ids.rag]) await readable(url, key, id)
}

/** Sends the trace of 10,000 spans, and waits until it can be read. */
export async function sendLarge(url: string, key: string): Promise<void> {
  const spans = large()
  for (let i = 0; i < spans.length; i += 2_500) await post(url, '/v1/traces', key, otlp(ids.large, Date.now() - 3 * 3_600_000, spans.slice(i, i + 2_500), 'indexer'))
  await readable(url, key, ids.large)
}

async function readable(url: string, key: string, id: string): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const response = await fetch(`${url}/v1/traces/${id}?fields=summary`, { headers: { Authorization: `Bearer ${key}` } })
    if (response.ok) return
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error(`trace ${id} did not arrive`)
}
