// What a wrapped call costs beside a bare one, in one run: node bench/overhead.mjs [calls], after sdk/test.sh typescript. sdk/bench.sh runs it with a
// Pulse in trouble too.
//
// The provider is a function in this process, so that the network's own ups and downs do not hide the SDK. A bare and a wrapped client take turns; the
// overhead is the difference of their percentiles.
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(import.meta.dirname, "../.cache/newest/package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: OpenAI } = await load("openai");
const { flush, initPulse, observe, shutdown, stats, Provider } = await load("@pulse/sdk");

const calls = Number(process.argv[2] ?? 2000);
const warmUp = 100;
const { BENCH_PROXY: proxy, PULSE_API_KEY: key } = process.env; // the proxy that makes trouble, and the key of the Pulse behind it
const troubles = proxy ? ["ok", "delay", "blackhole", "reset", "lose", "429", "500", "503", "garbage"] : ["ok"];

const head = { id: "chatcmpl-1", created: 1700000000, model: "gpt-4o-mini" };
const answer = JSON.stringify({ ...head, object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content: "x".repeat(2000) }, finish_reason: "stop" }], usage: { prompt_tokens: 9, completion_tokens: 400 } });
const chunk = (content) => `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`;
const events = Array.from({ length: 100 }, (_, i) => chunk(`word${i} `)).join("") + "data: [DONE]\n\n";
const provide = async (_, { body }) =>
  JSON.parse(body).stream ? new Response(events, { headers: { "content-type": "text/event-stream" } }) : new Response(answer, { headers: { "content-type": "application/json" } });

const taker = http.createServer((req, res) => req.resume().on("end", () => res.end("{}"))).listen(0);
initPulse({ apiKey: key ?? "pulse_sk_bench", apiUrl: proxy ?? `http://127.0.0.1:${taker.address().port}`, flushInterval: 500, timeout: 2000 });
const options = { apiKey: "none", baseURL: "http://provider/v1", fetch: provide };
const clients = { bare: new OpenAI(options), wrapped: observe(new OpenAI(options), Provider.OpenAI) };

const request = { model: "gpt-4o-mini", messages: [{ role: "user", content: "y".repeat(2000) }] };
const kinds = {
  "a call": (client) => client.chat.completions.create(request),
  "a stream of 100 events": async (client) => {
    for await (const _ of await client.chat.completions.create({ ...request, stream: true }));
  },
};

async function measure(call, count) {
  const times = { bare: [], wrapped: [] };
  for (let i = 0; i < count + warmUp; i++) {
    for (const [name, client] of Object.entries(clients)) {
      const began = performance.now();
      await call(client);
      if (i >= warmUp) times[name].push(performance.now() - began);
    }
    // As a provider over a network would: what the program began meanwhile goes on.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const at = (q) => ["bare", "wrapped"].map((name) => times[name].sort((a, b) => a - b)[Math.floor(count * q)]);
  const [[bare50, wrapped50], [bare99, wrapped99]] = [at(0.5), at(0.99)];
  return [bare50, wrapped50, bare99, wrapped99, wrapped50 - bare50, wrapped99 - bare99];
}

const row = (pulse, kind, cells) => console.log(pulse.padEnd(10) + kind.padEnd(24) + cells.map((cell) => cell.padStart(10)).join(""));
row("Pulse", "ms", ["bare p50", "wrapped", "bare p99", "wrapped", "p50 +", "p99 +"]);
for (const mode of troubles) {
  if (proxy) await fetch(proxy + "/trouble", { method: "PUT", body: JSON.stringify({ mode, delayMs: 300 }) });
  for (const [kind, call] of Object.entries(kinds)) {
    const cells = await measure(call, kind === "a call" ? calls : calls / 4);
    row(mode, kind, cells.map((ms) => ms.toFixed(3)));
  }
}
if (proxy) await fetch(proxy + "/trouble", { method: "PUT", body: JSON.stringify({ mode: "ok" }) });
await flush(30_000);
console.log(stats());
await shutdown();
taker.close();
taker.closeAllConnections();
