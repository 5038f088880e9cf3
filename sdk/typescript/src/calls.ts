import { contentOf, toJSON } from "./content.js";
import { settings, take } from "./pulse.js";
import { shared, type Unread } from "./shared.js";
import { client, scope, Span } from "./span.js";
import { type Assembler, ChatCompletion, Completion, GenerateContent, Message, Response } from "./streams.js";
import { quietly } from "./warn.js";

interface Operation {
  path: RegExp;
  name: string;
  assembler?: new () => Assembler;
}

// The first that matches counts.
const operations: Operation[] = [
  { path: /\/chat\/completions$/, name: "chat", assembler: ChatCompletion },
  { path: /\/responses$/, name: "chat", assembler: Response },
  { path: /\/completions$/, name: "text_completion", assembler: Completion },
  { path: /\/embeddings$/, name: "embeddings" },
  { path: /^(?!.*\/threads\/).*\/messages$/, name: "chat", assembler: Message },
  { path: /:(stream)?[gG]enerateContent$/, name: "generate_content", assembler: GenerateContent },
  { path: /:(embedContent|batchEmbedContents)$/, name: "embeddings" },
];

/** What the program says of a call beside the request. */
export interface Extras {
  pulseSessionId?: string;
  pulseMetadata?: Record<string, unknown>;
  /** The step that the call belongs to, where the runtime cannot know it. */
  pulseParent?: { readonly span?: Span };
}

export const extraNames = ["pulseSessionId", "pulseMetadata", "pulseParent"] as const;

/** Whom a client calls, and what its calls are about if they do not say it. */
export interface Origin {
  provider: string;
  extras: Extras;
}

/** Parts what is Pulse's from a request, of which it makes a copy if there is any. */
export function takeExtras<T extends object>(request: T): { rest: T; extras: Extras } {
  if (!extraNames.some((name) => name in request)) return { rest: request, extras: {} };
  const { pulseSessionId, pulseMetadata, pulseParent, ...rest } = request as T & Extras;
  return { rest: rest as T, extras: { pulseSessionId, pulseMetadata, pulseParent } };
}

// Tells of answers that nobody can read any more. Not all edges have it.
const forgotten = typeof FinalizationRegistry === "function" ? new FinalizationRegistry<Call>((call) => call.leave()) : undefined;

/** One call of a provider. Whatever is told after its end is ignored, and nothing here throws. */
export class Call implements Unread {
  private ended = false;
  private answered = false;
  private streams = false;
  private readonly assembler: Assembler | undefined;

  constructor(
    private readonly span: Span,
    operation: Operation,
  ) {
    this.assembler = operation.assembler && new operation.assembler();
    shared.unread.add(this);
  }

  /** Takes an event of the stream. */
  event(value: unknown) {
    if (this.ended || !this.assembler) return;
    quietly(() => {
      const elapsed = this.span.elapsed();
      if (this.assembler!.add(value)) this.span.attributes["gen_ai.response.time_to_first_chunk"] ??= elapsed / 1000;
    });
  }

  /** Says that the answer is there, and read by what one has: without that, or at the end of the program, it will not be. The call must not hold it. */
  heldBy(reader: object, streams: boolean) {
    if (this.ended) return;
    this.answered = true;
    this.streams = streams;
    forgotten?.unregister(this);
    forgotten?.register(reader, this, this);
  }

  /** Ends the call, whose answer is not read any more. */
  leave() {
    // A class of our own would have another name in each bundle.
    if (!this.answered) this.fail({ constructor: { name: "Unanswered" }, message: "the program ended before there was an answer" });
    else if (this.streams) this.endStream(true);
    else this.end(() => undefined);
  }

  /** Ends the call with the answer's body. */
  succeed(body: unknown) {
    this.end(() => this.answer(body));
  }

  /** Ends a stream's call, early if the provider did not end it. */
  endStream(early: boolean, error?: unknown) {
    this.end(() => {
      if (error !== undefined) this.span.fail(error, settings());
      if (early || error !== undefined) this.span.attributes["pulse.stream_ended_early"] = true;
      this.answer(this.assembler?.response());
    });
  }

  fail(error: unknown) {
    this.end(() => this.span.fail(error, settings()));
  }

  private end(last: () => void) {
    if (this.ended) return;
    this.ended = true;
    shared.unread.delete(this);
    forgotten?.unregister(this);
    quietly(() => {
      quietly(last);
      take(this.span);
    });
  }

  private answer(body: any) {
    const on = settings();
    if (!on || typeof body !== "object" || body === null) return;
    const usage = body.usage ?? body.usageMetadata;
    Object.assign(this.span.attributes, {
      "gen_ai.response.model": textOf(body.model ?? body.modelVersion),
      "gen_ai.response.id": textOf(body.id ?? body.responseId),
      "gen_ai.response.finish_reasons": finishReasons(body),
      "gen_ai.usage.raw": usage ? toJSON(usage) : undefined,
      "pulse.response": contentOf(on, body, "response"),
    });
  }
}

/** What a call says of itself goes before what is said of all. */
function metadataOf(own: any, all: any): any {
  if (own === undefined || own === null) return all;
  return typeof own === "object" && typeof all === "object" ? { ...all, ...own } : own;
}

const textOf = (value: unknown) => (typeof value === "string" ? value : undefined);

function finishReasons(body: any): string[] | undefined {
  const found = [
    ...(Array.isArray(body.choices) ? body.choices.map((choice: any) => choice?.finish_reason) : []),
    ...(Array.isArray(body.candidates) ? body.candidates.map((candidate: any) => candidate?.finishReason) : []),
    body.stop_reason,
    body.object === "response" ? (body.incomplete_details?.reason ?? body.status) : undefined,
  ].filter((reason) => typeof reason === "string" && reason);
  return found.length > 0 ? found : undefined;
}

/** Begins the span of a POST, or gives undefined if it is none to record. */
export function begin(path: string, body: any, origin: Origin, baseURL: string | undefined, extras: Extras): Call | undefined {
  const on = settings();
  if (!on) return undefined;
  return quietly(() => {
    const plainPath = path.split("?", 1)[0]!.replace(/\/+$/, "");
    const operation = operations.find((o) => o.path.test("/" + plainPath));
    if (!operation) return undefined;
    const model = textOf(body?.model) ?? /([^/:]+):\w+$/.exec(plainPath)?.[1] ?? "";
    const { span: parent, session = origin.extras.pulseSessionId } = scope();
    const metadata = metadataOf(extras.pulseMetadata, origin.extras.pulseMetadata);
    const span = new Span(`${operation.name} ${model}`.trim(), client, extras.pulseParent?.span ?? parent, extras.pulseSessionId ?? session);
    const server = baseURL && URL.canParse?.(baseURL) ? new URL(baseURL) : undefined;
    Object.assign(span.attributes, {
      "gen_ai.operation.name": operation.name,
      "gen_ai.provider.name": origin.provider,
      "gen_ai.request.model": model || undefined,
      "server.address": server?.hostname,
      "server.port": server ? Number(server.port) || (server.protocol === "http:" ? 80 : 443) : undefined,
      "pulse.request": contentOf(on, body, "request"),
    });
    if (metadata !== undefined) {
      span.attributes["pulse.metadata"] = toJSON(metadata);
      const user = metadata?.userId ?? metadata?.user_id;
      if (typeof user === "string" || typeof user === "number") span.attributes["user.id"] = String(user);
    }
    return new Call(span, operation);
  });
}
