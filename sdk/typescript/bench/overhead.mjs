// What a wrapped call costs beside a bare one, in one run: node bench/overhead.mjs [calls], after sdk/test.sh typescript. sdk/bench.sh runs it with a
// Pulse in trouble too.
//
// The provider is a function in this process, so that the network's own ups and downs do not hide the SDK. A bare and a wrapped client take turns, each
// pair beginning with the other one, with a rest between calls as programs that wait for a model have it. The percentiles of each round are compared:
// what is shown are the medians of the rounds, of the difference of the p99 also the ends of a 96% interval, and of each side the longest pause of the
// garbage collector.
import http from "node:http";
import { createRequire } from "node:module";
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(import.meta.dirname, "../.cache/newest/package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: OpenAI } = await load("openai");
const { flush, initPulse, observe, shutdown, stats, Provider } = await load("@pulse/sdk");

const calls = Number(process.argv[2] ?? 900);
const warmUp = 100;
const rounds = 9; // the second lowest and the second highest of nine are the ends of a 96% interval of the median, whatever the figures are spread like
const rest = 2; // ms
const { BENCH_PROXY: proxy, PULSE_API_KEY: key } = process.env; // the proxy that makes trouble, and the key of the Pulse behind it
const modes = proxy ? (process.env.BENCH_MODES ?? "ok").split(" ") : ["ok"];

const head = { id: "chatcmpl-1", created: 1700000000, model: "gpt-4o-mini" };
const answer = JSON.stringify({ ...head, object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content: "x".repeat(2000) }, finish_reason: "stop" }], usage: { prompt_tokens: 9, completion_tokens: 400 } });
const chunk = (content) => `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`;
const events = Array.from({ length: 100 }, (_, i) => chunk(`word${i} `)).join("") + "data: [DONE]\n\n";
const provide = async (_, { body }) =>
  JSON.parse(body).stream ? new Response(events, { headers: { "content-type": "text/event-stream" } }) : new Response(answer, { headers: { "content-type": "application/json" } });

const taker = http.createServer((req, res) => req.resume().on("end", () => res.end("{}"))).listen(0);
initPulse({ apiKey: key ?? "pulse_sk_bench", apiUrl: proxy ?? `http://127.0.0.1:${taker.address().port}`, flushInterval: 500, timeout: 2000 });
const options = { apiKey: "none", baseURL: "http://provider/v1", fetch: provide };
const clients = [new OpenAI(options), observe(new OpenAI(options), Provider.OpenAI)];

const request = { model: "gpt-4o-mini", messages: [{ role: "user", content: "y".repeat(2000) }] };
const kinds = {
  "a call": (client) => client.chat.completions.create(request),
  "a stream of 100 events": async (client) => {
    for await (const _ of await client.chat.completions.create({ ...request, stream: true }));
  },
};

const pauses = [];
new PerformanceObserver((list) => pauses.push(...list.getEntries())).observe({ entryTypes: ["gc"] });

async function measure(call, count) {
  const times = Array.from({ length: rounds }, () => [[], []]);
  const spans = [[], []];
  pauses.length = 0;
  for (let n = -warmUp; n < count; n++) {
    for (const side of n % 2 ? [0, 1] : [1, 0]) {
      await sleep(rest);
      const began = performance.now();
      await call(clients[side]);
      const ended = performance.now();
      if (n < 0) continue;
      times[Math.floor((n * rounds) / count)][side].push(ended - began);
      spans[side].push([began, ended]);
    }
  }
  await sleep(100); // until the observer is told
  const longest = spans.map((side) => Math.max(0, ...pauses.filter((p) => side.some(([began, ended]) => p.startTime >= began && p.startTime < ended)).map((p) => p.duration)));
  const at = (values, share) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)];
  const of = (figure) => times.map(figure).sort((a, b) => a - b);
  const middle = Math.floor(rounds / 2);
  const more = (share) => of(([bare, wrapped]) => at(wrapped, share) - at(bare, share));
  const shown = [0.5, 0.99].flatMap((share) => [0, 1].map((side) => of((both) => at(both[side], share))[middle]));
  return [...shown, more(0.5)[middle], more(0.99)[middle], more(0.99)[1], more(0.99).at(-2), ...longest];
}

const row = (pulse, kind, cells) => console.log(pulse.padEnd(10) + kind.padEnd(24) + cells.map((cell) => cell.padStart(9)).join(""));
row("Pulse", "ms", ["bare p50", "wrapped", "bare p99", "wrapped", "p50 +", "p99 +", "from", "to", "bare gc", "wrapped"]);
for (const mode of modes) {
  if (proxy) await fetch(proxy + "/trouble", { method: "PUT", body: JSON.stringify({ mode, delayMs: 300 }) });
  for (const [kind, call] of Object.entries(kinds)) {
    row(mode, kind, (await measure(call, calls)).map((ms) => ms.toFixed(3)));
  }
}
if (proxy) await fetch(proxy + "/trouble", { method: "PUT", body: JSON.stringify({ mode: "ok" }) });
await flush(30_000);
console.log(stats());
await shutdown();
taker.close();
taker.closeAllConnections();
