package trace

import "encoding/json"

// ErrorText says in words what went wrong with s: its status message, or the
// message of its error, or that error as it was sent; "" if nobody said.
func ErrorText(s *Span) string {
	if m := s.Payload.StatusMessage; m != nil && *m != "" {
		return *m
	}
	return messageOf(s.Payload.Error)
}

// messageOf finds the message in an error of whatever form.
func messageOf(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return string(raw)
	}
	for _, name := range []string{"message", "error", "detail"} {
		if v, ok := object[name]; ok {
			if text := messageOf(v); text != "" {
				return text
			}
		}
	}
	return string(raw)
}
