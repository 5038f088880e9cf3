package fold

import (
	"context"
	"maps"
	"slices"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// SessionSource is what an engine does for searches of sessions.
type SessionSource interface {
	Searcher
	// ReachSessions is Reach for sessions, by last, then id.
	ReachSessions(ctx context.Context, w SessionWindow, n int) (last Cursor, more bool, err error)
	// Sessions gives the first sessions of w in an order, with their counts of
	// distinct things.
	Sessions(ctx context.Context, w SessionWindow, sort store.SessionSort, after *SortPlace, limit int) ([]trace.Session, error)
	// CountSessions counts the sessions of w.
	CountSessions(ctx context.Context, w SessionWindow) (int64, error)
	// FirstTraces gives the first trace of each session that has one.
	FirstTraces(ctx context.Context, ids []trace.SessionID) (map[trace.SessionID]trace.Trace, error)
	// Session gives one session, with its counts; NotFound if there is none.
	Session(ctx context.Context, id trace.SessionID) (trace.Session, error)
	// Turns gives the traces of a session behind a place, oldest first.
	Turns(ctx context.Context, id trace.SessionID, after *Cursor, limit int) ([]trace.Trace, error)
	CountTurns(ctx context.Context, id trace.SessionID) (int64, error)
	// ToolCalls counts the tool calls of traces; those without any are left out.
	ToolCalls(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]store.ToolCounts, error)
	// LastAnswers gives the last span of AnswerKinds of each trace, by start, then
	// id; traces without any are left out.
	LastAnswers(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]trace.SpanID, error)
}

// AnswerKinds are those of spans that a model says something in, for SQL.
const AnswerKinds = "'llm_call', 'llm_response'"

// SessionWindow is a part of a project's sessions: those that were at some moment
// of Interval, are not before Low (by last, then id), and have a trace that meets
// all terms, if there are any.
type SessionWindow struct {
	Interval
	Low   *Cursor // included; nil: no bound
	Terms []filter.Term
}

// SessionKey is what a session is ordered by. The SQL of the engines says the
// same.
func SessionKey(s *trace.Session, sort store.SessionSort) int64 {
	switch sort {
	case store.SortOldest:
		return -s.First.UnixMicro()
	case store.SortDuration:
		return s.ElapsedUS()
	case store.SortErrors:
		return s.Total().Errors
	case store.SortVolume:
		return s.Total().Spans
	case store.SortSpending:
		return s.Total().CostNanoUSD
	}
	return s.Last.UnixMicro()
}

const (
	sessionCursorVersion = 4
	turnCursorVersion    = 5
)

// SearchSessions finds sessions. Later pages look at no older ones than the
// first.
func SearchSessions(ctx context.Context, e SessionSource, q store.TraceQuery, p store.SessionPage) (out store.SessionHits, err error) {
	sort := slices.Index(store.SessionSorts(), p.Sort)
	place, err := parsePlace(p.Cursor, sessionCursorVersion, sort)
	if err != nil {
		return out, err
	}
	rows, texts, bound := plan(&q)
	if len(texts) > 0 {
		return out, &fault.Error{Code: fault.Invalid, Message: "Invalid filter", Issues: []fault.Issue{{
			Path: []any{"q"}, Code: "invalid_value", Message: "Sessions are not found by texts, errors and metadata: look for traces",
		}}}
	}
	if len(rows) > 0 && q.Bound == 0 { // their traces have to be asked
		bound = min(bound, store.MaxProbed)
	}
	w := SessionWindow{Interval: Bounds(q.Time), Terms: rows}
	if w.Empty() {
		out.Exact = true
		return out, nil
	}
	var after *SortPlace
	if place != nil {
		after, w.Low = &place.SortPlace, place.low
	} else if last, more, err := e.ReachSessions(ctx, w, bound); err != nil {
		return out, err
	} else if more {
		w.Low = &last
	}
	sessions, err := e.Sessions(ctx, w, p.Sort, after, p.Limit+1)
	if err != nil {
		return out, err
	}
	if len(sessions) > p.Limit {
		sessions = sessions[:p.Limit]
		last := &sessions[p.Limit-1]
		at := SortPlace{SessionKey(last, p.Sort), Cursor{last.Last.UnixMicro(), string(last.ID)}}
		out.Next = searchPlace{SortPlace: at, low: w.Low}.encode(sessionCursorVersion, sort)
	}
	if place == nil {
		if out.Total, err = e.CountSessions(ctx, w); err != nil {
			return out, err
		}
		out.Exact = w.Low == nil
	}
	s := search{Searcher: e}
	if w.Low != nil {
		s.scannedTo(*w.Low)
		out.ScannedTo = s.out.ScannedTo
	}
	ids := make([]trace.SessionID, len(sessions))
	for i := range sessions {
		ids[i] = sessions[i].ID
	}
	first, err := e.FirstTraces(ctx, ids)
	if err != nil {
		return out, err
	}
	for _, id := range ids {
		if t, ok := first[id]; ok {
			s.found = append(s.found, t)
		}
	}
	if err := s.show(ctx); err != nil {
		return out, err
	}
	hits := map[trace.TraceID]*store.TraceHit{}
	for i := range s.out.Hits {
		hits[s.out.Hits[i].ID] = &s.out.Hits[i]
	}
	for _, session := range sessions {
		out.Hits = append(out.Hits, store.SessionHit{Session: session, First: hits[first[session.ID].ID]})
	}
	return out, nil
}

// SessionTurns gives the traces of a session.
func SessionTurns(ctx context.Context, e SessionSource, id trace.SessionID, p store.SearchPage) (out store.Turns, err error) {
	place, err := parsePlace(p.Cursor, turnCursorVersion, 0)
	if err != nil {
		return out, err
	}
	if out.Session, err = e.Session(ctx, id); err != nil {
		return out, err
	}
	var after *Cursor
	if place != nil {
		after = &place.Cursor
	}
	s := search{Searcher: e}
	if s.found, err = e.Turns(ctx, id, after, p.Limit+1); err != nil {
		return out, err
	}
	if len(s.found) > p.Limit {
		s.found = s.found[:p.Limit]
		out.Next = searchPlace{SortPlace: SortPlace{Cursor: cursorOf(&s.found[p.Limit-1])}}.encode(turnCursorVersion, 0)
	}
	if out.Total, err = e.CountTurns(ctx, id); err != nil {
		return out, err
	}
	if err := s.show(ctx); err != nil {
		return out, err
	}
	out.Hits = s.out.Hits
	var several []trace.TraceID // a lone model call called nothing itself
	for i := range out.Hits {
		if out.Hits[i].SpanCount > out.Hits[i].LLMCount {
			several = append(several, out.Hits[i].ID)
		}
	}
	if len(several) > 0 {
		if out.Tools, err = e.ToolCalls(ctx, several); err != nil {
			return out, err
		}
		out.Answers, err = answers(ctx, e, several)
	}
	return out, err
}

// answers reads what was said last in traces.
func answers(ctx context.Context, e SessionSource, ids []trace.TraceID) (map[trace.TraceID]*trace.Span, error) {
	last, err := e.LastAnswers(ctx, ids)
	if err != nil || len(last) == 0 {
		return nil, err
	}
	spans, err := e.Spans(ctx, slices.Collect(maps.Values(last)), previewBytes)
	out := make(map[trace.TraceID]*trace.Span, len(last))
	for id, span := range last {
		out[id] = spans[span]
	}
	return out, err
}
