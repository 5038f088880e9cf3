import type { Settings } from "./options.js";
import { type Kept, runtime, type Answer, type Spill } from "./runtime.js";
import type { Ended } from "./span.js";
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
const lookAgain = 25; // at what another request sends
const aWhile = 1000; // how late what is still there may be
const atOnce = 0.5; // ms that the program waits for spans to be written
const retried = [429, 500, 502, 503, 504];
const tellAfter = 5; // such answers in a row
const mostFaults = 10; // 500s in a row, from which on these very spans may be why

interface Item {
  head: string; // the resource and the scope
  json: string; // "" until it is written
  write?: () => string; // if it is not written yet
  bytes: number; // a guess until it is written
  number: number; // in the order in which they came
  heldUntil: number; // it is being sent, and nobody else sends it before
  kept?: Kept; // on the disk
}

/**
 * Holds spans until Pulse has them: one request at a time, for as long as it takes, the oldest dropped when there are too many.
 *
 * On the edge a request of the program owns the promises, timers and requests that it makes. They end with it, without a word, and another that waits
 * for them never hears of it. Each flush sends for itself there, and looks at what others do.
 */
export class Transport {
  private readonly queue = new Set<Item>(); // the oldest first
  private readonly unwritten = new Set<Item>(); // those of them that are not written yet
  private writer: ReturnType<typeof setTimeout> | undefined; // writes them
  private bytes = 0;
  private newest = 0;
  private counts = { sent: 0, dropped: 0, rejected: 0 };
  private timer: ReturnType<typeof setTimeout> | undefined;
  private due = 0; // when the timer has rung, if it is still there
  private running: Promise<void> | undefined;
  private lostAfter = 0; // when what runs has done its next step, if it is still there
  private flushing = 0;
  private wake: (() => void) | undefined;
  private request: AbortController | undefined;
  private stopped = false;
  private vain = 0; // how long flushes waited since something was sent
  private wait = firstWait; // before the next try, if Pulse does not say
  private refusals = 0; // answers in a row after which is tried again
  private faults = 0; // those of them that are 500s, the latest in a row
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
    for (const { head, json, kept } of quietly(() => this.spill?.leftovers()) ?? []) this.push(head, json, kept);
  }

  /** Takes a span. It is written soon, and not while the program waits for the call that it is of, unless a file keeps it. */
  add({ size, write }: Ended) {
    if (this.spill || runtime().perRequest) {
      const json = write();
      this.push(this.head, json, this.spill && quietly(() => this.spill!.write(this.head, json)));
      return;
    }
    this.pushItem({ head: this.head, json: "", write, bytes: size, number: ++this.newest, heldUntil: 0 });
    this.writer ??= letGo(setTimeout(() => this.writeSome(), 0));
  }

  /** Writes spans for as long as nobody feels it. */
  private writeSome() {
    this.writer = undefined;
    const until = performance.now() + atOnce;
    for (const item of this.unwritten) {
      this.write(item);
      if (performance.now() < until) continue;
      this.writer = letGo(setTimeout(() => this.writeSome(), 0));
      return;
    }
  }

  private write(item: Item): string {
    this.unwritten.delete(item);
    const { write } = item;
    if (write) {
      item.write = undefined;
      item.json = quietly(write) ?? "";
      if (item.json) this.resize(item, utf8Length(item.json));
      else this.settle([item]);
    }
    return item.json;
  }

  private resize(item: Item, bytes: number) {
    if (this.queue.has(item)) this.bytes += bytes - item.bytes;
    item.bytes = bytes;
  }

  private push(head: string, json: string, kept?: Kept) {
    this.pushItem({ head, json, kept, bytes: utf8Length(json), number: ++this.newest, heldUntil: 0 });
  }

  private pushItem(item: Item) {
    if (item.write) this.unwritten.add(item);
    this.queue.add(item);
    this.bytes += item.bytes;
    const now = performance.now();
    const { batchSize, batchBytes, flushInterval, queueBytes } = this.settings;
    if (this.bytes > queueBytes) {
      for (const oldest of this.queue) {
        if (oldest.heldUntil > now) continue;
        this.settle([oldest]);
        this.counts.dropped++;
        if (this.bytes <= queueBytes) break;
      }
      warnOnce("dropped", "Pulse does not take spans as fast as they come; the oldest are dropped");
    }
    const full = this.queue.size >= batchSize || this.bytes >= batchBytes;
    const { perRequest } = runtime();
    if (full && perRequest) return void this.start();
    const wait = full ? 0 : flushInterval; // not at once: the program waits for what calls this
    const due = now + wait + aWhile;
    if (this.timer !== undefined && this.due <= due && (now < this.due || !perRequest)) return;
    clearTimeout(this.timer);
    this.timer = letGo(setTimeout(() => this.start(), wait));
    this.due = due;
  }

  stats(): Stats {
    return { queued: this.queue.size, queuedBytes: this.bytes, ...this.counts };
  }

  waiting(): boolean {
    return this.queue.size > 0;
  }

  /** Sends what waits; true if nothing is left after at most `timeout` milliseconds. On the edge, if nothing is left of what waited when it was called. */
  async flush(timeout = this.settings.flushTimeout): Promise<boolean> {
    if (!this.waiting()) return true;
    const began = performance.now();
    const last = runtime().perRequest ? this.newest : Infinity;
    this.flushing++;
    try {
      if (runtime().perRequest) await this.run(began + timeout, last);
      else await this.runWith(timeout);
    } finally {
      this.flushing--;
    }
    if (!this.waitingUpTo(last)) return true;
    this.waited(performance.now() - began);
    return false;
  }

  /** Waits for what runs in the background, which goes on at once. */
  private async runWith(timeout: number) {
    this.stopped = false; // the program went on
    this.wait = firstWait;
    this.wake?.();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeout)));
    await Promise.race([this.start(), late]);
    clearTimeout(timer);
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
    this.settle([...this.queue]);
  }

  /** Tells how many spans are left when nothing is sent any more. */
  unsent() {
    const { spillDirectory } = this.settings;
    if (this.waiting()) warnOnce("unsent", `spans not sent to Pulse at ${this.shown()} before the end: ${this.queue.size}${this.spill ? `, kept in ${spillDirectory}` : ""}`);
  }

  /** What waits, as requests that another thread can send. */
  remains() {
    const bodies: string[] = [];
    let items = [...this.queue].filter((item) => this.write(item));
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
    if (this.running && !(runtime().perRequest && performance.now() > this.lostAfter)) return this.running;
    const running = this.run()
      .catch((error) => warnOnce("sending", `sending went wrong: ${reasonOf(error)}`))
      .finally(() => {
        if (this.running === running) this.running = undefined;
      });
    return (this.running = running);
  }

  /** Sends what is not newer than `last` until it is gone, or until a time. */
  private async run(until = Infinity, last = Infinity) {
    // A flush sends what is sent in the background too, since it cannot know whether that is still there.
    const background = until === Infinity;
    const hold = (batch: Item[], until: number) => {
      if (!background || !runtime().perRequest) for (const item of batch) item.heldUntil = until;
    };
    this.wait = firstWait;
    for (let now = performance.now(); this.waitingUpTo(last) && !this.stopped && now < until; now = performance.now()) {
      const batch = this.batchOf(this.free(now, last));
      let pause = lookAgain;
      if (batch.length > 0) {
        const most = Math.min(this.settings.timeout, until - now);
        if (background) this.lostAfter = now + most + aWhile;
        hold(batch, until);
        const again = await this.post(batch, most);
        hold(batch, 0);
        if (again === undefined) {
          this.vain = 0;
          this.wait = firstWait;
          continue;
        }
        pause = again || this.wait * (0.5 + Math.random() / 2);
        this.wait = Math.min(this.wait * 2, longestWait);
      }
      now = performance.now();
      if (background) this.lostAfter = now + pause + aWhile;
      if (!this.stopped) await this.sleep(Math.min(pause, until - now));
    }
  }

  private waitingUpTo(last: number) {
    for (const oldest of this.queue) return oldest.number <= last;
    return false;
  }

  private *free(now: number, last: number) {
    for (const item of this.queue) {
      if (item.number > last) return;
      if (item.heldUntil <= now) yield item;
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

  /** Forgets items that are sent, refused or dropped, and tells how many of them were still there. */
  private settle(items: Item[]): number {
    let settled = 0;
    for (const item of items) {
      if (!this.queue.delete(item)) continue;
      this.unwritten.delete(item);
      settled++;
      this.bytes -= item.bytes;
      quietly(() => item.kept?.settle());
    }
    return settled;
  }

  private batchOf(items: Iterable<Item>): Item[] {
    const batch: Item[] = [];
    let bytes = 0;
    for (const item of items) {
      if (!this.write(item)) continue;
      bytes += item.bytes;
      if (batch.length > 0 && (batch.length >= this.settings.batchSize || bytes > this.settings.batchBytes || item.head !== batch[0]!.head)) break;
      batch.push(item);
    }
    return batch;
  }

  private bodyOf(items: Item[]) {
    const spans = items.map((item) => item.json).join(",");
    const { resource, scope } = JSON.parse(items[0]!.head);
    return `{"resourceSpans":[{"resource":${JSON.stringify(resource)},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[${spans}]}]}]}`;
  }

  private url() {
    return this.settings.apiUrl.replace(/\/+$/, "") + "/v1/traces";
  }

  /** The address as the log may have it. */
  private shown() {
    return this.url().replace(/\/\/[^/]*@/, "//");
  }

  private headers(): Record<string, string> {
    return { authorization: `Bearer ${this.settings.apiKey}`, "content-type": "application/json", "user-agent": `pulse-sdk-typescript/${version}` };
  }

  /** Sends spans, for at most so long. Undefined says that they are settled, a number when to try again: 0 leaves that to the caller. */
  private async post(items: Item[], timeout: number): Promise<number | undefined> {
    let answer: Answer;
    const request = (this.request = new AbortController());
    let late = false;
    const timer = letGo(
      setTimeout(() => {
        late = true;
        request.abort();
      }, timeout),
    );
    try {
      const headers = this.headers();
      let body: string | ArrayBuffer = this.bodyOf(items);
      const { gzip = overStreams } = runtime();
      if (body.length > gzipFrom && gzip) {
        headers["content-encoding"] = "gzip";
        body = await gzip(body);
      }
      answer = await (runtime().post ?? this.overFetch)(this.url(), headers, body, request.signal);
    } catch (error) {
      const why = late ? `no answer within ${Math.round(timeout)} ms` : reasonOf(error);
      if (!this.stopped) warnOnce("unreachable", `Pulse does not answer at ${this.shown()}, spans wait for it: ${why}`);
      return 0;
    } finally {
      clearTimeout(timer);
    }
    const { status, text } = answer;
    if (status >= 200 && status < 300) {
      const refused = refusedOf(text);
      if (refused === undefined) {
        warnOnce("garbage", `what answers at ${this.shown()} is not Pulse, spans wait for it: ${quoted(text)}`);
        return 0;
      }
      this.refusals = this.faults = 0;
      const settled = this.settle(items);
      const rejected = Math.min(refused, settled);
      this.counts.sent += settled - rejected;
      this.counts.rejected += rejected;
      if (refused) warnOnce("rejected", `Pulse refused spans: ${text.slice(0, 300)}`);
      return undefined;
    }
    this.faults = status === 500 ? this.faults + 1 : 0;
    if (retried.includes(status) && this.faults < mostFaults) {
      if (++this.refusals >= tellAfter) warnOnce("refusal", `Pulse answers ${status} at ${this.shown()}, spans wait for it: ${quoted(text)}`);
      return retryAfter(answer.retryAfter);
    }
    this.refusals = this.faults = 0;
    this.counts.rejected += this.settle(items);
    warnOnce("rejected", `Pulse refused spans with ${status}: ${text.slice(0, 300)}`);
    return undefined;
  }
}

const overStreams =
  typeof CompressionStream === "function" ? (text: string) => new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer() : undefined;

/** Why there was no answer. What fetch throws says it in its cause, and what Node's sockets throw for several addresses says it in its code alone. */
function reasonOf(error: any): string {
  const { message, code } = error?.cause ?? error ?? {};
  return String(message || code || error);
}

/** The beginning of an answer as the log has it. */
const quoted = (text: string) => JSON.stringify(text.slice(0, 200));

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
  const { byteLength } = runtime();
  if (byteLength) return byteLength(text);
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
