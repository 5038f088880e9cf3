// The programs of examples/typescript, as a reader would run them; test.sh has compiled them.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { program, providers, pulse, until } from "./kit.mjs";

let to, provider;
before(async () => ([to, provider] = await Promise.all([pulse(), providers()])));

const start = (name, ...args) =>
  program("", { PULSE_API_KEY: to.key, PULSE_API_URL: to.url, OPENAI_API_KEY: "none", OPENAI_BASE_URL: provider.url + "/v1", PORT: "0" },
    fileURLToPath(new URL(`../built/${name}.js`, import.meta.url)), ...args);

async function shown(service) {
  const trace = await until(async () => (await to.traces()).find((t) => t.services.includes(service)));
  return to.spans(trace.traceId);
}

test("chat", async () => {
  assert.equal((await (await start("chat", "Hi")).ended).output, "You said: Hi\n");
  const [span] = await shown("chat");
  assert.equal(span.sessionId, "session-123");
});

test("tools", async () => {
  const { code, output } = await (await start("tools", "[tool] How warm is it?")).ended;
  assert.equal(code, 0, output);
  const spans = await shown("tools");
  assert.deepEqual(spans.map((s) => s.name), ["agent", "chat gpt-4o-mini", "get_weather", "chat gpt-4o-mini"]);
  assert.ok(spans.every((s) => s.sessionId === "tools-1"));
});

test("stream-server", async () => {
  const run = await start("stream-server");
  const url = await until(() => run.output().includes("\n") && run.output().trim());
  assert.equal(await (await fetch(url + "/?q=Hello+there")).text(), "You said: Hello there");
  run.child.kill("SIGTERM");
  assert.equal((await run.ended).signal, "SIGTERM");
  assert.deepEqual((await shown("stream-server")).map((s) => s.name), ["GET /", "chat gpt-4o-mini"]);
});

test("serverless", async () => {
  assert.ok((await (await start("serverless")).ended).output.includes("You said: Hello"));
  assert.deepEqual((await shown("serverless")).map((s) => s.name), ["handler", "chat gpt-4o-mini"]);
});
