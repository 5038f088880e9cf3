// What a program that uses the SDK has to type-check, and what it must not.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { initPulse, observe, Provider, span, tool, trace, withSession } from "@pulse/sdk";

initPulse({ apiKey: process.env.PULSE_API_KEY!, apiUrl: process.env.PULSE_API_URL || "http://localhost:3000", batchSize: 10, flushInterval: 5000 });
const plain = new OpenAI({ apiKey: "none" });
const openai = observe(plain, Provider.OpenAI);
export const same: OpenAI = openai;

const extras = { pulseSessionId: "session-123", pulseMetadata: { userId: "user-42", feature: "chat" } };

export async function calls() {
  const messages = [{ role: "user" as const, content: "Summarize this" }];
  const answer = await openai.chat.completions.create({ model: "gpt-4o-mini", messages, ...extras });
  const content: string | null = answer.choices[0]!.message.content;
  await openai.chat.completions.create({
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "Summarize this" }],
    pulseSessionId: "session-123",
    pulseMetadata: { userId: "user-42", feature: "chat" },
  });
  const stream = await openai.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true, pulseSessionId: "s" });
  for await (const chunk of stream) chunk.choices[0]?.delta.content satisfies string | null | undefined;
  await openai.chat.completions.create({ model: "gpt-4o-mini", messages }).withResponse();
  const parsed = await openai.chat.completions.parse({ model: "gpt-4o-mini", messages, pulseSessionId: "s" });
  parsed.choices[0]!.message.parsed satisfies unknown;
  await openai.responses.create({ model: "gpt-4o-mini", input: "Hello", pulseSessionId: "s" });
  await openai.embeddings.create({ model: "text-embedding-3-small", input: "Hello", pulseMetadata: {} });
  // @ts-expect-error: the session is a text
  await openai.chat.completions.create({ model: "gpt-4o-mini", messages, pulseSessionId: 1 });
  // @ts-expect-error: a client that is not observed knows nothing of it
  await plain.embeddings.create({ model: "x", input: "y", pulseSessionId: "s" });

  const anthropic = observe(new Anthropic({ apiKey: "none" }), Provider.Anthropic);
  const message = await anthropic.messages.create({ model: "claude-sonnet-4-5", max_tokens: 100, messages, pulseSessionId: "s" });
  message.content satisfies Anthropic.ContentBlock[];
  await anthropic.messages.stream({ model: "claude-sonnet-4-5", max_tokens: 100, messages, pulseSessionId: "s" }).finalMessage();

  const runner = anthropic.beta.messages.toolRunner({ model: "claude-sonnet-4-5", max_tokens: 100, messages, tools: [], pulseSessionId: "s" });
  (await runner).content satisfies unknown[];
  await openai.responses.stream({ model: "gpt-4o-mini", input: "Hello", pulseSessionId: "s" }).finalResponse();
  openai.chat.completions.runTools({ model: "gpt-4o-mini", messages, tools: [], pulseSessionId: "s" });
  await openai.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Hello", pulseSessionId: "s" });

  const google = observe(new GoogleGenAI({ apiKey: "none" }), Provider.Google);
  (await google.models.generateContent({ model: "gemini-2.5-flash", contents: "Hello", pulseSessionId: "s" })).text satisfies string | undefined;
  const chat = google.chats.create({ model: "gemini-2.5-flash" });
  (await chat.sendMessage({ message: "Hello", pulseSessionId: "s" })).text satisfies string | undefined;
  for await (const chunk of await chat.sendMessageStream({ message: "Hello", pulseMetadata: {} })) chunk.text satisfies string | undefined;
  // @ts-expect-error: the session is a text
  await chat.sendMessage({ message: "Hello", pulseSessionId: 1 });
  observe(plain, "deepseek");
  return content;
}

export async function steps() {
  const weather = tool("get_weather", async (city: string) => ({ city, temperature: 21 }));
  const result: { temperature: number } = await trace("agent", async (step) => {
    step.setInput("question");
    return span({ name: "inner", kind: "retrieval" }, () => withSession("s", () => weather("Oslo")));
  });
  return result;
}
