package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

var (
	_ fold.Tables = (*writing)(nil)
	_ fold.Peers  = (*writing)(nil)
)

// rollupArrays gives keys as three parallel arrays: grains, buckets, digests.
func rollupArrays(keys []fold.RollupKey) (grains []string, buckets []time.Time, digests [][]byte) {
	for i := range keys {
		k := &keys[i]
		grains, buckets, digests = append(grains, string(k.Grain)), append(buckets, micros(k.Bucket)), append(digests, digestOf(&k.Rollup))
	}
	return grains, buckets, digests
}

// Rollups implements fold.Tables.
func (w *writing) Rollups(ctx context.Context, keys []fold.RollupKey) (fold.Rollups, error) {
	grains, buckets, digests := rollupArrays(keys)
	stored, err := collect(ctx, w.tx, rollupTable.scan, `SELECT `+rollupTable.list+` FROM rollups
		WHERE project_id = $1 AND (grain, bucket, digest) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::bytea[]))`,
		string(w.project), grains, buckets, digests)
	if err != nil {
		return nil, err
	}
	out := make(fold.Rollups, len(stored))
	for _, r := range stored {
		k, sums, err := r.decode()
		if err != nil {
			return nil, err
		}
		out[k] = sums
	}
	return out, nil
}

// PutRollups implements fold.Tables.
func (w *writing) PutRollups(ctx context.Context, rows fold.Rollups) error {
	out := make([]*rollupRow, 0, len(rows))
	for k, sums := range rows {
		r, err := newRollupRow(k, sums)
		if err != nil {
			return err
		}
		out = append(out, r)
	}
	return rollupTable.put(ctx, w.tx, w.project, out)
}

// DeleteRollups implements fold.Tables.
func (w *writing) DeleteRollups(ctx context.Context, keys []fold.RollupKey) error {
	grains, buckets, digests := rollupArrays(keys)
	return execute(ctx, w.tx, `DELETE FROM rollups WHERE project_id = $1
		AND (grain, bucket, digest) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::bytea[]))`, string(w.project), grains, buckets, digests)
}

// CountRollup implements fold.Tables.
func (w *writing) CountRollup(ctx context.Context, k fold.RollupKey) (fold.Sums, error) {
	condition := `s.form = 'span'`
	if k.Form == trace.FormTrace {
		condition = `s.form = 'trace'`
	}
	rows := fold.Rollups{}
	bucket := fold.Interval{From: k.Bucket, To: k.Bucket + k.Grain.WidthUS()}
	err := countSpanRows(ctx, w.tx, w.project, rows, bucket, condition+` AND s.kind = $4 AND s.status = $5 AND s.source = $6`, nil,
		string(k.Kind), string(k.Status), string(k.Source))
	if sums := rows[k]; sums != nil {
		return *sums, err
	}
	return fold.Sums{}, err
}

func bucketArrays(keys []fold.BucketKey) (grains []string, buckets []time.Time) {
	for _, k := range keys {
		grains, buckets = append(grains, string(k.Grain)), append(buckets, micros(k.Bucket))
	}
	return grains, buckets
}

// Distincts implements fold.Tables.
func (w *writing) Distincts(ctx context.Context, keys []fold.BucketKey) (fold.Distincts, error) {
	grains, buckets := bucketArrays(keys)
	stored, err := collect(ctx, w.tx, distinctTable.scan, `SELECT `+distinctTable.list+` FROM rollup_sessions
		WHERE project_id = $1 AND (grain, bucket) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[]))`, string(w.project), grains, buckets)
	if err != nil {
		return nil, err
	}
	out := make(fold.Distincts, len(stored))
	for _, r := range stored {
		k, d, err := r.decode()
		if err != nil {
			return nil, err
		}
		out[k] = d
	}
	return out, nil
}

// PutDistincts implements fold.Tables.
func (w *writing) PutDistincts(ctx context.Context, rows fold.Distincts) error {
	out := make([]*distinctRow, 0, len(rows))
	for k, d := range rows {
		r, err := newDistinctRow(k, d)
		if err != nil {
			return err
		}
		out = append(out, r)
	}
	return distinctTable.put(ctx, w.tx, w.project, out)
}

// DeleteDistincts implements fold.Tables.
func (w *writing) DeleteDistincts(ctx context.Context, keys []fold.BucketKey) error {
	grains, buckets := bucketArrays(keys)
	return execute(ctx, w.tx, `DELETE FROM rollup_sessions WHERE project_id = $1
		AND (grain, bucket) IN (SELECT * FROM unnest($2::text[], $3::timestamptz[]))`, string(w.project), grains, buckets)
}

// CountDistinct implements fold.Tables.
func (w *writing) CountDistinct(ctx context.Context, bucket int64) (*sketch.Distinct, error) {
	d := &sketch.Distinct{}
	for _, condition := range callRollups.spans {
		ids, err := collect(ctx, w.tx, pgx.RowTo[string], `SELECT DISTINCT s.session_id FROM spans s
			WHERE s.project_id = $1 AND s.start_time >= $2 AND s.start_time < $3 AND s.session_id <> '' AND `+condition,
			string(w.project), micros(bucket), micros(bucket+fold.GrainFiveMin.WidthUS()))
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			d.Add(id)
		}
	}
	return d, nil
}

// peers reads spans that were made from OpenTelemetry.
func (w *writing) peers(ctx context.Context, condition string, args ...any) ([]fold.Peer, error) {
	rows, err := w.read(ctx, `s.mapping_version > 0 AND `+condition, args...)
	out := make([]fold.Peer, len(rows))
	for i, row := range rows {
		out[i] = row.peer()
	}
	return out, err
}

// Traces implements fold.Peers.
func (w *writing) Traces(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID]fold.TraceFacts, error) {
	rows, err := w.tx.Query(ctx, `SELECT trace_id, span_count, coalesce(reports, false) FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`,
		string(w.project), texts(ids))
	if err != nil {
		return nil, faultOf(err)
	}
	out := map[trace.TraceID]fold.TraceFacts{}
	var id string
	var f fold.TraceFacts
	_, err = pgx.ForEachRow(rows, []any{&id, &f.Spans, &f.Reports}, func() error {
		out[trace.TraceID(id)] = f
		return nil
	})
	return out, faultOf(err)
}

// Parents implements fold.Peers. It reads the index of traces alone.
func (w *writing) Parents(ctx context.Context, traces []trace.TraceID, ids []trace.SpanID) ([]trace.SpanID, error) {
	list, err := collect(ctx, w.tx, pgx.RowTo[string], `SELECT DISTINCT parent_id FROM spans WHERE project_id = $1 AND form = 'span'
		AND trace_id <> '' AND trace_id = ANY($2) AND parent_id = ANY($3)`, string(w.project), texts(traces), texts(ids))
	out := make([]trace.SpanID, len(list))
	for i, id := range list {
		out[i] = trace.SpanID(id)
	}
	return out, err
}

// OfTraces implements fold.Peers.
func (w *writing) OfTraces(ctx context.Context, ids []trace.TraceID) ([]fold.Peer, error) {
	return w.peers(ctx, `s.form = 'span' AND s.trace_id <> '' AND s.trace_id = ANY($2)`, texts(ids))
}

// Beside implements fold.Peers.
func (w *writing) Beside(ctx context.Context, id trace.TraceID, i fold.Interval, limit int) ([]fold.Peer, error) {
	return w.peers(ctx, `s.form = 'span' AND s.trace_id <> '' AND s.trace_id = $2 AND s.start_time >= $3 AND s.start_time < $4
		ORDER BY s.start_time LIMIT $5`, string(id), micros(i.From), micros(i.To), limit)
}

// ByID implements fold.Peers.
func (w *writing) ByID(ctx context.Context, ids []trace.SpanID) ([]fold.Peer, error) {
	return w.peers(ctx, `s.span_id = ANY($2)`, texts(ids))
}

// ByKey implements fold.Peers.
func (w *writing) ByKey(ctx context.Context, keys []fold.CallKey, limit int) ([]fold.Peer, error) {
	names, from, to := make([]string, len(keys)), make([]time.Time, len(keys)), make([]time.Time, len(keys))
	for i, k := range keys {
		names[i], from[i], to[i] = k.Key, micros(k.From), micros(k.To)
	}
	return w.peers(ctx, `s.span_id IN (SELECT f.span_id FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[]) AS k (name, start, stop)
		CROSS JOIN LATERAL (SELECT span_id FROM spans WHERE project_id = $1 AND call_key = k.name AND mapping_version > 0
			AND start_time >= k.start AND start_time < k.stop LIMIT $5) f)`, names, from, to, limit)
}

// TraceCounts implements fold.Tables.
func (w *writing) TraceCounts(ctx context.Context, keys []fold.TraceCountKey) (fold.TraceCounts, error) {
	stored, err := collect(ctx, w.tx, traceCountTable.scan, `SELECT `+traceCountTable.list+` FROM trace_counts WHERE project_id = $1 AND `+inTraceCountKeys,
		append([]any{string(w.project)}, traceCountArrays(keys)...)...)
	if err != nil {
		return nil, err
	}
	out := make(fold.TraceCounts, len(stored))
	for _, r := range stored {
		k, sums, err := r.decode()
		if err != nil {
			return nil, err
		}
		out[k] = sums
	}
	return out, nil
}

// PutTraceCounts implements fold.Tables.
func (w *writing) PutTraceCounts(ctx context.Context, rows fold.TraceCounts) error {
	out := make([]*traceCountRow, 0, len(rows))
	for k, sums := range rows {
		r, err := newTraceCountRow(k, sums)
		if err != nil {
			return err
		}
		out = append(out, r)
	}
	return traceCountTable.put(ctx, w.tx, w.project, out)
}

// DeleteTraceCounts implements fold.Tables.
func (w *writing) DeleteTraceCounts(ctx context.Context, keys []fold.TraceCountKey) error {
	return execute(ctx, w.tx, `DELETE FROM trace_counts WHERE project_id = $1 AND `+inTraceCountKeys, append([]any{string(w.project)}, traceCountArrays(keys)...)...)
}
