/** What the events of a stream add up to: the answer that the provider would have given without streaming. */
export interface Assembler {
  /** Takes an event, and tells whether it carries text, reasoning or a tool call. */
  add(event: any): boolean;
  /** The answer so far; undefined if there was no event. */
  response(): any;
}

/** Joins two texts of which either may not be there. */
const joined = (a: unknown, b: unknown) => ((a as string) ?? "") + ((b as string) ?? "");
const byIndex = <T>(items: Record<number, T>): T[] =>
  Object.keys(items)
    .sort((a, b) => Number(a) - Number(b))
    .map((index) => items[Number(index)]!);

export class ChatCompletion implements Assembler {
  protected head: any;
  protected choices: Record<number, any> = {};
  private usage: any;

  add(event: any): boolean {
    if (!this.head) {
      this.head = {};
      for (const name of ["id", "created", "model", "system_fingerprint", "service_tier"]) if (name in event) this.head[name] = event[name];
      this.head.object = this.object();
    }
    this.usage = event.usage ?? this.usage;
    let carries = false;
    for (const choice of event.choices ?? []) carries = this.addChoice(choice) || carries;
    return carries;
  }

  protected object() {
    return "chat.completion";
  }

  protected addChoice(choice: any): boolean {
    const index = choice.index ?? 0;
    const whole = (this.choices[index] ??= { index, message: { content: null }, finish_reason: null });
    whole.finish_reason = choice.finish_reason ?? whole.finish_reason;
    const { message } = whole;
    const delta = choice.delta ?? {};
    message.role ??= delta.role ?? undefined;
    let carries = false;
    for (const name of ["content", "refusal", "reasoning", "reasoning_content"]) {
      if (delta[name] === undefined || delta[name] === null) continue;
      message[name] = joined(message[name], delta[name]);
      carries ||= delta[name] !== "";
    }
    for (const call of delta.tool_calls ?? []) {
      const calls = (message.tool_calls ??= {});
      const known = (calls[call.index ?? Object.keys(calls).length] ??= { function: { arguments: "" } });
      known.id ??= call.id;
      known.type ??= call.type;
      known.function.name ??= call.function?.name;
      known.function.arguments = joined(known.function.arguments, call.function?.arguments);
      carries = true;
    }
    return carries;
  }

  response(): any {
    if (!this.head) return undefined;
    const choices = byIndex(this.choices).map((choice) =>
      choice.message?.tool_calls ? { ...choice, message: { ...choice.message, tool_calls: byIndex(choice.message.tool_calls) } } : choice,
    );
    return { ...this.head, choices, ...(this.usage ? { usage: this.usage } : {}) };
  }
}

export class Completion extends ChatCompletion {
  protected override object() {
    return "text_completion";
  }

  protected override addChoice(choice: any): boolean {
    const index = choice.index ?? 0;
    const whole = (this.choices[index] ??= { index, text: "", finish_reason: null });
    whole.finish_reason = choice.finish_reason ?? whole.finish_reason;
    whole.text = joined(whole.text, choice.text);
    return Boolean(choice.text);
  }
}

export class Response implements Assembler {
  private last: any;
  private text = "";
  private ended = false;

  add(event: any): boolean {
    if (event.response) {
      this.last = event.response;
      this.ended = /^response\.(completed|failed|incomplete)$/.test(event.type);
    }
    if (event.type === "response.output_text.delta") this.text = joined(this.text, event.delta);
    return Boolean(event.type?.endsWith(".delta") && event.delta);
  }

  response(): any {
    if (this.ended || !this.last || !this.text) return this.last;
    return { ...this.last, output: [{ type: "message", role: "assistant", content: [{ type: "output_text", text: this.text }] }] };
  }
}

const messageTexts: Record<string, string> = { text_delta: "text", thinking_delta: "thinking", signature_delta: "signature" };

export class Message implements Assembler {
  private message: any;
  private blocks: Record<number, any> = {};
  private inputs: Record<number, string> = {};

  add(event: any): boolean {
    switch (event.type) {
      case "message_start":
        this.message = { ...event.message };
        return false;
      case "content_block_start":
        this.blocks[event.index] = { ...event.content_block };
        return !["text", "thinking"].includes(event.content_block.type);
      case "content_block_delta":
        return this.addDelta(event.index, event.delta);
      case "message_delta":
        if (this.message) this.message = { ...this.message, ...event.delta, usage: { ...this.message.usage, ...event.usage } };
    }
    return false;
  }

  private addDelta(index: number, delta: any): boolean {
    const block = (this.blocks[index] ??= {});
    const name = messageTexts[delta.type];
    if (name) block[name] = joined(block[name], delta[name]);
    else if (delta.type === "input_json_delta") this.inputs[index] = joined(this.inputs[index], delta.partial_json);
    else if (delta.type === "citations_delta") block.citations = [...(block.citations ?? []), delta.citation];
    return ["text_delta", "thinking_delta", "input_json_delta"].includes(delta.type);
  }

  response(): any {
    if (!this.message) return undefined;
    const content: Record<number, any> = {};
    for (const [index, block] of Object.entries(this.blocks)) {
      const input = this.inputs[Number(index)];
      content[Number(index)] = input ? { ...block, input: parsed(input) } : block;
    }
    return { ...this.message, content: byIndex(content) };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export class GenerateContent implements Assembler {
  private last: any;
  private candidates: Record<number, any> = {};

  add(event: any): boolean {
    this.last ??= {};
    for (const name of ["usageMetadata", "modelVersion", "responseId"]) if (event[name] !== undefined) this.last[name] = event[name];
    let carries = false;
    for (const candidate of event.candidates ?? []) {
      const index = candidate.index ?? 0;
      const whole = (this.candidates[index] ??= { index, content: { parts: [] } });
      if (candidate.finishReason) whole.finishReason = candidate.finishReason;
      if (candidate.content?.role) whole.content.role = candidate.content.role;
      for (const part of candidate.content?.parts ?? []) {
        carries ||= Boolean(part.text) || !("text" in part);
        addPart(whole.content.parts, part);
      }
    }
    return carries;
  }

  response(): any {
    return this.last && { candidates: byIndex(this.candidates), ...this.last };
  }
}

function addPart(parts: any[], part: any) {
  const last = parts[parts.length - 1];
  const isText = (p: any) => p && "text" in p && Object.keys(p).every((name) => name === "text" || name === "thought");
  if (isText(part) && isText(last) && part.thought === last.thought) last.text += part.text;
  else parts.push({ ...part });
}
