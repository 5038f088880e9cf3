package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Rows that one transaction of Retain deletes: few enough that a write waits
// for tens of milliseconds only.
const (
	retainSpans  = 1000
	retainChunks = 200
)

// Retain implements store.Maintainer.
func (db *DB) Retain(ctx context.Context, cutoff time.Time) (int64, error) {
	day := dayOf(cutoff)
	projects, err := db.projectNumbers(ctx)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, project := range projects {
		n, err := db.retainProject(ctx, project, day)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// RetainProject implements store.Maintainer.
func (db *DB) RetainProject(ctx context.Context, project account.ProjectID, cutoff time.Time) (int64, error) {
	n, err := numberOf(ctx, db.r, project)
	if err != nil || n == 0 {
		return 0, err
	}
	return db.retainProject(ctx, n, dayOf(cutoff))
}

func (db *DB) projectNumbers(ctx context.Context) ([]projectNumber, error) {
	var out []projectNumber
	err := query(ctx, db.r, "read projects", func(rows *sql.Rows) error {
		var n projectNumber
		err := rows.Scan(&n)
		out = append(out, n)
		return err
	}, `SELECT number FROM project_numbers ORDER BY number`)
	return out, err
}

func (db *DB) retainProject(ctx context.Context, project projectNumber, day int64) (int64, error) {
	before := day * fold.GrainDay.WidthUS()
	// Spans first: whatever stops this half-way, the next call deletes the rest.
	var total int64
	for {
		n, err := db.retainSpans(ctx, project, before)
		total += n
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
	}
	for {
		var n int64
		err := db.inTx(ctx, func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, `DELETE FROM payload_chunks WHERE rowid IN
				(SELECT rowid FROM payload_chunks WHERE project = ? AND day < ? LIMIT ?)`, int64(project), day, retainChunks)
			if err != nil {
				return toFault("delete payload chunks", err)
			}
			n, err = res.RowsAffected()
			return err
		})
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
	}
	return total, db.inTx(ctx, func(tx *sql.Tx) error {
		for _, text := range []string{
			`DELETE FROM rollups WHERE project = ? AND grain = ? AND bucket < ?`,
			`DELETE FROM rollup_sessions WHERE project = ? AND grain = ? AND bucket < ?`,
			`DELETE FROM trace_counts WHERE project = ? AND grain = ? AND bucket < ?`,
		} {
			for _, g := range fold.Grains() {
				if err := exec(ctx, tx, "delete roll-ups", false, text, int64(project), string(g), before); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// retainSpans deletes some spans that started before a time and makes their
// traces and sessions anew from the spans that stay.
func (db *DB) retainSpans(ctx context.Context, project projectNumber, before int64) (int64, error) {
	b, err := db.writers(ctx)
	if err != nil {
		return 0, err
	}
	var n int64
	err = db.inTx(ctx, func(tx *sql.Tx) error {
		spans, err := oldSpans(ctx, tx, project, before)
		if err != nil || len(spans) == 0 {
			return err
		}
		n = int64(len(spans))
		ids := make([]trace.SpanID, len(spans))
		for i, s := range spans {
			ids[i] = s.ID
		}
		w := newWriting(b, tx, project)
		peers, err := w.ByID(ctx, ids)
		if err != nil {
			return err
		}
		list, err := jsonList(ids)
		if err != nil {
			return err
		}
		if err := exec(ctx, tx, "delete spans", true, `DELETE FROM spans WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`,
			int64(project), list); err != nil {
			return err
		}
		return w.forget(ctx, fold.KeysOf(spans), fold.OwnSpans(peers))
	})
	return n, err
}

func oldSpans(ctx context.Context, q querier, project projectNumber, before int64) ([]*trace.Span, error) {
	var out []*trace.Span
	for _, index := range []string{spansByStart + "WHERE form = 'span'", "INDEXED BY spans_call_start_idx WHERE form = 'trace'"} {
		err := query(ctx, q, "read old spans", func(rows *sql.Rows) error {
			var s trace.Span
			err := rows.Scan(&s.ID, &s.TraceID, &s.SessionID)
			out = append(out, &s)
			return err
		}, `SELECT span_id, trace_id, session_id FROM spans `+index+` AND project = ? AND start_time < ? ORDER BY start_time LIMIT ?`,
			int64(project), before, retainSpans)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// forget makes the traces and sessions of deleted spans anew from the spans that
// stay. gone are the deleted ones that may have told of calls.
func (w *writing) forget(ctx context.Context, keys fold.Keys, gone []*trace.Span) error {
	state, err := w.recall(ctx, keys, gone)
	if err != nil {
		return err
	}
	state.Forget(keys)
	return w.writeState(ctx, state)
}

// recall gives a state with the rows of keys, in which the spans that told of
// the same calls as gone, which were deleted, are what they are without those.
func (w *writing) recall(ctx context.Context, keys fold.Keys, gone []*trace.Span) (*fold.State, error) {
	verdicts, err := fold.Count(ctx, w, fold.Edit{Removed: gone})
	if err != nil {
		return nil, err
	}
	if err := w.mark(ctx, verdicts.Marked); err != nil {
		return nil, err
	}
	changes := verdicts.Changes()
	state, err := loadState(ctx, w.tx, w.project, keys.With(fold.KeysOf(fold.SpansOf(changes))))
	if err != nil {
		return nil, err
	}
	state.Change(changes)
	return state, nil
}

// recountTraces adds to state the traces that the stored spans make.
func recountTraces(ctx context.Context, q querier, project projectNumber, ids []trace.TraceID, state *fold.State) error {
	list, err := jsonList(ids)
	if err != nil {
		return err
	}
	for _, rest := range []string{
		spansByTrace + `WHERE project = ? AND trace_id <> '' AND form = 'span' AND trace_id IN (SELECT value FROM json_each(?))`,
		`WHERE project = ? AND form = 'trace' AND span_id IN (SELECT value FROM json_each(?))`,
	} {
		err := query(ctx, q, "read spans of traces", func(rows *sql.Rows) error {
			s, err := scanSpan(rows)
			state.AddToTrace(&s.Span)
			return err
		}, selectSpan+rest, int64(project), list)
		if err != nil {
			return err
		}
	}
	return nil
}

// recountSessions adds to state the sessions that the stored spans make. Traces
// must be right: they lead to the spans of LLM traces.
func recountSessions(ctx context.Context, q querier, project projectNumber, ids []trace.SessionID, state *fold.State) error {
	list, err := jsonList(ids)
	if err != nil {
		return err
	}
	for _, rest := range []string{
		spansBySession + `WHERE project = ?1 AND session_id <> '' AND (form = 'span' OR mixed) AND session_id IN (SELECT value FROM json_each(?2))`,
		`WHERE project = ?1 AND form = 'trace' AND NOT mixed AND span_id IN (SELECT trace_id FROM traces ` + tracesBySession + `
			WHERE project = ?1 AND session_id <> '' AND session_id IN (SELECT value FROM json_each(?2)))`,
	} {
		err := query(ctx, q, "read spans of sessions", func(rows *sql.Rows) error {
			s, err := scanSpan(rows)
			state.AddToSession(&s.Span)
			return err
		}, selectSpan+rest, int64(project), list)
		if err != nil {
			return err
		}
	}
	return nil
}
