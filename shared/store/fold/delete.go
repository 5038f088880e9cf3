package fold

import (
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// deleteSpans is how many spans a step of DeleteTraces deletes, but for what
// Deletion says: some tenths of a second, while writes wait.
const deleteSpans = 4000

// Deletion is a step of DeleteTraces.
type Deletion struct {
	Whole []trace.TraceID // traces of which all spans go
	// Part, if set, is one that has more than a step takes: of its spans the last
	// PartSpans go, by start, then id.
	Part      trace.TraceID
	PartSpans int64
	Rest      []trace.TraceID
}

// NewDeletion gives the first step of deleting ids. spans are how many of them
// each trace has that is stored. A trace loses a part only if more than
// MaxResolved stay: what is found in a small one is found in all of it.
func NewDeletion(ids []trace.TraceID, spans map[trace.TraceID]int64) Deletion {
	var d Deletion
	room := int64(deleteSpans)
	for i, id := range ids {
		n := spans[id]
		if n > room {
			switch {
			case len(d.Whole) > 0:
				d.Rest = ids[i:]
			case n > deleteSpans+MaxResolved:
				d.Part, d.PartSpans, d.Rest = id, deleteSpans, ids[i:]
			default:
				d.Whole, d.Rest = append(d.Whole, id), ids[i+1:]
			}
			return d
		}
		if n > 0 {
			d.Whole = append(d.Whole, id)
			room -= n
		}
		delete(spans, id) // it may be named again
	}
	return d
}

// Done gives what the step did that deleted so many spans.
func (d *Deletion) Done(spans int64) store.Deleted {
	return store.Deleted{Traces: int64(len(d.Whole)), Spans: spans, Rest: d.Rest}
}

// Remove counts spans no longer, as they were shown. It comes after Change and
// before Add; the engine makes their traces and sessions anew.
func (s *State) Remove(spans []*trace.Span) {
	s.Forget(KeysOf(spans))
	for _, sp := range spans {
		if sp.Counted() && sp.SessionID != "" {
			s.Stale.Distinct[GrainFiveMin.Bucket(sp.Start)] = true
		}
	}
	addRollups(s.Removed, spans)
}
