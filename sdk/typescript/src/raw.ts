import type { Call } from "./calls.js";
import { flushAfter } from "./pulse.js";
import { quietly } from "./warn.js";

/** Puts a call's ear to an answer that the program reads itself, and gives the answer to read. */
export function tapResponse(response: any, call: Call): any {
  if (!response.body || response.bodyUsed) return response;
  const hear = listener(call, response.headers.get("content-type") ?? "");
  if (response.constructor !== globalThis.Response) {
    // Old clients bring a fetch of their own, whose answers cannot be made anew.
    flushAfter(readCopy(response.clone(), hear));
    return response;
  }
  const body = tapBody(response.body, hear);
  call.heldBy(body, hear.streams);
  const answer = new Response(body, response);
  for (const name of ["url", "redirected", "type"] as const) Object.defineProperty(answer, name, { value: response[name], configurable: true });
  return answer;
}

interface Listener {
  streams: boolean;
  piece(bytes: Uint8Array): void;
  end(early: boolean, error?: unknown): void;
}

function listener(call: Call, type: string): Listener {
  const streams = type.includes("event-stream");
  const decoder = new TextDecoder();
  let text = "";
  const line = (line: string) => {
    if (line.startsWith("data:") && line.includes("{")) call.event(JSON.parse(line.slice(5)));
  };
  return {
    streams,
    piece(bytes) {
      text += decoder.decode(bytes, { stream: true });
      if (!streams) return;
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const one of lines) quietly(() => line(one));
    },
    end(early, error) {
      if (streams || early || error !== undefined) call.endStream(early, error);
      else call.succeed(quietly(() => JSON.parse(text)));
    },
  };
}

/** A stream that gives what another does, when it is asked for, and whose end ends the other. */
function tapBody(source: ReadableStream<Uint8Array>, hear: Listener): ReadableStream {
  const reader = source.getReader();
  return new ReadableStream({
    type: "bytes",
    async pull(controller: ReadableByteStreamController) {
      try {
        let result = await reader.read();
        while (!result.done && result.value.byteLength === 0) result = await reader.read();
        if (result.done) {
          quietly(() => hear.end(false));
          controller.close();
          controller.byobRequest?.respond(0);
          return;
        }
        const { value } = result;
        quietly(() => hear.piece(value));
        controller.enqueue(new Uint8Array(value)); // a copy, since what is given away must be all of its memory
      } catch (error) {
        quietly(() => hear.end(true, error));
        throw error;
      }
    },
    cancel(reason) {
      quietly(() => hear.end(true));
      return reader.cancel(reason);
    },
  });
}

async function readCopy(copy: any, hear: Listener) {
  try {
    hear.piece(new Uint8Array(await copy.arrayBuffer()));
    hear.end(false);
  } catch (error) {
    hear.end(true, error);
  }
}
