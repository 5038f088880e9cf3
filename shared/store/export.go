package store

import (
	"context"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceExporter reads traces so that they can be stored again elsewhere.
type TraceExporter interface {
	// SentSpans gives a page of the spans of a trace as they were sent: without
	// what the store found out from others, and with Payload.Raw. That of an LLM
	// trace comes first, then the others by start, then id. None if there is no such
	// trace.
	SentSpans(ctx context.Context, project account.ProjectID, id trace.TraceID, p SentPage) (SentSpans, error)
}

// SentPage asks for a part of a trace.
type SentPage struct {
	Cursor string // what an earlier answer gave as Next; a malformed one is fault.Invalid with path "cursor"
	// MaxBytes bounds the page: it ends with the span that passes it. What is
	// counted of a span is SentBytes.
	MaxBytes int
}

// SentSpans is a page of a trace.
type SentSpans struct {
	Spans []trace.Span
	Next  string // "" on the last page
}

// SentBytes is about how large a span is that is written as it was sent.
func SentBytes(s *trace.Span) int {
	const fields = 300 // with their names
	if s.Mapped() && s.Payload.Raw != nil {
		return fields + len(s.Payload.Raw)
	}
	return fields + s.Payload.Bytes()
}
