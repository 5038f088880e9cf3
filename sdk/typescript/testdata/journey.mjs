// What all SDKs' journeys do, in the same order, so that their traces can be compared.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { flush, initPulse, observe, Provider, tool, trace, withSession } from "@pulse/sdk";

const provider = process.env.PROVIDER_URL;
initPulse({ serviceName: "journey" });

const openai = observe(new OpenAI({ apiKey: "none", baseURL: provider + "/v1" }), Provider.OpenAI);
const openrouter = observe(new OpenAI({ apiKey: "none", baseURL: provider + "/api/v1" }), Provider.OpenRouter);
const anthropic = observe(new Anthropic({ apiKey: "none", baseURL: provider }), Provider.Anthropic);
const google = observe(new GoogleGenAI({ apiKey: "none", httpOptions: { baseUrl: provider } }), Provider.Google);

const user = (content) => [{ role: "user", content }];
const model = "gpt-4o-mini";
const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } } }];

await openai.chat.completions.create({ model, messages: user("Hello"), pulseSessionId: "s-1", pulseMetadata: { userId: "user-42", feature: "chat" } });
const stream = await openai.chat.completions.create({ model, messages: user("Hello [pieces 7]"), stream: true, stream_options: { include_usage: true }, pulseSessionId: "s-1" });
for await (const _ of stream);

await openai.responses.create({ model, input: "Hello" });
await openai.embeddings.create({ model: "text-embedding-3-small", input: "Hello" });

await withSession("s-2", () =>
  trace("agent", async () => {
    const messages = user("[tool] Weather?");
    const { message } = (await openai.chat.completions.create({ model, messages, tools })).choices[0];
    const [call] = message.tool_calls;
    const result = tool("get_weather", () => ({ temperature: 21 }), { callId: call.id })(JSON.parse(call.function.arguments));
    messages.push(message, { role: "tool", tool_call_id: call.id, content: JSON.stringify(result) });
    await openai.chat.completions.create({ model, messages, tools });
  }),
);

const claude = { model: "claude-sonnet-4-5", max_tokens: 100, messages: user("Hello [reasoning]") };
await anthropic.messages.create(claude);
await anthropic.messages.stream(claude).finalMessage();

const gemini = { model: "gemini-2.5-flash", contents: "Hello" };
await google.models.generateContent(gemini);
for await (const _ of await google.models.generateContentStream(gemini));

await openai.chat.completions.create({ model, messages: user("[status 400] bad") }).catch(() => undefined);
await openrouter.chat.completions.create({ model: "openai/gpt-4o-mini", messages: user("Hello") });
await flush();
