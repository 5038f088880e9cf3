export interface Snippet {
  id: string
  label: string
  /** What to do before, in a sentence. */
  note: string
  code: string
}

/** Ways to send the first trace to this server. key may be a placeholder. */
export function snippetsOf(origin: string, key: string): Snippet[] {
  return [
    {
      id: 'curl',
      label: 'curl',
      note: 'Nothing to install: one POST is a trace.',
      code: `curl -sS ${origin}/v1/traces/batch -H "Authorization: Bearer ${key}" -H 'Content-Type: application/json' -d '[{
  "trace_id": "'$(uuidgen 2>/dev/null || cat /proc/sys/kernel/random/uuid)'", "timestamp": "'$(date -u +%Y-%m-%dT%H:%M:%SZ)'",
  "provider": "openai", "model_requested": "gpt-4o-mini", "status": "success", "latency_ms": 420,
  "request_body": {"messages": [{"role": "user", "content": "Hello"}]}, "output_text": "Hi!",
  "input_tokens": 8, "output_tokens": 2, "session_id": "first-session" }]'`,
    },
    {
      id: 'typescript',
      label: 'TypeScript',
      note: 'The SDK is in sdk/typescript of the repository.',
      code: `// PULSE_API_KEY=${key} PULSE_API_URL=${origin}
import OpenAI from "openai";
import { initPulse, observe, Provider } from "@pulse/sdk";

initPulse();
const openai = observe(new OpenAI(), Provider.OpenAI);
await openai.chat.completions.create({
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: "Hello" }],
});`,
    },
    {
      id: 'python',
      label: 'Python',
      note: 'The SDK is in sdk/python of the repository: pip install ./sdk/python',
      code: `# PULSE_API_KEY=${key} PULSE_API_URL=${origin}
from openai import OpenAI
from pulse_sdk import Provider, init_pulse, observe

init_pulse()
client = observe(OpenAI(), Provider.OPENAI)
client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Hello"}],
)`,
    },
    {
      id: 'go',
      label: 'Go',
      note: 'The SDK is in sdk/go of the repository.',
      code: `// PULSE_API_KEY=${key} PULSE_API_URL=${origin}
pulse.Init(pulse.Options{})
defer pulse.Shutdown(context.Background())

client := openai.NewClient(option.WithHTTPClient(pulse.HTTPClient()))`,
    },
    {
      id: 'otlp',
      label: 'OpenTelemetry',
      note: 'For everything that is instrumented already: OpenInference, OpenLLMetry, Langfuse, Vercel AI SDK, and any other exporter.',
      code: `export OTEL_EXPORTER_OTLP_ENDPOINT=${origin}
export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20${key}"
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
    },
    {
      id: 'claude-code',
      label: 'Claude Code',
      note: 'Set these where you start it.',
      code: `export CLAUDE_CODE_ENABLE_TELEMETRY=1 OTEL_LOG_USER_PROMPTS=1
export OTEL_LOGS_EXPORTER=otlp OTEL_METRICS_EXPORTER=none
export CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1 OTEL_TRACES_EXPORTER=otlp
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_ENDPOINT=${origin}
export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer ${key}"`,
    },
    {
      id: 'codex',
      label: 'Codex',
      note: 'In ~/.codex/config.toml:',
      code: `[otel]
environment = "production"
log_user_prompt = true
exporter = {otlp-http = {endpoint = "${origin}/v1/logs", protocol = "json", headers = {authorization = "Bearer ${key}"}}}
trace_exporter = {otlp-http = {endpoint = "${origin}/v1/traces", protocol = "json", headers = {authorization = "Bearer ${key}"}}}`,
    },
  ]
}
