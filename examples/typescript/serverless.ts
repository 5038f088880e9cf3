// A function as a platform calls it that stops once the answer is there: what it recorded is sent by the platform's waitUntil, or before the answer.
import OpenAI from "openai";
import { flush, initPulse, observe, Provider, trace, waitUntil } from "@pulse/sdk";

initPulse({ serviceName: "serverless" });
const openai = observe(new OpenAI(), Provider.OpenAI);

export interface Context {
  waitUntil?(promise: Promise<unknown>): void;
}

export async function handler(request: Request, context: Context): Promise<Response> {
  const { question } = (await request.json()) as { question: string };
  const answer = await trace("handler", () => openai.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: question }] }));
  if (context.waitUntil) waitUntil((promise) => context.waitUntil!(promise));
  else await flush();
  return new Response(answer.choices[0]?.message.content);
}

const response = await handler(new Request("http://localhost", { method: "POST", body: JSON.stringify({ question: "Hello" }) }), {});
console.log(await response.text());
process.kill(process.pid, "SIGKILL"); // as hard as a platform may stop it
