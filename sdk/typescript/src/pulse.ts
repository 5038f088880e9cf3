import { type PulseOptions, type Settings, settingsOf } from "./options.js";
import { runtime } from "./runtime.js";
import { shared } from "./shared.js";
import { type Span } from "./span.js";
import { type Stats, Transport } from "./transport.js";
import { quietly, warnOnce } from "./warn.js";

/**
 * Begins to record. May be called before or after observe, and again: the same options change nothing, others take over after what waits is sent.
 * Never throws; what cannot be used is warned of.
 */
export function initPulse(options: PulseOptions = {}): void {
  quietly(() => {
    const { env, atExit } = runtime();
    const settings = settingsOf(options, env, (message) => warnOnce(message, message));
    const now = JSON.stringify(settings) + String(settings.redact);
    if (shared.pulse && now === shared.given) return;
    const before = shared.pulse?.transport;
    if (before?.waiting()) shared.earlier.add(before);
    void before?.flush();
    shared.pulse = undefined;
    shared.given = now;
    if (!settings.enabled) return;
    if (!/^[\x21-\x7e]+$/.test(settings.apiKey)) {
      warnOnce("apiKey", "there is no API key (apiKey, PULSE_API_KEY), or none that HTTP can carry: nothing is recorded");
      return;
    }
    shared.pulse = { settings, transport: new Transport(settings) };
    atExit?.({ leave: leaveUnread, exits: transports, flush: () => flush(Math.max(0, ...transports().map((one) => one.left()))) });
  });
}

/** Whether and how to record now. */
export const settings = (): Settings | undefined => shared.pulse?.settings;

/** Queues a span that ends now. */
export function take(span: Span) {
  shared.pulse?.transport.add(span.end());
}

function transports(): Transport[] {
  for (const one of shared.earlier) if (!one.waiting()) shared.earlier.delete(one);
  return [...shared.earlier, ...(shared.pulse ? [shared.pulse.transport] : [])];
}

function leaveUnread() {
  for (const one of [...shared.unread]) one.leave();
}

const lookAgain = 10;

/** Makes flush wait for work that ends a span by itself. */
export function flushAfter(work: Promise<void>) {
  const one = {};
  shared.work.add(one);
  void work.finally(() => shared.work.delete(one));
}

/** Sends what waits, for at most `timeout` milliseconds (flushTimeout); true if nothing is left. */
export async function flush(timeout?: number): Promise<boolean> {
  const most = timeout ?? Math.max(0, ...transports().map((one) => one.settings.flushTimeout));
  const began = performance.now();
  const elapsed = () => performance.now() - began;
  const { perRequest } = runtime();
  // On the edge such work may be gone with its request: it is looked at, not waited for, by one flush only, and leaves time for what is there.
  const work = [...shared.work];
  const patience = perRequest ? most / 2 : most;
  while (work.some((one) => shared.work.has(one)) && elapsed() < patience) await new Promise((resolve) => setTimeout(resolve, lookAgain));
  if (perRequest) for (const one of work) shared.work.delete(one);
  const done = await Promise.all(transports().map((one) => one.flush(Math.max(most - elapsed(), 0))));
  return done.every(Boolean);
}

/** Sends what waits, then records nothing any more. The log is told how many spans were not sent. */
export async function shutdown(timeout?: number): Promise<boolean> {
  leaveUnread();
  const last = shared.pulse;
  const done = await flush(timeout);
  if (!done) for (const one of transports()) one.unsent();
  if (shared.pulse === last) shared.pulse = undefined;
  return done;
}

/** What became of the spans so far. */
export function stats(): Stats {
  return shared.pulse?.transport.stats() ?? { queued: 0, queuedBytes: 0, sent: 0, dropped: 0, rejected: 0 };
}

/** Hands the sending of what waits to a platform that stops a function once it has answered, by its own waitUntil. */
export function waitUntil(platform: (promise: Promise<unknown>) => void): void {
  platform(flush());
}
