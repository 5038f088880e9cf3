// A worker for Cloudflare's runtime, on which each request is answered first and sent to Pulse by waitUntil after it.
import OpenAI from "openai";
import { flush, initPulse, observe, Provider, span, stats, tool, trace, waitUntil } from "@pulse/sdk";

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/stats") return Response.json(stats());
    initPulse({ apiKey: env.KEY, apiUrl: env.PULSE, serviceName: env.SERVICE, flushTimeout: Number(env.FLUSH_TIMEOUT ?? 5000), batchSize: Number(env.BATCH_SIZE ?? 100) });
    const openai = observe(new OpenAI({ apiKey: "none", baseURL: env.PROVIDER + "/v1" }), Provider.OpenAI);
    // Without AsyncLocalStorage each step is given on.
    const under = (step) => (env.GIVE_ON ? { parent: step } : {});
    const ask = (step, more) => openai.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], ...(env.GIVE_ON && { pulseParent: step }), ...more });
    if (pathname === "/steps") {
      await trace("agent", async (step) => {
        await ask(step);
        for await (const _ of await ask(step, { stream: true, stream_options: { include_usage: true } }));
        await span({ name: "find", ...under(step) }, async (step) => {
          await new Promise((done) => setTimeout(done, 5));
          await tool("get_weather", async (city) => ({ city, temperature: 21 }), under(step))("Oslo");
        });
      });
    } else if (pathname === "/stream") {
      const { readable, writable } = new TransformStream();
      const ended = (await ask(undefined, { stream: true, stream_options: { include_usage: true } })).toReadableStream().pipeTo(writable);
      ctx.waitUntil(ended.then(() => flush()));
      return new Response(readable);
    } else {
      span({ name: "one" }, () => 1);
    }
    if (searchParams.has("await")) return Response.json({ flushed: await flush() });
    if (!searchParams.has("forget")) waitUntil(ctx.waitUntil.bind(ctx));
    return Response.json({});
  },
};
