package otlp

import (
	"bytes"
	"cmp"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/trace"
)

// AppendRequest appends spans to dst as an ExportTraceServiceRequest in
// protobuf, in their order. Neighbours of one scope share its message. What
// DecodeTraces makes of it are the same spans.
func AppendRequest(dst []byte, spans []Span) []byte {
	items := make([][]byte, 0, len(spans))
	for i := range spans {
		items = append(items, spans[i].data)
		if i+1 == len(spans) || spans[i+1].group != spans[i].group {
			dst = spans[i].group.appendItems(dst, fieldResourceSpans, items)
			items = items[:0]
		}
	}
	return dst
}

// RequestBytes gives how many bytes AppendRequest takes for spans, or a few
// more.
func RequestBytes(spans []Span) int {
	const frame = 64 // tags and lengths of a group
	size := 0
	for i := range spans {
		size += 1 + protowire.SizeBytes(len(spans[i].data))
		if g := spans[i].group; i == 0 || g != spans[i-1].group {
			size += frame + len(g.resource) + len(g.resourceSchema) + len(g.scope) + len(g.scopeSchema)
		}
	}
	return size
}

// Check says what of a span Map would refuse, with the same fault, and reads no
// more of it than that takes: only what Pulse's own clients say is held to rules,
// and what no store can hold.
func (s Span) Check(now time.Time) error {
	if !s.refusable() {
		return nil
	}
	// Contents, models and counts are made to fit, so they need not be read.
	r := s.parse()
	defer r.release()
	r.collect()
	var span trace.Span
	if err := r.begin(&span, now); err != nil {
		return err
	}
	r.identity(&span)
	span.EventType = cmp.Or(span.EventType, eventOfCall) // where nobody names it, Map does
	return invalid(&span)
}

// Check rejects the spans that Map would.
func (t *Traces) Check(now time.Time) {
	kept := t.Spans[:0]
	for _, s := range t.Spans {
		if err := s.Check(now); err != nil {
			t.reject(rejection(err))
			continue
		}
		kept = append(kept, s)
	}
	t.Spans = kept
}

var ownPrefix = []byte("pulse.")

// refusable reports whether it takes more to know that a span can be stored.
func (s Span) refusable() bool {
	if bytes.Contains(s.group.resource, ownPrefix) || bytes.Contains(s.group.scope, ownPrefix) {
		return true
	}
	for b := s.data; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			return true
		}
		b = rest
		switch {
		case f.num == fieldAttributes && keyBegins(f.data, ownPrefix),
			f.num == fieldStart && !nanos(min(f.n, math.MaxInt64)).Before(trace.MaxTime):
			return true
		}
	}
	return false
}

// keyBegins reports whether the key of an attribute begins with prefix, or
// cannot be told. It does not look at the value, which may be long.
func keyBegins(attribute, prefix []byte) bool {
	for len(attribute) > 0 {
		f, rest, err := next(attribute)
		if err != nil || f.num == fieldKey && bytes.HasPrefix(f.data, prefix) {
			return true
		}
		attribute = rest
	}
	return false
}
