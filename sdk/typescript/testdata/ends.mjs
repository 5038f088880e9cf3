// A program that asks a model in steps, and then ends as its argument says, without a flush. The same on Node, Bun and Deno.
import process from "node:process";
import OpenAI from "openai";
import { initPulse, observe, Provider, span, tool, trace } from "@pulse/sdk";

const end = process.argv[2];
initPulse();
const openai = observe(new OpenAI({ apiKey: "none", baseURL: process.env.PROVIDER_URL + "/v1" }), Provider.OpenAI);
const request = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }] };
const getWeather = tool("get_weather", async (city) => ({ city, temperature: 21 }));

await trace("agent", async () => {
  await openai.chat.completions.create(request);
  for await (const _ of await openai.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } }));
  await span({ name: "find" }, async () => {
    await new Promise((done) => setTimeout(done, 5));
    await getWeather("Oslo");
  });
});

const fail = () => {
  throw new Error("why");
};
const ends = {
  "runs out of work": () => {},
  "calls process.exit": () => process.exit(3),
  "calls Deno.exit": () => Deno.exit(3),
  throws: fail,
  "throws in a timer": () => setTimeout(fail, 5),
  rejects: () => setTimeout(async () => fail(), 5),
  waits: () => setInterval(() => {}, 1000),
  "has a handler of its own": () => {
    process.on("SIGTERM", () => process.exit(5));
    setInterval(() => {}, 1000);
  },
};
console.log("at the end");
await ends[end]();
