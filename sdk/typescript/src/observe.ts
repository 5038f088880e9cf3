import type { Extras, Origin } from "./calls.js";
import { observeGoogle } from "./google.js";
import { observeStainless } from "./stainless.js";
import { quietly, warnOnce } from "./warn.js";

/** Who answers. Any other word is taken as it is, for addresses that speak OpenAI's protocol. */
export const Provider = { OpenAI: "openai", Anthropic: "anthropic", OpenRouter: "openrouter", Google: "google" } as const;
export type Provider = (typeof Provider)[keyof typeof Provider] | (string & {});

// A method with what Pulse takes beside its own parameters. A conditional type sees the overloads of a function from the last; three are as many as there are.
type Asked<A extends any[]> = A extends [infer First, ...infer Rest] ? [First & Extras, ...Rest] : A;
type Method<F> = F extends { (...args: infer A): infer R; (...args: infer B): infer S; (...args: infer C): infer T }
  ? { (...args: Asked<A>): R; (...args: Asked<B>): S; (...args: Asked<C>): T }
  : F extends (...args: infer A) => infer R
    ? (...args: Asked<A>) => R
    : F;
type Methods<T, Names extends string> = { [Name in keyof T & Names]: Method<T[Name]> };

type Asking = "create" | "stream" | "toolRunner" | "generateContent" | "generateContentStream" | "embedContent";
type Resources = "chat" | "completions" | "responses" | "embeddings" | "messages" | "beta" | "models";
type Additions<T> = { [Name in keyof T & Resources]: Additions<T[Name]> } & Methods<T, Asking>;

// A chat of Google's is made by a method, of which the first signature counts.
type Sending = "sendMessage" | "sendMessageStream";
type Chats<T> = T extends { chats: { create(...args: infer A): infer C } } ? { chats: { create(...args: A): Methods<C, Sending> & C } } : unknown;

/** A client whose calls take `pulseSessionId`, `pulseMetadata` and `pulseParent`. It is the client itself. */
export type Observed<T> = Chats<T> & T & Additions<T>;

const seen = Symbol.for("pulse.observed");

/** What calls are about that do not say it themselves. */
export interface ObserveOptions {
  sessionId?: string;
  metadata?: Record<string, unknown>;
}

/** Makes a client record its calls, and gives the same client back. */
export function observe<T extends object>(client: T, provider: Provider, { sessionId, metadata }: ObserveOptions = {}): Observed<T> {
  quietly(() => observeOnce(client, { provider, extras: { pulseSessionId: sessionId, pulseMetadata: metadata } }));
  return client as Observed<T>;
}

function observeOnce(client: any, origin: Origin) {
  if (client[seen]) return;
  if (typeof client.models?.generateContent === "function") observeGoogle(client, origin);
  else if (typeof client.post === "function") observeStainless(client, origin, (derived) => observeOnce(derived, origin));
  else {
    warnOnce("client", `observe does not know this client of ${origin.provider}: its calls are not recorded`);
    return;
  }
  Object.defineProperty(client, seen, { value: true });
}
