package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// measured is one kind of analytics: which roll-up rows it reads and from which
// spans it counts the buckets that a range cuts.
type measured struct {
	rollups string   // condition on rollups
	spans   []string // sources of rows: index and condition on spans
}

var (
	measuredCalls = measured{rollups: "kind = 'llm_call' AND provider <> ''", spans: []string{
		"INDEXED BY spans_call_start_idx WHERE project = ? AND form = 'trace' AND kind = 'llm_call'",
		spansByStart + "WHERE project = ? AND form = 'span' AND kind = 'llm_call' AND NOT repeats AND NOT patch",
	}}
	measuredSpans = measured{rollups: "form = 'span'", spans: []string{
		spansByStart + "WHERE project = ? AND form = 'span'",
	}}
)

// CallAnalytics implements store.AnalyticsReader.
func (db *DB) CallAnalytics(ctx context.Context, project account.ProjectID, r store.TimeRange, p store.Period) (store.CallAnalytics, error) {
	c := fold.NewCalls(p)
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		return measuredCalls.read(ctx, q, project, r, p, c, &c.Sessions)
	})
	if err != nil {
		return store.CallAnalytics{}, err
	}
	return c.Result(), nil
}

// SpanAnalytics implements store.AnalyticsReader.
func (db *DB) SpanAnalytics(ctx context.Context, project account.ProjectID, r store.TimeRange, p store.Period) (store.SpanAnalytics, error) {
	s := fold.NewSpans(p)
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		return measuredSpans.read(ctx, q, project, r, p, s, nil)
	})
	if err != nil {
		return store.SpanAnalytics{}, err
	}
	return s.Result(), nil
}

// assembly is fold.Calls or fold.Spans.
type assembly interface {
	Add(fold.RollupKey, *fold.Sums)
	AddSeries(fold.RollupKey, *fold.Sums)
}

// read gives every part of a range to a, and to sessions (if not nil) its
// distinct sessions.
func (m measured) read(ctx context.Context, q querier, project projectNumber, r store.TimeRange, p store.Period, a assembly, sessions *sketch.Distinct) error {
	plan := fold.NewPlan(fold.Bounds(r))
	for _, part := range plan.Parts {
		if err := m.rollupRows(ctx, q, project, part, a.Add); err != nil {
			return err
		}
		if err := readDistinct(ctx, q, project, part, sessions); err != nil {
			return err
		}
	}
	for _, cut := range plan.Cuts {
		if err := m.cut(ctx, q, project, cut, a, sessions); err != nil {
			return err
		}
	}
	for _, part := range fold.SeriesOnly(plan, p) {
		if err := m.series(ctx, q, project, part, a); err != nil {
			return err
		}
	}
	return nil
}

// series gives a part to the series only, without its sketches.
func (m measured) series(ctx context.Context, q querier, project projectNumber, part fold.Part, a assembly) error {
	return query(ctx, q, "read series", func(rows *sql.Rows) error {
		k := fold.RollupKey{Grain: part.Grain}
		var s fold.Sums
		err := rows.Scan(&k.Bucket, &k.Provider, &k.Status, &s.Count, &s.Timed, &s.DurationUS, &s.InputTokens, &s.OutputTokens, &s.CostNanoUSD)
		a.AddSeries(k, &s)
		return err
	}, `SELECT bucket, provider, status, count, timed, duration_us, input_tokens, output_tokens, cost_nano_usd
		FROM rollups WHERE project = ? AND grain = ? AND bucket >= ? AND bucket < ? AND `+m.rollups,
		int64(project), string(part.Grain), part.From, part.To)
}

// rollupRows gives each roll-up row of a part to add.
func (m measured) rollupRows(ctx context.Context, q querier, project projectNumber, part fold.Part, add func(fold.RollupKey, *fold.Sums)) error {
	return query(ctx, q, "read roll-ups", func(rows *sql.Rows) error {
		k, s, err := scanRollup(rows)
		if err == nil {
			add(k, &s)
		}
		return err
	}, selectRollup+`WHERE project = ? AND grain = ? AND bucket >= ? AND bucket < ? AND `+m.rollups,
		int64(project), string(part.Grain), part.From, part.To)
}

func readDistinct(ctx context.Context, q querier, project projectNumber, part fold.Part, into *sketch.Distinct) error {
	if into == nil {
		return nil
	}
	return query(ctx, q, "read session sketches", func(rows *sql.Rows) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return err
		}
		var d sketch.Distinct
		if err := d.UnmarshalBinary(data); err != nil {
			return err
		}
		into.Merge(&d)
		return nil
	}, `SELECT data FROM rollup_sessions WHERE project = ? AND grain = ? AND bucket >= ? AND bucket < ?`,
		int64(project), string(part.Grain), part.From, part.To)
}

// cut reads a bucket that the range cuts: from its roll-up rows if all that they
// count is in the range, as in the bucket that is not over yet, else from the
// spans.
func (m measured) cut(ctx context.Context, q querier, project projectNumber, cut fold.Cut, a assembly, sessions *sketch.Distinct) error {
	rollups := fold.Rollups{}
	var sums []*fold.Sums
	err := m.rollupRows(ctx, q, project, cut.Bucket, func(k fold.RollupKey, s *fold.Sums) {
		rollups[k] = s
		sums = append(sums, s)
	})
	if err != nil {
		return err
	}
	if cut.Whole(sums) {
		if err := readDistinct(ctx, q, project, cut.Bucket, sessions); err != nil {
			return err
		}
	} else if rollups, err = m.rows(ctx, q, project, cut.Rows, sessions); err != nil {
		return err
	}
	for k, s := range rollups {
		a.Add(k, s)
	}
	return nil
}

// rows counts the spans of an interval.
func (m measured) rows(ctx context.Context, q querier, project projectNumber, i fold.Interval, sessions *sketch.Distinct) (fold.Rollups, error) {
	out := fold.Rollups{}
	for _, source := range m.spans {
		if err := countSpanRows(ctx, q, project, out, source, i, sessions); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// countSpanRows adds to out the spans of a source (index and condition, whose
// parameters after the project are args) that start in an interval: up to some
// thousands, for which the conversions of Scan would take as long as reading
// them, so values are taken as the driver gives them.
func countSpanRows(ctx context.Context, q querier, project projectNumber, out fold.Rollups, source string, i fold.Interval, sessions *sketch.Distinct, args ...any) error {
	var v [17]any
	var into [len(v)]any
	for n := range v {
		into[n] = &v[n]
	}
	args = slices.Concat([]any{int64(project)}, args, []any{i.From, i.To})
	return query(ctx, q, "count spans", func(rows *sql.Rows) error {
		if err := rows.Scan(into[:]...); err != nil {
			return err
		}
		start, _ := v[0].(int64)
		session := textOf(v[1])
		s := trace.Span{
			Start: time.UnixMicro(start).UTC(), Form: trace.Form(textOf(v[2])), Kind: trace.Kind(textOf(v[3])),
			Source: trace.Source(textOf(v[4])), Status: trace.Status(textOf(v[5])), Provider: orNil[string](v[6]), Model: orNil[string](v[7]),
			ToolName: orNil[string](v[8]), DurationMS: orNil[float64](v[9]), TimeToFirstTokenMS: orNil[float64](v[10]),
			InputTokens: orNil[int64](v[11]), OutputTokens: orNil[int64](v[12]), CostNanoUSD: orNil[int64](v[13]),
			MappingVersion: int(intOf(v[14])), Patch: intOf(v[15]) != 0, Repeat: intOf(v[16]) != 0,
		}
		out.AddSpan(fold.GrainFiveMin, &s)
		if sessions != nil && session != "" {
			sessions.Add(session)
		}
		return nil
	}, `SELECT start_time, session_id, form, kind, source, status, provider, model, tool_name, duration_ms, first_token_ms, input_tokens,
		output_tokens, cost_nano_usd, mapping_version, patch, repeats FROM spans `+source+` AND start_time >= ? AND start_time < ?`, args...)
}

// intOf gives a value of an integer column that is never NULL.
func intOf(v any) int64 {
	n, _ := v.(int64)
	return n
}

// textOf gives a value of a column that is never NULL.
func textOf(v any) string {
	s, _ := v.(string)
	return s
}

// orNil undoes orNull.
func orNil[T any](v any) *T {
	if t, ok := v.(T); ok {
		return &t
	}
	return nil
}
