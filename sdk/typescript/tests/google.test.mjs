import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, before, beforeEach } from "node:test";
import { GoogleGenAI } from "@google/genai";
import { flush, initPulse, observe, Provider, shutdown } from "@pulse/sdk";
import { providers, sink } from "./kit.mjs";

const old = JSON.parse(readFileSync(new URL("../node_modules/@google/genai/package.json", import.meta.url))).version === "1.0.0";
let provider, to, ai;
before(async () => {
  provider = await providers();
  to = await sink();
  initPulse({ apiKey: "pulse_sk_test", apiUrl: to.url });
  ai = observe(new GoogleGenAI({ apiKey: "none", httpOptions: { baseUrl: provider.url } }), Provider.Google);
});
beforeEach(async () => {
  await flush();
  to.clear();
  await provider.forget();
});

test("generateContent, its stream and chats", async () => {
  const model = "gemini-2.5-flash";
  const answer = await ai.models.generateContent({ model, contents: "Hello [reasoning]", pulseSessionId: "s-1", pulseMetadata: { user_id: 7 } });
  assert.equal(answer.text, "You said: Hello [reasoning]");
  let text = "";
  for await (const chunk of await ai.models.generateContentStream({ model, contents: "Hello", pulseSessionId: "s-2" })) text += chunk.text ?? "";
  assert.equal(text, "You said: Hello");
  const chat = ai.chats.create({ model });
  assert.equal((await chat.sendMessage({ message: "Hi" })).text, "You said: Hi");
  await assert.rejects(ai.models.generateContent({ model, contents: "[status 400] no" }));

  await flush();
  const spans = to.spans();
  const calls = await provider.calls();
  assert.deepEqual(spans.map((s) => s.name), Array(4).fill("generate_content gemini-2.5-flash"));
  assert.deepEqual(spans.map((s) => s.attributes["session.id"]), ["s-1", "s-2", undefined, undefined]);
  assert.equal(spans[0].attributes["user.id"], "7");
  for (const i of [0, 1, 2]) {
    const body = JSON.parse(spans[i].attributes["pulse.response"]);
    assert.deepEqual(body.candidates, calls[i].response.candidates);
    assert.deepEqual(body.usageMetadata, calls[i].response.usageMetadata);
    assert.deepEqual(JSON.parse(spans[i].attributes["pulse.request"]), calls[i].request);
  }
  assert.equal(spans[3].status.code, 2);
});

test("the messages of a chat say what they are about", async () => {
  const chat = ai.chats.create({ model: "gemini-2.5-flash", config: { temperature: 0.5 } });
  await chat.sendMessage({ message: "One", pulseSessionId: "s-4", pulseMetadata: { userId: "u" } });
  for await (const _ of await chat.sendMessageStream({ message: "Two", pulseSessionId: "s-5" }));
  await chat.sendMessage({ message: "Three", config: { temperature: 0.1 } });
  await flush();
  const spans = to.spans();
  assert.deepEqual(spans.map((s) => s.attributes["session.id"]), ["s-4", "s-5", undefined]);
  assert.equal(spans[0].attributes["user.id"], "u");
  const calls = await provider.calls();
  assert.deepEqual(calls.map((c) => c.request.generationConfig.temperature), [0.5, 0.5, 0.1]);
  assert.ok(!JSON.stringify(calls).includes("pulse"));
});

test("a stream that nobody reads", async () => {
  const unread = await ai.models.generateContentStream({ model: "gemini-2.5-flash", contents: "one two three" });
  assert.ok(await flush());
  assert.deepEqual(to.spans(), []); // somebody may read it yet
  await shutdown();
  initPulse({ apiKey: "pulse_sk_test", apiUrl: to.url });
  const [span] = to.spans();
  assert.equal(span.attributes["pulse.stream_ended_early"], true);
  await unread.return();
});

test("a stream that the program leaves", async () => {
  for await (const _ of await ai.models.generateContentStream({ model: "gemini-2.5-flash", contents: "one two three" })) break;
  await flush();
  const [span] = to.spans();
  assert.equal(span.attributes["pulse.stream_ended_early"], true);
  assert.equal(JSON.parse(span.attributes["pulse.response"]).candidates[0].content.parts[0].text, "You ");
});

async function embeds(client, model, contents) {
  const { embeddings } = await client.models.embedContent({ model, contents, pulseSessionId: "s-3" });
  await flush();
  const [call] = await provider.calls();
  const [{ name, attributes }] = to.spans();
  assert.equal(name, "embeddings " + model);
  assert.equal(attributes["session.id"], "s-3");
  assert.deepEqual(JSON.parse(attributes["pulse.request"]), call.request);
  assert.deepEqual(JSON.parse(attributes["pulse.response"]), call.response);
  assert.deepEqual(JSON.parse(attributes["gen_ai.usage.raw"]), { promptTokenCount: call.usage.input });
  return { embeddings, path: call.path };
}

test("embeddings", async () => {
  const { embeddings, path } = await embeds(ai, "text-embedding-004", ["Hello", "there"]);
  assert.deepEqual(embeddings.map((e) => e.values), Array(2).fill([0.25, -0.5, 1]));
  assert.match(path, /:batchEmbedContents$/);
});

test("one embedding, which Vertex has a path for", { skip: old && "this client asks another way" }, async () => {
  const vertex = observe(new GoogleGenAI({ vertexai: true, apiKey: "none", httpOptions: { baseUrl: provider.url } }), "gcp.vertex_ai");
  assert.match((await embeds(vertex, "gemini-embedding-2", "Hello")).path, /:embedContent$/);
});
