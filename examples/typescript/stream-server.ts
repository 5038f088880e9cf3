// A server that streams answers: GET /?q=question.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { initPulse, observe, Provider, trace } from "@pulse/sdk";

initPulse({ serviceName: "stream-server" });
const openai = observe(new OpenAI(), Provider.OpenAI);

const server = createServer((request, response) => {
  const question = new URL(request.url ?? "/", "http://localhost").searchParams.get("q") ?? "Hello";
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  void trace("GET /", async (step) => {
    step.setInput(question);
    const stream = await openai.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: question }], stream: true });
    // The reader may leave in the middle: what it has got until then is recorded.
    response.on("close", () => stream.controller.abort());
    for await (const chunk of stream) response.write(chunk.choices[0]?.delta.content ?? "");
  }).finally(() => response.end());
});
server.listen(Number(process.env.PORT ?? 8000), "127.0.0.1", () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
