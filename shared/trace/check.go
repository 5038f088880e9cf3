package trace

import (
	"fmt"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
)

// EditsFiles reports whether a tool of this name changes the file that its
// input's file_path names.
func EditsFiles(tool string) bool {
	switch tool {
	case "Edit", "Write", "MultiEdit", "apply_patch":
		return true
	}
	return false
}

// Check gives what is wrong with the values of s, by the span form's field
// names: nothing for a span that every store can hold. Whether a field is of the
// right type is the decoder's business.
func (s *Span) Check() []fault.Issue {
	var c checker
	c.required("span_id", string(s.ID), MaxIDBytes)
	c.text("trace_id", string(s.TraceID), MaxIDBytes)
	c.text("parent_span_id", string(s.ParentID), MaxIDBytes)
	c.text("session_id", string(s.SessionID), MaxIDBytes)
	c.required("event_type", s.EventType, MaxNameBytes)
	c.time("timestamp", s.Start)
	c.oneOf("source", string(s.Source), texts(Sources()))
	c.oneOf("kind", string(s.Kind), texts(Kinds()))
	c.oneOf("status", string(s.Status), texts(Statuses()))
	c.number("duration_ms", s.DurationMS, MaxDurationMS)
	c.number("time_to_first_token_ms", s.TimeToFirstTokenMS, MaxDurationMS)
	c.optional("service", s.Service, MaxNameBytes)
	c.optional("tool_use_id", s.ToolUseID, MaxIDBytes)
	c.optional("tool_name", s.ToolName, MaxNameBytes)
	c.optional("cwd", s.CWD, MaxPathBytes)
	c.optional("model", s.Model, MaxNameBytes)
	c.optional("agent_name", s.AgentName, MaxNameBytes)
	c.optional("provider", s.Provider, MaxNameBytes)
	c.optional("model_used", s.ModelUsed, MaxNameBytes)
	c.optional("service_tier", s.ServiceTier, MaxNameBytes)
	c.optional("finish_reason", s.FinishReason, MaxNameBytes)
	c.optional("provider_request_id", s.ProviderRequestID, MaxNameBytes)
	c.integer("input_tokens", s.InputTokens)
	c.integer("output_tokens", s.OutputTokens)
	return c.issues
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

type checker struct{ issues []fault.Issue }

func (c *checker) add(field, code, message string) {
	c.issues = append(c.issues, fault.Issue{Path: []any{field}, Code: code, Message: message})
}

func (c *checker) required(field, v string, limit int) {
	if v == "" {
		c.add(field, "too_small", "Too small: expected string to have >=1 characters")
		return
	}
	c.text(field, v, limit)
}

func (c *checker) text(field, v string, limit int) {
	if len(v) > limit {
		c.add(field, "too_big", fmt.Sprintf("Too big: expected at most %d bytes", limit))
	}
	if strings.IndexByte(v, 0) >= 0 {
		c.add(field, "invalid_format", "Invalid string: remove the NUL character (U+0000)")
	}
}

func (c *checker) optional(field string, v *string, limit int) {
	if v != nil {
		c.text(field, *v, limit)
	}
}

func (c *checker) time(field string, t time.Time) {
	if t.Before(MinTime) || !t.Before(MaxTime) {
		c.add(field, "invalid_format", fmt.Sprintf("Invalid ISO datetime: expected a time from %s to before %s",
			MinTime.Format(time.DateOnly), MaxTime.Format(time.DateOnly)))
	}
}

func (c *checker) oneOf(field, v string, options []string) {
	for _, o := range options {
		if v == o {
			return
		}
	}
	c.add(field, "invalid_value", `Invalid option: expected one of "`+strings.Join(options, `"|"`)+`"`)
}

func (c *checker) number(field string, v *float64, limit float64) {
	if v == nil {
		return
	}
	if *v < 0 {
		c.add(field, "too_small", "Too small: expected number to be >=0")
	}
	if *v > limit {
		c.add(field, "too_big", fmt.Sprintf("Too big: expected number to be <=%g", limit))
	}
}

func (c *checker) integer(field string, v *int64) {
	if v == nil {
		return
	}
	if *v < 0 {
		c.add(field, "too_small", "Too small: expected number to be >=0")
	}
	if *v > MaxTokens {
		c.add(field, "too_big", fmt.Sprintf("Too big: expected int to be <=%d", int64(MaxTokens)))
	}
}
