package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

var _ fold.SessionSource = (*searching)(nil)

// SearchSessions implements store.SessionSearcher.
func (db *DB) SearchSessions(ctx context.Context, project account.ProjectID, q store.TraceQuery, p store.SessionPage) (store.SessionHits, error) {
	return searched(ctx, db, project, func(s *searching) (store.SessionHits, error) { return fold.SearchSessions(ctx, s, q, p) })
}

// SessionTurns implements store.SessionSearcher.
func (db *DB) SessionTurns(ctx context.Context, project account.ProjectID, id trace.SessionID, p store.SearchPage) (store.Turns, error) {
	return searched(ctx, db, project, func(s *searching) (store.Turns, error) { return fold.SessionTurns(ctx, s, id, p) })
}

const sessionsByLast = "INDEXED BY sessions_last_idx "

// sessionWindow gives the condition of a window on sessions.
func (s *searching) sessionWindow(w fold.SessionWindow) *where {
	c := newWhere(s.project)
	c.and("traced_count > 0 AND last_time >= ? AND first_time < ?", w.From, w.To)
	if w.Low != nil {
		c.and("(last_time, session_id) >= (?, ?)", w.Low.Start, w.Low.ID)
	}
	if len(w.Terms) > 0 {
		c.text.WriteString(" AND EXISTS (SELECT 1 FROM traces " + tracesBySession +
			"WHERE traces.project = sessions.project AND traces.session_id = sessions.session_id AND traces.session_id <> '' AND start_time IS NOT NULL")
		for i := range w.Terms {
			c.andTerm(&w.Terms[i], traceFields)
		}
		c.text.WriteString(")")
	}
	return c
}

// ReachSessions implements fold.SessionSource.
func (s *searching) ReachSessions(ctx context.Context, w fold.SessionWindow, n int) (last fold.Cursor, more bool, err error) {
	c := s.sessionWindow(fold.SessionWindow{Interval: w.Interval})
	found := 0
	err = query(ctx, s.q, "search sessions", func(rows *sql.Rows) error {
		var at fold.Cursor
		err := rows.Scan(&at.Start, &at.ID)
		if found++; found == 1 {
			last = at
		}
		return err
	}, `SELECT last_time, session_id FROM sessions `+sessionsByLast+c.text.String()+` ORDER BY last_time DESC, session_id DESC LIMIT ? OFFSET ?`, append(c.args, 2, n-1)...)
	return last, found == 2, err
}

// sessionKeys are fold.SessionKey in SQL.
var sessionKeys = map[store.SessionSort]string{
	store.SortRecent: "last_time",
	store.SortOldest: "-first_time",
	store.SortDuration: "CAST(coalesce(end_duration_ms * 1000, max(last_time, coalesce((SELECT max(end_time) FROM traces " + tracesBySession +
		"WHERE traces.project = sessions.project AND traces.session_id = sessions.session_id AND traces.session_id <> '' AND start_time IS NOT NULL), 0)) - first_time) AS INTEGER)",
	store.SortErrors:   "max(error_count, turn_errors)",
	store.SortVolume:   "max(span_count, turn_spans)",
	store.SortSpending: "max(cost_nano_usd, turn_cost_nano_usd)",
}

// Sessions implements fold.SessionSource.
func (s *searching) Sessions(ctx context.Context, w fold.SessionWindow, sort store.SessionSort, after *fold.SortPlace, limit int) ([]trace.Session, error) {
	c, key := s.sessionWindow(w), sessionKeys[sort]
	if after != nil {
		c.and("("+key+", last_time, session_id) < (?, ?, ?)", after.Key, after.Start, after.ID)
	}
	var out []trace.Session
	err := query(ctx, s.q, "search sessions", func(rows *sql.Rows) error {
		session, err := scanSession(rows)
		out = append(out, session)
		return err
	}, selectSession+sessionsByLast+c.text.String()+` ORDER BY `+key+` DESC, last_time DESC, session_id DESC LIMIT ?`, append(c.args, limit)...)
	if err != nil {
		return nil, err
	}
	return out, s.fill(ctx, out)
}

// fill gives sessions their counts, and when they ended.
func (s *searching) fill(ctx context.Context, sessions []trace.Session) error {
	if err := fillSessions(ctx, s.q, s.project, sessions); err != nil {
		return err
	}
	ids := make([]trace.SessionID, len(sessions))
	at := make(map[trace.SessionID]*trace.Session, len(sessions))
	for i := range sessions {
		sessions[i].End = sessions[i].Last
		ids[i], at[sessions[i].ID] = sessions[i].ID, &sessions[i]
	}
	list, err := jsonList(ids)
	if err != nil {
		return err
	}
	return query(ctx, s.q, "read ends of sessions", func(rows *sql.Rows) error {
		var id trace.SessionID
		var us int64
		err := rows.Scan(&id, &us)
		if end := time.UnixMicro(us).UTC(); err == nil && end.After(at[id].End) {
			at[id].End = end
		}
		return err
	}, `SELECT session_id, max(end_time) FROM traces `+tracesBySession+`WHERE project = ? AND session_id <> '' AND start_time IS NOT NULL
		AND session_id IN (SELECT value FROM json_each(?)) GROUP BY session_id`, int64(s.project), list)
}

// CountSessions implements fold.SessionSource.
func (s *searching) CountSessions(ctx context.Context, w fold.SessionWindow) (int64, error) {
	c := s.sessionWindow(w)
	return count(ctx, s.q, "count sessions", `SELECT count(*) FROM sessions `+sessionsByLast+c.text.String(), c.args...)
}

// FirstTraces implements fold.SessionSource.
func (s *searching) FirstTraces(ctx context.Context, ids []trace.SessionID) (map[trace.SessionID]trace.Trace, error) {
	out := make(map[trace.SessionID]trace.Trace, len(ids))
	for _, id := range ids {
		traces, err := s.Turns(ctx, id, nil, 1)
		if err != nil {
			return nil, err
		}
		if len(traces) > 0 {
			out[id] = traces[0]
		}
	}
	return out, nil
}

// Session implements fold.SessionSource.
func (s *searching) Session(ctx context.Context, id trace.SessionID) (trace.Session, error) {
	var out []trace.Session
	err := query(ctx, s.q, "read session", func(rows *sql.Rows) error {
		session, err := scanSession(rows)
		out = append(out, session)
		return err
	}, selectSession+`WHERE project = ? AND session_id = ?`, int64(s.project), string(id))
	if err != nil {
		return trace.Session{}, err
	}
	if len(out) == 0 {
		return trace.Session{}, errNotFound
	}
	err = s.fill(ctx, out)
	return out[0], err
}

// turnsOf gives the condition of a session's traces.
func (s *searching) turnsOf(id trace.SessionID) *where {
	c := newWhere(s.project)
	c.and("session_id <> '' AND session_id = ? AND start_time IS NOT NULL", string(id))
	return c
}

// Turns implements fold.SessionSource.
func (s *searching) Turns(ctx context.Context, id trace.SessionID, after *fold.Cursor, limit int) ([]trace.Trace, error) {
	c := s.turnsOf(id)
	if after != nil {
		c.and("(start_time, trace_id) > (?, ?)", after.Start, after.ID)
	}
	var out []trace.Trace
	err := query(ctx, s.q, "read turns", func(rows *sql.Rows) error {
		t, err := scanTrace(rows)
		out = append(out, t)
		return err
	}, selectTrace+tracesBySession+c.text.String()+oldestFirst, append(c.args, limit)...)
	return out, err
}

// CountTurns implements fold.SessionSource.
func (s *searching) CountTurns(ctx context.Context, id trace.SessionID) (int64, error) {
	c := s.turnsOf(id)
	return count(ctx, s.q, "count turns", `SELECT count(*) FROM traces `+tracesBySession+c.text.String(), c.args...)
}

// ToolCalls implements fold.SessionSource.
func (s *searching) ToolCalls(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]store.ToolCounts, error) {
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	out := map[trace.TraceID]store.ToolCounts{}
	err = query(ctx, s.q, "count tool calls of traces", func(rows *sql.Rows) error {
		var id trace.TraceID
		var n store.ToolCounts
		err := rows.Scan(&id, &n.Calls, &n.Failed)
		out[id] = n
		return err
	}, `SELECT trace_id, count(DISTINCT coalesce(tool_use_id, span_id)), count(DISTINCT CASE WHEN status = 'error' THEN coalesce(tool_use_id, span_id) END)
		FROM spans `+spansByTrace+`
		WHERE project = ? AND form = 'span' AND trace_id <> '' AND kind = 'tool_use' AND `+toolCall+` AND trace_id IN (SELECT value FROM json_each(?))
		GROUP BY trace_id`, int64(s.project), list)
	return out, err
}

// LastAnswers implements fold.SessionSource.
func (s *searching) LastAnswers(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]trace.SpanID, error) {
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	out := map[trace.TraceID]trace.SpanID{}
	err = query(ctx, s.q, "find last answers of traces", func(rows *sql.Rows) error {
		var id trace.TraceID
		var span trace.SpanID
		err := rows.Scan(&id, &span)
		out[id] = span
		return err
	}, `SELECT t.value, (SELECT span_id FROM spans `+spansByTrace+`
			WHERE project = ? AND form = 'span' AND trace_id <> '' AND trace_id = t.value AND kind IN (`+fold.AnswerKinds+`)
			ORDER BY start_time DESC, span_id DESC LIMIT 1) AS span
		FROM json_each(?) t WHERE span IS NOT NULL`, int64(s.project), list)
	return out, err
}
