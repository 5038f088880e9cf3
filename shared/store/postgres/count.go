package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceHistogram counts traces over time.
func (db *DB) TraceHistogram(ctx context.Context, project account.ProjectID, q store.TraceQuery, h store.Histogram) (store.TraceSeries, error) {
	return searched(ctx, db, project, func(s *searching) (store.TraceSeries, error) { return fold.TraceHistogram(ctx, s, q, h) })
}

// TraceFacets counts the values of fields.
func (db *DB) TraceFacets(ctx context.Context, project account.ProjectID, q store.TraceQuery, fields []filter.Field, limit int) (store.Facets, error) {
	return searched(ctx, db, project, func(s *searching) (store.Facets, error) { return fold.TraceFacets(ctx, s, q, fields, limit) })
}

// TraceStatus tells what a project has.
func (db *DB) TraceStatus(ctx context.Context, project account.ProjectID) (store.TraceStatus, error) {
	return searched(ctx, db, project, func(s *searching) (store.TraceStatus, error) { return fold.TraceStatus(ctx, s) })
}

// TraceNeighbours finds the traces around one.
func (db *DB) TraceNeighbours(ctx context.Context, project account.ProjectID, id trace.TraceID, q store.TraceQuery) (store.Neighbours, error) {
	return searched(ctx, db, project, func(s *searching) (store.Neighbours, error) {
		t, err := collectOne(ctx, s.q, scanTrace,
			`SELECT `+traceTable.list+` FROM traces WHERE project_id = $1 AND trace_id = $2 AND start_time IS NOT NULL`, string(project), string(id))
		if err != nil {
			return store.Neighbours{}, err
		}
		return fold.TraceNeighbours(ctx, s, t, q)
	})
}

// Locate finds what an id names.
func (db *DB) Locate(ctx context.Context, project account.ProjectID, id string) (store.Located, error) {
	return searched(ctx, db, project, func(s *searching) (store.Located, error) { return s.Locate(ctx, id) })
}

// MetaFields gives the keys of metadata.
func (db *DB) MetaFields(ctx context.Context, project account.ProjectID, limit, top int) ([]store.MetaField, error) {
	return searched(ctx, db, project, func(s *searching) ([]store.MetaField, error) { return fold.MetaFields(ctx, s, limit, top) })
}

// factColumns are the facts of traces.
var factColumns = map[fold.Fact]string{
	filter.FieldTrace:    "trace_id",
	filter.FieldStatus:   "error_count",
	filter.FieldName:     "name",
	filter.FieldProvider: "provider_key",
	filter.FieldModel:    "model_key",
	filter.FieldSource:   "sources",
	filter.FieldSession:  "session_id",
	filter.FieldUser:     "user_id",
	filter.FieldEnv:      "environment",
	filter.FieldTag:      "tags",
	filter.FieldLatency:  latencyUS,
	filter.FieldTTFT:     "first_token_ms",
	filter.FieldCost:     "cost_nano_usd",
	filter.FieldTokens:   allTokens,
	filter.FieldIn:       "input_tokens",
	filter.FieldOut:      "output_tokens",
	filter.FieldSpans:    "span_count",
}

// saidColumns are the facts that the spans of a trace have.
var saidColumns = map[fold.Fact]string{
	filter.FieldKind:    "s.kind",
	filter.FieldTool:    "s.tool_name",
	filter.FieldService: "s.service",
	filter.FieldRelease: "s.release",
	filter.FieldKey:     "s.api_key",
}

// ownSpan is the span that has the id of a trace, if there is one. Behind the
// fence no index that is for one form only looks better than the key, which it
// does to a planner that has no statistics yet.
const ownSpan = `(SELECT * FROM spans WHERE project_id = traces.project_id AND span_id = traces.trace_id OFFSET 0)`

// saidBySpans gives what the spans of a trace say in columns: a JSON array with
// an array of columns for each combination. Together, as a trace's spans cost as
// much to find for one column as for all.
func saidBySpans(columns []string) string {
	list := strings.Join(columns, ", ")
	return `(SELECT coalesce(json_agg(json_build_array(` + list + `)), '[]')::text FROM (
		SELECT ` + list + ` FROM spans s WHERE s.project_id = traces.project_id AND s.trace_id = traces.trace_id AND s.trace_id <> '' AND s.form = 'span'
		UNION SELECT ` + list + ` FROM ` + ownSpan + ` s WHERE s.form = 'trace') s)`
}

// Facts gives the facts of the traces of a window.
func (s *searching) Facts(ctx context.Context, w fold.Window, facts []fold.Fact, do func(start int64, values []any) error) error {
	c := s.window(w)
	columns := []string{"start_time"}
	var start time.Time
	values, into := make([]any, len(facts)), []any{&start}
	var ofSpans []string
	var places []int // of these, in facts
	for i, f := range facts {
		if column := saidColumns[f]; column != "" {
			ofSpans, places = append(ofSpans, column), append(places, i)
			continue
		}
		columns, into = append(columns, factColumns[f]), append(into, &values[i])
	}
	var said []byte
	if len(ofSpans) > 0 {
		columns, into = append(columns, saidBySpans(ofSpans)), append(into, &said)
	}
	return each(ctx, s.q, func(row pgx.CollectableRow) (int64, error) {
		if err := row.Scan(into...); err != nil || len(ofSpans) == 0 {
			return start.UnixMicro(), err
		}
		lists, err := fold.SaidBySpans(said, len(ofSpans))
		for i, list := range lists {
			values[places[i]] = list
		}
		return start.UnixMicro(), err
	}, func(start int64) error { return do(start, values) }, `SELECT `+strings.Join(columns, ", ")+c.text.String(), c.args...)
}

// Counts gives what the traces of a part add up to.
func (s *searching) Counts(ctx context.Context, p fold.Part, terms []filter.Term, all bool, do func(fold.TraceCountKey, *fold.TraceSums) error) error {
	c := s.on("trace_counts")
	c.and("grain = " + c.arg(string(p.Grain)) + " AND bucket >= " + c.arg(micros(p.From)) + " AND bucket < " + c.arg(micros(p.To)))
	for i := range terms {
		c.andTerm(&terms[i], countFields)
	}
	list := traceCountTable.list
	if !all {
		list = countsAlone
	}
	return each(ctx, s.q, traceCountTable.scan, func(r *traceCountRow) error {
		k, sums, err := r.decode()
		if err != nil {
			return err
		}
		return do(k, sums)
	}, `SELECT `+list+c.text.String(), c.args...)
}

// countsAlone are the columns of trace_counts, empty but for the keys and the count.
const countsAlone = `grain, bucket, provider, model, status, sources, count, 0, 0, 0, NULL::bytea, NULL::bytea`

// First gives the earliest start.
func (s *searching) First(ctx context.Context) (*time.Time, error) {
	at, err := collectOne(ctx, s.q, pgx.RowTo[time.Time],
		`SELECT start_time FROM traces WHERE project_id = $1 AND start_time IS NOT NULL ORDER BY start_time LIMIT 1`, string(s.project))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &at, err
}

// Locate finds what an id names.
func (s *searching) Locate(ctx context.Context, id string) (store.Located, error) {
	return collectOne(ctx, s.q, func(row pgx.CollectableRow) (store.Located, error) {
		var out store.Located
		err := row.Scan((*string)(&out.Trace), (*string)(&out.Span), (*string)(&out.Session))
		return out, err
	}, `SELECT trace_id, span_id, session_id FROM (
			SELECT 1 AS rank, trace_id, '' AS span_id, '' AS session_id FROM traces WHERE project_id = $1 AND trace_id = $2
			UNION ALL SELECT 2, trace_id, span_id, session_id FROM spans WHERE project_id = $1 AND span_id = $2 AND form = 'span'
			UNION ALL SELECT 3, '', '', session_id FROM sessions WHERE project_id = $1 AND session_id = $2) l ORDER BY rank LIMIT 1`, string(s.project), id)
}
