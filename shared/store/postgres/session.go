package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// sessionOrder holds the ORDER BY of each store.SessionSort; last comes the tie
// that all share.
var sessionOrder = map[store.SessionSort]string{
	store.SortRecent: `last_time DESC, session_id`,
	store.SortOldest: `first_time, last_time DESC, session_id`,
	// trace.Session.DurationMS in SQL: whole milliseconds from first to last.
	store.SortDuration: `coalesce(end_duration_ms, trunc(extract(epoch FROM last_time - first_time) * 1000)::double precision) DESC,
		last_time DESC, session_id`,
	store.SortErrors: `error_count DESC, last_time DESC, session_id`,
	store.SortVolume: `span_count DESC, last_time DESC, session_id`,
}

// sessionWhere selects the sessions of a project by a store.SessionFilter.
const sessionWhere = ` FROM sessions WHERE project_id = $1 AND traced_count > 0 AND first_time < $2 AND last_time >= $3
	AND ($4::bigint = 0 OR sources & $4 <> 0)`

// ListSessions gives a page of sessions.
func (db *DB) ListSessions(ctx context.Context, project account.ProjectID, f store.SessionFilter, p store.Page) (store.SessionList, error) {
	order, ok := sessionOrder[f.Sort]
	if !ok {
		order = sessionOrder[store.SortRecent]
	}
	bounds := fold.Bounds(f.Time)
	if bounds.Empty() { // else a session that spans it whole would match
		return store.SessionList{}, nil
	}
	args := []any{string(project), micros(bounds.To), micros(bounds.From), int64(f.Source.Mask())}
	var out store.SessionList
	err := db.inSnapshot(ctx, func(tx pgx.Tx) error {
		sessions, err := collect(ctx, tx, sessionTable.scan,
			`SELECT `+sessionTable.list+sessionWhere+` ORDER BY `+order+` LIMIT $5 OFFSET $6`, append(args, p.Limit, p.Offset)...)
		if err != nil {
			return err
		}
		if out.Total, err = collectOne(ctx, tx, pgx.RowTo[int64], `SELECT count(*)`+sessionWhere, args...); err != nil {
			return err
		}
		if err := countInSessions(ctx, tx, project, sessions); err != nil {
			return err
		}
		out.Sessions = make([]trace.Session, len(sessions))
		for i, s := range sessions {
			out.Sessions[i] = *s
		}
		return nil
	})
	return out, err
}

// countInSessions fills in the counts of distinct things.
func countInSessions(ctx context.Context, q querier, project account.ProjectID, sessions []*trace.Session) error {
	if len(sessions) == 0 {
		return nil
	}
	ids := make([]string, len(sessions))
	byID := make(map[trace.SessionID]*trace.Session, len(sessions))
	for i, s := range sessions {
		ids[i], byID[s.ID] = string(s.ID), s
	}
	rows, err := collect(ctx, q, func(row pgx.CollectableRow) (trace.Session, error) {
		var s trace.Session
		err := row.Scan((*string)(&s.ID), &s.ToolCalls, &s.TraceCount, &s.FileCount)
		return s, err
	}, `SELECT session_id,
			count(DISTINCT coalesce(tool_use_id, span_id)) FILTER (WHERE kind = 'tool_use' AND `+toolCall+`),
			count(DISTINCT trace_id) FILTER (WHERE trace_id <> '' AND event_type NOT IN ('session_start', 'session_end')),
			count(DISTINCT edited_file)
		FROM spans WHERE project_id = $1 AND session_id = ANY($2) AND session_id <> '' GROUP BY session_id`, string(project), ids)
	if err != nil {
		return err
	}
	for _, r := range rows {
		byID[r.ID].ToolCalls, byID[r.ID].TraceCount, byID[r.ID].FileCount = r.ToolCalls, r.TraceCount, r.FileCount
	}
	return nil
}

// toolCall is trace.Span.ToolCall of a tool's row.
const toolCall = `(NOT repeats OR usage IS NOT NULL OR cost_nano_usd IS NOT NULL)`
