package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

var (
	_ fold.Tables = (*writing)(nil)
	_ fold.Peers  = (*writing)(nil)
)

// Rollups implements fold.Tables. It reads whole buckets: most of what they hold
// is asked for.
func (w *writing) Rollups(ctx context.Context, keys []fold.RollupKey) (fold.Rollups, error) {
	buckets := map[fold.Grain]map[int64]bool{}
	wanted := make(map[fold.RollupKey]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
		if buckets[k.Grain] == nil {
			buckets[k.Grain] = map[int64]bool{}
		}
		buckets[k.Grain][k.Bucket] = true
	}
	out := make(fold.Rollups, len(keys))
	for grain, of := range buckets {
		list, err := jsonList(slices.Collect(maps.Keys(of)))
		if err != nil {
			return nil, err
		}
		err = query(ctx, w.tx, "read roll-ups", func(rows *sql.Rows) error {
			k, sums, err := scanRollup(rows)
			if err == nil && wanted[k] {
				out[k] = &sums
			}
			return err
		}, selectRollup+`WHERE project = ? AND grain = ? AND bucket IN (SELECT value FROM json_each(?))`, int64(w.project), string(grain), list)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PutRollups implements fold.Tables.
func (w *writing) PutRollups(ctx context.Context, rows fold.Rollups) error {
	args := make([]any, 0, len(rows)*len(rollupColumns))
	for k, sums := range rows {
		var err error
		if args, err = appendRollup(args, w.project, k, sums); err != nil {
			return err
		}
	}
	return w.rollups.insert(ctx, w.tx, "store roll-ups", args)
}

// DeleteRollups implements fold.Tables.
func (w *writing) DeleteRollups(ctx context.Context, keys []fold.RollupKey) error {
	for _, k := range keys {
		err := exec(ctx, w.tx, "delete roll-ups", false, `DELETE FROM rollups WHERE project = ? AND grain = ? AND bucket = ? AND form = ?
			AND kind = ? AND source = ? AND status = ? AND provider = ? AND model = ? AND tool_name = ?`,
			int64(w.project), string(k.Grain), k.Bucket, string(k.Form), string(k.Kind), string(k.Source), string(k.Status), k.Provider, k.Model, k.ToolName)
		if err != nil {
			return err
		}
	}
	return nil
}

// CountRollup implements fold.Tables.
func (w *writing) CountRollup(ctx context.Context, k fold.RollupKey) (fold.Sums, error) {
	source := spansByStart + "WHERE project = ? AND form = 'span'"
	if k.Form == trace.FormTrace {
		source = "INDEXED BY spans_call_start_idx WHERE project = ? AND form = 'trace'"
	}
	bucket := fold.Interval{From: k.Bucket, To: k.Bucket + k.Grain.WidthUS()}
	rows := fold.Rollups{}
	err := countSpanRows(ctx, w.tx, w.project, rows, source+" AND kind = ? AND status = ? AND source = ?", bucket, nil,
		string(k.Kind), string(k.Status), string(k.Source))
	if sums := rows[k]; sums != nil {
		return *sums, err
	}
	return fold.Sums{}, err
}

// Distincts implements fold.Tables.
func (w *writing) Distincts(ctx context.Context, keys []fold.BucketKey) (fold.Distincts, error) {
	buckets := map[fold.Grain]map[int64]bool{}
	for _, k := range keys {
		if buckets[k.Grain] == nil {
			buckets[k.Grain] = map[int64]bool{}
		}
		buckets[k.Grain][k.Bucket] = true
	}
	out := make(fold.Distincts, len(keys))
	for grain, of := range buckets {
		list, err := jsonList(slices.Collect(maps.Keys(of)))
		if err != nil {
			return nil, err
		}
		err = query(ctx, w.tx, "read session sketches", func(rows *sql.Rows) error {
			k := fold.BucketKey{Grain: grain}
			var data sql.RawBytes
			if err := rows.Scan(&k.Bucket, &data); err != nil {
				return err
			}
			out[k] = &sketch.Distinct{}
			return out[k].UnmarshalBinary(data)
		}, `SELECT bucket, data FROM rollup_sessions WHERE project = ? AND grain = ? AND bucket IN (SELECT value FROM json_each(?))`,
			int64(w.project), string(grain), list)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PutDistincts implements fold.Tables.
func (w *writing) PutDistincts(ctx context.Context, rows fold.Distincts) error {
	args := make([]any, 0, len(rows)*len(distinctColumns))
	for k, d := range rows {
		data, err := d.AppendBinary(nil)
		if err != nil {
			return err
		}
		args = append(args, int64(w.project), string(k.Grain), k.Bucket, data)
	}
	return w.distinct.insert(ctx, w.tx, "store session sketches", args)
}

// DeleteDistincts implements fold.Tables.
func (w *writing) DeleteDistincts(ctx context.Context, keys []fold.BucketKey) error {
	for _, k := range keys {
		err := exec(ctx, w.tx, "delete session sketches", false, `DELETE FROM rollup_sessions WHERE project = ? AND grain = ? AND bucket = ?`,
			int64(w.project), string(k.Grain), k.Bucket)
		if err != nil {
			return err
		}
	}
	return nil
}

// CountDistinct implements fold.Tables.
func (w *writing) CountDistinct(ctx context.Context, bucket int64) (*sketch.Distinct, error) {
	d := &sketch.Distinct{}
	for _, source := range measuredCalls.spans {
		err := query(ctx, w.tx, "count sessions", func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			d.Add(id)
			return err
		}, `SELECT DISTINCT session_id FROM spans `+source+` AND start_time >= ? AND start_time < ? AND session_id <> ''`,
			int64(w.project), bucket, bucket+fold.GrainFiveMin.WidthUS())
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

const spansByKey = "INDEXED BY spans_key_idx "

// peers reads spans that were made from OpenTelemetry.
func (w *writing) peers(ctx context.Context, rest string, args ...any) ([]fold.Peer, error) {
	rows, err := w.read(ctx, store.Summary, rest, args...)
	out := make([]fold.Peer, len(rows))
	for i, row := range rows {
		out[i] = row.peer()
	}
	return out, err
}

// Traces implements fold.Peers.
func (w *writing) Traces(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]fold.TraceFacts, error) {
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	out := map[trace.TraceID]fold.TraceFacts{}
	err = query(ctx, w.tx, "read traces", func(rows *sql.Rows) error {
		var id trace.TraceID
		var f fold.TraceFacts
		err := rows.Scan(&id, &f.Spans, &f.Reports)
		out[id] = f
		return err
	}, `SELECT trace_id, span_count, coalesce(reports, 0) FROM traces WHERE project = ? AND trace_id IN (SELECT value FROM json_each(?))`,
		int64(w.project), list)
	return out, err
}

// Parents implements fold.Peers. It reads the index of traces alone.
func (w *writing) Parents(ctx context.Context, traces []trace.TraceID, ids []trace.SpanID) ([]trace.SpanID, error) {
	ofTraces, err := jsonList(traces)
	if err != nil {
		return nil, err
	}
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	var out []trace.SpanID
	err = query(ctx, w.tx, "find parents", func(rows *sql.Rows) error {
		var id trace.SpanID
		err := rows.Scan(&id)
		out = append(out, id)
		return err
	}, `SELECT DISTINCT parent_id FROM spans `+spansByTrace+`WHERE project = ? AND trace_id IN (SELECT value FROM json_each(?)) AND trace_id <> ''
		AND form = 'span' AND parent_id IN (SELECT value FROM json_each(?))`, int64(w.project), ofTraces, list)
	return out, err
}

// OfTraces implements fold.Peers.
func (w *writing) OfTraces(ctx context.Context, ids []trace.TraceID) ([]fold.Peer, error) {
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	return w.peers(ctx, spansByTrace+`WHERE project = ? AND trace_id IN (SELECT value FROM json_each(?)) AND trace_id <> '' AND form = 'span'
		AND mapping_version > 0`, int64(w.project), list)
}

// Beside implements fold.Peers.
func (w *writing) Beside(ctx context.Context, id trace.TraceID, i fold.Interval, limit int) ([]fold.Peer, error) {
	return w.peers(ctx, spansByTrace+`WHERE project = ? AND trace_id = ? AND trace_id <> '' AND form = 'span' AND start_time >= ? AND start_time < ?
		AND mapping_version > 0 ORDER BY start_time LIMIT ?`, int64(w.project), string(id), i.From, i.To, limit)
}

// ByID implements fold.Peers.
func (w *writing) ByID(ctx context.Context, ids []trace.SpanID) ([]fold.Peer, error) {
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	return w.peers(ctx, `WHERE project = ? AND span_id IN (SELECT value FROM json_each(?)) AND mapping_version > 0`, int64(w.project), list)
}

// ByKey implements fold.Peers. It asks for one key at a time, so that the limit
// holds for each.
func (w *writing) ByKey(ctx context.Context, keys []fold.CallKey, limit int) ([]fold.Peer, error) {
	var rowids []int64
	stmt := w.tx.StmtContext(ctx, w.findKey)
	find := func(k fold.CallKey) error {
		rows, err := stmt.QueryContext(ctx, int64(w.project), k.Key, k.From, k.To, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			rowids = append(rowids, id)
		}
		return rows.Err()
	}
	for _, k := range keys {
		if err := find(k); err != nil {
			return nil, toFault("find keys of calls", err)
		}
	}
	if len(rowids) == 0 {
		return nil, nil
	}
	list, err := jsonList(rowids)
	if err != nil {
		return nil, err
	}
	return w.peers(ctx, `WHERE rowid IN (SELECT value FROM json_each(?))`, list)
}

// selectByKey finds spans by the index alone.
const selectByKey = `SELECT rowid FROM spans ` + spansByKey + `WHERE project = ? AND call_key = ? AND call_key IS NOT NULL AND mapping_version > 0
	AND start_time >= ? AND start_time < ? LIMIT ?`

// TraceCounts implements fold.Tables. It reads whole buckets, as Rollups does.
func (w *writing) TraceCounts(ctx context.Context, keys []fold.TraceCountKey) (fold.TraceCounts, error) {
	buckets := map[fold.Grain]map[int64]bool{}
	wanted := make(map[fold.TraceCountKey]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
		if buckets[k.Grain] == nil {
			buckets[k.Grain] = map[int64]bool{}
		}
		buckets[k.Grain][k.Bucket] = true
	}
	out := make(fold.TraceCounts, len(keys))
	for grain, of := range buckets {
		list, err := jsonList(slices.Collect(maps.Keys(of)))
		if err != nil {
			return nil, err
		}
		err = query(ctx, w.tx, "read trace counts", func(rows *sql.Rows) error {
			k, sums, err := scanTraceCount(rows)
			if err == nil && wanted[k] {
				out[k] = &sums
			}
			return err
		}, selectTraceCount+`WHERE project = ? AND grain = ? AND bucket IN (SELECT value FROM json_each(?))`, int64(w.project), string(grain), list)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PutTraceCounts implements fold.Tables.
func (w *writing) PutTraceCounts(ctx context.Context, rows fold.TraceCounts) error {
	args := make([]any, 0, len(rows)*len(traceCountColumns))
	for k, sums := range rows {
		var err error
		if args, err = appendTraceCount(args, w.project, k, sums); err != nil {
			return err
		}
	}
	return w.traceCounts.insert(ctx, w.tx, "store trace counts", args)
}

// DeleteTraceCounts implements fold.Tables.
func (w *writing) DeleteTraceCounts(ctx context.Context, keys []fold.TraceCountKey) error {
	for _, k := range keys {
		err := exec(ctx, w.tx, "delete trace counts", false, `DELETE FROM trace_counts WHERE project = ? AND grain = ? AND bucket = ? AND provider = ?
			AND model = ? AND status = ? AND sources = ?`, traceCountKey(w.project, k)...)
		if err != nil {
			return err
		}
	}
	return nil
}
