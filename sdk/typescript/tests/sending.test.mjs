// Sending: batches, retries, what is refused, what is dropped, and contents that are hostile or held back.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import OpenAI from "openai";
import { flush, initPulse, observe, Provider, shutdown, span, stats, tool, trace } from "@pulse/sdk";
import { providers, sink, until } from "./kit.mjs";

const steps = async (n, input) => { for (let i = 0; i < n; i++) span({ name: "step " + i, input }, () => i); };
const begin = async (options = {}) => {
  await shutdown(0);
  const to = await sink();
  initPulse({ apiKey: "pulse_sk_test", apiUrl: to.url + "/base/", flushTimeout: 3000, ...options });
  return to;
};

test("one request has the key, the resource and the spans; large ones are compressed", async () => {
  const to = await begin({ serviceName: "shop", environment: "test", release: "1.2" });
  await steps(3, "x".repeat(2000));
  assert.ok(await flush());
  assert.equal(to.requests.length, 1);
  const [{ path, headers, body }] = to.requests;
  assert.equal(path, "/base/v1/traces");
  assert.equal(headers.authorization, "Bearer pulse_sk_test");
  assert.equal(headers["content-encoding"], "gzip");
  const resource = Object.fromEntries(body.resourceSpans[0].resource.attributes.map(({ key, value }) => [key, value.stringValue]));
  assert.equal(resource["service.name"], "shop");
  assert.equal(resource["service.version"], "1.2");
  assert.equal(resource["deployment.environment.name"], "test");
  assert.equal(resource["telemetry.sdk.language"], "nodejs");
  assert.match(to.spans()[0].spanId, /^[0-9a-f]{16}$/);
  assert.match(to.spans()[0].traceId, /^[0-9a-f]{32}$/);
  assert.equal(stats().sent, 3);
});

test("batches are bounded by count and by bytes", async () => {
  let to = await begin({ batchSize: 10 });
  await steps(25);
  await until(() => to.requests.length > 0);
  await flush();
  assert.deepEqual(to.requests.map((r) => r.body.resourceSpans[0].scopeSpans[0].spans.length), [10, 10, 5]);
  to = await begin({ batchBytes: 4096 });
  await steps(6, "y".repeat(1500));
  await flush();
  assert.equal(to.spans().length, 6);
  assert.ok(to.requests.length >= 3, `${to.requests.length} requests`);
});

test("spans are sent after the interval without being asked for", async () => {
  const to = await begin({ flushInterval: 100 });
  await steps(1);
  await until(() => to.spans().length === 1, 3);
});

test("503 and 429 are tried again, after Retry-After, and nothing is missing or doubled", async () => {
  const to = await begin();
  to.status = 429;
  to.headers = { "retry-after": "1" };
  await steps(5);
  const flushed = flush();
  await until(() => to.requests.length === 1);
  to.status = 200;
  assert.ok(await flushed);
  assert.ok(to.requests[1].at - to.requests[0].at >= 900, "Retry-After was not waited for");
  assert.equal(new Set(to.spans().map((s) => s.spanId)).size, 5);
  assert.equal(to.spans().length, 5);
});

test("flush ends at its deadline while Pulse is away, and what waits is sent when it is back", async () => {
  const to = await begin();
  to.status = 503;
  await steps(2);
  const began = Date.now();
  assert.equal(await flush(300), false);
  assert.ok(Date.now() - began < 1500);
  assert.equal(stats().queued, 2);
  to.status = 200;
  assert.ok(await flush());
  assert.equal(to.spans().length, 2);
});

test("4xx and partial success are counted and not tried again", async () => {
  const to = await begin();
  to.status = 400;
  await steps(2);
  assert.ok(await flush());
  assert.equal(to.requests.length, 1);
  assert.equal(stats().rejected, 2);
  to.status = 308;
  to.headers = { location: "/elsewhere" };
  await steps(1);
  assert.ok(await flush());
  assert.equal(to.requests.length, 2, "a redirect was followed");
  assert.equal(stats().rejected, 3);
  to.status = 200;
  to.answer = '{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}';
  await steps(3);
  assert.ok(await flush());
  assert.deepEqual([stats().sent, stats().rejected], [2, 4]);
  to.answer = "<html>\u0000";
  await steps(1);
  assert.equal(await flush(100), false, "what somebody else answered was taken for Pulse's word");
  to.answer = "";
  assert.ok(await flush());
  assert.equal(stats().sent, 3);
});

test("a queue that is full drops the oldest", async () => {
  const to = await begin({ queueBytes: 20_000, apiUrl: "http://127.0.0.1:1" });
  await steps(100, "z".repeat(1000));
  const { queued, queuedBytes, dropped } = stats();
  assert.ok(queuedBytes <= 20_000 && dropped > 50 && queued + dropped === 100, JSON.stringify(stats()));
  assert.equal(to.requests.length, 0);
});

test("what the program gives may be anything", async () => {
  const to = await begin();
  const circular = { name: "me" };
  circular.self = circular;
  const hostile = { circular, big: 2n ** 70n, fn() {}, nan: NaN, date: new Date(0), get trap() { throw new RangeError("no"); }, map: new Map([[1, 2]]), symbol: Symbol("s") };
  span({ name: "hostile", input: hostile }, () => hostile);
  const thrown = Object.create(null);
  assert.throws(() => trace("throws", () => { throw thrown; }), (e) => e === thrown);
  await assert.rejects(trace("rejects", async () => { throw new TypeError("why"); }), TypeError);
  const add = tool("add", (a, b) => a + b, { callId: "call_1" });
  assert.equal(add(1, 2), 3);
  assert.ok(await flush());
  const [first, second, third, fourth] = to.spans();
  const input = JSON.parse(first.attributes["input.value"]);
  assert.equal(input.circular.self, "[circular]");
  assert.equal(input.big, (2n ** 70n).toString());
  assert.equal(input.trap, "[throws RangeError]");
  assert.equal(second.status.code, 2);
  assert.equal(third.attributes["error.type"], "TypeError");
  assert.deepEqual([fourth.attributes["gen_ai.tool.name"], fourth.attributes["gen_ai.tool.call.id"], fourth.attributes["gen_ai.tool.call.arguments"], fourth.attributes["gen_ai.tool.call.result"]],
    ["add", "call_1", "[1,2]", "3"]);
});

test("content is held back, redacted and cut", async () => {
  const provider = await providers();
  const ask = async (options, input = "secret") => {
    const to = await begin(options);
    const openai = observe(new OpenAI({ apiKey: "none", baseURL: provider.url + "/v1" }), Provider.OpenAI);
    await openai.chat.completions.create({ model: "gpt-4o-mini", temperature: 0, messages: [{ role: "user", content: input }] });
    span({ name: "step", input }, () => input);
    assert.ok(await flush());
    return to.spans();
  };
  let [call, step] = await ask({ captureContent: false });
  assert.deepEqual(JSON.parse(call.attributes["pulse.request"]), { model: "gpt-4o-mini", temperature: 0 });
  assert.ok(JSON.parse(call.attributes["pulse.response"]).usage);
  assert.ok(!JSON.stringify([call, step]).includes("secret"));

  [call, step] = await ask({ redact: (content) => JSON.parse(JSON.stringify(content).replaceAll("secret", "***")) });
  assert.ok(!JSON.stringify([call, step]).includes("secret"));
  assert.equal(step.attributes["output.value"], "***");

  [call, step] = await ask({ redact: () => { throw new Error("secret"); } });
  assert.equal(step.attributes["input.value"], "[redaction failed]");
  assert.ok(!JSON.stringify([call, step]).includes("secret"));

  const image = Buffer.from("an image").toString("base64");
  [call, step] = await ask({ hashImages: true }, `see data:image/png;base64,${image} here`);
  assert.equal(step.attributes["input.value"], `see data:image/png;sha256,${createHash("sha256").update("an image").digest("hex")} here`);
  assert.ok(!JSON.stringify([call, step]).includes(image));

  [call, step] = await ask({ maxContentBytes: 10 }, "ü".repeat(20));
  assert.equal(step.attributes["input.value"], "ü".repeat(5));
});

test("options that cannot be used do not hurt, and what is off costs nothing", async () => {
  const warnings = [];
  const { warn } = console;
  console.warn = (message) => warnings.push(message);
  try {
    await begin({ batchSize: 0, apiUrl: 7 });
    assert.ok(warnings.some((w) => w.includes("batchSize")) && warnings.some((w) => w.includes("apiUrl")), warnings.join());
    await shutdown(0);
    initPulse({ enabled: false, apiKey: "pulse_sk_test" });
    await steps(3);
    assert.equal(stats().queued, 0);
    initPulse({ apiKey: "" });
    await steps(3);
    assert.equal(stats().queued, 0);
  } finally {
    console.warn = warn;
  }
});
