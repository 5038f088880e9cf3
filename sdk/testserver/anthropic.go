package main

import "encoding/json"

// messages is Anthropic's protocol: input is counted beside what was cached.
var messages = protocol{
	ask: func(_ string, body map[string]any) question {
		q := question{model: text(body["model"]), stream: body["stream"] == true}
		for _, m := range list(body["messages"]) {
			m := object(m)
			if text(m["role"]) != "user" {
				continue
			}
			if s := textOf(m["content"]); s != "" {
				q.text, q.answered = s, false
			}
			for _, part := range list(m["content"]) {
				q.answered = q.answered || text(object(part)["type"]) == "tool_result"
			}
		}
		for _, t := range list(body["tools"]) {
			q.tools = append(q.tools, text(object(t)["name"]))
		}
		return q
	},
	whole: func(q question, a answer) any {
		m := emptyMessage(q, a)
		m["content"], m["stop_reason"], m["usage"] = blocks(a), stopReason(a), messageUsage(a.usage)
		return m
	},
	events: func(q question, a answer) []event {
		var events []event
		add := func(kind string, data fields) {
			data["type"] = kind
			events = append(events, event{name: kind, data: data})
		}
		add("message_start", fields{"message": emptyMessage(q, a)})
		add("ping", fields{})
		for i, block := range blocks(a) {
			block := block.(fields)
			delta := func(d fields) { add("content_block_delta", fields{"index": i, "delta": d}) }
			switch block["type"] {
			case "thinking":
				add("content_block_start", fields{"index": i, "content_block": fields{"type": "thinking", "thinking": "", "signature": ""}})
				for _, s := range split(a.reasoning) {
					delta(fields{"type": "thinking_delta", "thinking": s})
				}
				delta(fields{"type": "signature_delta", "signature": block["signature"]})
			case "text":
				add("content_block_start", fields{"index": i, "content_block": fields{"type": "text", "text": ""}})
				for _, s := range split(a.text) {
					delta(fields{"type": "text_delta", "text": s})
				}
			case "tool_use":
				add("content_block_start", fields{"index": i, "content_block": fields{"type": "tool_use", "id": block["id"], "name": a.tool, "input": fields{}}})
				for _, s := range []string{"", a.arguments[:5], a.arguments[5:]} {
					delta(fields{"type": "input_json_delta", "partial_json": s})
				}
			}
			add("content_block_stop", fields{"index": i})
		}
		add("message_delta", fields{"delta": fields{"stop_reason": stopReason(a), "stop_sequence": nil}, "usage": fields{"output_tokens": a.usage.Output}})
		add("message_stop", fields{})
		return events
	},
	fault: func(status int, message string) any {
		kind := map[int]string{400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}[status]
		if kind == "" {
			kind = "api_error"
		}
		return fields{"type": "error", "error": fields{"type": kind, "message": message}}
	},
}

// emptyMessage is a message before anything of it came.
func emptyMessage(q question, a answer) fields {
	u := a.usage
	u.Output = 1
	return fields{
		"id": "msg_" + a.id, "type": "message", "role": "assistant", "model": q.model, "content": []any{},
		"stop_reason": nil, "stop_sequence": nil, "usage": messageUsage(u),
	}
}

func messageUsage(u usage) fields {
	return fields{
		"input_tokens": u.Input - u.Cached, "cache_creation_input_tokens": 0, "cache_read_input_tokens": u.Cached,
		"output_tokens": u.Output, "service_tier": "standard",
	}
}

func stopReason(a answer) string {
	if a.tool != "" {
		return "tool_use"
	}
	return "end_turn"
}

func blocks(a answer) []any {
	var all []any
	if a.reasoning != "" {
		all = append(all, fields{"type": "thinking", "thinking": a.reasoning, "signature": "c2lnbmF0dXJl"})
	}
	if a.tool != "" {
		return append(all, fields{"type": "tool_use", "id": "toolu_" + a.id, "name": a.tool, "input": json.RawMessage(a.arguments)})
	}
	return append(all, fields{"type": "text", "text": a.text})
}
