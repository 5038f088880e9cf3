// An agent that calls a tool until it has its answer.
import OpenAI from "openai";
import { initPulse, observe, Provider, tool, trace, withSession } from "@pulse/sdk";

initPulse({ serviceName: "tools" });
const openai = observe(new OpenAI(), Provider.OpenAI);

const tools: OpenAI.ChatCompletionTool[] = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Tells the weather in a city.",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

async function getWeather({ city }: { city: string }) {
  return { city, temperature: 21 };
}

async function answer(question: string): Promise<string> {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: question }];
  for (;;) {
    const { choices } = await openai.chat.completions.create({ model: "gpt-4o-mini", messages, tools });
    const message = choices[0]!.message;
    if (!message.tool_calls?.length) return message.content ?? "";
    messages.push(message);
    for (const call of message.tool_calls) {
      if (call.type !== "function") continue;
      const result = await tool(call.function.name, getWeather, { callId: call.id })(JSON.parse(call.function.arguments));
      messages.push({ role: "tool", tool_call_id: call.id, content: JSON.stringify(result) });
    }
  }
}

console.log(await withSession("tools-1", () => trace("agent", () => answer(process.argv[2] ?? "How warm is it in Oslo?"))));
