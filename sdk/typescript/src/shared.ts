import type { Settings } from "./options.js";
import type { Runtime } from "./runtime.js";
import type { Transport } from "./transport.js";
import { version } from "./version.js";

/** What ends a call that has no answer, or whose answer is not read to its end. */
export interface Unread {
  leave(): void;
}

interface Shared {
  runtime?: Runtime;
  pulse?: { settings: Settings; transport: Transport };
  /** What the options of pulse were, to know them again. */
  given?: string;
  /** Set up earlier, with something that may still wait. */
  earlier: Set<Transport>;
  /** Calls whose answers may still come or be read. */
  unread: Set<Unread>;
  /** Work that ends a span by itself. */
  work: Set<object>;
}

// A program may have this package more than once, as a module, by require, and in bundles: what is set up in one holds in all.
const key = Symbol.for(`pulse.sdk ${version}`);
export const shared: Shared = ((globalThis as any)[key] ??= { earlier: new Set(), unread: new Set(), work: new Set() });
