package fold

import (
	"encoding/base64"
	"encoding/binary"
	"reflect"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// RewriteBytes is how much payload a step of RewriteSpans reads: it ends with
// the spans that pass it.
const RewriteBytes = 32 << 20

// Step is where a step of RewriteSpans begins: behind a span of a form.
type Step struct {
	Form  trace.Form
	Start int64
	ID    trace.SpanID
}

const stepVersion = 3 // the cursors of lists are 1 and 2

// FirstStep is the step that r's cursor names, or the first.
func FirstStep(r *store.Rewrite) (Step, error) {
	if r.Cursor == "" {
		s := Step{Form: trace.FormTrace}
		if r.Mapped { // no LLM trace is
			s.Form = trace.FormSpan
		}
		return s, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(r.Cursor)
	if err != nil || len(b) < 3 || b[0] != stepVersion || b[1] > 1 {
		return Step{}, errCursor()
	}
	start, n := binary.Varint(b[2:])
	if n <= 0 {
		return Step{}, errCursor()
	}
	s := Step{Form: trace.FormTrace, Start: start, ID: trace.SpanID(b[2+n:])}
	if b[1] == 1 {
		s.Form = trace.FormSpan
	}
	return s, nil
}

// Next gives the cursor of the step behind one that began at s and ended with
// last; more says that it may not have reached the end of its form. "" says
// that there is none.
func (s Step) Next(more bool, last *trace.Span) string {
	next := Step{Form: trace.FormSpan}
	switch {
	case more:
		next = Step{Form: s.Form, Start: last.Start.UnixMicro(), ID: last.ID}
	case s.Form == trace.FormSpan:
		return ""
	}
	b := []byte{stepVersion, 0}
	if next.Form == trace.FormSpan {
		b[1] = 1
	}
	b = binary.AppendVarint(b, next.Start)
	return base64.RawURLEncoding.EncodeToString(append(b, next.ID...))
}

// Rewrite applies r to the spans of a step and tells what became of each: nil if
// nothing did. A payload that a span does not have, or of which it was not read,
// stays so.
func Rewrite(r *store.Rewrite, old []*trace.Span) ([]*Change, error) {
	spans := make([]trace.Span, len(old))
	for i, s := range old {
		spans[i] = *s
	}
	changes := make([]*Change, len(old))
	for i, changed := range r.Change(spans) {
		if !changed {
			continue
		}
		now := &spans[i]
		if now.ID != old[i].ID || now.Form != old[i].Form {
			return nil, fault.Newf(fault.Invalid, "span %s would become another", old[i].ID)
		}
		if old[i].Payload.Empty() {
			now.Payload = trace.Payload{}
		}
		now.Repeat = false // decided elsewhere
		changes[i] = &Change{Old: old[i], Now: now}
	}
	return changes, nil
}

// PayloadChanged reports whether c changes the payload.
func (c *Change) PayloadChanged() bool { return !reflect.DeepEqual(c.Old.Payload, c.Now.Payload) }
