import { contentOf, toJSON } from "./content.js";
import { settings, take } from "./pulse.js";
import { internal, type Scope, scope, Span, within } from "./span.js";
import { quietly } from "./warn.js";

/** The kinds that Pulse knows of a step. */
export type Kind = "agent_run" | "chain" | "tool_use" | "retrieval" | "rerank" | "embedding" | "guardrail" | "evaluator" | "event" | "generic" | "llm_call";

export interface StepOptions {
  name: string;
  /** What it is; `chain` unless given. */
  kind?: Kind;
  input?: unknown;
  metadata?: Record<string, unknown>;
  /** The step around it, where the runtime cannot know it. */
  parent?: Step;
}

/** A step that runs. Give it as `parent` or `pulseParent` where there is no AsyncLocalStorage. */
export class Step {
  /** @internal */
  constructor(
    /** @internal */ readonly span: Span | undefined,
    /** @internal */ readonly attribute: (name: string, value: unknown) => void,
  ) {}

  /** Says what the step made, in place of what its function returns. */
  setOutput(output: unknown): void {
    this.attribute("output.value", output);
  }

  setInput(input: unknown): void {
    this.attribute("input.value", input);
  }
}

/** Runs fn as a step at the top, whatever runs now: what runs within is one trace. */
export function trace<T>(name: string, fn: (step: Step) => T): T {
  return within({ ...scope(), span: undefined }, () => run({ name }, fn));
}

/** Runs fn as a step within what runs now. */
export function span<T>(options: StepOptions, fn: (step: Step) => T): T {
  return run(options, fn);
}

/** Makes a function of a tool that records each run, with its arguments and result. */
export function tool<A extends unknown[], R>(name: string, fn: (...args: A) => R, options: { callId?: string; parent?: Step } = {}): (...args: A) => R {
  return function (this: unknown, ...args: A): R {
    return run({ name, kind: "tool_use", parent: options.parent }, () => fn.apply(this, args), { callId: options.callId, args });
  };
}

/** Runs fn so that its calls and steps belong to a session. */
export function withSession<T>(id: string, fn: () => T): T {
  return within({ ...scope(), session: id }, fn);
}

function run<T>(options: StepOptions, fn: (step: Step) => T, asTool?: { callId?: string; args: unknown[] }): T {
  const on = settings();
  const started = on && quietly(() => begin(options, asTool));
  if (!started) return fn(new Step(undefined, () => undefined));

  const { span, inner } = started;
  const step = new Step(span, (name, value) => quietly(() => (span.attributes[name] = asText(contentOf(on, value)))));
  const end = (result: unknown) =>
    quietly(() => {
      const name = asTool ? "gen_ai.tool.call.result" : "output.value";
      if (result !== undefined && !(name in span.attributes)) span.attributes[name] = asText(contentOf(on, result));
      take(span);
    });
  const fail = (error: unknown) =>
    quietly(() => {
      quietly(() => span.fail(error, on));
      take(span);
    });

  let result: T;
  try {
    result = within(inner, () => fn(step));
  } catch (error) {
    fail(error);
    throw error;
  }
  if (!quietly(() => typeof (result as any)?.then === "function")) {
    end(result);
    return result;
  }
  return (result as any).then(
    (value: unknown) => (end(value), value),
    (error: unknown) => {
      fail(error);
      throw error;
    },
  );
}

function begin(options: StepOptions, asTool?: { callId?: string; args: unknown[] }): { span: Span; inner: Scope } {
  const on = settings()!;
  const outer = scope();
  const span = new Span(options.name, internal, options.parent?.span ?? outer.span, outer.session);
  span.attributes["pulse.kind"] = options.kind ?? "chain";
  if (options.input !== undefined) span.attributes["input.value"] = asText(contentOf(on, options.input));
  if (options.metadata) span.attributes["pulse.metadata"] = toJSON(options.metadata);
  if (asTool) {
    const { args, callId } = asTool;
    span.attributes["gen_ai.tool.name"] = options.name;
    span.attributes["gen_ai.tool.call.id"] = callId;
    span.attributes["gen_ai.tool.call.arguments"] = contentOf(on, args.length === 1 ? args[0] : args);
  }
  return { span, inner: { ...outer, span } };
}

/** A text stays itself; anything else is JSON. */
const asText = (json: string | undefined) => (json?.startsWith('"') ? String(JSON.parse(json)) : json);
