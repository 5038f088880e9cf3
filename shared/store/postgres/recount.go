package postgres

import (
	"context"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// recountGroups is how many traces or sessions are compared at a time.
const recountGroups = 1000

// Recount implements store.Maintainer. It reads the spans twice, in the order
// of traces and of sessions, and needs memory for the roll-ups only. With fix
// it keeps writers of the project waiting.
func (db *DB) Recount(ctx context.Context, project account.ProjectID, fix bool) (int64, error) {
	r := &recount{project: project, fix: fix, sums: fold.NewState()}
	in := db.inSnapshot
	if fix {
		in = db.inTx
	}
	err := in(ctx, func(tx pgx.Tx) error {
		if fix {
			if err := lockProject(ctx, tx, project); err != nil {
				return err
			}
		}
		r.tx = tx
		return r.run(ctx)
	})
	return r.differing, err
}

type recount struct {
	tx        pgx.Tx
	project   account.ProjectID
	fix       bool
	sums      *fold.State // roll-ups and counts of everything; no traces or sessions
	differing int64
}

func (r *recount) run(ctx context.Context) error {
	if err := r.traces(ctx); err != nil {
		return err
	}
	if err := r.sessions(ctx); err != nil {
		return err
	}
	if err := r.rollups(ctx); err != nil {
		return err
	}
	if err := r.distinct(ctx); err != nil {
		return err
	}
	return r.traceCounts(ctx)
}

// spansBy gives all spans of the project in the order of a column, some at a
// time. The slice is valid during the call only.
func (r *recount) spansBy(ctx context.Context, column string, each func([]*spanRow) error) error {
	if err := execute(ctx, r.tx, `DECLARE recount_spans NO SCROLL CURSOR FOR
		SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 ORDER BY s.`+column, string(r.project)); err != nil {
		return err
	}
	for {
		rows, err := collect(ctx, r.tx, spanTable.scan, `FETCH 5000 FROM recount_spans`)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return execute(ctx, r.tx, `CLOSE recount_spans`)
		}
		if err := each(rows); err != nil {
			return err
		}
	}
}

func (r *recount) traces(ctx context.Context) error {
	state := fold.NewState()
	var last trace.TraceID
	err := r.spansBy(ctx, "trace_id", func(rows []*spanRow) error {
		spans := make([]*trace.Span, len(rows))
		for i, row := range rows {
			spans[i] = &row.Span
			if row.TraceID != last && len(state.Traces) >= recountGroups {
				if err := r.compareTraces(ctx, state); err != nil {
					return err
				}
				state = fold.NewState()
			}
			last = row.TraceID
			state.AddToTrace(&row.Span)
		}
		r.sums.AddToRollups(spans)
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.compareTraces(ctx, state); err != nil {
		return err
	}
	gone, err := collect(ctx, r.tx, pgx.RowTo[string], `SELECT trace_id FROM traces t WHERE t.project_id = $1
		AND NOT EXISTS (SELECT FROM spans s WHERE s.project_id = $1 AND s.form = 'span' AND s.trace_id <> '' AND s.trace_id = t.trace_id)
		AND NOT EXISTS (SELECT FROM spans s WHERE s.project_id = $1 AND s.form = 'trace' AND s.span_id = t.trace_id)`, string(r.project))
	if err != nil {
		return err
	}
	return r.remove(ctx, len(gone), `DELETE FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`, gone)
}

// compareTraces takes complete traces.
func (r *recount) compareTraces(ctx context.Context, state *fold.State) error {
	stored := fold.NewState()
	keys := fold.Keys{}
	for id, t := range state.Traces {
		keys.Traces = append(keys.Traces, id)
		r.sums.CountTrace(t, 1)
	}
	if err := loadState(ctx, r.tx, r.project, stored, keys); err != nil {
		return err
	}
	return put(ctx, r, traceTable, differing(stored.Traces, state.Traces))
}

func (r *recount) sessions(ctx context.Context) error {
	state := fold.NewState()
	var last trace.SessionID
	err := r.spansBy(ctx, "session_id", func(rows []*spanRow) error {
		for _, row := range rows {
			if row.SessionID != last && len(state.Sessions) >= recountGroups {
				if err := r.compareSessions(ctx, state); err != nil {
					return err
				}
				state = fold.NewState()
			}
			last = row.SessionID
			state.AddToSession(&row.Span)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.compareSessions(ctx, state); err != nil {
		return err
	}
	gone, err := collect(ctx, r.tx, pgx.RowTo[string], `SELECT session_id FROM sessions t WHERE t.project_id = $1
		AND NOT EXISTS (SELECT FROM spans s WHERE s.project_id = $1 AND s.session_id <> '' AND s.session_id = t.session_id)`, string(r.project))
	if err != nil {
		return err
	}
	return r.remove(ctx, len(gone), `DELETE FROM sessions WHERE project_id = $1 AND session_id = ANY($2)`, gone)
}

// compareSessions takes complete sessions.
func (r *recount) compareSessions(ctx context.Context, state *fold.State) error {
	stored := fold.NewState()
	keys := fold.Keys{}
	for id := range state.Sessions {
		keys.Sessions = append(keys.Sessions, id)
	}
	if err := loadState(ctx, r.tx, r.project, stored, keys); err != nil {
		return err
	}
	return put(ctx, r, sessionTable, differing(stored.Sessions, state.Sessions))
}

func (r *recount) rollups(ctx context.Context) error {
	rows, err := collect(ctx, r.tx, rollupTable.scan, `SELECT `+rollupTable.list+` FROM rollups WHERE project_id = $1`, string(r.project))
	if err != nil {
		return err
	}
	stored, want := map[fold.RollupKey]*rollupRow{}, map[fold.RollupKey]*rollupRow{}
	for _, row := range rows {
		stored[fold.RollupKey{Grain: row.grain, Bucket: row.bucket.UnixMicro(), Rollup: row.Rollup}] = row
	}
	for k, sums := range r.sums.Rollups {
		if want[k], err = newRollupRow(k, sums); err != nil {
			return err
		}
	}
	if err := put(ctx, r, rollupTable, differing(stored, want)); err != nil {
		return err
	}
	var grains []string
	var buckets []time.Time
	var digests [][]byte
	for _, row := range absent(stored, want) {
		grains, buckets, digests = append(grains, string(row.grain)), append(buckets, row.bucket), append(digests, row.digest)
	}
	return r.remove(ctx, len(grains), `DELETE FROM rollups WHERE project_id = $1
		AND (grain, bucket, digest) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::bytea[]))`, grains, buckets, digests)
}

func (r *recount) distinct(ctx context.Context) error {
	rows, err := collect(ctx, r.tx, distinctTable.scan, `SELECT `+distinctTable.list+` FROM rollup_sessions WHERE project_id = $1`, string(r.project))
	if err != nil {
		return err
	}
	stored, want := map[fold.BucketKey]*distinctRow{}, map[fold.BucketKey]*distinctRow{}
	for _, row := range rows {
		stored[fold.BucketKey{Grain: row.grain, Bucket: row.bucket.UnixMicro()}] = row
	}
	for k, d := range r.sums.Distinct {
		if want[k], err = newDistinctRow(k, d); err != nil {
			return err
		}
	}
	if err := put(ctx, r, distinctTable, differing(stored, want)); err != nil {
		return err
	}
	var grains []string
	var buckets []time.Time
	for _, row := range absent(stored, want) {
		grains, buckets = append(grains, string(row.grain)), append(buckets, row.bucket)
	}
	return r.remove(ctx, len(grains), `DELETE FROM rollup_sessions WHERE project_id = $1
		AND (grain, bucket) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[]))`, grains, buckets)
}

func (r *recount) traceCounts(ctx context.Context) error {
	rows, err := collect(ctx, r.tx, traceCountTable.scan, `SELECT `+traceCountTable.list+` FROM trace_counts WHERE project_id = $1`, string(r.project))
	if err != nil {
		return err
	}
	stored, want := map[fold.TraceCountKey]*traceCountRow{}, map[fold.TraceCountKey]*traceCountRow{}
	for _, row := range rows {
		row.Bucket = row.bucket.UnixMicro()
		stored[row.TraceCountKey] = row
	}
	for k, n := range r.sums.TraceCounts {
		want[k] = newTraceCountRow(k, n)
	}
	if err := put(ctx, r, traceCountTable, differing(stored, want)); err != nil {
		return err
	}
	gone := absent(stored, want)
	var args []any
	for _, c := range traceCountTable.columns[:traceCountKeys] {
		args = append(args, c.slice(gone))
	}
	return r.remove(ctx, len(gone), `DELETE FROM trace_counts WHERE project_id = $1 AND (grain, bucket, provider, model, status, sources) IN
		(SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::bigint[]))`, args...)
}

// differing gives the rows of want that are not stored so.
func differing[K comparable, R any](stored, want map[K]*R) []*R {
	var out []*R
	for k, w := range want {
		if s := stored[k]; s == nil || !reflect.DeepEqual(s, w) {
			out = append(out, w)
		}
	}
	return out
}

// absent gives the stored rows that are not wanted.
func absent[K comparable, R any](stored, want map[K]*R) []*R {
	var out []*R
	for k, s := range stored {
		if want[k] == nil {
			out = append(out, s)
		}
	}
	return out
}

// put counts rows that differ and, to fix them, stores them.
func put[R any](ctx context.Context, r *recount, t *table[R], rows []*R) error {
	r.differing += int64(len(rows))
	if !r.fix {
		return nil
	}
	return t.put(ctx, r.tx, r.project, rows)
}

// remove counts n rows that should not be there and, to fix that, deletes them.
func (r *recount) remove(ctx context.Context, n int, sql string, args ...any) error {
	r.differing += int64(n)
	if !r.fix || n == 0 {
		return nil
	}
	return execute(ctx, r.tx, sql, append([]any{string(r.project)}, args...)...)
}
