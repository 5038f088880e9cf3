package otlp

import (
	"strconv"

	"github.com/pulse-traces/pulse/shared/trace"
)

// chatRequest writes the request that a call's messages were part of, in the
// form of OpenAI's chat completions: clients of the earlier service show that.
func chatRequest(s *trace.Span, messages []trace.Message) []byte {
	dst := []byte{'{'}
	if s.Model != nil {
		dst = append(appendQuoted(append(dst, `"model":`...), *s.Model), ',')
	}
	dst = append(dst, `"messages":[`...)
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendChatMessage(dst, &messages[i])
	}
	dst = append(dst, ']')
	if s.Payload.Tools != nil {
		dst = append(append(dst, `,"tools":`...), s.Payload.Tools...)
	}
	if p := s.Payload.Parameters; len(p) > len("{}") {
		dst = append(append(dst, ','), p[1:len(p)-1]...)
	}
	return append(dst, '}')
}

// chatResponse writes the answer in the same form.
func chatResponse(s *trace.Span, messages []trace.Message) []byte {
	dst := []byte{'{'}
	if s.ProviderRequestID != nil {
		dst = append(appendQuoted(append(dst, `"id":`...), *s.ProviderRequestID), ',')
	}
	if s.ModelUsed != nil {
		dst = append(appendQuoted(append(dst, `"model":`...), *s.ModelUsed), ',')
	}
	dst = append(dst, `"choices":[`...)
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"index":`...), int64(i), 10)
		dst = appendChatMessage(append(dst, `,"message":`...), &messages[i])
		reason := messages[i].FinishReason
		if reason == "" && s.FinishReason != nil {
			reason = *s.FinishReason
		}
		if reason != "" {
			dst = appendQuoted(append(dst, `,"finish_reason":`...), reason)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if u := s.Usage; u != nil {
		in, out := u.InputTokens(), u.OutputTokens()
		dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), in, 10)
		dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), out, 10)
		dst = append(strconv.AppendInt(append(dst, `,"total_tokens":`...), trace.Plus(in, out), 10), '}')
	}
	return append(dst, '}')
}

func appendChatMessage(dst []byte, m *trace.Message) []byte {
	dst = appendQuoted(append(dst, `{"role":`...), m.Role)
	if m.Name != "" {
		dst = appendQuoted(append(dst, `,"name":`...), m.Name)
	}
	texts, others := 0, 0
	for i := range m.Parts {
		switch p := &m.Parts[i]; p.Type {
		case trace.PartText:
			texts++
		case trace.PartToolCall, trace.PartReasoning:
		case trace.PartToolResult:
			dst = appendQuoted(append(dst, `,"tool_call_id":`...), p.ID)
			others++
		default:
			others++
		}
	}
	switch {
	case others == 0 && texts == 1:
		for i := range m.Parts {
			if p := &m.Parts[i]; p.Type == trace.PartText {
				dst = appendQuoted(append(dst, `,"content":`...), p.Text)
			}
		}
	case others == 1 && texts == 0 && m.Role == roleTool && m.Parts[0].Type == trace.PartToolResult:
		dst = append(append(dst, `,"content":`...), orNull(m.Parts[0].Result)...)
	case others+texts == 0:
		dst = append(dst, `,"content":null`...)
	default:
		dst = append(dst, `,"content":[`...)
		first := true
		for i := range m.Parts {
			p := &m.Parts[i]
			if p.Type == trace.PartToolCall || p.Type == trace.PartReasoning {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendChatPart(dst, p)
		}
		dst = append(dst, ']')
	}
	calls := 0
	for i := range m.Parts {
		switch p := &m.Parts[i]; p.Type {
		case trace.PartReasoning:
			dst = appendQuoted(append(dst, `,"reasoning_content":`...), p.Text)
		case trace.PartToolCall:
			if calls++; calls == 1 {
				dst = append(dst, `,"tool_calls":[`...)
			} else {
				dst = append(dst, ',')
			}
			dst = appendQuoted(append(dst, `{"id":`...), p.ID)
			dst = appendQuoted(append(dst, `,"type":"function","function":{"name":`...), p.Name)
			dst = appendQuoted(append(dst, `,"arguments":`...), orNull(p.Arguments))
			dst = append(dst, '}', '}')
		}
	}
	if calls > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendChatPart(dst []byte, p *trace.Part) []byte {
	switch p.Type {
	case trace.PartText, trace.PartDocument:
		dst = appendQuoted(append(dst, `{"type":"text","text":`...), p.Text)
	case trace.PartImage:
		dst = append(appendQuoted(append(dst, `{"type":"image_url","image_url":{"url":`...), p.URI), '}')
	case trace.PartToolResult:
		dst = append(append(dst, `{"type":"tool_result","content":`...), orNull(p.Result)...)
	default:
		dst = appendQuoted(append(dst, `{"type":`...), string(p.Type))
		if p.URI != "" {
			dst = appendQuoted(append(dst, `,"uri":`...), p.URI)
		}
		if p.Text != "" {
			dst = appendQuoted(append(dst, `,"text":`...), p.Text)
		}
		if p.Data != nil {
			dst = append(append(dst, `,"data":`...), p.Data...)
		}
	}
	return append(dst, '}')
}

func orNull(v []byte) []byte {
	if v == nil {
		return []byte("null")
	}
	return v
}
