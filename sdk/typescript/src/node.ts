import { AsyncLocalStorage } from "node:async_hooks";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { request as overHTTP } from "node:http";
import { request as overHTTPS } from "node:https";
import process from "node:process";
import { type Answer, type Exit, useRuntime } from "./runtime.js";
import { spillTo } from "./spill.js";

// sender reads requests from its standard input and sends them: at a process's very end only synchronous calls run, and this is one.
const sender = `let s="";process.stdin.on("data",d=>s+=d).on("end",async()=>{const r=JSON.parse(s);for(const body of r.bodies)try{
const a=await fetch(r.url,{method:"POST",headers:r.headers,body});await a.text();if(!a.ok)process.exitCode=1}catch{process.exitCode=1}})`;

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

let installed = false;

function atExit(exit: Exit) {
  if (installed) return;
  installed = true;
  process.on("beforeExit", () => {
    if (!exit.waiting()) return;
    if (exit.left() === 0) return exit.stop();
    void exit.flush().then(() => exit.waiting() && exit.stop());
  });
  process.on("exit", () => {
    if (!exit.waiting() || exit.left() === 0) return;
    const { timeout, ...requests } = exit.remains();
    const { status } = spawnSync(process.execPath, ["-e", sender], { input: JSON.stringify(requests), timeout, stdio: ["pipe", "ignore", "ignore"], env: { ...process.env, NODE_OPTIONS: "" } });
    if (status === 0) exit.settled();
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const send = () => {
      const alone = process.listenerCount(signal) === 1;
      void exit.flush().then(() => {
        if (!alone) return; // the program's own handler decides
        exit.stop();
        process.removeListener(signal, send);
        process.kill(process.pid, signal);
      });
    };
    process.on(signal, send);
  }
}

useRuntime({ language: "nodejs", env: process.env, storage: new AsyncLocalStorage(), post, sha256: (base64) => createHash("sha256").update(base64, "base64").digest("hex"), spill: spillTo, atExit });

export * from "./index.js";
