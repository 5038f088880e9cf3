package sqlite

import (
	"context"
	"database/sql"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// sessionOrders are the ORDER BY of each sort. Durations are whole
// milliseconds where no session_end told them, as trace.Session has them.
var sessionOrders = map[store.SessionSort]string{
	"":                 "last_time DESC, session_id",
	store.SortRecent:   "last_time DESC, session_id",
	store.SortOldest:   "first_time, last_time DESC, session_id",
	store.SortDuration: "coalesce(end_duration_ms, (last_time - first_time) / 1000) DESC, last_time DESC, session_id",
	store.SortErrors:   "error_count DESC, last_time DESC, session_id",
	store.SortVolume:   "span_count DESC, last_time DESC, session_id",
}

// ListSessions implements store.SessionReader.
func (db *DB) ListSessions(ctx context.Context, project account.ProjectID, f store.SessionFilter, p store.Page) (store.SessionList, error) {
	var out store.SessionList
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		var err error
		out, err = listSessions(ctx, q, project, f, p)
		return err
	})
	return out, err
}

func listSessions(ctx context.Context, q querier, project projectNumber, f store.SessionFilter, p store.Page) (store.SessionList, error) {
	var out store.SessionList
	w := newWhere(project)
	w.and("traced_count > 0")
	bounds := fold.Bounds(f.Time)
	if bounds.Empty() {
		return out, nil
	}
	w.and("last_time >= ? AND first_time < ?", bounds.From, bounds.To)
	if f.Source != "" {
		w.and("sources & ? <> 0", int64(f.Source.Mask()))
	}
	var err error
	if out.Total, err = count(ctx, q, "count sessions", `SELECT count(*) FROM sessions `+w.text.String(), w.args...); err != nil {
		return out, err
	}
	err = query(ctx, q, "read sessions", func(rows *sql.Rows) error {
		s, err := scanSession(rows)
		out.Sessions = append(out.Sessions, s)
		return err
	}, selectSession+w.text.String()+` ORDER BY `+sessionOrders[f.Sort]+` LIMIT ? OFFSET ?`, append(w.args, p.Limit, p.Offset)...)
	if err != nil {
		return out, err
	}
	return out, fillSessions(ctx, q, project, out.Sessions)
}

// fillSessions counts what is distinct in the sessions.
func fillSessions(ctx context.Context, q querier, project projectNumber, sessions []trace.Session) error {
	ids := make([]trace.SessionID, len(sessions))
	at := map[trace.SessionID]*trace.Session{}
	for i := range sessions {
		ids[i] = sessions[i].ID
		at[sessions[i].ID] = &sessions[i]
	}
	list, err := jsonList(ids)
	if err != nil {
		return err
	}
	add := func(rows *sql.Rows) error {
		var id trace.SessionID
		var tools, traces, files int64
		err := rows.Scan(&id, &tools, &traces, &files)
		if s := at[id]; s != nil {
			s.ToolCalls += tools
			s.TraceCount += traces
			s.FileCount += files
		}
		return err
	}
	err = query(ctx, q, "count tool calls", add, `SELECT session_id,
			count(DISTINCT CASE WHEN kind = 'tool_use' AND `+toolCall+` THEN coalesce(tool_use_id, span_id) END),
			count(DISTINCT CASE WHEN trace_id <> '' AND event_type NOT IN ('session_start', 'session_end') THEN trace_id END),
			count(DISTINCT edited_file)
		FROM spans `+spansBySession+`
		WHERE project = ? AND session_id <> '' AND (form = 'span' OR mixed) AND session_id IN (SELECT value FROM json_each(?))
		GROUP BY session_id`, int64(project), list)
	if err != nil {
		return err
	}
	return query(ctx, q, "count lone traces", add, `SELECT t.session_id, 0, count(*), 0
		FROM traces t `+tracesBySession+`CROSS JOIN spans s ON s.project = t.project AND s.span_id = t.trace_id
		WHERE t.project = ? AND t.session_id <> '' AND t.session_id IN (SELECT value FROM json_each(?))
			AND s.form = 'trace' AND NOT s.mixed AND s.event_type NOT IN ('session_start', 'session_end')
		GROUP BY t.session_id`, int64(project), list)
}

// toolCall is trace.Span.ToolCall of a tool's row.
const toolCall = `(NOT repeats OR usage IS NOT NULL OR cost_nano_usd IS NOT NULL)`
