package postgres

import (
	"context"
	"maps"
	"reflect"
	"slices"
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
	r := &recount{project: project, fix: fix, sums: fold.NewState(), turns: map[trace.SessionID]trace.Turns{}}
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
	shown     map[trace.SpanID]*trace.Span // what spans should show that show something else
	// turns are what sessions lack by wrong traces that are not fixed.
	turns map[trace.SessionID]trace.Turns
}

func (r *recount) run(ctx context.Context) error {
	if err := r.marks(ctx); err != nil {
		return err
	}
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

// marks compares what spans show of one another.
func (r *recount) marks(ctx context.Context) error {
	r.shown = map[trace.SpanID]*trace.Span{}
	w := newWriting(r.tx, r.project)
	for after := ""; ; {
		ids, err := collect(ctx, r.tx, pgx.RowTo[string], `SELECT DISTINCT trace_id FROM spans WHERE project_id = $1 AND form = 'span'
			AND trace_id <> '' AND trace_id > $2 ORDER BY trace_id LIMIT $3`, string(r.project), after, recountGroups)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		traces := make([]trace.TraceID, len(ids))
		for i, id := range ids {
			traces[i] = trace.TraceID(id)
		}
		wrong, err := fold.Recount(ctx, w, traces)
		if err != nil {
			return err
		}
		for _, m := range wrong {
			r.shown[m.Own.ID] = m.Verdict.Shown
		}
		if err := put(ctx, r, spanTable, w.markedRows(wrong)); err != nil {
			return err
		}
		clear(w.rows)
	}
}

// spansBy gives all spans of the project in the order of a column, some at a
// time. The slice is valid during the call only.
func (r *recount) spansBy(ctx context.Context, column string, each func([]*spanRow) error) error {
	if err := execute(ctx, r.tx, `DECLARE recount_spans NO SCROLL CURSOR FOR
		SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 ORDER BY s.`+column, string(r.project)); err != nil {
		return err
	}
	for {
		rows, err := collect(ctx, r.tx, scanSpan, `FETCH 5000 FROM recount_spans`)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if shown := r.shown[row.ID]; shown != nil {
				row.Span = *shown
			}
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
	var from, last trace.TraceID // state holds the traces after from up to last
	err := r.spansBy(ctx, "trace_id", func(rows []*spanRow) error {
		spans := make([]*trace.Span, len(rows))
		for i, row := range rows {
			spans[i] = &row.Span
			if row.TraceID != last && len(state.Traces) >= recountGroups {
				if err := r.compareTraces(ctx, state, from, &last); err != nil {
					return err
				}
				state, from = fold.NewState(), last
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
	return r.compareTraces(ctx, state, from, nil)
}

// compareTraces takes the complete traces whose ids are after from up to to,
// or all if to is nil.
func (r *recount) compareTraces(ctx context.Context, state *fold.State, from trace.TraceID, to *trace.TraceID) error {
	for _, t := range state.Traces {
		r.sums.CountTrace(t)
	}
	rows, err := collect(ctx, r.tx, scanTrace, `SELECT `+traceTable.list+` FROM traces
		WHERE project_id = $1 AND trace_id > $2 AND ($3::text IS NULL OR trace_id <= $3)`, string(r.project), string(from), (*string)(to))
	if err != nil {
		return err
	}
	stored := make(map[trace.TraceID]*trace.Trace, len(rows))
	for _, t := range rows {
		stored[t.ID] = t
	}
	turn := func(t *trace.Trace, n int64) {
		if t != nil && !r.fix {
			r.turns[t.SessionID] = r.turns[t.SessionID].Plus(trace.TurnOf(t), n)
		}
	}
	var wrong []*traceRow
	for _, t := range differing(stored, state.Traces) {
		wrong = append(wrong, newTraceRow(t))
		turn(t, 1)
		turn(stored[t.ID], -1)
	}
	if err := put(ctx, r, traceTable, wrong); err != nil {
		return err
	}
	var gone []string
	for _, t := range absent(stored, state.Traces) {
		gone = append(gone, string(t.ID))
		turn(t, -1)
	}
	return r.remove(ctx, len(gone), `DELETE FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`, gone)
}

func (r *recount) sessions(ctx context.Context) error {
	state := fold.NewState()
	var from, last trace.SessionID // state holds the sessions after from up to last
	err := r.spansBy(ctx, "session_id", func(rows []*spanRow) error {
		for _, row := range rows {
			if row.SessionID != last && len(state.Sessions) >= recountGroups {
				if err := r.compareSessions(ctx, state, from, &last); err != nil {
					return err
				}
				state, from = fold.NewState(), last
			}
			last = row.SessionID
			state.AddToSession(&row.Span)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.compareSessions(ctx, state, from, nil)
}

// compareSessions is compareTraces for sessions.
func (r *recount) compareSessions(ctx context.Context, state *fold.State, from trace.SessionID, to *trace.SessionID) error {
	rows, err := collect(ctx, r.tx, sessionTable.scan, `SELECT `+sessionTable.list+` FROM sessions
		WHERE project_id = $1 AND session_id > $2 AND ($3::text IS NULL OR session_id <= $3)`, string(r.project), string(from), (*string)(to))
	if err != nil {
		return err
	}
	stored := make(map[trace.SessionID]*trace.Session, len(rows))
	for _, s := range rows {
		stored[s.ID] = s
	}
	if err := r.addTurns(ctx, state); err != nil {
		return err
	}
	if err := put(ctx, r, sessionTable, differing(stored, state.Sessions)); err != nil {
		return err
	}
	var gone []string
	for _, s := range absent(stored, state.Sessions) {
		gone = append(gone, string(s.ID))
	}
	return r.remove(ctx, len(gone), `DELETE FROM sessions WHERE project_id = $1 AND session_id = ANY($2)`, gone)
}

// addTurns adds up the turns of the sessions of state.
func (r *recount) addTurns(ctx context.Context, state *fold.State) error {
	for id, se := range state.Sessions {
		se.Turns = r.turns[id]
	}
	return each(ctx, r.tx, scanTrace, func(t *trace.Trace) error {
		if se := state.Sessions[t.SessionID]; se != nil {
			se.Turns = se.Turns.Plus(trace.TurnOf(t), 1)
		}
		return nil
	}, `SELECT `+traceTable.list+` FROM traces WHERE project_id = $1 AND session_id <> '' AND session_id = ANY($2)`,
		string(r.project), texts(slices.Collect(maps.Keys(state.Sessions))))
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
	for k, sums := range r.sums.TraceCounts.Counted() {
		if want[k], err = newTraceCountRow(k, sums); err != nil {
			return err
		}
	}
	if err := put(ctx, r, traceCountTable, differing(stored, want)); err != nil {
		return err
	}
	var gone []fold.TraceCountKey
	for _, row := range absent(stored, want) {
		gone = append(gone, row.TraceCountKey)
	}
	return r.remove(ctx, len(gone), `DELETE FROM trace_counts WHERE project_id = $1 AND `+inTraceCountKeys, traceCountArrays(gone)...)
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
