import { AsyncLocalStorage } from "node:async_hooks";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import process from "node:process";
import { type Exit, useRuntime } from "./runtime.js";
import { spillTo } from "./spill.js";

// sender reads requests from its standard input and sends them: at a process's very end only synchronous calls run, and this is one.
const sender = `let s="";process.stdin.on("data",d=>s+=d).on("end",async()=>{const r=JSON.parse(s);for(const body of r.bodies)try{
const a=await fetch(r.url,{method:"POST",headers:r.headers,body});await a.text();if(!a.ok)process.exitCode=1}catch{process.exitCode=1}})`;

let installed = false;

function atExit(exit: Exit) {
  if (installed) return;
  installed = true;
  let tried = false; // what could not be sent is not tried twice

  process.on("beforeExit", () => {
    if (tried || !exit.waiting()) return;
    tried = true;
    void exit.flush().then(() => {
      tried = exit.waiting();
      if (tried) exit.stop();
    });
  });
  process.on("exit", () => {
    if (tried || !exit.waiting()) return;
    const { timeout, ...requests } = exit.remains();
    const { status } = spawnSync(process.execPath, ["-e", sender], { input: JSON.stringify(requests), timeout, stdio: ["pipe", "ignore", "ignore"], env: { ...process.env, NODE_OPTIONS: "" } });
    if (status === 0) exit.settled();
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const send = () => {
      const alone = process.listenerCount(signal) === 1;
      void exit.flush().then(() => {
        tried = exit.waiting();
        if (!alone) return; // the program's own handler decides
        exit.stop();
        process.removeListener(signal, send);
        process.kill(process.pid, signal);
      });
    };
    process.on(signal, send);
  }
}

useRuntime({ language: "nodejs", env: process.env, storage: new AsyncLocalStorage(), sha256: (base64) => createHash("sha256").update(base64, "base64").digest("hex"), spill: spillTo, atExit });

export * from "./index.js";
