import { begin, type Call, type Origin, takeExtras } from "./calls.js";
import { tapped } from "./stainless.js";
import { quietly } from "./warn.js";

// Google's client turns what a method is given into the body of a request, and its ApiClient sends that: there the body is as the API has it. What
// the program says of a call travels from the one to the other in a member of its options for HTTP that only a symbol finds.
const carried = Symbol("pulse.extras");

/** Makes a GoogleGenAI record its calls. */
export function observeGoogle(ai: any, origin: Origin) {
  for (const name of ["generateContent", "generateContentStream", "embedContent"]) takeExtrasOf(ai.models, name, (params) => params.config);

  const create = ai.chats?.create;
  if (typeof create === "function") {
    ai.chats.create = function (...args: any[]) {
      const chat = create.apply(ai.chats, args);
      quietly(() => {
        // A message's own config stands in the place of the chat's.
        for (const name of ["sendMessage", "sendMessageStream"]) takeExtrasOf(chat, name, (params) => params.config ?? chat.config);
      });
      return chat;
    };
  }

  const api = ai.models.apiClient ?? ai.apiClient;
  const { request, requestStream } = api;

  const ask = (asked: any): Call | undefined => {
    const extras = asked.httpOptions?.[carried] ?? {};
    return quietly(() => begin(asked.path, typeof asked.body === "string" ? JSON.parse(asked.body) : asked.body, origin, api.getBaseUrl?.(), extras));
  };

  api.request = async (asked: any) => {
    const call = ask(asked);
    if (!call) return request.call(api, asked);
    const response: any = await failing(call, () => request.call(api, asked));
    call.heldBy(response, false);
    onJSON(response, (body) => call.succeed(body), (error) => call.fail(error));
    return response;
  };

  api.requestStream = async (asked: any) => {
    const call = ask(asked);
    if (!call) return requestStream.call(api, asked);
    const chunks: AsyncIterable<any> = await failing(call, () => requestStream.call(api, asked));
    const stream = tapped(chunks[Symbol.asyncIterator](), {
      event: (chunk) => onJSON(chunk, (body) => call.event(body), () => undefined), // it is read before the next is asked for
      end: (early, error) => call.endStream(early, error),
    });
    call.heldBy(stream, true);
    return stream;
  };
}

/** Lets a method take what is Pulse's, and carry it to the request in the config that it uses. */
function takeExtrasOf(holder: any, name: string, configOf: (params: any) => any) {
  const method = holder[name];
  if (typeof method !== "function") return;
  holder[name] = function (params: any) {
    const { rest, extras } = takeExtras(params ?? {});
    if (rest === params) return method.call(holder, params);
    const config = configOf(rest);
    return method.call(holder, { ...rest, config: { ...config, httpOptions: { ...config?.httpOptions, [carried]: extras } } });
  };
}

async function failing<T>(call: Call, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    call.fail(error);
    throw error;
  }
}

/** Tells what an answer's json gives, once. */
function onJSON(response: any, told: (body: unknown) => void, failed: (error: unknown) => void) {
  const json = response.json;
  response.json = async () => {
    try {
      const body = await json.call(response);
      quietly(() => told(structuredClone(body)));
      return body;
    } catch (error) {
      failed(error);
      throw error;
    }
  };
}
