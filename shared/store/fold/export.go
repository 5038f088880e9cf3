package fold

import (
	"context"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Exporter is what an engine does for SentSpans, in one project on one snapshot.
type Exporter interface {
	// SentCall gives the span of an LLM trace; nil if it has none.
	SentCall(ctx context.Context, id trace.TraceID) (*trace.Span, error)
	// Sent gives the other spans of a trace behind a place, by start, then id.
	Sent(ctx context.Context, id trace.TraceID, after Cursor, limit int) ([]trace.Span, error)
}

// sentAtOnce is how many spans are read at a time: their payloads may be large.
const sentAtOnce = 16

// SentSpans gives a page of a trace: the same for both engines.
func SentSpans(ctx context.Context, e Exporter, id trace.TraceID, p store.SentPage) (store.SentSpans, error) {
	var out store.SentSpans
	size := 0
	after := Cursor{Start: trace.MinTime.UnixMicro(), ID: "\x01"} // before all
	if p.Cursor != "" {
		at, err := ParseCursor(p.Cursor)
		if err != nil {
			return out, err
		}
		if after = at; !storable(after) {
			return out, errCursor()
		}
	} else {
		call, err := e.SentCall(ctx, id)
		if err != nil {
			return out, err
		}
		if call != nil {
			out.Spans = append(out.Spans, *call)
			size += store.SentBytes(call)
		}
	}
	for {
		if size > p.MaxBytes {
			out.Next = after.String()
		}
		limit := sentAtOnce
		if out.Next != "" {
			limit = 1 // is there one?
		}
		spans, err := e.Sent(ctx, id, after, limit)
		if err != nil {
			return out, err
		}
		if len(spans) == 0 {
			out.Next = ""
		}
		if len(spans) == 0 || out.Next != "" {
			return out, nil
		}
		for i := range spans {
			out.Spans = append(out.Spans, spans[i])
			after = Cursor{Start: spans[i].Start.UnixMicro(), ID: string(spans[i].ID)}
			if size += store.SentBytes(&spans[i]); size > p.MaxBytes {
				break
			}
		}
	}
}
