package main

import (
	"net/http"
	"strings"
)

// chatCompletions is OpenAI's older protocol, and everybody else's.
var chatCompletions = protocol{
	ask: func(path string, body map[string]any) question {
		q := question{model: text(body["model"]), stream: body["stream"] == true}
		q.withUsage = object(body["stream_options"])["include_usage"] == true || isOpenRouter(path)
		for _, m := range list(body["messages"]) {
			switch m := object(m); text(m["role"]) {
			case "user":
				q.text, q.answered = textOf(m["content"]), false
			case "tool":
				q.answered = true
			}
		}
		for _, t := range list(body["tools"]) {
			q.tools = append(q.tools, text(object(object(t)["function"])["name"]))
		}
		return q
	},
	whole: func(q question, a answer) any {
		message, finish := fields{"role": "assistant", "content": a.text, "refusal": nil, "annotations": []any{}}, "stop"
		if a.tool != "" {
			message["content"], finish = nil, "tool_calls"
			message["tool_calls"] = []any{chatToolCall(a)}
		}
		if a.reasoning != "" {
			message["reasoning"] = a.reasoning
		}
		return fields{
			"id": "chatcmpl-" + a.id, "object": "chat.completion", "created": created, "model": q.model, "service_tier": "default",
			"choices": []any{fields{"index": 0, "message": message, "logprobs": nil, "finish_reason": finish}},
			"usage":   chatUsage(a.usage),
		}
	},
	events: func(q question, a answer) []event {
		chunk := func(delta fields, finish any) event {
			return event{data: fields{
				"id": "chatcmpl-" + a.id, "object": "chat.completion.chunk", "created": created, "model": q.model, "service_tier": "default",
				"choices": []any{fields{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}},
			}}
		}
		events := []event{chunk(fields{"role": "assistant", "content": ""}, nil)}
		for _, s := range split(a.reasoning) {
			if s != "" {
				events = append(events, chunk(fields{"reasoning": s}, nil))
			}
		}
		finish := "stop"
		if a.tool != "" {
			finish = "tool_calls"
			first := chatToolCall(a)
			first["index"] = 0
			first["function"] = fields{"name": a.tool, "arguments": ""}
			events = append(events, chunk(fields{"tool_calls": []any{first}}, nil))
			for _, s := range []string{a.arguments[:5], a.arguments[5:]} {
				events = append(events, chunk(fields{"tool_calls": []any{fields{"index": 0, "function": fields{"arguments": s}}}}, nil))
			}
		} else {
			for _, s := range split(a.text) {
				events = append(events, chunk(fields{"content": s}, nil))
			}
		}
		events = append(events, chunk(fields{}, finish))
		if q.withUsage {
			events = append(events, event{data: fields{
				"id": "chatcmpl-" + a.id, "object": "chat.completion.chunk", "created": created, "model": q.model, "service_tier": "default",
				"choices": []any{}, "usage": chatUsage(a.usage),
			}})
		}
		return append(events, event{data: "[DONE]"})
	},
	fault: openAIFault,
}

// completions is OpenAI's oldest protocol: a text goes on.
var completions = protocol{
	ask: func(path string, body map[string]any) question {
		q := question{model: text(body["model"]), stream: body["stream"] == true, text: text(body["prompt"])}
		q.withUsage = object(body["stream_options"])["include_usage"] == true || isOpenRouter(path)
		if l := list(body["prompt"]); len(l) > 0 {
			q.text = text(l[len(l)-1])
		}
		return q
	},
	whole: func(q question, a answer) any { return completion(q, a, a.text, "stop", chatUsage(a.usage)) },
	events: func(q question, a answer) []event {
		var events []event
		for _, s := range split(a.text) {
			events = append(events, event{data: completion(q, a, s, nil, nil)})
		}
		events = append(events, event{data: completion(q, a, "", "stop", nil)})
		if q.withUsage {
			last := completion(q, a, "", nil, chatUsage(a.usage))
			last["choices"] = []any{}
			events = append(events, event{data: last})
		}
		return append(events, event{data: "[DONE]"})
	},
	fault: openAIFault,
}

// completion is a whole one, or a chunk of a stream, which has no usage.
func completion(q question, a answer, text string, finish, usage any) fields {
	c := fields{
		"id": "cmpl-" + a.id, "object": "text_completion", "created": created, "model": q.model,
		"choices": []any{fields{"index": 0, "text": text, "logprobs": nil, "finish_reason": finish}},
	}
	if usage != nil {
		c["usage"] = usage
	}
	return c
}

func chatToolCall(a answer) fields {
	return fields{"id": "call_" + a.id, "type": "function", "function": fields{"name": a.tool, "arguments": a.arguments}}
}

func chatUsage(u usage) fields {
	return fields{
		"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Input + u.Output,
		"prompt_tokens_details":     fields{"cached_tokens": u.Cached, "audio_tokens": 0},
		"completion_tokens_details": fields{"reasoning_tokens": u.Reasoning, "audio_tokens": 0},
	}
}

func openAIFault(status int, message string) any {
	kind := "invalid_request_error"
	switch {
	case status == http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case status >= 500:
		kind = "server_error"
	}
	return fields{"error": fields{"message": message, "type": kind, "param": nil, "code": nil}}
}

// responses is OpenAI's newer protocol.
var responses = protocol{
	ask: func(_ string, body map[string]any) question {
		q := question{model: text(body["model"]), stream: body["stream"] == true, text: text(body["input"])}
		for _, m := range list(body["input"]) {
			switch m := object(m); {
			case text(m["role"]) == "user":
				q.text, q.answered = textOf(m["content"]), false
			case text(m["type"]) == "function_call_output":
				q.answered = true
			}
		}
		for _, t := range list(body["tools"]) {
			q.tools = append(q.tools, text(object(t)["name"]))
		}
		return q
	},
	whole: func(q question, a answer) any { return response(q, a, "completed") },
	events: func(q question, a answer) []event {
		var events []event
		add := func(kind string, data fields) {
			data["type"], data["sequence_number"] = kind, len(events)
			events = append(events, event{name: kind, data: data})
		}
		add("response.created", fields{"response": response(q, a, "in_progress")})
		output := responseOutput(a)
		for i, item := range output {
			item := item.(fields)
			add("response.output_item.added", fields{"output_index": i, "item": emptied(item)})
			switch item["type"] {
			case "message":
				part := list(item["content"])[0].(fields)
				add("response.content_part.added", fields{
					"item_id": item["id"], "output_index": i, "content_index": 0,
					"part": fields{"type": "output_text", "text": "", "annotations": []any{}},
				})
				for _, s := range split(a.text) {
					add("response.output_text.delta", fields{"item_id": item["id"], "output_index": i, "content_index": 0, "delta": s, "logprobs": []any{}})
				}
				add("response.output_text.done", fields{"item_id": item["id"], "output_index": i, "content_index": 0, "text": a.text, "logprobs": []any{}})
				add("response.content_part.done", fields{"item_id": item["id"], "output_index": i, "content_index": 0, "part": part})
			case "function_call":
				for _, s := range []string{a.arguments[:5], a.arguments[5:]} {
					add("response.function_call_arguments.delta", fields{"item_id": item["id"], "output_index": i, "delta": s})
				}
				add("response.function_call_arguments.done", fields{"item_id": item["id"], "output_index": i, "name": a.tool, "arguments": a.arguments})
			}
			add("response.output_item.done", fields{"output_index": i, "item": item})
		}
		add("response.completed", fields{"response": response(q, a, "completed")})
		return events
	},
	fault: openAIFault,
}

func response(q question, a answer, status string) fields {
	r := fields{
		"id": "resp_" + a.id, "object": "response", "created_at": created, "status": status, "model": q.model, "error": nil,
		"incomplete_details": nil, "instructions": nil, "metadata": fields{}, "parallel_tool_calls": true, "temperature": 1.0, "top_p": 1.0,
		"tool_choice": "auto", "tools": []any{}, "output": []any{}, "usage": nil,
	}
	if status == "completed" {
		u := a.usage
		r["output"] = responseOutput(a)
		r["usage"] = fields{
			"input_tokens": u.Input, "output_tokens": u.Output, "total_tokens": u.Input + u.Output,
			"input_tokens_details":  fields{"cached_tokens": u.Cached},
			"output_tokens_details": fields{"reasoning_tokens": u.Reasoning},
		}
	}
	return r
}

func responseOutput(a answer) []any {
	var output []any
	if a.reasoning != "" {
		output = append(output, fields{"id": "rs_" + a.id, "type": "reasoning", "summary": []any{fields{"type": "summary_text", "text": a.reasoning}}})
	}
	if a.tool != "" {
		return append(output, fields{"id": "fc_" + a.id, "type": "function_call", "status": "completed", "call_id": "call_" + a.id, "name": a.tool, "arguments": a.arguments})
	}
	return append(output, fields{
		"id": "msg_" + a.id, "type": "message", "status": "completed", "role": "assistant",
		"content": []any{fields{"type": "output_text", "text": a.text, "annotations": []any{}, "logprobs": []any{}}},
	})
}

// emptied is an item of the output as it is when it begins.
func emptied(item fields) fields {
	e := fields{}
	for k, v := range item {
		e[k] = v
	}
	switch item["type"] {
	case "message":
		e["content"], e["status"] = []any{}, "in_progress"
	case "function_call":
		e["arguments"], e["status"] = "", "in_progress"
	}
	return e
}

// embeddings answers each input with three numbers.
var embeddings = protocol{
	ask: func(_ string, body map[string]any) question {
		q := question{model: text(body["model"]), text: text(body["input"]), inputs: 1}
		if l := list(body["input"]); len(l) > 0 {
			q.inputs, q.text = len(l), text(l[len(l)-1])
		}
		return q
	},
	whole: func(q question, a answer) any {
		var data []any
		for i := range q.inputs {
			data = append(data, fields{"object": "embedding", "index": i, "embedding": []any{0.25, -0.5, 1.0}})
		}
		return fields{
			"object": "list", "model": q.model, "data": data,
			"usage": fields{"prompt_tokens": a.usage.Input, "total_tokens": a.usage.Input},
		}
	},
	fault: openAIFault,
}

// isOpenRouter reports whether a path is OpenRouter's, which always tells usage.
func isOpenRouter(path string) bool { return strings.HasPrefix(path, "/api/v1/") }
