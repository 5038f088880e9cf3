import { begin, type Call, type Extras, type Origin, takeExtras } from "./calls.js";
import { tapped } from "./stainless.js";
import { quietly } from "./warn.js";

// Google's client turns what a method is given into the body of a request, and its ApiClient sends that: there the body is as the API has it. What
// the program says of a call travels from the one to the other in a header that goes no further.
const header = "x-pulse-call";

/** Makes a GoogleGenAI record its calls. */
export function observeGoogle(ai: any, origin: Origin) {
  const carried = new Map<string, Extras>();
  let calls = 0;

  for (const name of ["generateContent", "generateContentStream", "embedContent"]) {
    const method = ai.models[name];
    if (typeof method !== "function") continue;
    ai.models[name] = function (params: any) {
      const { rest, extras } = takeExtras(params ?? {});
      if (rest === params) return method.call(ai.models, params);
      const id = String(++calls);
      carried.set(id, extras);
      const httpOptions = rest.config?.httpOptions;
      const config = { ...rest.config, httpOptions: { ...httpOptions, headers: { ...httpOptions?.headers, [header]: id } } };
      const result = method.call(ai.models, { ...rest, config });
      const forget = () => carried.delete(id);
      result.then(forget, forget);
      return result;
    };
  }

  const api = ai.models.apiClient ?? ai.apiClient;
  const { request, requestStream } = api;

  const ask = (asked: any): { call: Call | undefined; asked: any } => {
    const headers = { ...asked.httpOptions?.headers };
    const extras = carried.get(headers[header]) ?? {};
    if (header in headers) {
      delete headers[header];
      asked = { ...asked, httpOptions: { ...asked.httpOptions, headers } };
    }
    const call = quietly(() => begin(asked.path, typeof asked.body === "string" ? JSON.parse(asked.body) : asked.body, origin, api.getBaseUrl?.(), extras));
    return { call, asked };
  };

  api.request = async (asking: any) => {
    const { call, asked } = ask(asking);
    if (!call) return request.call(api, asked);
    const response = await failing(call, () => request.call(api, asked));
    onJSON(response, (body) => call.succeed(body), (error) => call.fail(error));
    return response;
  };

  api.requestStream = async (asking: any) => {
    const { call, asked } = ask(asking);
    if (!call) return requestStream.call(api, asked);
    const chunks: AsyncIterable<any> = await failing(call, () => requestStream.call(api, asked));
    return tapped(chunks[Symbol.asyncIterator](), {
      event: (chunk) => onJSON(chunk, (body) => call.event(body), () => undefined), // it is read before the next is asked for
      end: (early, error) => call.endStream(early, error),
    });
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
