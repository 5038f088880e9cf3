package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// rollupKind selects what one kind of analytics is about.
type rollupKind struct {
	rollups string   // condition on rollups
	spans   []string // conditions on "spans s", for one index each
}

var (
	callRollups = rollupKind{rollups: `kind = 'llm_call' AND provider <> ''`, spans: []string{
		`s.form = 'trace' AND s.kind = 'llm_call'`, `s.form = 'span' AND s.kind = 'llm_call' AND NOT s.repeats AND NOT s.patch`,
	}}
	spanRollups = rollupKind{rollups: `form = 'span'`, spans: []string{`s.form = 'span'`}}
)

// adder is what fold.Calls and fold.Spans have in common.
type adder interface {
	Add(k fold.RollupKey, s *fold.Sums)
	AddSeries(k fold.RollupKey, s *fold.Sums)
}

// CallAnalytics sums model calls.
func (db *DB) CallAnalytics(ctx context.Context, project account.ProjectID, r store.TimeRange, p store.Period) (store.CallAnalytics, error) {
	calls := fold.NewCalls(p)
	err := db.inSnapshot(ctx, func(tx pgx.Tx) error {
		return addRange(ctx, tx, project, fold.NewPlan(fold.Bounds(r)), p, callRollups, calls, &calls.Sessions)
	})
	if err != nil {
		return store.CallAnalytics{}, err
	}
	return calls.Result(), nil
}

// SpanAnalytics sums spans.
func (db *DB) SpanAnalytics(ctx context.Context, project account.ProjectID, r store.TimeRange, p store.Period) (store.SpanAnalytics, error) {
	spans := fold.NewSpans(p)
	err := db.inSnapshot(ctx, func(tx pgx.Tx) error {
		return addRange(ctx, tx, project, fold.NewPlan(fold.Bounds(r)), p, spanRollups, spans, nil)
	})
	if err != nil {
		return store.SpanAnalytics{}, err
	}
	return spans.Result(), nil
}

// addRange adds all parts of a plan. sessions, if not nil, takes the distinct
// sessions.
func addRange(ctx context.Context, q querier, project account.ProjectID, plan fold.Plan, p store.Period, kind rollupKind, to adder, sessions *sketch.Distinct) error {
	for _, part := range plan.Parts {
		if err := addRollupRows(ctx, q, project, part, kind, to.Add); err != nil {
			return err
		}
		if err := addSessionsOf(ctx, q, project, part, sessions); err != nil {
			return err
		}
	}
	for _, part := range fold.SeriesOnly(plan, p) {
		if err := addSeries(ctx, q, project, part, kind, to); err != nil {
			return err
		}
	}
	for _, cut := range plan.Cuts {
		if err := addCut(ctx, q, project, cut, kind, to, sessions); err != nil {
			return err
		}
	}
	return nil
}

func addRollupRows(ctx context.Context, q querier, project account.ProjectID, part fold.Part, kind rollupKind, add func(fold.RollupKey, *fold.Sums)) error {
	rows, err := collect(ctx, q, rollupTable.scan, `SELECT `+rollupTable.list+` FROM rollups
		WHERE project_id = $1 AND grain = $2 AND bucket >= $3 AND bucket < $4 AND `+kind.rollups,
		string(project), string(part.Grain), micros(part.From), micros(part.To))
	if err != nil {
		return err
	}
	for _, r := range rows {
		k, sums, err := r.decode()
		if err != nil {
			return err
		}
		add(k, sums)
	}
	return nil
}

// addSeries adds a part to the series only, without its sketches.
func addSeries(ctx context.Context, q querier, project account.ProjectID, part fold.Part, kind rollupKind, to adder) error {
	rows, err := collect(ctx, q, func(row pgx.CollectableRow) (*rollupRow, error) {
		r := new(rollupRow)
		return r, row.Scan(&r.bucket, &r.Provider, (*string)(&r.Status), &r.sums.Count, &r.sums.Timed, &r.sums.DurationUS,
			&r.sums.InputTokens, &r.sums.OutputTokens, &r.sums.CostNanoUSD)
	}, `SELECT bucket, provider, status, count, timed, duration_us, input_tokens, output_tokens, cost_nano_usd FROM rollups
		WHERE project_id = $1 AND grain = $2 AND bucket >= $3 AND bucket < $4 AND `+kind.rollups,
		string(project), string(part.Grain), micros(part.From), micros(part.To))
	if err != nil {
		return err
	}
	for _, r := range rows {
		to.AddSeries(fold.RollupKey{Grain: part.Grain, Bucket: r.bucket.UnixMicro(), Rollup: r.Rollup}, &r.sums)
	}
	return nil
}

func addSessionsOf(ctx context.Context, q querier, project account.ProjectID, part fold.Part, sessions *sketch.Distinct) error {
	if sessions == nil {
		return nil
	}
	rows, err := collect(ctx, q, distinctTable.scan, `SELECT `+distinctTable.list+` FROM rollup_sessions
		WHERE project_id = $1 AND grain = $2 AND bucket >= $3 AND bucket < $4`,
		string(project), string(part.Grain), micros(part.From), micros(part.To))
	if err != nil {
		return err
	}
	for _, r := range rows {
		_, d, err := r.decode()
		if err != nil {
			return err
		}
		sessions.Merge(d)
	}
	return nil
}

// addCut adds the part of a bucket: from its roll-ups if all they counted lies
// within the range, as in the bucket that is not over yet, else from its spans.
func addCut(ctx context.Context, q querier, project account.ProjectID, cut fold.Cut, kind rollupKind, to adder, sessions *sketch.Distinct) error {
	rollups := fold.Rollups{}
	var sums []*fold.Sums
	err := addRollupRows(ctx, q, project, cut.Bucket, kind, func(k fold.RollupKey, s *fold.Sums) {
		rollups[k] = s
		sums = append(sums, s)
	})
	if err != nil {
		return err
	}
	if cut.Whole(sums) {
		if err := addSessionsOf(ctx, q, project, cut.Bucket, sessions); err != nil {
			return err
		}
	} else if rollups, err = countKind(ctx, q, project, cut.Rows, kind, sessions); err != nil {
		return err
	}
	for k, s := range rollups {
		to.Add(k, s)
	}
	return nil
}

// countKind makes roll-ups of the spans that started in an interval.
func countKind(ctx context.Context, q querier, project account.ProjectID, i fold.Interval, kind rollupKind, sessions *sketch.Distinct) (fold.Rollups, error) {
	out := fold.Rollups{}
	for _, condition := range kind.spans {
		if err := countSpanRows(ctx, q, project, out, i, condition, sessions); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// countSpanRows adds to out the spans that started in an interval and meet a
// condition on "spans s", whose parameters from $4 on are args.
func countSpanRows(ctx context.Context, q querier, project account.ProjectID, out fold.Rollups, i fold.Interval, condition string, sessions *sketch.Distinct, args ...any) error {
	return each(ctx, q, scanCounted, func(s *trace.Span) error {
		out.AddSpan(fold.GrainFiveMin, s)
		if sessions != nil && s.SessionID != "" {
			sessions.Add(string(s.SessionID))
		}
		return nil
	}, `SELECT s.start_time, s.session_id, s.form, s.kind, s.source, s.status, s.provider, s.model, s.tool_name, s.duration_ms, s.first_token_ms,
		s.input_tokens, s.output_tokens, s.cost_nano_usd, s.mapping_version, s.patch, s.repeats
		FROM spans s WHERE s.project_id = $1 AND s.start_time >= $2 AND s.start_time < $3 AND `+condition,
		append([]any{string(project), micros(i.From), micros(i.To)}, args...)...)
}

// scanCounted reads the fields that roll-ups count.
func scanCounted(row pgx.CollectableRow) (*trace.Span, error) {
	s := new(trace.Span)
	return s, row.Scan(&s.Start, (*string)(&s.SessionID), (*string)(&s.Form), (*string)(&s.Kind), (*string)(&s.Source), (*string)(&s.Status),
		&s.Provider, &s.Model, &s.ToolName, &s.DurationMS, &s.TimeToFirstTokenMS, &s.InputTokens, &s.OutputTokens, &s.CostNanoUSD,
		&s.MappingVersion, &s.Patch, &s.Repeat)
}
