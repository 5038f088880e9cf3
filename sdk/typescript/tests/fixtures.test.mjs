// The fixtures that all SDKs share. What is inside a package is reached through its sources, bundled for the test.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const root = process.env.PULSE_REPOSITORY;
const inside = await import(pathToFileURL(path.join(root, "sdk/typescript/.cache/inside.mjs")));
const fixture = (name) => JSON.parse(readFileSync(path.join(root, "sdk/testdata", name)));

test("options", () => {
  const shared = fixture("options.json").filter(({ name }) => name in inside.rules);
  assert.deepEqual(Object.keys(inside.rules), shared.map(({ name }) => name));
  for (const { name, env, type, default: fallback, min, max, good, bad } of shared) {
    const rule = inside.rules[name];
    assert.deepEqual([rule.env, rule.default, rule.min, rule.max], [env, fallback, min, max], name);
    const set = (value) => inside.settingsOf({}, { [env.at(-1)]: value }, () => undefined)[name];
    if (type === "boolean") assert.equal(set(fallback ? "0" : "1"), !fallback, name);
    else if (type === "string") assert.equal(set("x"), "x", name);
    else if (type === "address") {
      for (const value of good) assert.equal(set(value), value);
      for (const [from, value] of bad.flatMap((value) => [[env[0], value], [name, value]])) {
        const warnings = [];
        const read = (enabled) => inside.settingsOf({ enabled, [from]: value }, { [from]: value }, (message) => warnings.push(message)).enabled;
        assert.equal(read(false), false);
        assert.deepEqual(warnings, []);
        assert.equal(read(true), false, value);
        assert.deepEqual(warnings, [`${from} is no address such as http://host[:port] or https://host[:port]: nothing is recorded`]);
      }
    } else {
      assert.equal(set(String(min)), min, name);
      assert.equal(set(String(min - 1)), fallback, name);
      if (max) assert.equal(set(String(max + 1)), fallback, name);
      assert.equal(set("many"), fallback, name);
    }
  }
});

test("what stays without content", () => {
  const { request, response } = fixture("content.json");
  assert.deepEqual(inside.kept.request.split(" "), request);
  assert.deepEqual(inside.kept.response.split(" "), response);
});

const assemblers = [[/chat\/completions$/, "ChatCompletion"], [/responses$/, "Response"], [/completions$/, "Completion"], [/messages$/, "Message"], [/GenerateContent$/, "GenerateContent"]];
for (const file of readdirSync(path.join(root, "sdk/testdata/streams"))) {
  test("stream " + file, () => {
    const { path, events, response } = fixture("streams/" + file);
    const assembler = new inside[assemblers.find(([at]) => at.test(path))[1]]();
    for (const event of events) assembler.add(structuredClone(event));
    assert.deepEqual(JSON.parse(JSON.stringify(assembler.response())), response);
  });
}
