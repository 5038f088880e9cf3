// What is open when a program ends, and programs that have the package more than once or set it up again.
import assert from "node:assert/strict";
import { before, beforeEach, test } from "node:test";
import { program, providers, sink } from "./kit.mjs";

let provider, to, env;
before(async () => {
  [to, provider] = await Promise.all([sink(), providers()]);
  env = { PULSE_API_KEY: "pulse_sk_test", PULSE_API_URL: to.url, PROVIDER_URL: provider.url };
});
beforeEach(() => to.clear());

const observed = `
  import OpenAI from "openai";
  import { flush, initPulse, observe, Provider, span } from "@pulse/sdk";
  initPulse();
  const make = () => new OpenAI({ apiKey: "none", baseURL: process.env.PROVIDER_URL + "/v1", maxRetries: 0 });
  const openai = observe(make(), Provider.OpenAI);
  const ask = (content, more, client = openai) => client.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content }], ...more });
`;

for (const [how, end] of Object.entries({
  "runs out of work": "",
  "exits": "process.exit(0);",
  "gets SIGTERM": "process.kill(process.pid, 'SIGTERM'); await new Promise((resolve) => setTimeout(resolve, 10_000));",
})) {
  test("a stream that nobody read when the program " + how, async () => {
    const { output } = await (await program(observed + "globalThis.kept = await ask('Hello', { stream: true });" + end, env)).ended;
    const [span] = to.spans();
    assert.equal(span?.attributes["pulse.stream_ended_early"], true, output);
    assert.equal(to.spans().length, 1);
  });
}

for (const [how, end] of Object.entries({
  "exits": "process.exit(0);",
  "gets SIGTERM": "process.kill(process.pid, 'SIGTERM'); await new Promise((resolve) => setTimeout(resolve, 10_000));",
  "shuts down": "await shutdown(); process.kill(process.pid, 'SIGKILL');",
})) {
  test("a call that has no answer when the program " + how, async () => {
    const hanging = "void ask('[hang] Hello').catch(() => undefined); const { shutdown } = await import('@pulse/sdk'); await new Promise((resolve) => setTimeout(resolve, 200));";
    const { output } = await (await program(observed + hanging + end, env)).ended;
    const [span] = to.spans();
    assert.equal(span?.attributes["error.type"], "Unanswered", output);
    assert.match(span.attributes["pulse.request"], /Hello/);
    assert.equal(to.spans().length, 1);
  });
}

test("a call that nobody waits for", async () => {
  const { code, output } = await (await program(observed + "void ask('Hello');", env)).ended;
  assert.equal(code, 0, output);
  assert.equal(to.spans().length, 1, output);
});

test("an error that nobody takes is told of by the runtime, as without the SDK", async () => {
  const ended = async (client) => (await (await program(observed + `void ask('[status 400] no', {}, ${client}); setTimeout(() => undefined, 2000);`, env)).ended);
  const [bare, wrapped] = [await ended("make()"), await ended("openai")];
  assert.deepEqual([bare.code, wrapped.code], [1, 1], wrapped.output);
  assert.ok(wrapped.output.includes("BadRequestError"));
  assert.equal(to.spans().length, 1);
  to.clear();
  const { code, output } = await (await program(observed + "await ask('[status 400] no').catch(() => undefined); const late = ask('[status 400] no'); try { await late } catch {}", env)).ended;
  assert.equal(code, 0, output);
});

test("a program that has the package twice has one Pulse", async () => {
  const twice = `
    import { createRequire } from "node:module";
    const other = createRequire(import.meta.url)("@pulse/sdk");
    if (other.observe === observe) throw new Error("it is one");
    await other.span({ name: "outer" }, () => ask("Hello"));
    await span({ name: "outer too" }, () => ask("Hello", {}, other.observe(make(), "openai")));
  `;
  const { code, output } = await (await program(observed + twice, env)).ended;
  assert.equal(code, 0, output);
  const spans = to.spans();
  assert.equal(spans.length, 4, output);
  for (const name of ["outer", "outer too"]) {
    const outer = spans.find((s) => s.name === name);
    assert.equal(spans.filter((s) => s.parentSpanId === outer.spanId).length, 1);
  }
});

test("what waits for the Pulse of before is sent at the end too", async () => {
  const second = await sink();
  const again = `
    await ask("first");
    initPulse({ apiUrl: process.env.SECOND_URL });
    await ask("second");
    process.exit(0);
  `;
  const { code, output } = await (await program(observed + again, { ...env, SECOND_URL: second.url })).ended;
  assert.equal(code, 0, output);
  assert.ok(to.spans().length === 1 && to.spans()[0].attributes["pulse.request"].includes("first"), output);
  assert.ok(second.spans().length === 1 && second.spans()[0].attributes["pulse.request"].includes("second"));
});

test("what the program does with its console and its promises is not felt", async () => {
  const hostile = `
    console.warn = () => { throw new Error("no warnings") };
    initPulse({ apiKey: "a b" });
    initPulse();
    const odd = Object.defineProperty({}, "then", { get() { throw Object.create(null) } });
    if (span({ name: "odd" }, () => odd) !== odd) throw new Error("it is another");
    await ask("Hello");
  `;
  const { code, output } = await (await program(observed + hostile, env)).ended;
  assert.equal(code, 0, output);
  assert.equal(to.spans().length, 2);
});
