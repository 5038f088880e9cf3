// Calls of the real clients, newest and oldest, against the fake providers: what they give is what it was, and what is recorded is what happened.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test, before, beforeEach } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";
import { flush, initPulse, observe, Provider, shutdown, span, trace } from "@pulse/sdk";
import { providers, sink, until } from "./kit.mjs";

let provider, to, openai, bare, anthropic;
const user = (content) => [{ role: "user", content }];
const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }];

before(async () => {
  provider = await providers();
  to = await sink();
  initPulse({ apiKey: "pulse_sk_test", apiUrl: to.url });
  const options = { apiKey: "none", baseURL: provider.url + "/v1", maxRetries: 2 };
  bare = new OpenAI(options);
  openai = observe(new OpenAI(options), Provider.OpenAI);
  anthropic = observe(new Anthropic({ apiKey: "none", baseURL: provider.url }), Provider.Anthropic);
});
beforeEach(async () => {
  await flush();
  to.clear();
  await provider.forget();
});

async function one() {
  assert.ok(await flush());
  const spans = to.spans();
  assert.equal(spans.length, 1, JSON.stringify(spans.map((s) => s.name)));
  return spans[0];
}

test("the client stays what it was", async () => {
  assert.ok(openai instanceof OpenAI);
  assert.equal(observe(openai, Provider.OpenAI), openai);
  const asked = openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("Hello") });
  assert.equal(asked.constructor, bare.chat.completions.create({ model: "gpt-4o-mini", messages: user("x") }).constructor);
  const { data, response } = await asked.withResponse();
  assert.equal(data.choices[0].message.content, "You said: Hello");
  assert.equal(response.status, 200);
  await one();
});

test("a chat is recorded, and what is Pulse's does not reach the provider", async () => {
  const request = { model: "gpt-4o-mini", messages: user("Hello [reasoning]"), temperature: 0.5, pulseSessionId: "s-1", pulseMetadata: { userId: "user-42", feature: "chat" } };
  const answer = await openai.chat.completions.create(request);
  assert.equal(request.pulseSessionId, "s-1");
  const [call] = await provider.calls();
  assert.deepEqual(call.request, { model: "gpt-4o-mini", messages: user("Hello [reasoning]"), temperature: 0.5 });
  const { name, kind, attributes } = await one();
  assert.equal(name, "chat gpt-4o-mini");
  assert.equal(kind, 3);
  assert.deepEqual(JSON.parse(attributes["pulse.request"]), call.request);
  assert.deepEqual(JSON.parse(attributes["pulse.response"]), call.response);
  assert.deepEqual(JSON.parse(attributes["gen_ai.usage.raw"]), call.response.usage);
  assert.deepEqual(JSON.parse(attributes["pulse.metadata"]), { userId: "user-42", feature: "chat" });
  assert.equal(attributes["session.id"], "s-1");
  assert.equal(attributes["user.id"], "user-42");
  assert.equal(attributes["gen_ai.response.id"], answer.id);
  assert.deepEqual(attributes["gen_ai.response.finish_reasons"], ["stop"]);
  assert.equal(attributes["server.address"], "127.0.0.1");
});

test("a stream is recorded whole, however it is read", async () => {
  const ask = () => openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("Hello there [pieces 7]"), stream: true, stream_options: { include_usage: true } });
  const ways = {
    iterate: async () => {
      let text = "";
      for await (const chunk of await ask()) text += chunk.choices[0]?.delta.content ?? "";
      assert.equal(text, "You said: Hello there [pieces 7]");
    },
    tee: async () => {
      const [a, b] = (await ask()).tee();
      const read = async (s) => { let n = 0; for await (const _ of s) n++; return n; };
      const [n, m] = await Promise.all([read(a), read(b)]);
      assert.ok(n > 3 && n === m);
    },
    toReadableStream: async () => {
      const text = await new Response((await ask()).toReadableStream()).text();
      assert.ok(text.includes("there "));
    },
  };
  for (const [way, read] of Object.entries(ways)) {
    await provider.forget();
    to.clear();
    await read();
    const [call] = await provider.calls();
    const { attributes } = await one();
    assert.equal(JSON.parse(attributes["pulse.response"]).choices[0].message.content, call.text, way);
    assert.deepEqual(JSON.parse(attributes["gen_ai.usage.raw"]), call.response.usage, way);
    assert.ok(attributes["gen_ai.response.time_to_first_chunk"] >= 0, way);
    assert.equal(attributes["pulse.stream_ended_early"], undefined, way);
  }
});

test("the helper for streams", async () => {
  const stream = (openai.chat.completions.stream ?? openai.beta.chat.completions.stream).call(
    openai.chat.completions.stream ? openai.chat.completions : openai.beta.chat.completions,
    { model: "gpt-4o-mini", messages: user("Hello"), pulseSessionId: "s-2" },
  );
  assert.equal(await stream.finalContent(), "You said: Hello");
  const { attributes } = await one();
  assert.equal(attributes["session.id"], "s-2");
  assert.equal((await provider.calls())[0].request.pulseSessionId, undefined);
});

test("a stream that the program leaves, or aborts, or that breaks", async () => {
  const ask = (text) => openai.chat.completions.create({ model: "gpt-4o-mini", messages: user(text), stream: true });
  for await (const chunk of await ask("one two three four")) if (chunk.choices[0]?.delta.content) break;
  let { attributes } = await one();
  assert.equal(attributes["pulse.stream_ended_early"], true);
  assert.equal(JSON.parse(attributes["pulse.response"]).choices[0].message.content, "You ");

  to.clear();
  const stream = await ask("one two three four");
  for await (const _ of stream) stream.controller.abort();
  assert.equal((await one()).attributes["pulse.stream_ended_early"], true);

  to.clear();
  await assert.rejects(async () => {
    for await (const _ of await ask("Hello [reset 3]"));
  });
  const broken = await one();
  assert.equal(broken.status.code, 2);
  assert.equal(broken.attributes["pulse.stream_ended_early"], true);
});

test("a stream that comes in pieces of any size, or breaks at any byte", async () => {
  const ask = async (text) => {
    await flush();
    to.clear();
    await provider.forget();
    let got = "";
    const stream = await openai.chat.completions.create({ model: "gpt-4o-mini", messages: user(text), stream: true });
    const error = await (async () => { for await (const chunk of stream) got += chunk.choices[0]?.delta.content ?? ""; })().catch((error) => error);
    const { status, attributes } = await one();
    return { got, error, status, recorded: JSON.parse(attributes["pulse.response"] ?? "null"), early: attributes["pulse.stream_ended_early"], call: (await provider.calls())[0] };
  };
  for (let size = 1; size < 12; size++) {
    const { got, error, recorded, early, call } = await ask(`Grüße 😀 [pieces ${size}]`);
    assert.deepEqual([got, error, early], [call.text, undefined, undefined]);
    assert.deepEqual(recorded.choices, call.response.choices.map(({ index, finish_reason, message }) => ({ index, finish_reason, message: { role: message.role, content: message.content } })));
  }
  for (let size = 1; size < 1300; size += 97) {
    const { got, error, status, recorded, early, call } = await ask(`Grüße 😀 [cut ${size}]`);
    assert.ok(error && status.code === 2 && early, `${size} bytes: ${error}`);
    assert.ok(call.text.startsWith(got));
    assert.equal(recorded?.choices[0]?.message.content ?? "", got, `${size} bytes`);
  }
});

test("a call that takes too long", async () => {
  const ask = (client) => client.chat.completions.create({ model: "gpt-4o-mini", messages: user("[hang]") }, { timeout: 200, maxRetries: 0 }).catch((error) => error);
  const [mine, plain] = [await ask(openai), await ask(bare)];
  assert.ok(mine instanceof OpenAI.APIConnectionTimeoutError && mine.message === plain.message, mine);
  const { status, attributes } = await one();
  assert.deepEqual([status.code, attributes["error.type"]], [2, "APIConnectionTimeoutError"]);
});

test("an error has the stack that it would have without the SDK", async () => {
  const ways = {
    create: (client) => client.chat.completions.create({ model: "gpt-4o-mini", messages: user("[status 400] no") }),
    stream: (client) => client.chat.completions.create({ model: "gpt-4o-mini", messages: user("[status 400] no"), stream: true }),
    withResponse: (client) => client.chat.completions.create({ model: "gpt-4o-mini", messages: user("[status 400] no") }).withResponse(),
  };
  for (const [how, ask] of Object.entries(ways)) {
    const stack = async (client) => {
      const asked = async function theProgram() {
        await ask(client);
      };
      const error = await asked().then(() => assert.fail("no error"), (error) => error);
      return error.stack.replace(/[^ (]*node_modules/g, "").replace(/:\d+:\d+/g, "").split("\n").filter((line) => !line.includes("process"));
    };
    const [plain, mine] = [await stack(bare), await stack(openai)];
    if (how !== "withResponse") assert.deepEqual(mine, plain, how); // one more step of the SDK's own is allowed there
    assert.equal(mine.some((line) => line.includes("theProgram")), plain.some((line) => line.includes("theProgram")), mine.join("\n"));
  }
});

test("tool calls, responses, embeddings and another provider's address", async () => {
  const answer = await openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("[tool] Weather?"), tools });
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, "get_weather");
  await openai.embeddings.create({ model: "text-embedding-3-small", input: "Hello", encoding_format: "float" });
  const router = observe(new OpenAI({ apiKey: "none", baseURL: provider.url + "/api/v1" }), Provider.OpenRouter);
  await router.chat.completions.create({ model: "openai/gpt-4o-mini", messages: user("Hello") });
  if (openai.responses) {
    await openai.responses.create({ model: "gpt-4o-mini", input: "Hello" });
    for await (const _ of await openai.responses.create({ model: "gpt-4o-mini", input: "Hello", stream: true }));
  }
  await flush();
  const spans = to.spans();
  const names = ["chat gpt-4o-mini", "embeddings text-embedding-3-small", "chat openai/gpt-4o-mini", "chat gpt-4o-mini", "chat gpt-4o-mini"];
  assert.deepEqual(spans.map((s) => s.name), names.slice(0, spans.length));
  assert.equal(spans[2].attributes["gen_ai.provider.name"], "openrouter");
  const calls = await provider.calls();
  spans.forEach((s, i) => assert.deepEqual(JSON.parse(s.attributes["pulse.response"]), i === 1 ? { ...calls[i].response } : calls[i].response));
});

test("completions, and their stream", async () => {
  const request = { model: "gpt-3.5-turbo-instruct", prompt: "Hello there" };
  const answer = await openai.completions.create({ ...request, pulseSessionId: "s-7" });
  assert.equal(answer.choices[0].text, "You said: Hello there");
  let text = "";
  for await (const chunk of await openai.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) text += chunk.choices[0]?.text ?? "";
  assert.equal(text, "You said: Hello there");
  await flush();
  const [whole, streamed] = to.spans();
  assert.deepEqual([whole.name, whole.attributes["gen_ai.operation.name"], whole.attributes["session.id"]], ["text_completion gpt-3.5-turbo-instruct", "text_completion", "s-7"]);
  const calls = await provider.calls();
  assert.equal(calls[0].request.pulseSessionId, undefined);
  assert.deepEqual(JSON.parse(whole.attributes["pulse.response"]), calls[0].response);
  const { choices, usage } = JSON.parse(streamed.attributes["pulse.response"]);
  assert.deepEqual([choices[0].text, choices[0].finish_reason, usage], ["You said: Hello there", "stop", calls[1].response.usage]);
  assert.ok(streamed.attributes["gen_ai.response.time_to_first_chunk"] >= 0);
});

test("helpers that parse, and that run tools", async () => {
  if (!openai.chat.completions.runTools) return; // the oldest client has other names
  const parsed = await openai.chat.completions.parse({ model: "gpt-4o-mini", messages: user("Hello"), pulseSessionId: "s-6" });
  assert.equal(parsed.choices[0].message.content, "You said: Hello");
  const cities = [];
  const getWeather = { type: "function", function: { name: "get_weather", description: "weather", parse: JSON.parse, function: ({ city }) => cities.push(city) && "21", parameters: tools[0].function.parameters } };
  const runner = openai.chat.completions.runTools({ model: "gpt-4o-mini", messages: user("[tool] Weather?"), tools: [getWeather] });
  assert.equal(await runner.finalContent(), "You said: [tool] Weather?");

  const { betaTool } = await import("@anthropic-ai/sdk/helpers/beta/json-schema");
  const weather = betaTool({ name: "get_weather", description: "weather", inputSchema: { type: "object", properties: { city: { type: "string" } } }, run: ({ city }) => (cities.push(city), "21") });
  const message = await anthropic.beta.messages.toolRunner({ model: "claude-sonnet-4-5", max_tokens: 100, messages: user("[tool] Weather?"), tools: [weather], pulseSessionId: "s-8" });
  assert.deepEqual(cities, ["Oslo", "Oslo"]);

  await flush();
  const spans = to.spans();
  const calls = await provider.calls();
  assert.equal(calls.length, 5);
  assert.equal(message.content.at(-1).text, calls.at(-1).text);
  assert.deepEqual(spans.map((s) => JSON.parse(s.attributes["pulse.response"]).id), calls.map((c) => c.response.id));
  assert.deepEqual(spans.map((s) => s.attributes["session.id"]), ["s-6", undefined, undefined, "s-8", "s-8"]);
  assert.ok(calls.every((c) => !("pulseSessionId" in c.request)));
});

test("errors are the client's own, and one span however often it tried", async () => {
  const ask = (client, status) => client.chat.completions.create({ model: "gpt-4o-mini", messages: user(`[status ${status}] no`) }, { maxRetries: 1 });
  const mine = await ask(openai, 429).catch((e) => e);
  const plain = await ask(bare, 429).catch((e) => e);
  assert.equal(mine.constructor, plain.constructor);
  assert.equal(mine.message, plain.message);
  const failed = await one();
  assert.equal(failed.status.code, 2);
  assert.equal(failed.attributes["error.type"], "RateLimitError");
  assert.equal(failed.events[0].name, "exception");

  to.clear();
  await openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("[status 500 once] yes") });
  assert.equal((await one()).status, undefined);
});

test("a raw answer stays what it is, and is recorded as it is read", async () => {
  const asked = openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("one two three"), stream: true });
  const response = await asked.asResponse();
  const plain = await bare.chat.completions.create({ model: "gpt-4o-mini", messages: user("one two three"), stream: true }).asResponse();
  assert.equal(response.constructor, plain.constructor);
  assert.deepEqual([response.url, response.status, response.redirected, response.type], [plain.url, plain.status, plain.redirected, plain.type]);
  assert.equal(await asked.asResponse(), response);
  assert.ok((await response.text()).endsWith("data: [DONE]\n\n"));
  await plain.text();
  const { attributes } = await one();
  assert.equal(JSON.parse(attributes["pulse.response"]).choices[0].message.content, "You said: one two three");
  assert.ok(attributes["gen_ai.response.time_to_first_chunk"] >= 0);
  to.clear();
  const parsed = openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("one two three"), stream: true });
  await parsed.asResponse();
  for await (const _ of await parsed);
  assert.equal(JSON.parse((await one()).attributes["pulse.response"]).choices[0].message.content, "You said: one two three");
});

test("who cancels a raw answer lets go of the connection, and nobody reads ahead", async () => {
  const plain = await bare.chat.completions.create({ model: "gpt-4o-mini", messages: user("Hello") }).asResponse();
  await plain.text();
  if (!(plain instanceof Response)) return; // the oldest client has a fetch of its own
  let sent = 0;
  const provider = http.createServer(async (req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    const closed = once(res, "close").then(() => (sent = -1));
    const event = `data: ${JSON.stringify({ id: "c", choices: [{ index: 0, delta: { content: "x".repeat(10_000) } }] })}\n\n`;
    while (sent >= 0) {
      sent += event.length;
      if (!res.write(event)) await Promise.race([once(res, "drain"), closed]);
    }
  }).listen(0, "127.0.0.1");
  await once(provider, "listening");
  const client = observe(new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${provider.address().port}` }), Provider.OpenAI);
  const response = await client.chat.completions.create({ model: "m", messages: user("Hello"), stream: true }).asResponse();
  const reader = response.body.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(sent < 20_000_000, `${sent} bytes were read ahead`);
  await reader.cancel();
  await until(() => sent === -1);
  assert.equal((await one()).attributes["pulse.stream_ended_early"], true);
  provider.close();
  provider.closeAllConnections();
});

test("a stream that is read twice at once is the first reader's", async () => {
  const stream = await openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("one two three"), stream: true });
  let count = 0;
  for await (const _ of stream) {
    if (count++ === 1) await assert.rejects(async () => { for await (const _ of stream); }, /consumed/);
  }
  const { status, attributes } = await one();
  assert.equal(status, undefined);
  assert.equal(JSON.parse(attributes["pulse.response"]).choices[0].message.content, "You said: one two three");
});

test("an answer that nobody reads is recorded at the end, or when nobody can", async () => {
  let stream = await openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("one two three"), stream: true });
  assert.ok(await flush());
  assert.deepEqual(to.spans(), []); // somebody may read it yet
  await shutdown();
  initPulse({ apiKey: "pulse_sk_test", apiUrl: to.url });
  assert.equal((await one()).attributes["pulse.stream_ended_early"], true);
  stream.controller.abort();

  to.clear();
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  await (async () => (await openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("four five"), stream: true })).controller.signal)();
  stream = undefined;
  await until(async () => (collect(), await flush(), to.spans().length > 0));
  assert.ok((await one()).attributes["pulse.request"].includes("four five"));

  to.clear();
  let promise = openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("six") });
  await until(async () => (await provider.calls()).length === 3);
  promise = undefined;
  await until(async () => (collect(), await flush(), to.spans().length > 0));
  const { status, attributes } = await one();
  assert.deepEqual([status, attributes["pulse.response"]], [undefined, undefined]);
});

test("a derived client is observed once", async () => {
  if (!openai.withOptions) return;
  const derived = observe(openai.withOptions({ timeout: 5000 }), Provider.OpenAI);
  await derived.withOptions({ timeout: 6000 }).chat.completions.create({ model: "gpt-4o-mini", messages: user("Hello") });
  await one();
});

test("raw responses", async () => {
  const response = await openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("Hello") }).asResponse();
  const body = await response.json();
  assert.equal(body.choices[0].message.content, "You said: Hello");
  assert.deepEqual(JSON.parse((await one()).attributes["pulse.response"]), body);
});

test("clients that are derived record too", async () => {
  if (!openai.withOptions) return;
  await openai.withOptions({ timeout: 5000 }).chat.completions.create({ model: "gpt-4o-mini", messages: user("Hello"), pulseSessionId: "s-3" });
  assert.equal((await one()).attributes["session.id"], "s-3");
  assert.equal((await provider.calls())[0].request.pulseSessionId, undefined);
});

test("a trace stands at the top, and a client that is not recorded still keeps what is Pulse's to itself", async () => {
  await trace("outer", () => trace("inner", () => undefined));
  await flush();
  const [inner, outer] = to.spans();
  assert.equal(inner.parentSpanId, undefined);
  assert.notEqual(inner.traceId, outer.traceId);
  initPulse({ enabled: false });
  await openai.chat.completions.create({ model: "gpt-4o-mini", messages: user("Hello"), pulseSessionId: "s" });
  initPulse({ apiKey: "pulse_sk_test", apiUrl: to.url });
  assert.equal((await provider.calls())[0].request.pulseSessionId, undefined);
  assert.equal(to.spans().length, 2);
});

test("what a client's calls are about may be said once", async () => {
  const about = observe(new OpenAI({ apiKey: "none", baseURL: provider.url + "/v1" }), "mine", { sessionId: "s-9", metadata: { userId: 7, tier: "free" } });
  await about.chat.completions.create({ model: "m", messages: user("Hello"), pulseMetadata: { tier: "paid" } });
  const { attributes } = await one();
  assert.deepEqual(JSON.parse(attributes["pulse.metadata"]), { userId: 7, tier: "paid" });
  assert.deepEqual([attributes["session.id"], attributes["user.id"], attributes["gen_ai.provider.name"]], ["s-9", "7", "mine"]);
});

test("Anthropic's messages, their streams and the helper", async () => {
  const request = { model: "claude-sonnet-4-5", max_tokens: 100, messages: user("Hello [reasoning]") };
  const answer = await anthropic.messages.create({ ...request, pulseSessionId: "s-4" });
  assert.equal(answer.content.at(-1).text, "You said: Hello [reasoning]");
  for await (const _ of await anthropic.messages.create({ ...request, stream: true }));
  const final = await anthropic.messages.stream({ ...request, pulseSessionId: "s-5" }).finalMessage();
  assert.equal(final.content.at(-1).text, "You said: Hello [reasoning]");
  await flush();
  const spans = to.spans();
  const calls = await provider.calls();
  assert.equal(spans.length, 3);
  spans.forEach((s, i) => {
    assert.deepEqual(JSON.parse(s.attributes["pulse.response"]), calls[i].response);
    assert.equal(calls[i].request.pulseSessionId, undefined);
    assert.equal(s.attributes["gen_ai.provider.name"], "anthropic");
  });
  assert.deepEqual(spans.map((s) => s.attributes["session.id"]), ["s-4", undefined, "s-5"]);
  const failed = await anthropic.messages.create({ ...request, messages: user("[status 400] no") }).catch((e) => e);
  assert.ok(failed instanceof Anthropic.BadRequestError);
});

test("steps nest, also while others run", async () => {
  const ask = (text) => openai.chat.completions.create({ model: "gpt-4o-mini", messages: user(text) });
  await Promise.all(["a", "b"].map((name) => trace(name, async () => {
    await ask(name + "1 [slow 20]");
    await span({ name: name + "-inner", kind: "retrieval" }, () => ask(name + "2"));
  })));
  await flush();
  const spans = to.spans();
  assert.equal(spans.length, 8);
  for (const name of ["a", "b"]) {
    const root = spans.find((s) => s.name === name);
    const inner = spans.find((s) => s.name === name + "-inner");
    assert.equal(root.parentSpanId, undefined);
    assert.equal(inner.parentSpanId, root.spanId);
    assert.equal(inner.attributes["pulse.kind"], "retrieval");
    const asked = (text) => spans.find((s) => s.attributes["pulse.request"]?.includes(text));
    assert.equal(asked(name + "1 ").parentSpanId, root.spanId);
    assert.equal(asked(name + "2").parentSpanId, inner.spanId);
    assert.equal(asked(name + "2").traceId, root.traceId);
  }
});
