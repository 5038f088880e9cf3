package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceHistogram implements store.TraceCounter.
func (db *DB) TraceHistogram(ctx context.Context, project account.ProjectID, q store.TraceQuery, h store.Histogram) (store.TraceSeries, error) {
	return searched(ctx, db, project, func(s *searching) (store.TraceSeries, error) { return fold.TraceHistogram(ctx, s, q, h) })
}

// TraceFacets implements store.TraceCounter.
func (db *DB) TraceFacets(ctx context.Context, project account.ProjectID, q store.TraceQuery, fields []filter.Field, limit int) (store.Facets, error) {
	return searched(ctx, db, project, func(s *searching) (store.Facets, error) { return fold.TraceFacets(ctx, s, q, fields, limit) })
}

// TraceStatus implements store.TraceCounter.
func (db *DB) TraceStatus(ctx context.Context, project account.ProjectID) (store.TraceStatus, error) {
	return searched(ctx, db, project, func(s *searching) (store.TraceStatus, error) { return fold.TraceStatus(ctx, s) })
}

// TraceNeighbours implements store.TraceCounter.
func (db *DB) TraceNeighbours(ctx context.Context, project account.ProjectID, id trace.TraceID, q store.TraceQuery) (store.Neighbours, error) {
	return searched(ctx, db, project, func(s *searching) (store.Neighbours, error) {
		traces, err := tracesByID(ctx, s.q, s.project, []trace.TraceID{id})
		if err != nil {
			return store.Neighbours{}, err
		}
		if len(traces) == 0 || traces[0].Start == nil {
			return store.Neighbours{}, errNotFound
		}
		return fold.TraceNeighbours(ctx, s, &traces[0], q)
	})
}

// Locate implements store.TraceCounter.
func (db *DB) Locate(ctx context.Context, project account.ProjectID, id string) (store.Located, error) {
	return searched(ctx, db, project, func(s *searching) (store.Located, error) { return s.Locate(ctx, id) })
}

// MetaFields implements store.TraceCounter.
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
	filter.FieldLatency:  "(end_time - start_time)",
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
	filter.FieldRelease: `s."release"`,
	filter.FieldKey:     "s.api_key", // its number
}

// saidBySpans gives what the spans of a trace say in columns: a JSON array with
// an array of columns for each combination. Together, as a trace's spans cost as
// much to find for one column as for all.
func saidBySpans(columns []string) string {
	list := strings.Join(columns, ", ")
	shown := strings.Replace(list, "s.api_key", keyID, 1)
	return `(SELECT json_group_array(json_array(` + shown + `)) FROM (
		SELECT ` + list + ` FROM spans s ` + spansByTrace + `WHERE s.project = traces.project AND s.trace_id = traces.trace_id AND s.trace_id <> '' AND s.form = 'span'
		UNION SELECT ` + list + ` FROM spans s WHERE s.project = traces.project AND s.span_id = traces.trace_id AND s.form = 'trace') s)`
}

// Facts implements fold.Counter.
func (s *searching) Facts(ctx context.Context, w fold.Window, facts []fold.Fact, do func(start int64, values []any) error) error {
	c := s.window(w)
	columns := []string{"start_time"}
	var start int64
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
	var said sql.RawBytes
	if len(ofSpans) > 0 {
		columns, into = append(columns, saidBySpans(ofSpans)), append(into, &said)
	}
	return query(ctx, s.q, "count traces", func(rows *sql.Rows) error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if len(ofSpans) > 0 {
			lists, err := fold.SaidBySpans(said, len(ofSpans))
			if err != nil {
				return err
			}
			for i, list := range lists {
				values[places[i]] = list
			}
		}
		return do(start, values)
	}, `SELECT `+strings.Join(columns, ", ")+` FROM traces `+tracesByStart+c.text.String(), c.args...)
}

// Counts implements fold.Counter.
func (s *searching) Counts(ctx context.Context, p fold.Part, terms []filter.Term, all bool, do func(fold.TraceCountKey, *fold.TraceSums) error) error {
	c := newWhere(s.project)
	c.and("grain = ? AND bucket >= ? AND bucket < ?", string(p.Grain), p.From, p.To)
	for i := range terms {
		c.andTerm(&terms[i], countFields)
	}
	from := selectTraceCount
	if !all {
		from = selectCountsAlone
	}
	return query(ctx, s.q, "count traces", func(rows *sql.Rows) error {
		k, sums, err := scanTraceCount(rows)
		if err != nil {
			return err
		}
		return do(k, &sums)
	}, from+c.text.String(), c.args...)
}

// selectCountsAlone is selectTraceCount, empty but for the keys and the count.
const selectCountsAlone = `SELECT grain, bucket, provider, model, status, sources, count, 0, 0, 0, x'', x'' FROM trace_counts `

// First implements fold.Counter.
func (s *searching) First(ctx context.Context) (*time.Time, error) {
	var us int64
	err := s.q.QueryRowContext(ctx, `SELECT start_time FROM traces `+tracesByStart+`WHERE project = ? AND start_time IS NOT NULL ORDER BY start_time LIMIT 1`, int64(s.project)).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	at := time.UnixMicro(us).UTC()
	return &at, toFault("find the first trace", err)
}

// Locate implements fold.Counter.
func (s *searching) Locate(ctx context.Context, id string) (store.Located, error) {
	var out store.Located
	err := s.q.QueryRowContext(ctx, `SELECT trace_id, span_id, session_id FROM (
			SELECT 1 AS rank, trace_id, '' AS span_id, '' AS session_id FROM traces WHERE project = ?1 AND trace_id = ?2
			UNION ALL SELECT 2, trace_id, span_id, session_id FROM spans WHERE project = ?1 AND span_id = ?2 AND form = 'span'
			UNION ALL SELECT 3, '', '', session_id FROM sessions WHERE project = ?1 AND session_id = ?2) ORDER BY rank LIMIT 1`, int64(s.project), id).
		Scan(&out.Trace, &out.Span, &out.Session)
	if errors.Is(err, sql.ErrNoRows) {
		return out, errNotFound
	}
	return out, toFault("locate", err)
}
