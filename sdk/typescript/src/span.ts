import { messageOf, nameOf } from "./content.js";
import type { Settings } from "./options.js";
import { runtime } from "./runtime.js";
import { type Attribute, attributesOf } from "./transport.js";

/** OTLP's numbers for what kind of span it is, and for the status of one that failed. */
export const internal = 1;
export const client = 3;
const failed = 2;

/** What runs now: calls and steps within it are its children. */
export interface Scope {
  span?: Span;
  session?: string;
}

export function scope(): Scope {
  return (runtime().storage?.getStore() as Scope | undefined) ?? {};
}

/** Runs fn within a scope, where the runtime can keep one. */
export function within<T>(inner: Scope, fn: () => T): T {
  const { storage } = runtime();
  return storage ? storage.run(inner, fn) : fn();
}

/** A span that has ended. */
export interface Ended {
  /** About how many bytes it holds. */
  size: number;
  /** Writes it as OTLP's JSON. */
  write(): string;
}

export class Span {
  readonly spanId = hex(8);
  readonly traceId: string;
  attributes: Record<string, Attribute> = {};
  private readonly parentId: string | undefined;
  private readonly began = performance.now();
  private readonly start = wallTime(this.began);
  private status: { code: number; message: string } | undefined;
  private events: unknown[] = [];

  constructor(
    public name: string,
    private readonly kind: number,
    parent: Span | undefined,
    session: string | undefined,
  ) {
    this.traceId = parent?.traceId ?? hex(16);
    this.parentId = parent?.spanId;
    if (session) this.attributes["session.id"] = session;
  }

  /** Milliseconds since the span began. */
  elapsed(): number {
    return performance.now() - this.began;
  }

  fail(error: unknown, on: Settings | undefined) {
    const type = nameOf(error);
    const told = tellOf(error, type);
    const message = messageOf(on, told.message);
    this.attributes["error.type"] = type;
    this.status = { code: failed, message };
    const stack = told.stack && messageOf(on, told.stack);
    const attributes = { "exception.type": type, "exception.message": message, "exception.stacktrace": stack };
    this.events.push({ name: "exception", timeUnixNano: nanos(this.start + this.elapsed()), attributes: attributesOf(attributes) });
  }

  /** Ends the span. What is said of it after that is nobody's. */
  end(): Ended {
    const { attributes } = this;
    this.attributes = {};
    const end = nanos(this.start + this.elapsed());
    let size = 0;
    for (const value of Object.values(attributes)) if (typeof value === "string") size += value.length;
    const write = () =>
      JSON.stringify({
        traceId: this.traceId,
        spanId: this.spanId,
        parentSpanId: this.parentId,
        name: this.name,
        kind: this.kind,
        startTimeUnixNano: nanos(this.start),
        endTimeUnixNano: end,
        attributes: attributesOf(attributes),
        events: this.events.length > 0 ? this.events : undefined,
        status: this.status,
      });
    return { size, write };
  }
}

/** Whatever was thrown may be anything. */
function tellOf(error: unknown, type: string) {
  try {
    const { message, stack } = (error ?? {}) as Error;
    return { message: String(message ?? error), stack: stack ? String(stack) : undefined };
  } catch {
    return { message: type, stack: undefined };
  }
}

// The wall clock, read once and gone on from by the monotonic one, which tells spans apart that begin in the same millisecond; read again when it was set.
let clock = { wall: Date.now(), mono: performance.now() };
const tolerated = 500;

function wallTime(mono: number): number {
  const time = clock.wall + mono - clock.mono;
  const wall = Date.now();
  if (Math.abs(time - wall) < tolerated) return time;
  clock = { wall, mono };
  return wall;
}

function hex(bytes: number): string {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes))) text += (byte < 16 ? "0" : "") + byte.toString(16);
  return text;
}

function nanos(ms: number): string {
  return (BigInt(Math.round(ms * 1000)) * 1000n).toString();
}
