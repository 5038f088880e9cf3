/** What initPulse takes; docs/sdk.md says what each option does. Times are milliseconds. */
export interface PulseOptions {
  apiKey?: string;
  apiUrl?: string;
  enabled?: boolean;
  serviceName?: string;
  environment?: string;
  release?: string;
  batchSize?: number;
  batchBytes?: number;
  flushInterval?: number;
  queueBytes?: number;
  timeout?: number;
  flushTimeout?: number;
  captureContent?: boolean;
  maxContentBytes?: number;
  hashImages?: boolean;
  spillDirectory?: string;
  /** Is given each content as a JSON value, and returns what to send instead. */
  redact?: (content: unknown) => unknown;
}

export type Settings = Required<Omit<PulseOptions, "redact">> & Pick<PulseOptions, "redact">;

interface Rule {
  env: string[];
  type: "string" | "address" | "boolean" | "integer";
  default: string | boolean | number;
  min?: number;
  max?: number;
}

const text = (env: string[], fallback = ""): Rule => ({ env, type: "string", default: fallback });
const flag = (env: string, fallback: boolean): Rule => ({ env: [env], type: "boolean", default: fallback });
const whole = (env: string, fallback: number, min: number, max?: number): Rule => ({ env: [env], type: "integer", default: fallback, min, max });

/** Each option's variable, default and range; sdk/testdata/options.json holds the same for all SDKs. */
export const rules: Record<Exclude<keyof PulseOptions, "redact">, Rule> = {
  apiKey: text(["PULSE_API_KEY"]),
  apiUrl: { env: ["PULSE_API_URL"], type: "address", default: "http://localhost:3000" },
  enabled: flag("PULSE_ENABLED", true),
  serviceName: text(["PULSE_SERVICE_NAME", "OTEL_SERVICE_NAME"]),
  environment: text(["PULSE_ENVIRONMENT"]),
  release: text(["PULSE_RELEASE"]),
  batchSize: whole("PULSE_BATCH_SIZE", 100, 1, 1000),
  batchBytes: whole("PULSE_BATCH_BYTES", 1048576, 1024),
  flushInterval: whole("PULSE_FLUSH_INTERVAL", 5000, 100),
  queueBytes: whole("PULSE_QUEUE_BYTES", 67108864, 1024),
  timeout: whole("PULSE_TIMEOUT", 10000, 1),
  flushTimeout: whole("PULSE_FLUSH_TIMEOUT", 5000, 1),
  captureContent: flag("PULSE_CAPTURE_CONTENT", true),
  maxContentBytes: whole("PULSE_MAX_CONTENT_BYTES", 0, 0),
  hashImages: flag("PULSE_HASH_IMAGES", false),
  spillDirectory: text(["PULSE_SPILL_DIRECTORY"]),
};

/**
 * Reads options and the environment. What cannot be used is told to warn, and its default is used; but without an address that can be used nothing is
 * recorded, since the default could be another's.
 */
export function settingsOf(options: PulseOptions, env: Record<string, string | undefined>, warn: (message: string) => void): Settings {
  const settings: Record<string, unknown> = { redact: options.redact };
  let nowhere: string | undefined;
  for (const [name, rule] of Object.entries(rules)) {
    let value: unknown = options[name as keyof PulseOptions];
    let from = name;
    if (value === undefined || value === null) {
      from = rule.env.find((variable) => env[variable]) ?? name;
      value = parse(rule, env[from]);
    }
    const fault = faultOf(rule, value);
    if (fault && rule.type === "address") nowhere = `${from} ${fault}: nothing is recorded`;
    else if (fault) warn(`${from} ${fault}; ${JSON.stringify(rule.default)} is used`);
    settings[name] = fault ? rule.default : value;
  }
  if (nowhere && settings.enabled) {
    warn(nowhere);
    settings.enabled = false;
  }
  return settings as Settings;
}

function parse(rule: Rule, value: string | undefined): unknown {
  if (!value) return rule.default;
  switch (rule.type) {
    case "boolean":
      return ({ true: true, "1": true, false: false, "0": false } as Record<string, boolean>)[value.toLowerCase()];
    case "integer":
      return /^\d+$/.test(value) ? Number(value) : NaN;
    default:
      return value;
  }
}

function faultOf(rule: Rule, value: unknown): string | undefined {
  if (rule.type === "boolean") return typeof value === "boolean" ? undefined : "is not true, false, 1 or 0";
  if (rule.type === "address") return isAddress(value) ? undefined : "is no address such as http://host[:port] or https://host[:port]";
  if (rule.type === "string") return typeof value === "string" ? undefined : "is not a text";
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = rule;
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return undefined;
  return `is not a whole number from ${min}` + (rule.max === undefined ? "" : ` to ${max}`);
}

function isAddress(value: unknown): boolean {
  try {
    return typeof value === "string" && /^https?:\/\/[^\s/?#][^\s?#]*$/i.test(value) && !!new URL(value);
  } catch {
    return false;
  }
}
