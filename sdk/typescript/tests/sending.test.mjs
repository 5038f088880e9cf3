// Sending: batches, retries, what is refused, what is dropped, and contents that are hostile or held back.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import OpenAI from "openai";
import { flush, initPulse, observe, Provider, shutdown, span, stats, tool, trace } from "@pulse/sdk";
import { program, providers, sink, until } from "./kit.mjs";

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

test("500 is tried again, but not for ever", async () => {
  const to = await begin();
  to.status = 500;
  await steps(1);
  await until(async () => (await flush(1)) || stats().rejected === 1); // a flush waits for no back-off
  assert.deepEqual([to.requests.length, stats().rejected], [10, 1]);
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

test("a clock that is set makes no negative times", async () => {
  const to = await begin();
  const { now } = Date;
  try {
    span({ name: "outer" }, () => {
      for (const hours of [-1, 1]) {
        Date.now = () => now() + hours * 3_600_000;
        span({ name: "inner" }, () => hours);
      }
    });
  } finally {
    Date.now = now;
  }
  assert.ok(await flush());
  assert.equal(to.spans().length, 3);
  for (const { startTimeUnixNano, endTimeUnixNano } of to.spans()) {
    const took = Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano));
    assert.ok(took >= 0 && took < 600e9, `${took} ns`);
  }
});

test("content is held back, redacted and cut", async () => {
  const provider = await providers();
  const ask = async (options, input = "secret") => {
    const to = await begin(options);
    const openai = observe(new OpenAI({ apiKey: "none", baseURL: provider.url + "/v1" }), Provider.OpenAI);
    await openai.chat.completions.create({ model: "gpt-4o-mini", temperature: 0, messages: [{ role: "user", content: input }] });
    span({ name: "step", input }, () => input);
    if (options.redact) assert.throws(() => span({ name: "fails" }, () => { throw new Error("the secret is out"); }));
    assert.ok(await flush());
    return to.spans();
  };
  let [call, step] = await ask({ captureContent: false });
  assert.deepEqual(JSON.parse(call.attributes["pulse.request"]), { model: "gpt-4o-mini", temperature: 0 });
  assert.ok(JSON.parse(call.attributes["pulse.response"]).usage);
  assert.ok(!JSON.stringify([call, step]).includes("secret"));

  let fails;
  [call, step, fails] = await ask({ redact: (content) => JSON.parse(JSON.stringify(content).replaceAll("secret", "***")) });
  assert.ok(!JSON.stringify([call, step, fails]).includes("secret"));
  assert.equal(fails.status.message, "the *** is out");
  assert.equal(step.attributes["output.value"], "***");

  [call, step, fails] = await ask({ redact: () => { throw new Error("secret"); } });
  assert.equal(step.attributes["input.value"], "[redaction failed]");
  assert.ok(!JSON.stringify([call, step, fails]).includes("secret"));

  const image = Buffer.from("an image").toString("base64");
  [call, step] = await ask({ hashImages: true }, `see data:image/png;base64,${image} here`);
  assert.equal(step.attributes["input.value"], `see data:image/png;sha256,${createHash("sha256").update("an image").digest("hex")} here`);
  assert.ok(!JSON.stringify([call, step]).includes(image));

  [call, step] = await ask({ maxContentBytes: 10 }, "ü".repeat(20));
  assert.equal(step.attributes["input.value"], "ü".repeat(5));
});

// Each is a program of its own, since a program is told of a trouble once.
const ends = `
  import { flush, initPulse, span, stats } from "@pulse/sdk";
  initPulse({ apiKey: "pulse_sk_secret" });
  for (let i = 0; i < 3; i++) span({ name: "secret", input: "secret" }, () => i);`;
const told = async (env, end = "") => {
  const { code, output } = await (await program(ends + end, { PULSE_FLUSH_TIMEOUT: "2000", PULSE_SPILL_DIRECTORY: "", ...env })).ended;
  assert.equal(code, 0, output);
  assert.ok(!output.includes("secret"), output);
  return output.trimEnd().split("\n");
};

test("that Pulse does not answer, and what was not sent, is told once", async () => {
  const hanging = http.createServer(() => undefined).listen(0, "127.0.0.1");
  await once(hanging, "listening");
  hanging.unref();
  const hangs = `127.0.0.1:${hanging.address().port}`;
  const whys = { "127.0.0.1:1": /^connect ECONNREFUSED 127\.0\.0\.1:1$/, "localhost:1": /ECONNREFUSED/, "pulse.invalid": /pulse\.invalid$/, [hangs]: /^no answer within 300 ms$/ };
  await Promise.all(Object.entries(whys).map(async ([at, why]) => {
    const env = { PULSE_API_URL: `http://me:secret@${at}`, ...(at === hangs && { PULSE_TIMEOUT: "300" }) };
    const [silence, unsent, ...more] = await told(env, at.startsWith("127") ? "" : "await flush(); process.exit(0)");
    const [words, reason] = silence.split(" spans wait for it: ");
    assert.equal(words, `pulse: Pulse does not answer at http://${at}/v1/traces,`);
    assert.match(reason, why);
    assert.equal(unsent, `pulse: spans not sent to Pulse at http://${at}/v1/traces before the end: 3`);
    assert.deepEqual(more, []);
  }));
  const directory = mkdtempSync(path.join(tmpdir(), "spill-"));
  const lines = await told({ PULSE_API_URL: "http://127.0.0.1:1", PULSE_SPILL_DIRECTORY: directory }, "process.exit(0)");
  assert.deepEqual(lines, [`pulse: spans not sent to Pulse at http://127.0.0.1:1/v1/traces before the end: 3, kept in ${directory}`]);
});

test("that somebody else answers is told once", async () => {
  const to = await sink();
  to.answer = "<html>\n";
  const lines = await told({ PULSE_API_URL: to.url });
  assert.equal(lines[0], `pulse: what answers at ${to.url}/v1/traces is not Pulse, spans wait for it: "<html>\\n"`);
  assert.equal(lines.length, 2, lines.join("\n"));
});

test("that Pulse refuses for ever is told once, and not too soon", async () => {
  const to = await sink();
  to.status = 503;
  to.answer = "busy\n";
  const flushes = "for (let tries = 0; tries < 50; tries++) await flush(50);";
  const lines = await told({ PULSE_API_URL: to.url, PULSE_FLUSH_TIMEOUT: "400" }, `await flush(50); console.log("first"); ${flushes} process.exit(0);`);
  assert.deepEqual(lines, [
    "first",
    `pulse: Pulse answers 503 at ${to.url}/v1/traces, spans wait for it: "busy\\n"`,
    `pulse: spans not sent to Pulse at ${to.url}/v1/traces before the end: 3`,
  ]);
});

test("without a scheme in the address nothing is recorded", async () => {
  const lines = await told({ PULSE_API_URL: "localhost:4100" }, "console.log(JSON.stringify(stats()))");
  assert.deepEqual(lines, [
    "pulse: PULSE_API_URL is no address such as http://host[:port] or https://host[:port]: nothing is recorded",
    '{"queued":0,"queuedBytes":0,"sent":0,"dropped":0,"rejected":0}',
  ]);
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
