import { shared } from "./shared.js";

/** What a runtime gives the SDK beyond the web's own functions. The edge has none of it. */
export interface Runtime {
  language: "nodejs" | "webjs";
  env: Record<string, string | undefined>;
  /** Whether what one request of the program began may end with it, so that no other must wait for it. */
  perRequest?: boolean;
  /** Where the step that runs now is kept; undefined where there is no AsyncLocalStorage. */
  storage?: Storage;
  /** The SHA-256 of what base64 says, in hex; undefined where only the web's own, which makes one wait, is there. */
  sha256?(base64: string): string;
  /** How many bytes a text has as UTF-8; undefined where it must be counted. */
  byteLength?(text: string): number;
  /** Compresses in a thread of its own; undefined where only the web's streams are there. */
  gzip?(text: string): Promise<ArrayBuffer>;
  /** Keeps what waits in files of a directory. */
  spill?(directory: string): Spill;
  /** Sends a request without holding up the end of the program; undefined where only the web's fetch is there. */
  post?(url: string, headers: Record<string, string>, body: string | ArrayBuffer, signal: AbortSignal): Promise<Answer>;
  /** Sees to it that what waits is sent at the end of the program. */
  atExit?(ends: Ends): void;
}

export interface Answer {
  status: number;
  text: string;
  retryAfter: string | null;
}

/** Where spans wait on the disk. */
export interface Spill {
  /** Writes a span, with the resource and scope of its file. */
  write(head: string, json: string): Kept;
  /** What processes that are gone left behind, oldest first; it is this process's now. */
  leftovers(): Leftover[];
}

/** A span on the disk. */
export interface Kept {
  /** Says that it need not be kept any more. */
  settle(): void;
}

export interface Leftover {
  head: string;
  json: string;
  kept: Kept;
}

export interface Storage {
  getStore(): unknown;
  run<T>(store: unknown, fn: () => T): T;
}

/** What the end of the program has to do. */
export interface Ends {
  /** Ends the calls whose answers nobody will read any more. */
  leave(): void;
  /** Where something may wait. */
  exits(): Exit[];
  /** Waits for what ends by itself, and sends what waits. */
  flush(): Promise<unknown>;
}

export interface Exit {
  /** Whether anything waits to be sent. */
  waiting(): boolean;
  /** How many milliseconds the end of the program may still wait: what flushes waited in vain is gone. */
  left(): number;
  /** Lets go of what is being sent, so that it holds up nothing. */
  stop(): void;
  /** Says that what waits was sent. */
  settled(): void;
  /** Says how many milliseconds were waited in vain. */
  waited(ms: number): void;
  /** Tells of what is left when the program ends. */
  unsent(): void;
  /** What waits, for a thread of its own. */
  remains(): { url: string; headers: Record<string, string>; bodies: string[]; timeout: number };
}

const { process, AsyncLocalStorage } = globalThis as any;
const web: Runtime = { language: "webjs", env: process?.env ?? {}, perRequest: true, storage: webStorage() };

/** Some edges have AsyncLocalStorage at hand, some among the modules of Node that they bring. */
function webStorage(): Storage | undefined {
  try {
    const Found = AsyncLocalStorage ?? process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage;
    return Found && new Found();
  } catch {
    return undefined;
  }
}

export const runtime = () => shared.runtime ?? web;
export function useRuntime(runtime: Runtime) {
  shared.runtime ??= runtime;
}
