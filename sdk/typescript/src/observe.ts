import type { Extras } from "./calls.js";
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

/** A client whose calls take `pulseSessionId`, `pulseMetadata` and `pulseParent`. It is the client itself. */
export type Observed<T> = T & Additions<T>;

const seen = Symbol.for("pulse.observed");

/** What calls are about that do not say it themselves. */
export interface ObserveOptions {
  sessionId?: string;
  metadata?: Record<string, unknown>;
}

/** Makes a client record its calls, and gives the same client back. */
export function observe<T extends object>(client: T, provider: Provider, { sessionId, metadata }: ObserveOptions = {}): Observed<T> {
  quietly(() => {
    const target = client as any;
    const origin = { provider, extras: { pulseSessionId: sessionId, pulseMetadata: metadata } };
    if (target[seen]) return;
    if (typeof target.models?.generateContent === "function") observeGoogle(target, origin);
    else if (typeof target.post === "function") observeStainless(target, origin);
    else {
      warnOnce("client", `observe does not know this client of ${provider}: its calls are not recorded`);
      return;
    }
    Object.defineProperty(target, seen, { value: true });
  });
  return client as Observed<T>;
}
