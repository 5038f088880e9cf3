// What waits outlives a process that is killed.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { program, sink, until } from "./kit.mjs";

const code = (steps, end) => `
  import { flush, initPulse, span } from "@pulse/sdk";
  initPulse({ serviceName: "spill", flushInterval: 60000 });
  for (let i = 0; i < ${steps}; i++) span({ name: "step " + i }, () => i);
  ${end}`;
const die = "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})";

async function begin() {
  const directory = mkdtempSync(path.join(tmpdir(), "spill-"));
  const to = await sink();
  const run = async (steps, end, env = {}) => (await program(code(steps, end), { PULSE_API_KEY: "pulse_sk_test", PULSE_API_URL: to.url, PULSE_SPILL_DIRECTORY: directory, ...env })).ended;
  return { directory, to, run, files: () => readdirSync(directory) };
}

test("spans of a killed process are sent by the next, once", async () => {
  const { to, run, files, directory } = await begin();
  assert.equal((await run(250, die)).signal, "SIGKILL");
  assert.equal(to.spans().length, 0);
  assert.equal(files().length, 3);
  appendFileSync(path.join(directory, files()[0]), '{"traceId":"torn');
  const { code, output } = await run(1, "await flush()");
  assert.equal(code, 0, output);
  assert.equal(to.spans().length, 251);
  assert.equal(new Set(to.spans().map((s) => s.spanId)).size, 251);
  assert.deepEqual(files(), []);
});

test("another set-up of the same process leaves the first one's files alone", async () => {
  const { to, run, files } = await begin();
  to.status = 503;
  await run(2, `initPulse({ serviceName: "other" }); ${die}`);
  assert.equal(files().length, 1);
});

test("nothing stays when all was sent, also at the very end", async () => {
  const { to, run, files } = await begin();
  await run(3, "");
  await run(3, "process.exit(0)");
  assert.equal(to.spans().length, 6);
  assert.deepEqual(files(), []);
});

test("what Pulse does not take stays for the next process", async () => {
  const { to, run, files } = await begin();
  to.status = 503;
  await run(3, "", { PULSE_FLUSH_TIMEOUT: "300" });
  assert.equal(files().length, 1);
  to.status = 200;
  await run(0, "await flush()");
  await until(() => to.spans().length === 3);
  assert.deepEqual(files(), []);
});

test("files of others that live, and of other hosts, are left alone; a broken one goes", async () => {
  const { to, run, files, directory } = await begin();
  writeFileSync(path.join(directory, `${hostname()}-${process.pid}-mine.ndjson`), '{"resource":{},"scope":{}}\n{"name":"x"}\n');
  writeFileSync(path.join(directory, "elsewhere-1-theirs.ndjson"), '{"resource":{},"scope":{}}\n{"name":"x"}\n');
  writeFileSync(path.join(directory, `${hostname()}-999999999-broken.ndjson`), "\u0000nothing");
  await run(1, "await flush()");
  assert.equal(to.spans().length, 1);
  assert.equal(files().length, 2);
});

test("the directory is held to queueBytes", async () => {
  const { run, files } = await begin();
  const { output } = await run(2000, "process.kill(process.pid, 'SIGKILL')", { PULSE_QUEUE_BYTES: "50000", PULSE_API_URL: "http://127.0.0.1:1" });
  assert.ok(output.includes("oldest are dropped"), output);
  assert.ok(files().length <= 4, files().join());
});

test("a directory that cannot be written is warned of, and hurts nothing", async () => {
  const { to, run } = await begin();
  const { code, output } = await run(2, "await flush()", { PULSE_SPILL_DIRECTORY: "/dev/null/x" });
  assert.equal(code, 0);
  assert.ok(output.includes("pulse:"));
  assert.equal(to.spans().length, 2);
});
