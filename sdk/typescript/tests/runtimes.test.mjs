// The package as it was packed on each runtime that is here, with the real client and a real Pulse: what is recorded, and how a program ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { providers, pulse, run, sink, until, worker } from "./kit.mjs";

const at = (file) => fileURLToPath(new URL("../testdata/" + file, import.meta.url));
const { PULSE_BUN, PULSE_DENO, PULSE_WORKERD } = process.env;
const deno = (...allow) => [PULSE_DENO, "run", "--no-prompt", ...allow.map((a) => "--allow-" + a)];
const commands = Object.entries({ node: [process.execPath], bun: [PULSE_BUN], deno: deno("env", "net=127.0.0.1") }).filter(([, [command]]) => command);
const flushTimeout = 1000;
const slack = 2000;

let to, provider, hanging;
before(async () => {
  [to, provider] = await Promise.all([pulse(), providers()]);
  const server = http.createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  hanging = `http://127.0.0.1:${server.address().port}`;
});

/** Waits for the trace of a service, and checks that all of it is there and right. */
async function complete(service) {
  const { traceId } = await until(async () => (await to.traces()).find((t) => t.services.includes(service) && t.spanCount === 5));
  const spans = await to.spans(traceId);
  const named = Object.fromEntries(spans.map((s) => [s.spanId, s.name]));
  assert.deepEqual(spans.map((s) => [s.name, named[s.parentSpanId], s.status]), [
    ["agent", undefined, "success"],
    ["chat gpt-4o-mini", "agent", "success"],
    ["chat gpt-4o-mini", "agent", "success"],
    ["find", "agent", "success"],
    ["get_weather", "find", "success"],
  ]);
  const known = await provider.calls();
  for (const call of spans.slice(1, 3)) {
    const { usage } = known.find((k) => k.response.id === call.providerRequestId);
    assert.deepEqual([call.provider, call.modelUsed, call.usage.inputTokens, call.usage.outputTokens], ["openai", "gpt-4o-mini", usage.input, usage.output]);
    assert.deepEqual(call.outputMessages[0].parts, [{ type: "text", text: "You said: Hello" }]);
  }
  assert.deepEqual([spans[4].toolInput, spans[4].toolResponse], ["Oslo", { city: "Oslo", temperature: 21 }]);
}

const failed = (r) => r.code === 1 && r.output.includes("why");
const ends = [
  { how: "runs out of work", ended: (r) => r.code === 0 },
  { how: "calls process.exit", ended: (r) => r.code === 3 },
  { how: "calls Deno.exit", ended: (r) => r.code === 3, only: "deno" },
  { how: "throws", ended: failed },
  { how: "throws in a timer", ended: failed },
  { how: "rejects", ended: failed },
  { how: "waits", signal: "SIGTERM", ended: (r) => r.signal === "SIGTERM" },
  { how: "waits", signal: "SIGINT", ended: (r) => r.signal === "SIGINT" },
  { how: "has a handler of its own", signal: "SIGTERM", ended: (r) => r.code === 5 },
];

for (const [runtime, command] of commands) {
  describe(runtime, { concurrency: 2 }, () => {
    const start = async ({ how, signal }, env) => {
      const program = run([...command, at("ends.mjs"), how], { PULSE_API_KEY: to.key, PULSE_API_URL: to.url, PROVIDER_URL: provider.url, ...env });
      await Promise.race([until(() => program.output().includes("at the end")), program.ended]);
      const began = Date.now();
      if (signal) program.child.kill(signal);
      const result = await program.ended;
      return { ...result, took: result.at - began };
    };
    for (const end of ends.filter(({ only = runtime }) => only === runtime)) {
      const name = `a program that ${end.how}` + (end.signal ? ` and gets ${end.signal}` : "");
      test(name, async () => {
        const service = `${runtime}: ${name}`;
        const result = await start(end, { PULSE_SERVICE_NAME: service });
        assert.ok(end.ended(result), JSON.stringify(result));
        await complete(service);
      });
      test(name + " while Pulse hangs", async () => {
        // A batch of one is sent at once, so that a request hangs already. The time limit of a request is its usual one.
        for (const batch of ["1", "100"]) {
          const result = await start(end, { PULSE_API_URL: hanging, PULSE_FLUSH_TIMEOUT: String(flushTimeout), PULSE_BATCH_SIZE: batch });
          assert.ok(end.ended(result), JSON.stringify(result));
          assert.ok(result.took < flushTimeout + slack, `${result.took} ms`);
        }
      });
    }
  });
}

for (const [runtime, command] of commands.filter(([runtime]) => runtime !== "node")) {
  test(`${runtime}: spans of a killed process are sent by the next`, async () => {
    const pulse = await sink();
    const directory = mkdtempSync(path.join(tmpdir(), "spill-"));
    const env = { PULSE_API_KEY: "pulse_sk_test", PULSE_API_URL: pulse.url, PULSE_SPILL_DIRECTORY: directory };
    // On Deno only what may run others may ask whether a process is there.
    const able = runtime === "deno" ? deno("env", "net", "read", "write", "sys=hostname", "run") : command;
    const killed = run([...able, at("spill.mjs"), "wait"], env);
    await until(() => killed.output().includes("ready"));
    killed.child.kill("SIGKILL");
    await killed.ended;
    assert.equal(pulse.spans().length, 0);
    const { code, output } = await run([...able, at("spill.mjs")], env).ended;
    assert.equal(code, 0, output);
    assert.equal(pulse.spans().length, 2, output);
    assert.deepEqual(readdirSync(directory), []);
  });
}

test("bun: a compiled program", { skip: !PULSE_BUN }, async () => {
  const compiled = path.join(mkdtempSync(path.join(tmpdir(), "bun-")), "ends");
  assert.equal((await run([PULSE_BUN, "build", "--compile", at("ends.mjs"), "--outfile", compiled]).ended).code, 0);
  const { code, output } = await run([compiled, "calls process.exit"], { PULSE_API_KEY: to.key, PULSE_API_URL: to.url, PROVIDER_URL: provider.url, PULSE_SERVICE_NAME: "compiled" }).ended;
  assert.deepEqual([code, output], [3, "at the end\n"]);
  await complete("compiled");
});

test("deno: a program that may not read its environment", { skip: !PULSE_DENO }, async () => {
  const pulse = await sink();
  const { code, output } = await run([...deno("net"), at("options.mjs"), pulse.url]).ended;
  assert.deepEqual([code, output], [0, ""]);
  assert.equal(pulse.spans().length, 1);
});

const workers = { "with AsyncLocalStorage": { flags: ["nodejs_compat"] }, "without AsyncLocalStorage": { flags: [], GIVE_ON: "1" } };
describe("workerd", { skip: !PULSE_WORKERD }, () => {
  for (const [how, { flags, ...bindings }] of Object.entries(workers)) {
    test("a request " + how, async () => {
      const ask = await worker(PULSE_WORKERD, at("worker.mjs"), flags, { KEY: to.key, PULSE: to.url, PROVIDER: provider.url, SERVICE: "workerd " + how, ...bindings });
      await ask("/steps");
      await complete("workerd " + how);
      assert.deepEqual(await until(async () => { const stats = await ask("/stats"); return stats.queued === 0 && stats; }), { queued: 0, queuedBytes: 0, sent: 5, dropped: 0, rejected: 0 });
    });
  }

  test("a stream that is the answer", async () => {
    const ask = await worker(PULSE_WORKERD, at("worker.mjs"), ["nodejs_compat"], { KEY: to.key, PULSE: to.url, PROVIDER: provider.url, SERVICE: "workerd streams" });
    assert.match(await ask("/stream", "text"), /"finish_reason":"stop"/);
    const { traceId } = await until(async () => (await to.traces()).find((t) => t.services.includes("workerd streams")));
    const [call] = await to.spans(traceId);
    assert.deepEqual([call.outputMessages[0].parts[0].text, call.usage.outputTokens], ["You said: Hello", 3]);
  });

  test("what a request could not send is sent by another", async () => {
    const ask = await worker(PULSE_WORKERD, at("worker.mjs"), ["nodejs_compat"], { KEY: to.key, PULSE: to.proxy, SERVICE: "workerd hangs", FLUSH_TIMEOUT: String(flushTimeout) });
    await to.trouble({ mode: "blackhole" });
    await Promise.all([ask("/one"), ask("/one"), ask("/one")]); // their waitUntil ends without success
    const began = Date.now();
    assert.equal((await ask("/one?await")).flushed, false);
    const took = Date.now() - began;
    assert.ok(took < flushTimeout + slack, `${took} ms`);
    await to.trouble({ mode: "ok" });
    assert.equal((await ask("/one?await")).flushed, true);
    assert.deepEqual(await ask("/stats"), { queued: 0, queuedBytes: 0, sent: 5, dropped: 0, rejected: 0 });
    await until(async () => (await to.traces()).filter((t) => t.services.includes("workerd hangs")).length === 5);
  });

  test("what ends with its request does not hold up another", async () => {
    const ask = await worker(PULSE_WORKERD, at("worker.mjs"), ["nodejs_compat"], { KEY: to.key, PULSE: to.proxy, SERVICE: "workerd forgets", BATCH_SIZE: "1" });
    await to.trouble({ mode: "delay", delayMs: 500 });
    await ask("/one?forget"); // its request to Pulse is let go as it answers
    await to.trouble({ mode: "ok" });
    const began = Date.now();
    assert.equal((await ask("/one?await")).flushed, true);
    const took = Date.now() - began;
    assert.ok(took < slack, `${took} ms`);
    await until(async () => (await to.traces()).filter((t) => t.services.includes("workerd forgets")).length === 2);
  });

  test("many requests at once send all there is, once each", async () => {
    const pulse = await sink();
    const ask = await worker(PULSE_WORKERD, at("worker.mjs"), ["nodejs_compat"], { KEY: "pulse_sk_test", PULSE: pulse.url, SERVICE: "workerd many" });
    await Promise.all(Array.from({ length: 40 }, () => ask("/one")));
    await until(() => pulse.spans().length >= 40);
    assert.equal(new Set(pulse.spans().map((s) => s.spanId)).size, 40);
    assert.equal(pulse.spans().length, 40);
    await until(async () => (await ask("/stats")).sent === 40); // its answer may still be on the way
  });
});
