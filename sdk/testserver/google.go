package main

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
)

// generateContent is Google's protocol: thoughts are counted beside the answer.
var generateContent = protocol{
	ask: func(at string, body map[string]any) question {
		q := question{model: modelOf(at), stream: strings.HasSuffix(at, ":streamGenerateContent")}
		for _, c := range list(body["contents"]) {
			c := object(c)
			if role := text(c["role"]); role != "user" && role != "" && role != "function" {
				continue
			}
			if s := textOf(c["parts"]); s != "" {
				q.text, q.answered = s, false
			}
			for _, part := range list(c["parts"]) {
				q.answered = q.answered || object(part)["functionResponse"] != nil
			}
		}
		for _, t := range list(body["tools"]) {
			for _, d := range list(object(t)["functionDeclarations"]) {
				q.tools = append(q.tools, text(object(d)["name"]))
			}
		}
		return q
	},
	whole: func(q question, a answer) any {
		return chunkOf(q, a, parts(a), "STOP", contentUsage(a.usage))
	},
	events: func(q question, a answer) []event {
		var events []event
		for _, p := range parts(a) {
			p := p.(fields)
			s, isText := p["text"].(string)
			if !isText {
				events = append(events, event{data: chunkOf(q, a, []any{p}, nil, fields{"promptTokenCount": a.usage.Input, "totalTokenCount": a.usage.Input})})
				continue
			}
			for _, word := range split(s) {
				piece := fields{"text": word}
				if p["thought"] == true {
					piece["thought"] = true
				}
				events = append(events, event{data: chunkOf(q, a, []any{piece}, nil, fields{"promptTokenCount": a.usage.Input, "totalTokenCount": a.usage.Input})})
			}
		}
		end := events[len(events)-1].data.(fields)
		list(end["candidates"])[0].(fields)["finishReason"] = "STOP"
		end["usageMetadata"] = contentUsage(a.usage)
		return events
	},
	fault: func(status int, message string) any {
		return fields{"error": fields{"code": status, "message": message, "status": strings.ToUpper(strings.ReplaceAll(http.StatusText(status), " ", "_"))}}
	},
}

// embedContent is Google's protocol for one embedding.
var embedContent = protocol{
	ask: func(at string, body map[string]any) question {
		return question{model: modelOf(at), text: textOf(object(body["content"])["parts"]), inputs: 1}
	},
	whole: func(_ question, a answer) any {
		return fields{"embedding": embedding(), "usageMetadata": embedUsage(a.usage)}
	},
	fault: generateContent.fault,
}

// batchEmbedContents is Google's protocol for several.
var batchEmbedContents = protocol{
	ask: func(at string, body map[string]any) question {
		q := question{model: modelOf(at)}
		for _, r := range list(body["requests"]) {
			q.text = textOf(object(object(r)["content"])["parts"])
			q.inputs++
		}
		return q
	},
	whole: func(q question, a answer) any {
		all := []any{}
		for range q.inputs {
			all = append(all, embedding())
		}
		return fields{"embeddings": all, "usageMetadata": embedUsage(a.usage)}
	},
	fault: generateContent.fault,
}

func embedding() fields { return fields{"values": []any{0.25, -0.5, 1.0}} }

func embedUsage(u usage) fields { return fields{"promptTokenCount": u.Input} }

// modelOf is the model in a path, which has the method after it.
func modelOf(at string) string {
	model, _, _ := strings.Cut(path.Base(at), ":")
	return model
}

func chunkOf(q question, a answer, parts []any, finish any, usage fields) fields {
	candidate := fields{"index": 0, "content": fields{"role": "model", "parts": parts}}
	if finish != nil {
		candidate["finishReason"] = finish
	}
	return fields{"candidates": []any{candidate}, "modelVersion": q.model, "responseId": "gen-" + a.id, "usageMetadata": usage}
}

func contentUsage(u usage) fields {
	return fields{
		"promptTokenCount": u.Input, "cachedContentTokenCount": u.Cached, "candidatesTokenCount": u.Output - u.Reasoning,
		"thoughtsTokenCount": u.Reasoning, "totalTokenCount": u.Input + u.Output,
	}
}

func parts(a answer) []any {
	var all []any
	if a.reasoning != "" {
		all = append(all, fields{"text": a.reasoning, "thought": true})
	}
	if a.tool != "" {
		return append(all, fields{"functionCall": fields{"name": a.tool, "args": json.RawMessage(a.arguments)}})
	}
	return append(all, fields{"text": a.text})
}
