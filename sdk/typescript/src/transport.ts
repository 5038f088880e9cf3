import type { Settings } from "./options.js";
import { type Kept, runtime, type Answer, type Spill } from "./runtime.js";
import { version } from "./version.js";
import { quietly, warnOnce } from "./warn.js";

export interface Stats {
  queued: number;
  queuedBytes: number;
  sent: number;
  dropped: number;
  rejected: number;
}

const gzipFrom = 1024;
const firstWait = 500;
const longestWait = 30_000;
const longestRetryAfter = 60_000;
const retried = [408, 429, 502, 503, 504];

interface Item {
  head: string; // the resource and the scope
  json: string;
  bytes: number;
  kept?: Kept; // on the disk
}

/** Holds spans until Pulse has them: one request at a time, for as long as it takes, the oldest dropped when there are too many. */
export class Transport {
  private queue: Item[] = [];
  private sending: Item[] = []; // what is in the request that runs, or waits to run again
  private bytes = 0; // of both
  private counts = { sent: 0, dropped: 0, rejected: 0 };
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: Promise<void> | undefined;
  private flushing = 0;
  private wake: (() => void) | undefined;
  private request: AbortController | undefined;
  private stopped = false;
  private vain = 0; // how long flushes waited since something was sent
  private readonly fetch = globalThis.fetch;
  private readonly head: string;
  private readonly spill: Spill | undefined;

  constructor(readonly settings: Settings) {
    const { serviceName, release, environment } = settings;
    const resource = attributesOf({
      "service.name": serviceName || undefined,
      "service.version": release || undefined,
      "deployment.environment.name": environment || undefined,
      "telemetry.sdk.name": "pulse",
      "telemetry.sdk.language": runtime().language,
      "telemetry.sdk.version": version,
    });
    this.head = JSON.stringify({ resource: { attributes: resource }, scope: { name: "pulse-sdk", version } });
    this.spill = settings.spillDirectory ? quietly(() => runtime().spill?.(settings.spillDirectory)) : undefined;
    for (const { head, json, kept } of quietly(() => this.spill?.leftovers()) ?? []) this.push({ head, json, bytes: utf8Length(json), kept });
  }

  /** Takes a span, as OTLP's JSON. */
  add(json: string) {
    this.push({ head: this.head, json, bytes: utf8Length(json), kept: this.spill && quietly(() => this.spill!.write(this.head, json)) });
  }

  private push(item: Item) {
    this.queue.push(item);
    this.bytes += item.bytes;
    while (this.bytes > this.settings.queueBytes && this.queue.length > 0) {
      this.settle([this.queue.shift()!]);
      this.counts.dropped++;
      warnOnce("dropped", "Pulse does not take spans as fast as they come; the oldest are dropped");
    }
    const { batchSize, batchBytes, flushInterval } = this.settings;
    if (this.queue.length >= batchSize || this.bytes >= batchBytes) this.start();
    else this.timer ??= letGo(setTimeout(() => this.start(), flushInterval));
  }

  stats(): Stats {
    return { queued: this.queue.length + this.sending.length, queuedBytes: this.bytes, ...this.counts };
  }

  waiting(): boolean {
    return this.queue.length + this.sending.length > 0;
  }

  /** Sends what waits; true if nothing is left after at most `timeout` milliseconds. */
  async flush(timeout = this.settings.flushTimeout): Promise<boolean> {
    if (!this.waiting()) return true;
    this.flushing++;
    this.stopped = false; // the program went on
    this.wake?.();
    const began = performance.now();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeout)));
    try {
      await Promise.race([this.start(), late]);
    } finally {
      clearTimeout(timer);
      this.flushing--;
    }
    if (!this.waiting()) return true;
    this.waited(performance.now() - began);
    return false;
  }

  /** Says that so much time was waited in vain. */
  waited(ms: number) {
    this.vain += ms;
  }

  /** How long the end of the program may still wait. */
  left(): number {
    return Math.max(Math.round(this.settings.flushTimeout - this.vain), 0);
  }

  /** Lets go of the request that runs, for the end of a program that would wait for it. */
  stop() {
    this.stopped = true;
    this.request?.abort();
    this.wake?.();
  }

  /** Says that another thread sent what waits. */
  settled() {
    this.settle([...this.sending, ...this.queue]);
    this.sending = [];
    this.queue = [];
  }

  /** What waits, as requests that another thread can send. */
  remains() {
    const bodies: string[] = [];
    let items = [...this.sending, ...this.queue];
    while (items.length > 0) {
      const batch = this.batchOf(items);
      bodies.push(this.bodyOf(batch));
      items = items.slice(batch.length);
    }
    return { url: this.url(), headers: this.headers(), bodies, timeout: this.left() };
  }

  private readonly overFetch = async (url: string, headers: Record<string, string>, body: string | ArrayBuffer, signal: AbortSignal): Promise<Answer> => {
    const response = await this.fetch.call(globalThis, url, { method: "POST", headers, body, redirect: "manual", signal });
    return { status: response.status, text: await response.text(), retryAfter: response.headers.get("retry-after") };
  };

  private start(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    return (this.running ??= this.run().finally(() => (this.running = undefined)));
  }

  private async run() {
    let wait = firstWait;
    while (this.waiting() && !this.stopped) {
      if (this.sending.length === 0) this.sending = this.queue.splice(0, this.batchOf(this.queue).length);
      const again = await this.post(this.sending);
      if (again === undefined) {
        this.settle(this.sending);
        this.sending = [];
        this.vain = 0;
        wait = firstWait;
        continue;
      }
      if (!this.stopped) await this.sleep(again || wait * (0.5 + Math.random() / 2));
      wait = Math.min(wait * 2, longestWait);
    }
  }

  private sleep(ms: number) {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      if (!this.flushing) letGo(timer);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }).finally(() => (this.wake = undefined));
  }

  /** Forgets items that are sent, refused or dropped. */
  private settle(items: Item[]) {
    for (const item of items) {
      this.bytes -= item.bytes;
      quietly(() => item.kept?.settle());
    }
  }

  private batchOf(items: Item[]): Item[] {
    let bytes = 0;
    let n = 0;
    for (; n < items.length && n < this.settings.batchSize; n++) {
      bytes += items[n]!.bytes;
      if (n > 0 && (bytes > this.settings.batchBytes || items[n]!.head !== items[0]!.head)) break;
    }
    return items.slice(0, n);
  }

  private bodyOf(items: Item[]) {
    const spans = items.map((item) => item.json).join(",");
    const { resource, scope } = JSON.parse(items[0]!.head);
    return `{"resourceSpans":[{"resource":${JSON.stringify(resource)},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[${spans}]}]}]}`;
  }

  private url() {
    return this.settings.apiUrl.replace(/\/+$/, "") + "/v1/traces";
  }

  private headers(): Record<string, string> {
    return { authorization: `Bearer ${this.settings.apiKey}`, "content-type": "application/json", "user-agent": `pulse-sdk-typescript/${version}` };
  }

  /** Sends spans. Undefined says that they are settled, a number when to try again: 0 leaves that to the caller. */
  private async post(items: Item[]): Promise<number | undefined> {
    let answer: Answer;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const headers = this.headers();
      let body: string | ArrayBuffer = this.bodyOf(items);
      if (body.length > gzipFrom && typeof CompressionStream === "function") {
        headers["content-encoding"] = "gzip";
        body = await new Response(new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
      }
      this.request = new AbortController();
      timer = letGo(setTimeout(() => this.request?.abort(), this.settings.timeout));
      answer = await (runtime().post ?? this.overFetch)(this.url(), headers, body, this.request.signal);
    } catch {
      return 0;
    } finally {
      clearTimeout(timer);
      this.request = undefined;
    }
    const { status, text } = answer;
    if (status >= 200 && status < 300) {
      const refused = refusedOf(text);
      if (refused === undefined) return 0; // somebody else's answer
      this.counts.sent += items.length - refused;
      this.counts.rejected += refused;
      if (refused) warnOnce("rejected", `Pulse refused spans: ${text.slice(0, 300)}`);
      return undefined;
    }
    if (retried.includes(status)) return retryAfter(answer.retryAfter);
    this.counts.rejected += items.length;
    warnOnce("rejected", `Pulse refused spans with ${status}: ${text.slice(0, 300)}`);
    return undefined;
  }
}

/** How many spans an answer says were refused; undefined if it is none of Pulse's. */
function refusedOf(text: string): number | undefined {
  if (!text.trim()) return 0;
  try {
    return Number(JSON.parse(text).partialSuccess?.rejectedSpans) || 0;
  } catch {
    return undefined;
  }
}

function retryAfter(value: string | null): number {
  if (!value) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return ms > 0 ? Math.min(ms, longestRetryAfter) : 0;
}

/** Keeps a timer from holding up the end of the program, where that can be said. */
function letGo(timer: ReturnType<typeof setTimeout>) {
  (timer as { unref?(): void }).unref?.();
  return timer;
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

type Value = { stringValue: string } | { boolValue: boolean } | { intValue: string } | { doubleValue: number } | { arrayValue: { values: Value[] } };
export type Attribute = string | number | boolean | string[] | undefined;

/** Writes attributes as OTLP has them, without those that are undefined. */
export function attributesOf(attributes: Record<string, Attribute>) {
  return Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: valueOf(value) }]));
}

function valueOf(value: string | number | boolean | string[]): Value {
  if (Array.isArray(value)) return { arrayValue: { values: value.map(valueOf) } };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  return { stringValue: value };
}
