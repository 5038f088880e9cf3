package trace

import "encoding/json"

// ChatRequest gives the request of a model call as clients of the trace form
// know it: the provider's own body where the sender had it, else one in the form
// of OpenAI's chat completions, made of the messages; nil if there are none. It is
// made when somebody asks, so that prompts are not stored twice.
func ChatRequest(s *Span) json.RawMessage {
	if s.Payload.Request != nil || s.Payload.InputMessages == nil {
		return s.Payload.Request
	}
	body := map[string]any{"messages": chatMessages(s.Payload.InputMessages)}
	var parameters map[string]json.RawMessage
	if json.Unmarshal(s.Payload.Parameters, &parameters) == nil {
		for name, v := range parameters {
			body[name] = v
		}
	}
	if s.Payload.Tools != nil {
		body["tools"] = s.Payload.Tools
	}
	if s.Model != nil {
		body["model"] = *s.Model
	}
	return marshal(body)
}

// ChatResponse is ChatRequest for the answer.
func ChatResponse(s *Span) json.RawMessage {
	if s.Payload.Response != nil || s.Payload.OutputMessages == nil {
		return s.Payload.Response
	}
	type choice struct {
		Index        int         `json:"index"`
		Message      chatMessage `json:"message"`
		FinishReason string      `json:"finish_reason,omitempty"`
	}
	var (
		messages []Message
		choices  []choice
	)
	if json.Unmarshal(s.Payload.OutputMessages, &messages) != nil {
		return nil
	}
	for i := range messages {
		c := choice{Index: i, Message: newChatMessage(&messages[i]), FinishReason: messages[i].FinishReason}
		if c.FinishReason == "" && s.FinishReason != nil {
			c.FinishReason = *s.FinishReason
		}
		choices = append(choices, c)
	}
	body := map[string]any{"choices": choices}
	if s.ProviderRequestID != nil {
		body["id"] = *s.ProviderRequestID
	}
	if s.ModelUsed != nil {
		body["model"] = *s.ModelUsed
	}
	if s.InputTokens != nil && s.OutputTokens != nil {
		body["usage"] = map[string]int64{
			"prompt_tokens": *s.InputTokens, "completion_tokens": *s.OutputTokens, "total_tokens": Plus(*s.InputTokens, *s.OutputTokens),
		}
	}
	return marshal(body)
}

func marshal(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil { // a raw value that a damaged store gave
		return nil
	}
	return out
}

type chatMessage struct {
	Role       string     `json:"role"`
	Name       string     `json:"name,omitempty"`
	Content    any        `json:"content"` // a text, a list of parts, or null
	Reasoning  string     `json:"reasoning_content,omitempty"`
	ToolCalls  []chatCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type chatCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

func chatMessages(raw json.RawMessage) []chatMessage {
	var messages []Message
	if json.Unmarshal(raw, &messages) != nil {
		return nil
	}
	out := make([]chatMessage, len(messages))
	for i := range messages {
		out[i] = newChatMessage(&messages[i])
	}
	return out
}

func newChatMessage(m *Message) chatMessage {
	c := chatMessage{Role: m.Role, Name: m.Name}
	var content []any
	text := true // the content is one text
	for i := range m.Parts {
		switch p := &m.Parts[i]; p.Type {
		case PartText, PartDocument:
			content = append(content, map[string]any{"type": "text", "text": p.Text})
		case PartReasoning:
			c.Reasoning += p.Text
		case PartToolCall:
			call := chatCall{ID: p.ID, Type: "function"}
			call.Function.Name, call.Function.Arguments = p.Name, string(p.Arguments)
			c.ToolCalls = append(c.ToolCalls, call)
		case PartToolResult:
			c.ToolCallID = p.ID
			if c.Content = p.Result; p.Result == nil {
				c.Content = nil
			}
			if len(m.Parts) == 1 {
				return c
			}
			content, text = append(content, map[string]any{"type": "tool_result", "tool_call_id": p.ID, "content": p.Result}), false
		case PartImage:
			content, text = append(content, map[string]any{"type": "image_url", "image_url": map[string]string{"url": p.URI}}), false
		default:
			content, text = append(content, p), false
		}
	}
	switch {
	case len(content) == 0:
		c.Content = nil
	case text && len(content) == 1:
		for i := range m.Parts {
			if t := m.Parts[i].Type; t == PartText || t == PartDocument {
				c.Content = m.Parts[i].Text
			}
		}
	default:
		c.Content = content
	}
	return c
}
