// One call, with its session and metadata.
import OpenAI from "openai";
import { initPulse, observe, Provider } from "@pulse/sdk";

initPulse({ serviceName: "chat" });
const openai = observe(new OpenAI(), Provider.OpenAI);

const answer = await openai.chat.completions.create({
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: process.argv[2] ?? "Hello" }],
  pulseSessionId: "session-123",
  pulseMetadata: { userId: "user-42", feature: "chat" },
});
console.log(answer.choices[0]?.message.content);
