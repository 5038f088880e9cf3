import { AsyncLocalStorage } from "node:async_hooks";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { request as overHTTP } from "node:http";
import { request as overHTTPS } from "node:https";
import process from "node:process";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { constants, gzip as gzipped } from "node:zlib";
import { type Answer, type Ends, type Exit, useRuntime } from "./runtime.js";
import { spillTo } from "./spill.js";
import { quietly } from "./warn.js";

// sender sends requests from a thread of its own, and says 1 if Pulse took them all: at a process's very end only what is synchronous runs, and waiting
// for a thread is. Another process would need the path of the runtime, which in a compiled program is the program itself, and on Deno the leave to run it.
const sender = `const{flag,url,headers,bodies}=require("node:worker_threads").workerData;(async()=>{let said=1;for(const body of bodies)try{
const a=await fetch(url,{method:"POST",headers,body,redirect:"manual"}),t=await a.text();if(!a.ok||t.trim()&&typeof JSON.parse(t)!="object")said=2}catch{said=2}
Atomics.store(flag,0,said);Atomics.notify(flag,0)})()`;

/** Longer answers are none of Pulse's. */
const longestAnswer = 1 << 20;

// fetch would keep a program that is done until a hanging Pulse has answered.
function post(url: string, headers: Record<string, string>, body: string | ArrayBuffer, signal: AbortSignal) {
  return new Promise<Answer>((resolve, reject) => {
    const to = new URL(url);
    const request = (to.protocol === "https:" ? overHTTPS : overHTTP)(to, { method: "POST", headers, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
        if (text.length > longestAnswer) request.destroy(new Error("the answer is too long"));
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text, retryAfter: response.headers["retry-after"] ?? null }));
      response.on("error", reject);
      response.on("close", () => reject(new Error("the answer is cut off")));
    });
    request.on("socket", (socket) => socket.unref());
    request.on("error", reject);
    request.end(typeof body === "string" ? body : new Uint8Array(body));
  });
}

const onDeno = "Deno" in globalThis;

/** Sends what waits, and waits for it without letting anything else run. */
function sendNow(exit: Exit) {
  if (!exit.waiting() || exit.left() === 0) return;
  const began = performance.now();
  const { timeout, ...requests } = exit.remains();
  const flag = new Int32Array(new SharedArrayBuffer(4));
  // What NODE_OPTIONS loads is for the program. On Deno a thread needs no environment, and all of it is more than one may read.
  const env = onDeno ? {} : { ...process.env, NODE_OPTIONS: "" };
  const thread = new Worker(sender, { eval: true, workerData: { flag, ...requests }, env, execArgv: [] });
  thread.on("error", () => undefined);
  thread.unref();
  Atomics.wait(flag, 0, 0, timeout);
  if (Atomics.load(flag, 0) === 1) exit.settled();
  else exit.waited(performance.now() - began);
}

let installed = false;

function atExit({ leave, exits, flush }: Ends) {
  if (installed) return;
  installed = true;
  const waiting = () => exits().filter((exit) => exit.waiting());
  const stop = () => {
    for (const exit of waiting()) exit.stop();
  };
  process.on("beforeExit", () => {
    leave();
    if (waiting().some((exit) => exit.left() > 0)) void flush().then(stop);
    else stop();
  });
  const atLast = () => {
    quietly(leave);
    for (const exit of waiting()) quietly(() => sendNow(exit));
    for (const exit of exits()) quietly(() => exit.unsent());
  };
  process.on("exit", atLast);
  if (onDeno) {
    // Deno.exit tells of itself by unload alone, and an error that nobody takes ends Deno without either.
    globalThis.addEventListener("unload", atLast);
    process.on("uncaughtExceptionMonitor", () => process.listenerCount("uncaughtException") === 0 && atLast());
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const send = () => {
      const alone = process.listenerCount(signal) === 1;
      if (alone) leave(); // else the program's own handler decides
      void flush().then(() => {
        if (!alone) return;
        stop();
        for (const exit of exits()) exit.unsent();
        process.removeListener(signal, send);
        process.kill(process.pid, signal);
      });
    };
    process.on(signal, send);
  }
}

// Deno throws at each variable that the program may not read: there is none then.
const env = new Proxy<NodeJS.ProcessEnv>({}, {
  get(_, name: string) {
    try {
      return process.env[name];
    } catch {
      return undefined;
    }
  },
});

const compress = promisify(gzipped);

useRuntime({
  language: "nodejs",
  env,
  storage: new AsyncLocalStorage(),
  post,
  sha256: (base64) => createHash("sha256").update(base64, "base64").digest("hex"),
  byteLength: (text) => Buffer.byteLength(text),
  gzip: async (text) => new Uint8Array(await compress(text, { level: constants.Z_BEST_SPEED })).buffer,
  spill: spillTo,
  atExit,
});

export * from "./index.js";
