// Measures what sdk/bench compares: bare and wrapped calls of openai's client, in blocks that follow each other in random order. The arguments are the
// number of blocks and of the calls in each. Where Pulse is comes from the environment, as for any program. Run by sdk/bench.sh.
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(import.meta.dirname, "../.cache/newest/package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: OpenAI } = await load("openai");
const { flush, initPulse, observe, shutdown, Provider } = await load("@pulse/sdk");

const [blocks, calls] = process.argv.slice(2).map(Number);
const warmUp = 300; // calls
const rest = 2; // ms between two calls, as programs that wait for a model have it
const settling = 100; // ms that a block of wrapped calls may take at most until all of it is sent: the bare calls after it must not pay for it

// The provider is a function in this process, so that the network's own ups and downs do not hide the SDK.
const head = { id: "chatcmpl-1", created: 1700000000, model: "gpt-4o-mini" };
const answer = JSON.stringify({ ...head, object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content: "x".repeat(2000) }, finish_reason: "stop" }], usage: { prompt_tokens: 9, completion_tokens: 400 } });
const chunk = (content) => `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`;
const events = Array.from({ length: 100 }, (_, i) => chunk(`word${i} `)).join("") + "data: [DONE]\n\n";
const provide = async (_, { body }) =>
  JSON.parse(body).stream ? new Response(events, { headers: { "content-type": "text/event-stream" } }) : new Response(answer, { headers: { "content-type": "application/json" } });

initPulse({ batchSize: 10, timeout: 2000 });
const options = { apiKey: "none", baseURL: "http://provider/v1", fetch: provide };
const clients = { bare: new OpenAI(options), wrapped: observe(new OpenAI(options), Provider.OpenAI) };

const request = { model: "gpt-4o-mini", messages: [{ role: "user", content: "y".repeat(2000) }] };
const kinds = {
  "a call": (client) => client.chat.completions.create(request),
  "a stream of 100 events": async (client) => {
    for await (const _ of await client.chat.completions.create({ ...request, stream: true }));
  },
};

async function measure(call, client, count) {
  const times = [];
  for (let n = 0; n < count; n++) {
    await sleep(rest);
    const began = performance.now();
    await call(client);
    times.push(performance.now() - began);
  }
  return times;
}

const lines = [];
for (const [kind, call] of Object.entries(kinds)) {
  for (const client of Object.values(clients)) await measure(call, client, warmUp);
  for (let block = 0; block < blocks; block++) {
    for (const side of Math.random() < 0.5 ? ["bare", "wrapped"] : ["wrapped", "bare"]) {
      for (const ms of await measure(call, clients[side], calls)) lines.push(`${kind}\t${block}\t${side}\t${ms.toFixed(4)}\n`);
      await flush(settling);
    }
  }
}
process.stdout.write(lines.join(""));
await shutdown(1);
