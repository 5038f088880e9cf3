package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

var (
	_ fold.Tables = (*writing)(nil)
	_ fold.Graph  = (*writing)(nil)
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

// selectNode reads what scanNode takes of spans s.
const selectNode = `SELECT s.span_id, s.parent_id, s.trace_id, s.kind, s.start_time, s.duration_ms, s.call_key, s.scope_name,
	s.input_tokens, s.output_tokens, s.cost_nano_usd, s.patch, s.repeats, s.calls_below `

func scanNode(row pgx.CollectableRow) (fold.Node, error) {
	var s trace.Span
	var n fold.Node
	var below int16
	var key *string
	err := row.Scan((*string)(&s.ID), (*string)(&s.ParentID), (*string)(&s.TraceID), (*string)(&s.Kind), &s.Start, &s.DurationMS, &key,
		&s.Scope.Name, &s.InputTokens, &s.OutputTokens, &s.CostNanoUSD, &s.Patch, &n.Repeats, &below)
	s.CallKey = orEmpty[string](key)
	n.Node, n.Below = trace.NodeOf(&s), trace.Calls(below)
	return n, err
}

// Nodes implements fold.Graph.
func (w *writing) Nodes(ctx context.Context, ids []trace.SpanID) ([]fold.Node, error) {
	return w.nodesOf(ctx, texts(ids))
}

func (w *writing) nodesOf(ctx context.Context, ids []string) ([]fold.Node, error) {
	return collect(ctx, w.tx, scanNode, selectNode+`FROM spans s WHERE s.project_id = $1 AND s.span_id = ANY($2) AND s.mapping_version > 0`,
		string(w.project), ids)
}

// Children implements fold.Graph.
func (w *writing) Children(ctx context.Context, ids []trace.SpanID) ([]fold.Node, error) {
	return collect(ctx, w.tx, scanNode, selectNode+`FROM spans s WHERE s.project_id = $1 AND s.parent_id = ANY($2) AND s.parent_id <> ''
		AND s.mapping_version > 0`, string(w.project), texts(ids))
}

// Twins implements fold.Graph. Of a key's spans it reads those of smaller and of
// larger scopes, and so none of the same, of which a test double may have made
// millions.
func (w *writing) Twins(ctx context.Context, keys []fold.CallKey) ([]fold.Node, error) {
	texts, scopes := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		texts[i], scopes[i] = k.Key, k.Scope
	}
	const from = `FROM unnest($2::text[], $3::text[]) AS k (key, scope) CROSS JOIN LATERAL
		(SELECT * FROM spans WHERE project_id = $1 AND call_key = k.key AND mapping_version > 0 AND scope_name `
	return collect(ctx, w.tx, scanNode, selectNode+from+`< k.scope COLLATE "C" OFFSET 0) s UNION ALL `+
		selectNode+from+`> k.scope COLLATE "C" OFFSET 0) s`, string(w.project), texts, scopes)
}

// markRepeats stores what is true of other spans since some were written, and
// gives those of which the sums change.
func (w *writing) markRepeats(ctx context.Context, marked []fold.Node) ([]fold.Change, error) {
	if len(marked) == 0 {
		return nil, nil
	}
	ids, repeats, below := make([]string, len(marked)), make([]bool, len(marked)), make([]int16, len(marked))
	for i, n := range marked {
		ids[i], repeats[i], below[i] = string(n.ID), n.Repeats, int16(n.Below)
	}
	err := execute(ctx, w.tx, `UPDATE spans s SET repeats = m.repeats, calls_below = m.below
		FROM unnest($2::text[], $3::boolean[], $4::smallint[]) AS m (id, repeats, below) WHERE s.project_id = $1 AND s.span_id = m.id`,
		string(w.project), ids, repeats, below)
	if err != nil {
		return nil, err
	}
	spans, err := w.spansByID(ctx, fold.Flipped(marked), store.Summary)
	if err != nil {
		return nil, err
	}
	return fold.Marked(marked, func(id trace.SpanID) *trace.Span { return &spans[id].Span }), nil
}
