import { type PulseOptions, type Settings, settingsOf } from "./options.js";
import { runtime } from "./runtime.js";
import { type Span } from "./span.js";
import { type Stats, Transport } from "./transport.js";
import { quietly, warnOnce } from "./warn.js";

interface Pulse {
  settings: Settings;
  transport: Transport;
}

let pulse: Pulse | undefined;
let given: string | undefined;

/**
 * Begins to record. May be called before or after observe, and again: the same options change nothing, others take over after what waits is sent.
 * Never throws; what cannot be used is warned of.
 */
export function initPulse(options: PulseOptions = {}): void {
  quietly(() => {
    const { env, atExit } = runtime();
    const settings = settingsOf(options, env, (message) => warnOnce(message, message));
    const now = JSON.stringify(settings) + String(settings.redact);
    if (pulse && now === given) return;
    void pulse?.transport.flush();
    pulse = undefined;
    given = now;
    if (!settings.enabled) return;
    if (!/^[\x21-\x7e]+$/.test(settings.apiKey)) {
      warnOnce("apiKey", "there is no API key (apiKey, PULSE_API_KEY), or none that HTTP can carry: nothing is recorded");
      return;
    }
    pulse = { settings, transport: new Transport(settings) };
    atExit?.({
      waiting: () => pulse?.transport.waiting() ?? false,
      left: () => pulse?.transport.left() ?? 0,
      flush: () => flush(pulse?.transport.left()),
      stop: () => pulse?.transport.stop(),
      settled: () => pulse?.transport.settled(),
      waited: (ms) => pulse?.transport.waited(ms),
      unsent: () => pulse?.transport.unsent(),
      remains: () => pulse!.transport.remains(),
    });
  });
}

/** Whether and how to record now. */
export const settings = (): Settings | undefined => pulse?.settings;

/** Queues a span that ends now. */
export function take(span: Span) {
  pulse?.transport.add(span.end());
}

const open = new Set<object>();
const lookAgain = 10;

/** Makes flush wait for work that ends a span by itself. */
export function flushAfter(work: Promise<void>) {
  const one = {};
  open.add(one);
  void work.finally(() => open.delete(one));
}

/** Sends what waits, for at most `timeout` milliseconds (flushTimeout); true if nothing is left. */
export async function flush(timeout?: number): Promise<boolean> {
  const { settings, transport } = pulse ?? {};
  if (!settings || !transport) return true;
  const most = timeout ?? settings.flushTimeout;
  const began = performance.now();
  const elapsed = () => performance.now() - began;
  const { perRequest } = runtime();
  // On the edge such work may be gone with its request: it is looked at, not waited for, by one flush only, and leaves time for what is there.
  const work = [...open];
  const patience = perRequest ? most / 2 : most;
  while (work.some((one) => open.has(one)) && elapsed() < patience) await new Promise((resolve) => setTimeout(resolve, lookAgain));
  if (perRequest) for (const one of work) open.delete(one);
  return transport.flush(Math.max(most - elapsed(), 0));
}

/** Sends what waits, then records nothing any more. The log is told how many spans were not sent. */
export async function shutdown(timeout?: number): Promise<boolean> {
  const last = pulse;
  const done = await flush(timeout);
  if (!done) last?.transport.unsent();
  if (pulse === last) pulse = undefined;
  return done;
}

/** What became of the spans so far. */
export function stats(): Stats {
  return pulse?.transport.stats() ?? { queued: 0, queuedBytes: 0, sent: 0, dropped: 0, rejected: 0 };
}

/** Hands the sending of what waits to a platform that stops a function once it has answered, by its own waitUntil. */
export function waitUntil(platform: (promise: Promise<unknown>) => void): void {
  platform(flush());
}
