package fold

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Item is a span of a call of WriteBatches that may be new.
type Item struct {
	Batch, Index int // where it stands in the call
	Span         *trace.Span
	Content      uint64 // see store.PayloadRef
}

// Work is what a call of WriteBatches asks of one project.
type Work struct {
	Project account.ProjectID
	Items   []Item // the first of each span id, ascending by id
	// Later holds what came of these ids after the first and says something
	// else, of spans that are joined rather than passed over; ascending by id.
	Later []Item
}

// Group sorts a call's spans by project and id, sets repetitions apart, and has
// each say with which key it was sent. The
// order is the same whatever the caller's was, so that two writers take locks
// in the same order and indexes are filled in theirs.
func Group(batches []store.Batch) []Work {
	var works []Work
	byProject := map[account.ProjectID]int{}
	for b := range batches {
		project := batches[b].Project
		w, ok := byProject[project]
		if !ok {
			w = len(works)
			byProject[project] = w
			works = append(works, Work{Project: project})
		}
		key := (*string)(&batches[b].APIKey)
		for i := range batches[b].Spans {
			if s := &batches[b].Spans[i]; s.APIKey == nil && *key != "" {
				s.APIKey = key
			}
			works[w].Items = append(works[w].Items, Item{Batch: b, Index: i, Span: &batches[b].Spans[i], Content: batches[b].Refs[i].Content})
		}
	}
	for w := range works {
		works[w].sort()
	}
	slices.SortFunc(works, func(a, b Work) int { return cmp.Compare(a.Project, b.Project) })
	return works
}

func (w *Work) sort() {
	slices.SortStableFunc(w.Items, func(a, b Item) int { return cmp.Compare(a.Span.ID, b.Span.ID) })
	first := w.Items[:0]
	seen := 0 // where the later ones of the last id begin
	for _, it := range w.Items {
		if len(first) == 0 || first[len(first)-1].Span.ID != it.Span.ID {
			first, seen = append(first, it), len(w.Later)
			continue
		}
		if one := first[len(first)-1]; joinable(one.Span) && joinable(it.Span) && one.Content != it.Content &&
			!slices.ContainsFunc(w.Later[seen:], func(o Item) bool { return o.Content == it.Content }) {
			w.Later = append(w.Later, it)
		}
	}
	w.Items = first
}

// joinable reports whether later deliveries of s are joined to it. Of other
// spans the first one holds.
func joinable(s *trace.Span) bool { return s.Form == trace.FormSpan && s.Mapped() }

// Plain reports whether s says nothing that only spans made from OpenTelemetry
// say. Where its cost is from, spans of every form say.
func Plain(s *trace.Span) bool {
	return s.MappingVersion == 0 && s.Usage == nil && s.Name == "" && s.Operation == "" && s.UserID == nil &&
		len(s.Tags) == 0 && s.Environment == nil && s.Release == nil && s.ServiceTier == nil && s.Scope == trace.Scope{} && !s.Patch && !s.Repeat && s.Role == "" && s.CallKey == "" && s.Tells == 0
}

// Stored is what a look-up of ids tells of a stored span.
type Stored struct {
	Joinable bool   // it was made from OpenTelemetry
	Content  uint64 // see store.PayloadRef
}

// Arrivals are what a call brings that is not stored.
type Arrivals struct {
	New []Item // spans to be inserted as they are
	// Joined holds, by span, what came of one that is stored or came in several
	// pieces; ascending by id.
	Joined [][]Item
}

// Arrivals sorts w's spans by what is stored of them.
func (w *Work) Arrivals(stored map[trace.SpanID]Stored) Arrivals {
	if len(stored) == 0 && len(w.Later) == 0 {
		return Arrivals{New: w.Items}
	}
	var a Arrivals
	later := w.Later
	for _, it := range w.Items {
		pieces := []Item{it}
		for len(later) > 0 && later[0].Span.ID == it.Span.ID {
			pieces, later = append(pieces, later[0]), later[1:]
		}
		old, ok := stored[it.Span.ID]
		if !ok && len(pieces) == 1 {
			a.New = append(a.New, it)
			continue
		}
		if ok {
			pieces = slices.DeleteFunc(pieces, func(p Item) bool { return !old.Joinable || !joinable(p.Span) || p.Content == old.Content })
		}
		if len(pieces) > 0 {
			a.Joined = append(a.Joined, pieces)
		}
	}
	return a
}

// Joined is what Join makes of pieces.
type Joined struct {
	// Batch holds the results that are new or have a payload that is not stored.
	// It is one more batch of the call.
	Batch   store.Batch
	New     []Item   // of Batch
	Changes []Change // of stored spans; Now has no payload
	// Items, by change: the item of Batch whose payload Now has, or one without
	// Span, which says that the stored payload is still right.
	Items []Item
}

// Join joins the pieces of spans with each other and with what is stored, which
// before holds whole. number is what Joined.Batch's place in the call will be.
func Join(batches []store.Batch, number int, pieces [][]Item, before map[trace.SpanID]*trace.Span) (Joined, error) {
	var out Joined
	if len(pieces) == 0 {
		return out, nil
	}
	payloads := payloadReader{batches: batches}
	var spans []trace.Span // of Batch
	var changed []int      // by span: the change that it belongs to, -1 if it is new
	arrived := batches[pieces[0][0].Batch].Arrived
	for _, of := range pieces {
		old := before[of[0].Span.ID]
		var now trace.Span
		if old != nil {
			now = *old
		}
		for i, piece := range of {
			s := *piece.Span
			var err error
			if s.Payload, err = payloads.of(piece); err != nil {
				return out, err
			}
			if old == nil && i == 0 {
				now = s
			} else {
				now = trace.Merge(&now, &s)
			}
			if at := batches[piece.Batch].Arrived; at.After(arrived) {
				arrived = at
			}
		}
		if old == nil {
			spans, changed = append(spans, now), append(changed, -1)
			continue
		}
		now.Repeat = false // decided elsewhere
		if old.Start.Equal(now.Start) {
			now.Start = old.Start
		}
		if reflect.DeepEqual(*old, now) {
			continue
		}
		content := store.ContentOf(&now)
		if reflect.DeepEqual(old.Payload, now.Payload) {
			now.Payload = trace.Payload{}
		} else {
			spans, changed = append(spans, now), append(changed, len(out.Changes))
		}
		out.Changes = append(out.Changes, Change{Old: old, Now: &now})
		out.Items = append(out.Items, Item{Content: content})
	}
	if len(spans) == 0 {
		return out, nil
	}
	out.Batch = store.Pack(batches[pieces[0][0].Batch].Project, arrived, spans)
	for i, c := range changed {
		it := Item{Batch: number, Index: i, Span: &out.Batch.Spans[i], Content: out.Batch.Refs[i].Content}
		if c < 0 {
			out.New = append(out.New, it)
		} else {
			out.Items[c], out.Changes[c].Now = it, it.Span
		}
	}
	return out, nil
}

// payloadReader inflates each chunk of a call once.
type payloadReader struct {
	batches []store.Batch
	chunks  map[[2]int][]trace.Payload
}

func (r *payloadReader) of(it Item) (trace.Payload, error) {
	b := &r.batches[it.Batch]
	ref := b.Refs[it.Index]
	if ref.Chunk < 0 {
		return trace.Payload{}, nil
	}
	at := [2]int{it.Batch, ref.Chunk}
	if _, ok := r.chunks[at]; !ok {
		list, err := store.UnpackChunk(b.Chunks[ref.Chunk].Data)
		if err != nil {
			return trace.Payload{}, err
		}
		if r.chunks == nil {
			r.chunks = map[[2]int][]trace.Payload{}
		}
		r.chunks[at] = list
	}
	if list := r.chunks[at]; ref.Index < len(list) {
		return list[ref.Index], nil
	}
	return trace.Payload{}, fmt.Errorf("payload chunk %s holds no payload number %d", b.Chunks[ref.Chunk].ID, ref.Index)
}
