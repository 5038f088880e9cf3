package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"strings"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// recountPage is how many traces or sessions are compared at a time.
const recountPage = 500

// errUndo rolls back a recount that was only to compare.
var errUndo = errors.New("undo")

// Recount implements store.Maintainer. It works in parts, so that memory does
// not grow with the rows, and holds the writer. A part is read through what an
// earlier one has mended, so a recount without fix mends too, and undoes it.
func (db *DB) Recount(ctx context.Context, project account.ProjectID, fix bool) (int64, error) {
	b, err := db.writers(ctx)
	if err != nil {
		return 0, err
	}
	r := recount{bulks: b}
	err = db.inTx(ctx, func(tx *sql.Tx) error {
		r.tx = tx
		if r.project, err = numberOf(ctx, tx, project); err != nil {
			return err
		}
		if err := r.run(ctx); err != nil {
			return err
		}
		if !fix {
			return errUndo
		}
		return nil
	})
	if errors.Is(err, errUndo) {
		err = nil
	}
	return r.differing, err
}

type recount struct {
	project   projectNumber
	bulks     *bulks
	tx        *sql.Tx
	differing int64
}

func (r *recount) run(ctx context.Context) error {
	if err := r.marks(ctx); err != nil {
		return err
	}
	counts := fold.NewState()
	if err := r.traces(ctx, counts); err != nil {
		return err
	}
	if err := r.traceCounts(ctx, counts); err != nil {
		return err
	}
	if err := r.sessions(ctx); err != nil {
		return err
	}
	return r.rollups(ctx)
}

// marks compares what spans show of one another.
func (r *recount) marks(ctx context.Context) error {
	lists := []string{`SELECT DISTINCT trace_id AS id FROM spans ` + spansByTrace + `WHERE project = ?1 AND trace_id > ?2 AND trace_id <> '' AND form = 'span'`}
	w := newWriting(r.bulks, r.tx, r.project)
	for after := trace.TraceID(""); ; {
		ids, err := idPage(ctx, r.tx, lists, r.project, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		wrong, err := fold.Recount(ctx, w, ids)
		if err != nil {
			return err
		}
		r.differing += int64(len(wrong))
		if err := w.mark(ctx, wrong); err != nil {
			return err
		}
		clear(w.rows)
	}
}

// rowsByKey are rows of a table by what tells them apart.
type rowsByKey[K comparable] map[K][]any

// compare counts the rows that differ and replaces them. The first keys values
// of a row are its key.
func compare[K comparable](ctx context.Context, r *recount, table string, columns []string, keys int, b *bulk, stored, want rowsByKey[K]) error {
	var inserts []any
	var deletes [][]any
	for k, row := range want {
		old, ok := stored[k]
		if ok && reflect.DeepEqual(old, row) {
			continue
		}
		r.differing++
		inserts = append(inserts, row...)
		if ok {
			deletes = append(deletes, old[:keys])
		}
	}
	for k, row := range stored {
		if _, ok := want[k]; !ok {
			r.differing++
			deletes = append(deletes, row[:keys])
		}
	}
	text := "DELETE FROM " + table + " WHERE " + strings.Join(columns[:keys], " = ? AND ") + " = ?"
	for _, key := range deletes {
		if err := exec(ctx, r.tx, "delete from "+table, true, text, key...); err != nil {
			return err
		}
	}
	return b.insert(ctx, r.tx, "insert into "+table, inserts)
}

// idPage reads the next ids of a UNION of sorted lists of ids.
func idPage[T ~string](ctx context.Context, q querier, lists []string, project projectNumber, after T) ([]T, error) {
	parts := make([]string, len(lists))
	for i, list := range lists {
		parts[i] = "SELECT id FROM (" + list + " ORDER BY 1 LIMIT ?3)"
	}
	var ids []T
	err := query(ctx, q, "read ids", func(rows *sql.Rows) error {
		var id T
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, strings.Join(parts, " UNION ")+" ORDER BY 1 LIMIT ?3", int64(project), string(after), recountPage)
	return ids, err
}

func (r *recount) traces(ctx context.Context, counts *fold.State) error {
	lists := []string{
		`SELECT trace_id AS id FROM traces WHERE project = ?1 AND trace_id > ?2`,
		`SELECT DISTINCT trace_id AS id FROM spans ` + spansByTrace + `WHERE project = ?1 AND trace_id > ?2 AND trace_id <> '' AND form = 'span'`,
		`SELECT span_id AS id FROM spans WHERE project = ?1 AND span_id > ?2 AND form = 'trace'`,
	}
	for after := trace.TraceID(""); ; {
		ids, err := idPage(ctx, r.tx, lists, r.project, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		old, err := tracesByID(ctx, r.tx, r.project, ids)
		if err != nil {
			return err
		}
		counts.Traces = map[trace.TraceID]*trace.Trace{}
		if err := recountTraces(ctx, r.tx, r.project, ids, counts); err != nil {
			return err
		}
		unmarked, err := markMixed(ctx, r.tx, r.project, counts.Traces)
		if err != nil {
			return err
		}
		r.differing += unmarked
		stored, want := rowsByKey[trace.TraceID]{}, rowsByKey[trace.TraceID]{}
		for i := range old {
			stored[old[i].ID] = appendMappedTrace(appendTrace(nil, r.project, &old[i]), &old[i])
		}
		for id, t := range counts.Traces {
			want[id] = appendMappedTrace(appendTrace(nil, r.project, t), t)
		}
		if err := compare(ctx, r, "traces", traceColumns, 2, &r.bulks.mappedTraces, stored, want); err != nil {
			return err
		}
	}
}

func (r *recount) traceCounts(ctx context.Context, counts *fold.State) error {
	stored, want := rowsByKey[fold.TraceCountKey]{}, rowsByKey[fold.TraceCountKey]{}
	err := query(ctx, r.tx, "read trace counts", func(rows *sql.Rows) error {
		k, sums, err := scanTraceCount(rows)
		if err != nil {
			return err
		}
		stored[k], err = appendTraceCount(nil, r.project, k, &sums)
		return err
	}, selectTraceCount+`WHERE project = ?`, int64(r.project))
	if err != nil {
		return err
	}
	for k, sums := range counts.TraceCounts.Counted() {
		if want[k], err = appendTraceCount(nil, r.project, k, sums); err != nil {
			return err
		}
	}
	return compare(ctx, r, "trace_counts", traceCountColumns, traceCountKeys, &r.bulks.traceCounts, stored, want)
}

func (r *recount) sessions(ctx context.Context) error {
	lists := []string{
		`SELECT session_id AS id FROM sessions WHERE project = ?1 AND session_id > ?2`,
		`SELECT DISTINCT session_id AS id FROM spans ` + spansBySession + `WHERE project = ?1 AND session_id > ?2 AND session_id <> '' AND (form = 'span' OR mixed)`,
		`SELECT DISTINCT session_id AS id FROM traces ` + tracesBySession + `WHERE project = ?1 AND session_id > ?2 AND session_id <> ''`,
	}
	for after := trace.SessionID(""); ; {
		ids, err := idPage(ctx, r.tx, lists, r.project, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		old, err := loadState(ctx, r.tx, r.project, fold.Keys{Sessions: ids})
		if err != nil {
			return err
		}
		state := fold.NewState()
		if err := recountSessions(ctx, r.tx, r.project, ids, state); err != nil {
			return err
		}
		if err := recountTurns(ctx, r.tx, r.project, ids, state); err != nil {
			return err
		}
		stored, want := rowsByKey[trace.SessionID]{}, rowsByKey[trace.SessionID]{}
		for id, s := range old.Sessions {
			stored[id] = appendSession(nil, r.project, s)
		}
		for id, s := range state.Sessions {
			want[id] = appendSession(nil, r.project, s)
		}
		if err := compare(ctx, r, "sessions", sessionColumns, 2, &r.bulks.sessions, stored, want); err != nil {
			return err
		}
	}
}

// recountTurns adds up the turns of the sessions of state. Traces must be right.
func recountTurns(ctx context.Context, q querier, project projectNumber, ids []trace.SessionID, state *fold.State) error {
	list, err := jsonList(ids)
	if err != nil {
		return err
	}
	return query(ctx, q, "read traces of sessions", func(rows *sql.Rows) error {
		t, err := scanTrace(rows)
		if se := state.Sessions[t.SessionID]; se != nil {
			se.Turns = se.Turns.Plus(trace.TurnOf(&t), 1)
		}
		return err
	}, selectTrace+tracesBySession+`WHERE project = ? AND session_id <> '' AND session_id IN (SELECT value FROM json_each(?))`, int64(project), list)
}

// rollups compares day by day: a finer bucket belongs to one day.
func (r *recount) rollups(ctx context.Context) error {
	width := fold.GrainDay.WidthUS()
	grains, err := jsonList(fold.Grains())
	if err != nil {
		return err
	}
	for from := int64(0); ; {
		var next *int64
		err := r.tx.QueryRowContext(ctx, `SELECT min(t) FROM (
			SELECT min(start_time) AS t FROM spans `+spansByStart+`WHERE project = ?1 AND form = 'span' AND start_time >= ?2 UNION ALL
			SELECT min(start_time) FROM spans INDEXED BY spans_call_start_idx WHERE project = ?1 AND form = 'trace' AND start_time >= ?2 UNION ALL
			SELECT (SELECT min(bucket) FROM rollups WHERE project = ?1 AND grain = g.value AND bucket >= ?2) FROM json_each(?3) g UNION ALL
			SELECT (SELECT min(bucket) FROM rollup_sessions WHERE project = ?1 AND grain = g.value AND bucket >= ?2) FROM json_each(?3) g)`,
			int64(r.project), from, grains).Scan(&next)
		if err != nil {
			return toFault("find next day", err)
		}
		if next == nil {
			return nil
		}
		day := fold.Interval{From: *next - *next%width}
		day.To = day.From + width
		if err := r.day(ctx, day); err != nil {
			return err
		}
		from = day.To
	}
}

func (r *recount) day(ctx context.Context, day fold.Interval) error {
	state := fold.NewState()
	for _, source := range []string{
		spansByStart + "WHERE form = 'span'", "INDEXED BY spans_call_start_idx WHERE form = 'trace'",
	} {
		var spans []*trace.Span
		err := query(ctx, r.tx, "read spans", func(rows *sql.Rows) error {
			s, err := scanSpan(rows)
			if spans = append(spans, &s.Span); len(spans) == recountPage {
				state.AddToRollups(spans)
				spans = spans[:0]
			}
			return err
		}, selectSpan+source+` AND project = ? AND start_time >= ? AND start_time < ?`, int64(r.project), day.From, day.To)
		if err != nil {
			return err
		}
		state.AddToRollups(spans)
	}
	stored, want := rowsByKey[fold.RollupKey]{}, rowsByKey[fold.RollupKey]{}
	err := query(ctx, r.tx, "read roll-ups", func(rows *sql.Rows) error {
		k, s, err := scanRollup(rows)
		if err != nil {
			return err
		}
		stored[k], err = appendRollup(nil, r.project, k, &s)
		return err
	}, selectRollup+`WHERE project = ? AND grain IN ('5min', 'hour', 'day') AND bucket >= ? AND bucket < ?`, int64(r.project), day.From, day.To)
	if err != nil {
		return err
	}
	for k, s := range state.Rollups {
		if want[k], err = appendRollup(nil, r.project, k, s); err != nil {
			return err
		}
	}
	if err := compare(ctx, r, "rollups", rollupColumns, rollupKeys, &r.bulks.rollups, stored, want); err != nil {
		return err
	}
	return r.daySessions(ctx, day, state.Distinct)
}

func (r *recount) daySessions(ctx context.Context, day fold.Interval, distinct map[fold.BucketKey]*sketch.Distinct) error {
	stored, want := rowsByKey[fold.BucketKey]{}, rowsByKey[fold.BucketKey]{}
	err := query(ctx, r.tx, "read session sketches", func(rows *sql.Rows) error {
		var k fold.BucketKey
		var data []byte
		err := rows.Scan(&k.Grain, &k.Bucket, &data)
		stored[k] = []any{int64(r.project), string(k.Grain), k.Bucket, data}
		return err
	}, `SELECT grain, bucket, data FROM rollup_sessions WHERE project = ? AND grain IN ('5min', 'hour', 'day') AND bucket >= ? AND bucket < ?`,
		int64(r.project), day.From, day.To)
	if err != nil {
		return err
	}
	for k, d := range distinct {
		data, err := d.AppendBinary(nil)
		if err != nil {
			return err
		}
		want[k] = []any{int64(r.project), string(k.Grain), k.Bucket, data}
	}
	return compare(ctx, r, "rollup_sessions", distinctColumns, 3, &r.bulks.distinct, stored, want)
}
