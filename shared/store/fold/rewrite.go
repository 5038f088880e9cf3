package fold

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	// rewriteChunks is how many chunks a part of a step of RewriteSpans has at most.
	// Three parts are in memory at once: see ChangeParts.
	rewriteChunks = 16
	// RewriteAtOnce is how many spans a step changes in one transaction: other
	// writers wait for it.
	RewriteAtOnce = 1000
	// RenumberAtOnce is RewriteAtOnce for those of which only the version of the
	// mapping changes: they take a fraction of the time, and the more of them
	// share a transaction, the fewer pages are written again and again.
	RenumberAtOnce = 10_000
)

// RewriteParts parts the spans of a step, by their numbers: those whose payloads
// lie in one chunk are in one part, so that each chunk is read once, and a part
// needs rewriteChunks of them at most. Without payloads all are one part.
func RewriteParts(detail store.Detail, places []PayloadAt) (parts [][]int) {
	if len(places) == 0 {
		return nil
	}
	numbers := make([]int, len(places))
	for i := range numbers {
		numbers[i] = i
	}
	if detail != store.Full {
		return [][]int{numbers}
	}
	slices.SortStableFunc(numbers, func(a, b int) int { return bytes.Compare(places[a].Chunk[:], places[b].Chunk[:]) })
	first, chunks := 0, 0
	for n, i := range numbers {
		if n == 0 || places[i].Chunk != places[numbers[n-1]].Chunk {
			if chunks++; chunks > rewriteChunks {
				parts, first, chunks = append(parts, numbers[first:n]), n, 1
			}
		}
	}
	return append(parts, numbers[first:])
}

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
// that there is none. The form of last does not matter.
func (s Step) Next(more bool, last Step) string {
	next := Step{Form: trace.FormSpan}
	switch {
	case more:
		next = Step{Form: s.Form, Start: last.Start, ID: last.ID}
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

// Found is what a look at a step finds that changes.
type Found struct {
	store.Rewritten                // Changed without IDs
	Versions        []Version      // spans of which only the version of the mapping does
	IDs             []trace.SpanID // all others, those of one chunk together
}

// Version is a change of the version of a span's mapping, which holds as long as
// the span is the one with this version and content.
type Version struct {
	ID       trace.SpanID
	Content  uint64 // see store.PayloadRef
	Old, Now int
}

// TakeVersions takes away RenumberAtOnce of the Versions at most, if there are
// least of them; nil if not.
func (f *Found) TakeVersions(least int) []Version {
	if len(f.Versions) < least {
		return nil
	}
	n := min(len(f.Versions), RenumberAtOnce)
	some := f.Versions[:n:n]
	f.Versions = f.Versions[n:]
	return some
}

// Add puts in a change. content is the span's, 0 if there is none; own tells that
// its row keeps what it says beside what it shows.
func (f *Found) Add(r *store.Rewrite, c *Change, content uint64, own bool) {
	switch {
	case r.DryRun:
	case content != 0 && !own && c.OnlyVersion():
		f.Versions = append(f.Versions, Version{c.Now.ID, content, c.Old.MappingVersion, c.Now.MappingVersion})
	default:
		f.IDs = append(f.IDs, c.Now.ID)
		return // told of and counted when it is written
	}
	f.Changed++
	r.Tell(c.Old, c.Now)
}

// RewriteRow is a stored row that a Rewrite goes through.
type RewriteRow interface {
	At() PayloadAt      // where its payload is
	Shown() *trace.Span // what it shows, itself: its Payload is filled and cleared
	Says() *trace.Span  // what it says itself, with the payload
}

// RowChange is what becomes of what a row says itself.
type RowChange[R RewriteRow] struct {
	Row R
	Change
}

// EachChange gives what r changes of rows, in parts. Rows and changes have their
// payloads, where r asks for them, until do returns; fill reads those of rows.
func EachChange[R RewriteRow](r *store.Rewrite, rows []R, fill func([]R) error, do func([]RowChange[R]) error) error {
	places := make([]PayloadAt, len(rows))
	for i, row := range rows {
		places[i] = row.At()
	}
	for _, part := range RewriteParts(r.Detail, places) {
		mine := make([]R, len(part))
		for i, n := range part {
			mine[i] = rows[n]
		}
		if r.Detail == store.Full {
			if err := fill(mine); err != nil {
				return err
			}
		}
		if err := changePart(r, mine, do); err != nil {
			return err
		}
	}
	return nil
}

// ChangeParts is EachChange for the parts of a step. It reads ahead: read gives
// the rows of a part, with their payloads where r asks for them, while those
// before it are changed, so that neither waits for the other. read is called by
// one goroutine and do by another, both of which have ended when it returns.
func ChangeParts[R RewriteRow](ctx context.Context, r *store.Rewrite, parts [][]int,
	read func(ctx context.Context, part []int) ([]R, error), do func([]RowChange[R]) error,
) error {
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan []R)
	group.Go(func() error {
		defer close(next)
		for _, part := range parts {
			rows, err := read(ctx, part)
			if err != nil {
				return err
			}
			select {
			case next <- rows:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		for rows := range next {
			if err := changePart(r, rows, do); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// changePart gives what r changes of the rows of a part, which have their
// payloads until it returns.
func changePart[R RewriteRow](r *store.Rewrite, rows []R, do func([]RowChange[R]) error) error {
	changes, err := rewritePart(r, rows)
	if err != nil {
		return err
	}
	if err := do(changes); err != nil {
		return err
	}
	for _, row := range rows {
		row.Shown().Payload = trace.Payload{}
	}
	for _, c := range changes {
		c.Now.Payload = trace.Payload{}
	}
	return nil
}

// rewritePart applies r to the rows of a part and gives what changed. A payload
// that a span does not have, or of which it was not read, stays so.
func rewritePart[R RewriteRow](r *store.Rewrite, rows []R) ([]RowChange[R], error) {
	old, spans := make([]*trace.Span, len(rows)), make([]trace.Span, len(rows))
	for i, row := range rows {
		old[i] = row.Says()
		spans[i] = *old[i]
	}
	var changes []RowChange[R]
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
		changes = append(changes, RowChange[R]{rows[i], Change{Old: old[i], Now: now}})
	}
	return changes, nil
}

// OnlyVersion reports whether the version of its mapping is all that c changes:
// nothing else that is stored follows from that.
func (c *Change) OnlyVersion() bool {
	now := *c.Now
	now.MappingVersion = c.Old.MappingVersion
	return store.Same(c.Old, &now)
}

// PayloadChanged reports whether c changes the payload.
func (c *Change) PayloadChanged() bool { return !store.SamePayload(&c.Old.Payload, &c.Now.Payload) }
