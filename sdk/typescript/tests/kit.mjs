// What the tests run against: fake model providers, a real Pulse behind a proxy that makes trouble, and a sink that keeps what is sent.
import { spawn, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { gunzipSync } from "node:zlib";

export async function until(condition, seconds = 15) {
  for (const end = Date.now() + seconds * 1000; ; await new Promise((r) => setTimeout(r, 25))) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`did not become true: ${condition}`);
  }
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** Lets a process go with this one, and not hold it up. */
function keep(child) {
  child.unref();
  for (const pipe of child.stdio) pipe?.unref?.();
  process.on("exit", () => child.kill());
}

async function testserver(args = []) {
  const [command, ...before] = (process.env.PULSE_TESTSERVER ?? "").split(" ");
  const child = spawn(command, [...before, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(readline.createInterface(child.stdout), "line");
  keep(child);
  return JSON.parse(line);
}

/** The fake providers. */
export async function providers() {
  const { provider: url } = await testserver();
  return { url, calls: async () => (await fetch(url + "/calls")).json(), forget: () => fetch(url + "/calls", { method: "DELETE" }) };
}

/** A real Pulse with a key, and the proxy before it. */
export async function pulse() {
  const home = mkdtempSync(path.join(tmpdir(), "pulse-"));
  const port = await freePort();
  const env = { PATH: process.env.PATH, HOME: home, PULSE_HOME: home, PORT: String(port), OTLP_GRPC_PORT: "0", PULSE_PASSWORD: "a-long-password" };
  const child = spawn(process.env.PULSE_BINARY, ["serve"], { cwd: home, env, stdio: "ignore" });
  keep(child);
  const url = `http://127.0.0.1:${port}`;
  await until(() => fetch(url + "/health").then((r) => r.ok, () => false));
  const key = execFileSync(process.env.PULSE_BINARY, ["keys", "create", "--email", "you@example.com"], { cwd: home, env }).toString().trim();
  const { proxy } = await testserver(["-pulse", url]);
  const get = async (path) => (await fetch(url + path, { headers: { authorization: `Bearer ${key}` } })).json();
  return {
    url, key, proxy,
    trouble: (state) => fetch(proxy + "/trouble", { method: "PUT", body: JSON.stringify(state) }),
    tried: async (mode) => (await (await fetch(proxy + "/trouble")).json()).seen[mode] ?? 0,
    traces: async (query = "") => (await get("/v1/traces?limit=1000" + query)).traces,
    spans: async (trace) => (await get(`/v1/traces/${trace}/spans`)).spans,
  };
}

/** A place that takes OTLP and keeps the spans, their attributes as an object. */
export async function sink() {
  const requests = [];
  const one = { requests, status: 200, answer: "{}", headers: {} };
  const server = http.createServer(async (req, res) => {
    const pieces = [];
    for await (const piece of req) pieces.push(piece);
    let body = Buffer.concat(pieces);
    if (req.headers["content-encoding"] === "gzip") body = gunzipSync(body);
    requests.push({ path: req.url, headers: req.headers, body: JSON.parse(body), status: one.status, at: Date.now() });
    res.writeHead(one.status, one.headers).end(one.answer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  one.url = `http://127.0.0.1:${server.address().port}`;
  one.spans = () => requests.filter((r) => r.status === 200).flatMap((r) => r.body.resourceSpans).flatMap((r) => r.scopeSpans).flatMap((s) => s.spans)
    .map((span) => ({ ...span, attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, read(value)])) }));
  one.clear = () => requests.splice(0);
  return one;
}

function read(value) {
  if (value.arrayValue) return value.arrayValue.values.map(read);
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue);
}

/** Runs a program that uses the package, and gives its output and how it ended. */
export async function program(code, env, file = "--input-type=module", ...given) {
  return run([process.execPath, ...(file === "--input-type=module" ? [file, "-e", code] : [file, ...given])], env);
}

/** Runs a command, and gives its output and how it ended. */
export function run([command, ...args], env, cwd) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], cwd });
  let output = "";
  child.stdout.on("data", (d) => (output += d));
  child.stderr.on("data", (d) => (output += d));
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, output, at: Date.now() }));
  return { child, ended, output: () => output };
}

/** Serves a worker by Cloudflare's runtime, its bindings being texts, and gives the way to ask it, for JSON unless another form is given. */
export async function worker(workerd, file, flags, bindings) {
  const home = mkdtempSync(path.join(tmpdir(), "worker-"));
  const { build } = await import("esbuild");
  await build({ entryPoints: [file], outfile: path.join(home, "worker.js"), bundle: true, format: "esm", platform: "browser", conditions: ["workerd", "worker", "browser"] });
  const bound = Object.entries(bindings).map(([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)})`);
  writeFileSync(path.join(home, "worker.capnp"), `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [(name = "main", worker = .main), (name = "internet", network = (allow = ["private", "public"]))],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
    );
    const main :Workerd.Worker = (
      modules = [(name = "worker", esModule = embed "worker.js")],
      compatibilityDate = "2026-03-01", compatibilityFlags = ${JSON.stringify(flags)}, bindings = [${bound}],
    );`);
  const child = spawn(workerd, ["serve", path.join(home, "worker.capnp"), "--control-fd=3"], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
  const [line] = await once(readline.createInterface(child.stdio[3]), "line");
  keep(child);
  return async (path, form = "json") => (await fetch(`http://127.0.0.1:${JSON.parse(line).port}${path}`))[form]();
}
