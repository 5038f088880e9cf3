package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

var _ fold.SessionSource = (*searching)(nil)

// SearchSessions finds sessions.
func (db *DB) SearchSessions(ctx context.Context, project account.ProjectID, q store.TraceQuery, p store.SessionPage) (store.SessionHits, error) {
	return searched(ctx, db, project, func(s *searching) (store.SessionHits, error) { return fold.SearchSessions(ctx, s, q, p) })
}

// SessionTurns gives the traces of a session.
func (db *DB) SessionTurns(ctx context.Context, project account.ProjectID, id trace.SessionID, p store.SearchPage) (store.Turns, error) {
	return searched(ctx, db, project, func(s *searching) (store.Turns, error) { return fold.SessionTurns(ctx, s, id, p) })
}

// sessionWindow gives the conditions of a window on sessions.
func (s *searching) sessionWindow(w fold.SessionWindow) *conditions {
	c := s.on("sessions")
	c.and("traced_count > 0 AND last_time >= " + c.arg(micros(w.From)) + " AND first_time < " + c.arg(micros(w.To)))
	if w.Low != nil {
		c.and("(last_time, session_id) >= (" + c.arg(micros(w.Low.Start)) + ", " + c.arg(w.Low.ID) + ")")
	}
	if len(w.Terms) > 0 {
		c.text.WriteString(` AND EXISTS (SELECT FROM traces WHERE traces.project_id = sessions.project_id AND traces.session_id = sessions.session_id
			AND traces.session_id <> '' AND start_time IS NOT NULL`)
		for i := range w.Terms {
			c.andTerm(&w.Terms[i], traceFields)
		}
		c.text.WriteString(")")
	}
	return c
}

// ReachSessions tells how far a search looks.
func (s *searching) ReachSessions(ctx context.Context, w fold.SessionWindow, n int) (last fold.Cursor, more bool, err error) {
	c := s.sessionWindow(fold.SessionWindow{Interval: w.Interval})
	found, err := collect(ctx, s.q, func(row pgx.CollectableRow) (fold.Cursor, error) {
		var at time.Time
		var out fold.Cursor
		err := row.Scan(&at, &out.ID)
		out.Start = at.UnixMicro()
		return out, err
	}, `SELECT last_time, session_id`+c.text.String()+` ORDER BY last_time DESC, session_id DESC LIMIT 2 OFFSET `+c.arg(n-1), c.args...)
	if err != nil || len(found) == 0 {
		return fold.Cursor{}, false, err
	}
	return found[0], len(found) == 2, nil
}

// sessionKeys are fold.SessionKey in SQL.
var sessionKeys = map[store.SessionSort]string{
	store.SortRecent: "(extract(epoch FROM last_time) * 1000000)::bigint",
	store.SortOldest: "(-extract(epoch FROM first_time) * 1000000)::bigint",
	store.SortDuration: "trunc(coalesce(end_duration_ms * 1000, (extract(epoch FROM greatest(last_time, (SELECT max(end_time) FROM traces" +
		" WHERE traces.project_id = sessions.project_id AND traces.session_id = sessions.session_id AND traces.session_id <> '' AND start_time IS NOT NULL)) - first_time) * 1000000)::double precision))::bigint",
	store.SortErrors:   "greatest(error_count, turn_errors)",
	store.SortVolume:   "greatest(span_count, turn_spans)",
	store.SortSpending: "greatest(cost_nano_usd, turn_cost_nano_usd)",
}

// Sessions gives the first sessions of a window.
func (s *searching) Sessions(ctx context.Context, w fold.SessionWindow, sort store.SessionSort, after *fold.SortPlace, limit int) ([]trace.Session, error) {
	c, key := s.sessionWindow(w), sessionKeys[sort]
	if after != nil {
		c.and("(" + key + ", last_time, session_id) < (" + c.arg(after.Key) + ", " + c.arg(micros(after.Start)) + ", " + c.arg(after.ID) + ")")
	}
	order := key + " DESC, last_time"
	if sort == store.SortRecent { // which the index has
		order = "last_time"
	}
	return s.sessions(ctx, c.text.String()+` ORDER BY `+order+` DESC, session_id DESC LIMIT `+c.arg(limit), c.args)
}

// sessions reads sessions with their counts.
func (s *searching) sessions(ctx context.Context, rest string, args []any) ([]trace.Session, error) {
	rows, err := collect(ctx, s.q, sessionTable.scan, `SELECT `+sessionTable.list+rest, args...)
	if err == nil {
		err = countInSessions(ctx, s.q, s.project, rows)
	}
	if err == nil {
		err = s.findEnds(ctx, rows)
	}
	out := make([]trace.Session, len(rows))
	for i, r := range rows {
		out[i] = *r
	}
	return out, err
}

// findEnds gives sessions when they ended.
func (s *searching) findEnds(ctx context.Context, sessions []*trace.Session) error {
	ids := make([]trace.SessionID, len(sessions))
	at := make(map[trace.SessionID]*trace.Session, len(sessions))
	for i, se := range sessions {
		se.End = se.Last
		ids[i], at[se.ID] = se.ID, se
	}
	type end struct {
		id trace.SessionID
		at time.Time
	}
	return each(ctx, s.q, func(row pgx.CollectableRow) (end, error) {
		var e end
		err := row.Scan((*string)(&e.id), &e.at)
		return e, err
	}, func(e end) error {
		if se := at[e.id]; e.at.After(se.End) {
			se.End = e.at.UTC()
		}
		return nil
	}, `SELECT session_id, max(end_time) FROM traces WHERE project_id = $1 AND session_id = ANY($2) AND session_id <> '' AND start_time IS NOT NULL GROUP BY session_id`,
		string(s.project), texts(ids))
}

// CountSessions counts the sessions of a window.
func (s *searching) CountSessions(ctx context.Context, w fold.SessionWindow) (int64, error) {
	c := s.sessionWindow(w)
	return collectOne(ctx, s.q, pgx.RowTo[int64], `SELECT count(*)`+c.text.String(), c.args...)
}

// FirstTraces gives the first trace of sessions.
func (s *searching) FirstTraces(ctx context.Context, ids []trace.SessionID) (map[trace.SessionID]trace.Trace, error) {
	rows, err := collect(ctx, s.q, scanTrace, `SELECT `+traceTable.listOf("t")+` FROM unnest($2::text[]) AS l (id) CROSS JOIN LATERAL (
			SELECT * FROM traces WHERE project_id = $1 AND session_id = l.id AND session_id <> '' AND start_time IS NOT NULL ORDER BY start_time, trace_id LIMIT 1) t`,
		string(s.project), texts(ids))
	out := make(map[trace.SessionID]trace.Trace, len(rows))
	for _, t := range rows {
		out[t.SessionID] = *t
	}
	return out, err
}

// Session gives one session.
func (s *searching) Session(ctx context.Context, id trace.SessionID) (trace.Session, error) {
	c := s.on("sessions")
	c.and("session_id = " + c.arg(string(id)))
	list, err := s.sessions(ctx, c.text.String(), c.args)
	if err != nil {
		return trace.Session{}, err
	}
	if len(list) == 0 {
		return trace.Session{}, errNotFound
	}
	return list[0], nil
}

// turnsOf gives the conditions of a session's traces.
func (s *searching) turnsOf(id trace.SessionID) *conditions {
	c := s.on("traces")
	c.and("session_id = " + c.arg(string(id)) + " AND session_id <> '' AND start_time IS NOT NULL")
	return c
}

// Turns gives the traces of a session.
func (s *searching) Turns(ctx context.Context, id trace.SessionID, after *fold.Cursor, limit int) ([]trace.Trace, error) {
	c := s.turnsOf(id)
	if after != nil {
		c.and("(start_time, trace_id) > (" + c.arg(micros(after.Start)) + ", " + c.arg(after.ID) + ")")
	}
	rows, err := collect(ctx, s.q, scanTrace, `SELECT `+traceTable.list+c.text.String()+oldestFirst+c.arg(limit), c.args...)
	out := make([]trace.Trace, len(rows))
	for i, t := range rows {
		out[i] = *t
	}
	return out, err
}

// CountTurns counts the traces of a session.
func (s *searching) CountTurns(ctx context.Context, id trace.SessionID) (int64, error) {
	c := s.turnsOf(id)
	return collectOne(ctx, s.q, pgx.RowTo[int64], `SELECT count(*)`+c.text.String(), c.args...)
}

var errNotFound = fault.New(fault.NotFound, "")

// ToolCalls counts the tool calls of traces.
func (s *searching) ToolCalls(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]store.ToolCounts, error) {
	type row struct {
		id trace.TraceID
		n  store.ToolCounts
	}
	rows, err := collect(ctx, s.q, func(r pgx.CollectableRow) (out row, err error) {
		err = r.Scan((*string)(&out.id), &out.n.Calls, &out.n.Failed)
		return out, err
	}, `SELECT trace_id, count(DISTINCT coalesce(tool_use_id, span_id)), count(DISTINCT coalesce(tool_use_id, span_id)) FILTER (WHERE status = 'error')
		FROM spans WHERE project_id = $1 AND form = 'span' AND trace_id <> '' AND kind = 'tool_use' AND `+toolCall+` AND trace_id = ANY($2) GROUP BY trace_id`,
		string(s.project), texts(ids))
	out := make(map[trace.TraceID]store.ToolCounts, len(rows))
	for _, r := range rows {
		out[r.id] = r.n
	}
	return out, err
}

// LastAnswers finds what was said last in traces.
func (s *searching) LastAnswers(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]trace.SpanID, error) {
	type row struct {
		id   trace.TraceID
		span trace.SpanID
	}
	rows, err := collect(ctx, s.q, func(r pgx.CollectableRow) (out row, err error) {
		err = r.Scan((*string)(&out.id), (*string)(&out.span))
		return out, err
	}, `SELECT t.id, last.span_id FROM unnest($2::text[]) AS t (id), LATERAL (
			SELECT span_id FROM spans WHERE project_id = $1 AND form = 'span' AND trace_id <> '' AND trace_id = t.id AND kind IN (`+fold.AnswerKinds+`)
			ORDER BY start_time DESC, span_id DESC LIMIT 1) AS last`,
		string(s.project), texts(ids))
	out := make(map[trace.TraceID]trace.SpanID, len(rows))
	for _, r := range rows {
		out[r.id] = r.span
	}
	return out, err
}
