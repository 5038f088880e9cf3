// Many calls while Pulse is in trouble, through a proxy before a real one: the program gets what it asked for, and Pulse has each call once when it is back.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import OpenAI from "openai";
import { flush, initPulse, observe, Provider, shutdown, span, stats, withSession } from "@pulse/sdk";
import { providers, pulse, until } from "./kit.mjs";

let to, provider, openai;
before(async () => {
  [to, provider] = await Promise.all([pulse(), providers()]);
  openai = observe(new OpenAI({ apiKey: "none", baseURL: provider.url + "/v1", maxRetries: 0 }), Provider.OpenAI);
});

const begin = async (state, options) => {
  await shutdown(0);
  await to.trouble(state);
  initPulse({ apiKey: to.key, apiUrl: to.proxy, timeout: 1000, flushTimeout: 60_000, ...options });
};

/** Makes calls, 8 at a time, and gives the ids of their answers. */
async function load(session, count, more = "") {
  const ids = [];
  let next = 0;
  const work = async () => {
    while (next < count) {
      const content = `Hello ${next++}${more}`;
      const answer = await openai.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content }], pulseSessionId: session });
      assert.ok(answer.choices[0].message.content === "You said: " + content);
      ids.push(answer.id);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return ids;
}

/** The traces of a session, once there are as many. */
const kept = (session, count) =>
  until(async () => {
    const traces = await to.traces("&session_id=" + session);
    return traces.length >= count && traces;
  }, 60);

for (const mode of ["delay", "blackhole", "reset", "lose", "429", "500", "503", "garbage"]) {
  test(`200 calls while Pulse's answer is ${mode}`, async () => {
    const tried = await to.tried(mode);
    await begin({ mode, delayMs: 300 }, { batchSize: 20, flushInterval: 100 });
    const ids = await load(mode, 200);
    await until(async () => (await to.tried(mode)) > tried + 1);
    await to.trouble({ mode: "ok" });
    assert.ok(await flush());
    assert.deepEqual(stats(), { queued: 0, queuedBytes: 0, sent: 200, dropped: 0, rejected: 0 });
    const traces = await kept(mode, 200);
    assert.deepEqual(traces.map((t) => t.providerRequestId).sort(), ids.sort());
    const tokens = 2 + 10 + 4; // "Hello 1" and "You said: Hello 1"
    assert.equal(traces.reduce((sum, t) => sum + t.inputTokens + t.outputTokens, 0), 200 * tokens);
  });
}

test("what is larger than Pulse takes is counted, and holds up nothing", async () => {
  await begin({ mode: "ok" }, { timeout: 30_000 });
  withSession("huge", () => ["large", "too large", "small"].forEach((name, i) => span({ name, input: "x".repeat([5_000_000, 40_000_000, 1][i]) }, () => i)));
  assert.ok(await flush());
  assert.deepEqual(stats(), { queued: 0, queuedBytes: 0, sent: 2, dropped: 0, rejected: 1 });
  assert.deepEqual((await kept("huge", 2)).map((t) => t.name).sort(), ["large", "small"]);
});

test("memory is bounded, what is dropped is counted, and all else is there once", async () => {
  setFlagsFromString("--expose_gc");
  const gc = runInNewContext("gc");
  const used = () => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const queueBytes = 2 << 20;
  await begin({ mode: "blackhole" }, { queueBytes, batchSize: 8 });
  await load("bounded", 8);
  const before = used();
  const ids = await load("bounded", 400, "x".repeat(50_000)); // twice in each span
  const grown = used() - before;
  const { queued, queuedBytes, dropped } = stats();
  assert.ok(queuedBytes <= queueBytes && dropped > 200 && queued + dropped === 408, JSON.stringify(stats()));
  assert.ok(grown < 4 * queueBytes, `${grown} bytes of memory for a queue of ${queueBytes}`);
  await to.trouble({ mode: "ok" });
  assert.ok(await flush());
  assert.deepEqual(stats(), { queued: 0, queuedBytes: 0, sent: queued, dropped, rejected: 0 });
  const got = (await kept("bounded", queued)).map((t) => t.providerRequestId);
  assert.equal(new Set(got).size, queued);
  assert.ok(got.includes(ids.at(-1)));
});
