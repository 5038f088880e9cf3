// What a wrapped call costs beside the bare client's, in one run against a server on this machine: node bench/overhead.mjs, after sdk/test.sh typescript.
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(import.meta.dirname, "../.cache/newest/package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: OpenAI } = await load("openai");
const { initPulse, observe, shutdown, Provider } = await load("@pulse/sdk");

const body = JSON.stringify({ id: "chatcmpl-1", object: "chat.completion", model: "gpt-4o-mini", choices: [{ index: 0, message: { role: "assistant", content: "x".repeat(2000) }, finish_reason: "stop" }], usage: { prompt_tokens: 9, completion_tokens: 400 } });
const server = http.createServer((req, res) => req.resume().on("end", () => res.setHeader("content-type", "application/json").end(req.url.includes("/v1/traces") ? "{}" : body))).listen(0);
const url = `http://127.0.0.1:${server.address().port}`;

initPulse({ apiKey: "pulse_sk_bench", apiUrl: url });
const options = { apiKey: "none", baseURL: url + "/v1" };
const clients = { bare: new OpenAI(options), wrapped: observe(new OpenAI(options), Provider.OpenAI) };
const messages = [{ role: "user", content: "y".repeat(2000) }];
const times = { bare: [], wrapped: [] };
for (let i = 0; i < 4200; i++) {
  for (const [name, client] of Object.entries(clients)) {
    const began = performance.now();
    await client.chat.completions.create({ model: "gpt-4o-mini", messages });
    if (i >= 200) times[name].push(performance.now() - began);
  }
}
const at = (list, q) => list.sort((a, b) => a - b)[Math.floor(list.length * q)];
for (const q of [0.5, 0.99]) {
  const [bare, wrapped] = [at(times.bare, q), at(times.wrapped, q)];
  console.log(`p${q * 100}: bare ${bare.toFixed(3)} ms, wrapped ${wrapped.toFixed(3)} ms, overhead ${(wrapped - bare).toFixed(3)} ms`);
}
await shutdown();
server.close();
server.closeAllConnections();
