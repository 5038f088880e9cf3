// The whole way, into a real Pulse: the journey, and trouble between. How a program ends is in runtimes.test.mjs.
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { program, providers, pulse, until } from "./kit.mjs";

let to, provider, env;
before(async () => {
  [to, provider] = await Promise.all([pulse(), providers()]);
  env = { PULSE_API_KEY: to.key, PULSE_API_URL: to.url, PROVIDER_URL: provider.url };
});

test("the package is small", () => {
  const file = fileURLToPath(import.meta.resolve("@pulse/sdk"));
  assert.ok(statSync(file).size > 1000);
  assert.ok(gzipSync(readFileSync(file)).length < 15_000);
});

test("the journey", async () => {
  const { code, output } = await (await program("", env, fileURLToPath(new URL("../testdata/journey.mjs", import.meta.url)))).ended;
  assert.equal(code, 0, output);
  const traces = await until(async () => {
    const all = (await to.traces()).filter((t) => t.services.includes("journey"));
    return all.length === 11 && all;
  });
  const known = await provider.calls();
  assert.equal(known.length, 12);
  const each = await Promise.all(traces.map((t) => to.spans(t.traceId)));
  each.sort(([a], [b]) => (a.startTime < b.startTime ? -1 : 1));
  const spans = each.flat();
  const calls = spans.filter((s) => s.kind === "llm_call" || s.kind === "embedding");
  assert.equal(calls.length, 12);
  for (const { status, path, response, usage } of known) {
    const id = response.id ?? response.responseId;
    if (status !== 200 || !id) continue;
    const shown = calls.find((s) => s.providerRequestId === id);
    assert.deepEqual([shown.usage.inputTokens, shown.usage.outputTokens, shown.usage.cacheReadTokens], [usage.input, usage.output, usage.cached], path);
    assert.ok(shown.costNanoUsd > 0, path);
  }
  const agent = spans.filter((s) => s.sessionId === "s-2");
  assert.deepEqual(agent.map((s) => s.name), ["agent", "chat gpt-4o-mini", "get_weather", "chat gpt-4o-mini"]);
  assert.deepEqual(agent.slice(1).map((s) => s.parentSpanId), Array(3).fill(agent[0].spanId));
  assert.deepEqual([agent[2].toolName, agent[2].toolInput, agent[2].toolResponse], ["get_weather", { city: "Oslo" }, { temperature: 21 }]);
  compare(each);
  const [first] = spans.filter((s) => s.userId === "user-42");
  assert.equal(first.sessionId, "s-1");
});

/** Holds what Pulse shows against sdk/testdata/journey.json, which is the same for all SDKs; UPDATE_JOURNEY=1 writes it. */
function compare(shown) {
  const file = path.join(process.env.PULSE_REPOSITORY, "sdk/testdata/journey.json");
  const { fields, traces: want } = JSON.parse(readFileSync(file));
  const got = shown.map((spans) => spans.map((s) => Object.fromEntries(fields.map((name) => [name, s[name]]))));
  if (process.env.UPDATE_JOURNEY) writeFileSync(file, JSON.stringify({ fields, traces: got }, null, 1) + "\n");
  else assert.deepEqual(got, want);
}

const calls = (name, end, pulseUrl = "process.env.PULSE_API_URL") => `
  import OpenAI from "openai";
  import { initPulse, observe, Provider } from "@pulse/sdk";
  initPulse({ serviceName: "${name}", apiUrl: ${pulseUrl} });
  const openai = observe(new OpenAI({ apiKey: "none", baseURL: process.env.PROVIDER_URL + "/v1" }), Provider.OpenAI);
  await openai.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] });
  ${end}`;
test("all that waits for Pulse at the end shares one time limit", async () => {
  await to.trouble({ mode: "blackhole" });
  const end = 'const { flush } = await import("@pulse/sdk"); await flush(); console.log("flushed"); process.exit(0)';
  const run = await program(calls("hang-twice", end), { ...env, PULSE_API_URL: to.proxy, PULSE_FLUSH_TIMEOUT: "3000" });
  await until(() => run.output().includes("flushed"));
  const flushed = Date.now();
  const { code, output } = await run.ended;
  const more = Date.now() - flushed;
  await to.trouble({ mode: "ok" });
  assert.equal(code, 0, output);
  assert.ok(more < 2000, `${more} ms`);
});

for (const state of [{ mode: "500" }, { mode: "503" }, { mode: "garbage" }, { mode: "reset" }, { mode: "delay", delayMs: 400 }]) {
  test("a program does not feel that Pulse answers " + state.mode, async () => {
    await to.trouble(state);
    const { code, output } = await (await program(calls("trouble", "console.log('done')"), { ...env, PULSE_API_URL: to.proxy, PULSE_FLUSH_TIMEOUT: "600" })).ended;
    await to.trouble({ mode: "ok" });
    assert.equal(code, 0, output);
    assert.ok(output.includes("done"));
  });
}
