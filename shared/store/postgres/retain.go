package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Rows that one transaction of Retain deletes: few enough that a write waits for
// tens of milliseconds only.
const (
	retainSpans  = 5000
	retainChunks = 500
)

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

// RetainProject implements store.Maintainer. Its payloads go row by row: the
// partitions are those of all projects.
func (db *DB) RetainProject(ctx context.Context, project account.ProjectID, cutoff time.Time) (int64, error) {
	before := dayOf(cutoff)
	total, err := db.retainProject(ctx, project, before)
	for err == nil {
		var tag pgconn.CommandTag
		tag, err = db.pool.Exec(ctx, `DELETE FROM payload_chunks WHERE project_id = $1 AND (day, chunk_id) IN
			(SELECT day, chunk_id FROM payload_chunks WHERE project_id = $1 AND day < $2 LIMIT $3)`, string(project), before, retainChunks)
		if err = faultOf(err); tag.RowsAffected() == 0 {
			break
		}
	}
	return total, err
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
	ids, err := collect(ctx, tx, pgx.RowTo[string], `SELECT * FROM (
			(SELECT span_id FROM spans WHERE project_id = $1 AND form = 'span' AND start_time < $2 ORDER BY start_time LIMIT $3)
			UNION ALL
			(SELECT span_id FROM spans WHERE project_id = $1 AND form = 'trace' AND start_time < $2 ORDER BY start_time LIMIT $3)) s
			LIMIT $3`, string(project), before, retainSpans)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	w := newWriting(tx, project)
	w.from = before
	gone, err := w.peers(ctx, `s.span_id = ANY($2)`, ids)
	if err != nil {
		return 0, err
	}
	spans, err := collect(ctx, tx, func(row pgx.CollectableRow) (*trace.Span, error) {
		s := new(trace.Span)
		err := row.Scan((*string)(&s.TraceID), (*string)(&s.SessionID))
		return s, err
	}, `DELETE FROM spans WHERE project_id = $1 AND span_id = ANY($2) RETURNING trace_id, session_id`, string(project), ids)
	if err != nil {
		return 0, err
	}
	return int64(len(spans)), w.forget(ctx, fold.KeysOf(spans), fold.OwnSpans(gone))
}

// forget makes the traces and sessions of deleted spans anew from the spans that
// will stay. gone are the deleted ones that may have told of calls.
func (w *writing) forget(ctx context.Context, keys fold.Keys, gone []*trace.Span) error {
	state, stored, err := w.recall(ctx, keys, gone)
	if err != nil {
		return err
	}
	state.Forget(keys)
	return w.saveState(ctx, state, stored)
}

// recall gives a state with the rows of keys, in which the spans that told of
// the same calls as gone, which were deleted, are what they are without those;
// stored names the traces that have a row.
func (w *writing) recall(ctx context.Context, keys fold.Keys, gone []*trace.Span) (state *fold.State, stored map[trace.TraceID]bool, err error) {
	verdicts, err := fold.Count(ctx, w, fold.Edit{Removed: gone})
	if err != nil {
		return nil, nil, err
	}
	if err := spanTable.put(ctx, w.tx, w.project, w.markedRows(verdicts.Marked)); err != nil {
		return nil, nil, err
	}
	// Spans that will go too are in no sum any more, or will soon be.
	changes := slices.DeleteFunc(verdicts.Changes(), func(c fold.Change) bool { return c.Now.Start.Before(w.from) })
	state, stored, err = loadState(ctx, w.tx, w.project, keys.With(fold.KeysOf(fold.SpansOf(changes))))
	if err != nil {
		return nil, nil, err
	}
	state.Change(changes)
	return state, stored, nil
}
