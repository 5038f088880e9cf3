package pulse

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

type object = map[string]any

// assembler adds the events of a stream up to the answer that the provider would
// have given without streaming.
type assembler interface {
	// add takes an event, and reports whether it carries text, reasoning or a tool
	// call.
	add(event object) bool
	// response is the answer so far, nil if there was no event.
	response() object
}

func list(v any) []any     { l, _ := v.([]any); return l }
func members(v any) object { m, _ := v.(object); return m }
func str(v any) string     { s, _ := v.(string); return s }
func index(v any, otherwise int) int {
	if n, ok := v.(json.Number); ok {
		if i, err := n.Int64(); err == nil {
			return int(i)
		}
	}
	return otherwise
}

// clone copies an object; of anything else it makes an empty one.
func clone(v any) object {
	out := object{}
	maps.Copy(out, members(v))
	return out
}

// inOrder gives the values of a map by their keys.
func inOrder[T any](m map[int]T) []any {
	out := make([]any, 0, len(m))
	for _, i := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[i])
	}
	return out
}

// joined is a text of many.
type joined struct{ strings.Builder }

// MarshalJSON writes it as the text that it is.
func (t *joined) MarshalJSON() ([]byte, error) { return []byte(toJSON(t.String())), nil }

// join appends a text to a member.
func join(to object, name string, v any) {
	s, ok := v.(string)
	if !ok {
		return
	}
	whole, ok := to[name].(*joined)
	if !ok {
		whole = &joined{}
		whole.WriteString(str(to[name]))
		to[name] = whole
	}
	whole.WriteString(s)
}

// firstOf sets a member that is not there yet.
func firstOf(to object, name string, v any) {
	if v != nil && to[name] == nil {
		to[name] = v
	}
}

// chatCompletion adds up chunks of chat completions, and of text completions.
type chatCompletion struct {
	kind    string // of the whole object
	head    object
	usage   any
	choices map[int]object
	calls   map[int]map[int]object // tool calls by choice
}

func (c *chatCompletion) add(event object) (carries bool) {
	if c.head == nil {
		c.head, c.choices, c.calls = object{"object": c.kind}, map[int]object{}, map[int]map[int]object{}
		for _, name := range []string{"id", "created", "model", "system_fingerprint", "service_tier"} {
			if v, ok := event[name]; ok {
				c.head[name] = v
			}
		}
	}
	if event["usage"] != nil {
		c.usage = event["usage"]
	}
	for _, choice := range list(event["choices"]) {
		if c.addChoice(members(choice)) {
			carries = true
		}
	}
	return carries
}

func (c *chatCompletion) addChoice(choice object) (carries bool) {
	i := index(choice["index"], 0)
	whole := c.choices[i]
	if whole == nil {
		whole = object{"index": i, "finish_reason": nil}
		if c.kind == "text_completion" {
			whole["text"] = ""
		} else {
			whole["message"] = object{"content": nil}
		}
		c.choices[i] = whole
	}
	if choice["finish_reason"] != nil {
		whole["finish_reason"] = choice["finish_reason"]
	}
	if c.kind == "text_completion" {
		join(whole, "text", choice["text"])
		return str(choice["text"]) != ""
	}
	delta, message := members(choice["delta"]), members(whole["message"])
	firstOf(message, "role", delta["role"])
	for _, name := range []string{"content", "refusal", "reasoning", "reasoning_content"} {
		join(message, name, delta[name])
		carries = carries || str(delta[name]) != ""
	}
	for _, v := range list(delta["tool_calls"]) {
		carries = true
		call := members(v)
		if c.calls[i] == nil {
			c.calls[i] = map[int]object{}
		}
		at := index(call["index"], len(c.calls[i]))
		known := c.calls[i][at]
		if known == nil {
			known = object{"function": object{"arguments": ""}}
			c.calls[i][at] = known
		}
		firstOf(known, "id", call["id"])
		firstOf(known, "type", call["type"])
		function := members(call["function"])
		firstOf(members(known["function"]), "name", function["name"])
		join(members(known["function"]), "arguments", function["arguments"])
	}
	return carries
}

func (c *chatCompletion) response() object {
	if c.head == nil {
		return nil
	}
	for i, calls := range c.calls {
		members(c.choices[i]["message"])["tool_calls"] = inOrder(calls)
	}
	whole := maps.Clone(c.head)
	if whole["choices"] = inOrder(c.choices); c.usage != nil {
		whole["usage"] = c.usage
	}
	return whole
}

// responseEvents takes the response of the last event that has one.
type responseEvents struct {
	last  object
	text  strings.Builder
	ended bool
}

func (r *responseEvents) add(event object) bool {
	kind := str(event["type"])
	if v := members(event["response"]); v != nil {
		r.last = v
		r.ended = kind == "response.completed" || kind == "response.failed" || kind == "response.incomplete"
	}
	if kind == "response.output_text.delta" {
		r.text.WriteString(str(event["delta"]))
	}
	return strings.HasSuffix(kind, ".delta") && str(event["delta"]) != ""
}

func (r *responseEvents) response() object {
	if r.ended || r.last == nil || r.text.Len() == 0 {
		return r.last
	}
	whole := maps.Clone(r.last)
	whole["output"] = []any{object{"type": "message", "role": "assistant", "content": []any{object{"type": "output_text", "text": r.text.String()}}}}
	return whole
}

// messageEvents adds up the events of an Anthropic message.
type messageEvents struct {
	message object
	blocks  map[int]object
	inputs  map[int]*joined
}

var messageTexts = map[string]string{"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}

func (m *messageEvents) add(event object) bool {
	i := index(event["index"], 0)
	switch str(event["type"]) {
	case "message_start":
		m.message, m.blocks, m.inputs = clone(event["message"]), map[int]object{}, map[int]*joined{}
	case "content_block_start":
		if m.message != nil {
			m.blocks[i] = clone(event["content_block"])
			kind := str(m.blocks[i]["type"])
			return kind != "text" && kind != "thinking"
		}
	case "content_block_delta":
		if m.message != nil {
			return m.addDelta(i, members(event["delta"]))
		}
	case "message_delta":
		if m.message != nil {
			usage := clone(m.message["usage"])
			maps.Copy(usage, members(event["usage"]))
			maps.Copy(m.message, members(event["delta"]))
			m.message["usage"] = usage
		}
	}
	return false
}

func (m *messageEvents) addDelta(i int, delta object) bool {
	if m.blocks[i] == nil {
		m.blocks[i] = object{}
	}
	block := m.blocks[i]
	switch kind := str(delta["type"]); kind {
	case "input_json_delta":
		if m.inputs[i] == nil {
			m.inputs[i] = &joined{}
		}
		m.inputs[i].WriteString(str(delta["partial_json"]))
		return true
	case "citations_delta":
		block["citations"] = append(list(block["citations"]), delta["citation"])
	default:
		if name := messageTexts[kind]; name != "" {
			join(block, name, delta[name])
			return name != "signature"
		}
	}
	return false
}

func (m *messageEvents) response() object {
	if m.message == nil {
		return nil
	}
	for i, input := range m.inputs {
		if input.Len() == 0 || m.blocks[i] == nil {
			continue
		}
		m.blocks[i]["input"] = input
		if json.Valid([]byte(input.String())) {
			m.blocks[i]["input"] = decoded([]byte(input.String()))
		}
	}
	whole := maps.Clone(m.message)
	whole["content"] = inOrder(m.blocks)
	return whole
}

// contentChunks adds up the chunks of Google's generateContent.
type contentChunks struct {
	last       object
	candidates map[int]object
}

func (g *contentChunks) add(event object) (carries bool) {
	if g.last == nil {
		g.last, g.candidates = object{}, map[int]object{}
	}
	for _, name := range []string{"usageMetadata", "modelVersion", "responseId"} {
		if event[name] != nil {
			g.last[name] = event[name]
		}
	}
	for _, v := range list(event["candidates"]) {
		candidate := members(v)
		i := index(candidate["index"], 0)
		whole := g.candidates[i]
		if whole == nil {
			whole = object{"index": i, "content": object{"parts": []any{}}}
			g.candidates[i] = whole
		}
		if candidate["finishReason"] != nil {
			whole["finishReason"] = candidate["finishReason"]
		}
		content, known := members(candidate["content"]), members(whole["content"])
		if content["role"] != nil {
			known["role"] = content["role"]
		}
		for _, part := range list(content["parts"]) {
			p := members(part)
			_, isText := p["text"]
			carries = carries || !isText || str(p["text"]) != ""
			known["parts"] = addPart(list(known["parts"]), p)
		}
	}
	return carries
}

func addPart(parts []any, part object) []any {
	if len(parts) > 0 {
		if last := members(parts[len(parts)-1]); onlyText(part) && onlyText(last) && part["thought"] == last["thought"] {
			join(last, "text", part["text"])
			return parts
		}
	}
	return append(parts, clone(part))
}

func onlyText(part object) bool {
	switch part["text"].(type) {
	case string, *joined:
	default:
		return false
	}
	for name := range part {
		if name != "text" && name != "thought" {
			return false
		}
	}
	return true
}

func (g *contentChunks) response() object {
	if g.last == nil {
		return nil
	}
	whole := maps.Clone(g.last)
	whole["candidates"] = inOrder(g.candidates)
	return whole
}

// eventReader finds the data of server-sent events in bytes, however they are cut.
type eventReader struct {
	line []byte
	data []byte
	any  bool
}

// write takes bytes and calls event with the data of each event that is whole.
func (r *eventReader) write(p []byte, event func(data []byte)) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			r.line = append(r.line, p...)
			return
		}
		line := p[:end]
		p = p[end+1:]
		if len(r.line) > 0 {
			r.line = append(r.line, line...)
			line = r.line
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch value, ok := bytes.CutPrefix(line, []byte("data:")); {
		case ok:
			if r.any {
				r.data = append(r.data, '\n')
			}
			r.data, r.any = append(r.data, bytes.TrimPrefix(value, []byte(" "))...), true
		case len(line) == 0 && r.any:
			event(r.data)
			r.data, r.any = r.data[:0], false
		}
		r.line = r.line[:0]
	}
}
