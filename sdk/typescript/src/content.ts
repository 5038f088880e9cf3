import type { Settings } from "./options.js";
import { runtime } from "./runtime.js";

const maxDepth = 100;

/** Writes any value as JSON. What JSON does not know becomes a text that says what it was. */
export function toJSON(value: unknown): string {
  try {
    const json = JSON.stringify(value);
    if (json !== undefined) return json;
  } catch {
    // Somebody else's objects may throw anything; the slow way looks at each by itself.
  }
  return JSON.stringify(plain(value, []));
}

function plain(value: unknown, above: object[]): unknown {
  try {
    switch (typeof value) {
      case "bigint":
        return value.toString();
      case "function":
        return `[function ${value.name}]`;
      case "symbol":
        return value.toString();
      case "undefined":
        return null;
      case "object":
        return value === null ? null : plainObject(value, above);
      default:
        return value;
    }
  } catch (error) {
    return `[throws ${nameOf(error)}]`;
  }
}

function plainObject(value: object, above: object[]): unknown {
  if (above.includes(value)) return "[circular]";
  if (above.length >= maxDepth) return "[too deep]";
  const inside = [...above, value];
  const own = (value as { toJSON?: unknown }).toJSON;
  if (typeof own === "function") return plain(own.call(value), inside);
  if (Array.isArray(value)) return value.map((item) => plain(item, inside));
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    let member: unknown;
    try {
      member = (value as Record<string, unknown>)[key];
    } catch (error) {
      copy[key] = `[throws ${nameOf(error)}]`;
      continue;
    }
    if (member !== undefined) copy[key] = plain(member, inside);
  }
  return copy;
}

export function nameOf(error: unknown): string {
  try {
    return (error as Error)?.constructor?.name || (error as Error)?.name || typeof error;
  } catch {
    return "unknown";
  }
}

/** What is kept of requests and answers without captureContent: sdk/testdata/content.json, in shorthand. */
export const kept = {
  request:
    "model stream temperature top_p top_k n seed max_tokens max_completion_tokens max_output_tokens frequency_penalty presence_penalty logprobs top_logprobs " +
    "service_tier reasoning_effort reasoning.effort thinking.type thinking.budget_tokens parallel_tool_calls dimensions encoding_format store truncation " +
    "generationConfig.temperature generationConfig.topP generationConfig.topK generationConfig.maxOutputTokens generationConfig.candidateCount " +
    "generationConfig.seed generationConfig.thinkingConfig.thinkingBudget",
  response:
    "id object type model created created_at status service_tier system_fingerprint role stop_reason incomplete_details.reason usage modelVersion responseId " +
    "createTime usageMetadata choices[].index choices[].finish_reason candidates[].index candidates[].finishReason promptFeedback.blockReason",
};

type Tree = { [name: string]: Tree };
const trees = Object.fromEntries(Object.entries(kept).map(([role, paths]) => [role, treeOf(paths.split(" "))]));

function treeOf(paths: string[]): Tree {
  const tree: Tree = {};
  for (const path of paths) {
    let node = tree;
    for (const name of path.split(".")) node = node[name] ??= {};
  }
  return tree;
}

function keep(value: unknown, tree: Tree): unknown {
  const from = value as Record<string, unknown> | null;
  const copy: Record<string, unknown> = {};
  if (typeof from !== "object" || from === null) return copy;
  for (const [name, below] of Object.entries(tree)) {
    const member = name.replace("[]", "");
    const found = from[member];
    if (found === undefined) continue;
    if (member !== name) {
      if (Array.isArray(found)) copy[member] = found.map((item) => keep(item, below));
    } else if (Object.keys(below).length === 0) copy[member] = found;
    else if (typeof found === "object" && found !== null) copy[member] = keep(found, below);
  }
  return copy;
}

export type Role = "request" | "response" | undefined;

/** Gives what is sent in place of a content, as JSON; undefined sends nothing. */
export function contentOf(settings: Settings, value: unknown, role?: Role): string | undefined {
  if (value === undefined) return undefined;
  const { captureContent, redact, hashImages, maxContentBytes } = settings;
  if (captureContent && !redact && !hashImages && !maxContentBytes) return toJSON(value);
  if (!captureContent) {
    if (!role) return undefined;
    value = keep(value, trees[role]!);
  }
  value = JSON.parse(toJSON(value)); // a copy: redact may change what it is given
  if (redact) value = redacted(redact, value);
  if (hashImages) value = hashed(value);
  return toJSON(maxContentBytes ? cut(value, maxContentBytes) : value);
}

function redacted(redact: NonNullable<Settings["redact"]>, value: unknown): unknown {
  try {
    return JSON.parse(toJSON(redact(value)));
  } catch {
    return "[redaction failed]";
  }
}

/** What is sent in place of an error's text, which may say what a content says. */
export function messageOf(settings: Settings | undefined, text: string): string {
  if (!settings?.redact) return text;
  const value = redacted(settings.redact, text);
  return typeof value === "string" ? value : toJSON(value);
}

const dataURL = /data:(image\/[\w.+-]+);base64,([A-Za-z0-9+/_=-]+)/g;

function hashed(value: unknown): unknown {
  if (typeof value === "string") return value.replace(dataURL, (_, type, data) => hashOf(type, data));
  if (Array.isArray(value)) return value.map(hashed);
  if (typeof value !== "object" || value === null) return value;
  const { media_type, mimeType, data } = value as Record<string, unknown>;
  const type = media_type ?? mimeType; // Anthropic and Google give an image's type beside its data
  if (typeof type === "string" && type.startsWith("image/") && typeof data === "string") return { ...value, data: hashOf(type, data) };
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, hashed(member)]));
}

function hashOf(type: string, data: string): string {
  const { sha256 } = runtime();
  return sha256 ? `data:${type};sha256,${sha256(data)}` : `data:${type};size,${Math.floor((data.replace(/=+$/, "").length * 3) / 4)}`;
}

function cut(value: unknown, size: number): unknown {
  if (typeof value === "string") {
    const bytes = new TextEncoder().encode(value);
    return bytes.length <= size ? value : new TextDecoder().decode(bytes.subarray(0, size), { stream: true });
  }
  if (Array.isArray(value)) return value.map((item) => cut(item, size));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, cut(member, size)]));
}
