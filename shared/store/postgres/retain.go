package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// retainSpans is how many rows one transaction of Retain deletes: few enough
// that a write waits for tens of milliseconds only.
const retainSpans = 5000

// Retain implements store.Maintainer. The cutoff counts from the begin of its
// UTC day, so that whole partitions and whole roll-up rows go.
func (db *DB) Retain(ctx context.Context, cutoff time.Time) (int64, error) {
	before := dayOf(cutoff)
	projects, err := collect(ctx, db.pool, pgx.RowTo[string], `SELECT id FROM projects ORDER BY id COLLATE "C"`)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, id := range projects {
		n, err := db.retainProject(ctx, account.ProjectID(id), before)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, db.dropDays(ctx, before)
}

func (db *DB) retainProject(ctx context.Context, project account.ProjectID, before time.Time) (int64, error) {
	// Spans first: whatever stops this half-way, the next call deletes the rest.
	var total int64
	for {
		var n int64
		err := db.inTx(ctx, func(tx pgx.Tx) error {
			var err error
			n, err = deleteOldSpans(ctx, tx, project, before)
			return err
		})
		if err != nil {
			return total, err
		}
		if total += n; n < retainSpans {
			break
		}
	}
	return total, db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockProject(ctx, tx, project); err != nil {
			return err
		}
		for _, sql := range []string{
			`DELETE FROM rollups WHERE project_id = $1 AND grain = ANY($2) AND bucket < $3`,
			`DELETE FROM rollup_sessions WHERE project_id = $1 AND grain = ANY($2) AND bucket < $3`,
			`DELETE FROM trace_counts WHERE project_id = $1 AND grain = ANY($2) AND bucket < $3`,
		} {
			if err := execute(ctx, tx, sql, string(project), texts(fold.Grains()), before); err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteOldSpans deletes some spans that started before a time and makes their
// traces and sessions anew from the spans that will stay.
func deleteOldSpans(ctx context.Context, tx pgx.Tx, project account.ProjectID, before time.Time) (int64, error) {
	if err := lockProject(ctx, tx, project); err != nil {
		return 0, err
	}
	spans, err := collect(ctx, tx, func(row pgx.CollectableRow) (*trace.Span, error) {
		s := new(trace.Span)
		err := row.Scan((*string)(&s.TraceID), (*string)(&s.SessionID))
		return s, err
	}, `DELETE FROM spans WHERE project_id = $1 AND span_id IN (
			(SELECT span_id FROM spans WHERE project_id = $1 AND form = 'span' AND start_time < $2 ORDER BY start_time LIMIT $3)
			UNION ALL
			(SELECT span_id FROM spans WHERE project_id = $1 AND form = 'trace' AND start_time < $2 ORDER BY start_time LIMIT $3)
			LIMIT $3)
		RETURNING trace_id, session_id`, string(project), before, retainSpans)
	if err != nil || len(spans) == 0 {
		return 0, err
	}
	return int64(len(spans)), rebuild(ctx, tx, project, fold.KeysOf(spans), before)
}

// rebuild replaces traces and sessions by what those of their spans add up to
// that started at or after a time. The caller holds the project's lock.
func rebuild(ctx context.Context, tx pgx.Tx, project account.ProjectID, keys fold.Keys, from time.Time) error {
	old := fold.NewState()
	if err := loadState(ctx, tx, project, old, keys); err != nil {
		return err
	}
	state := fold.NewState()
	for _, t := range old.Traces {
		state.CountTrace(t, -1)
	}
	rows, err := collect(ctx, tx, spanTable.scan, `SELECT `+spanColumns+` FROM spans s
			WHERE s.project_id = $1 AND s.form = 'span' AND s.trace_id <> '' AND s.trace_id = ANY($2) AND s.start_time >= $3
		UNION ALL SELECT `+spanColumns+` FROM (SELECT * FROM spans WHERE project_id = $1 AND span_id = ANY($2) OFFSET 0) s
			WHERE s.form = 'trace' AND s.start_time >= $3`,
		string(project), texts(keys.Traces), from)
	if err != nil {
		return err
	}
	for _, r := range rows {
		state.AddToTrace(&r.Span)
	}
	rows, err = collect(ctx, tx, spanTable.scan, `SELECT `+spanColumns+` FROM spans s
		WHERE s.project_id = $1 AND s.session_id <> '' AND s.session_id = ANY($2) AND s.start_time >= $3`,
		string(project), texts(keys.Sessions), from)
	if err != nil {
		return err
	}
	for _, r := range rows {
		state.AddToSession(&r.Span)
	}
	if err := deleteAbsent(ctx, tx, `DELETE FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`, project, old.Traces, state.Traces); err != nil {
		return err
	}
	if err := deleteAbsent(ctx, tx, `DELETE FROM sessions WHERE project_id = $1 AND session_id = ANY($2)`, project, old.Sessions, state.Sessions); err != nil {
		return err
	}
	stored := make(map[trace.TraceID]bool, len(old.Traces))
	for id := range old.Traces {
		stored[id] = true
	}
	return saveState(ctx, tx, project, state, stored)
}

// deleteAbsent deletes the rows that were there and are no more.
func deleteAbsent[K ~string, V any](ctx context.Context, e execer, sql string, project account.ProjectID, old, now map[K]V) error {
	gone := slices.DeleteFunc(slices.Collect(maps.Keys(old)), func(k K) bool {
		_, ok := now[k]
		return ok
	})
	if len(gone) == 0 {
		return nil
	}
	return execute(ctx, e, sql, string(project), texts(gone))
}
