package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// searched answers a question about a project's traces on one snapshot.
func searched[T any](ctx context.Context, db *DB, project account.ProjectID, ask func(*searching) (T, error)) (out T, err error) {
	err = db.inSnapshot(ctx, func(tx pgx.Tx) error {
		out, err = ask(&searching{tx, project})
		return err
	})
	return out, err
}

// SearchTraces finds traces.
func (db *DB) SearchTraces(ctx context.Context, project account.ProjectID, q store.TraceQuery, p store.SearchPage) (store.TraceHits, error) {
	return searched(ctx, db, project, func(s *searching) (store.TraceHits, error) { return fold.Search(ctx, s, q, p) })
}

// FindTrace gives one trace, and what failed in it.
func (db *DB) FindTrace(ctx context.Context, project account.ProjectID, id trace.TraceID) (hit store.TraceHit, failed []trace.Span, err error) {
	hit, err = searched(ctx, db, project, func(s *searching) (store.TraceHit, error) {
		t, err := collectOne(ctx, s.q, scanTrace, `SELECT `+traceTable.list+` FROM traces WHERE project_id = $1 AND trace_id = $2`, string(project), string(id))
		if err != nil {
			return hit, err
		}
		hit, failed, err = fold.FindTrace(ctx, s, t)
		return hit, err
	})
	return hit, failed, err
}

// AnySpan gives one span of whatever form.
func (db *DB) AnySpan(ctx context.Context, project account.ProjectID, id trace.SpanID) (trace.Span, error) {
	return searched(ctx, db, project, func(s *searching) (trace.Span, error) {
		spans, err := s.Spans(ctx, []trace.SpanID{id}, anySize)
		if err != nil {
			return trace.Span{}, err
		}
		if spans[id] == nil {
			return trace.Span{}, fault.New(fault.NotFound, "")
		}
		return *spans[id], nil
	})
}

// Receipt tells when a trace was accepted and stored.
func (db *DB) Receipt(ctx context.Context, project account.ProjectID, id trace.TraceID) (store.Receipt, error) {
	var out store.Receipt
	type row struct {
		chunk  []byte
		stored time.Time
	}
	err := each(ctx, db.pool, func(r pgx.CollectableRow) (row, error) {
		var one row
		err := r.Scan(&one.chunk, &one.stored)
		return one, err
	}, func(r row) error {
		fold.AddReceipt(&out, uuid.UUID(r.chunk), r.stored.UTC())
		return nil
	}, `WITH chunks AS (SELECT DISTINCT payload_day, payload_chunk FROM (
			(SELECT payload_day, payload_chunk FROM spans WHERE project_id = $1 AND form = 'span' AND trace_id = $2 AND trace_id <> ''
				ORDER BY start_time DESC, span_id DESC LIMIT $3)
			UNION ALL SELECT payload_day, payload_chunk FROM spans WHERE project_id = $1 AND span_id = $2 AND form = 'trace') s
			WHERE payload_chunk IS NOT NULL)
		SELECT p.chunk_id, p.stored_at FROM chunks c JOIN payload_chunks p ON p.project_id = $1 AND p.day = c.payload_day AND p.chunk_id = c.payload_chunk
		WHERE p.stored_at IS NOT NULL`, string(project), string(id), store.ReceiptSpans)
	return out, err
}

// searching implements fold.Counter.
type searching struct {
	q       querier
	project account.ProjectID
}

var _ fold.Counter = (*searching)(nil)

// conditions collects conditions with their parameters, which are numbered.
type conditions struct {
	text strings.Builder
	args []any
}

// on begins conditions on a table's rows of the project.
func (s *searching) on(table string) *conditions {
	c := &conditions{}
	c.text.WriteString(" FROM " + table + " WHERE project_id = " + c.arg(string(s.project)))
	return c
}

// arg gives the number of a new parameter.
func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *conditions) and(condition string) { c.text.WriteString(" AND " + condition) }

// window gives the conditions of a window on traces.
func (s *searching) window(w fold.Window) *conditions {
	c := s.on("traces")
	i := w.Starts()
	c.and("start_time >= " + c.arg(micros(i.From)) + " AND start_time < " + c.arg(micros(i.To)))
	if w.Before != nil {
		c.and("(start_time, trace_id) < (" + c.arg(micros(w.Before.Start)) + ", " + c.arg(w.Before.ID) + ")")
	}
	if w.After != nil {
		c.and("(start_time, trace_id) > (" + c.arg(micros(w.After.Start)) + ", " + c.arg(w.After.ID) + ")")
	}
	if w.Low != nil {
		compare := " >= ("
		if w.After != nil {
			compare = " <= ("
		}
		c.and("(start_time, trace_id)" + compare + c.arg(micros(w.Low.Start)) + ", " + c.arg(w.Low.ID) + ")")
	}
	for i := range w.Terms {
		c.andTerm(&w.Terms[i], traceFields)
	}
	return c
}

const newestFirst, oldestFirst = " ORDER BY start_time DESC, trace_id DESC LIMIT ", " ORDER BY start_time, trace_id LIMIT "

// inOrder is the order of a window.
func inOrder(w fold.Window) string {
	if w.After != nil {
		return oldestFirst
	}
	return newestFirst
}

// Reach reads the index alone.
func (s *searching) Reach(ctx context.Context, w fold.Window, n int) (last fold.Cursor, more bool, err error) {
	c := s.window(fold.Window{Interval: w.Interval, Before: w.Before, After: w.After})
	found, err := collect(ctx, s.q, func(row pgx.CollectableRow) (fold.Cursor, error) {
		var t trace.Trace
		err := row.Scan(&t.Start, (*string)(&t.ID))
		if err != nil {
			return fold.Cursor{}, err
		}
		return fold.Cursor{Start: t.Start.UnixMicro(), ID: string(t.ID)}, nil
	}, `SELECT start_time, trace_id`+c.text.String()+inOrder(w)+"2 OFFSET "+c.arg(n-1), c.args...)
	if err != nil || len(found) == 0 {
		return fold.Cursor{}, false, err
	}
	return found[0], len(found) == 2, nil
}

// latencyUS is a trace's time on the clock.
const latencyUS = "(extract(epoch FROM end_time - start_time) * 1000000)::bigint"

// sortKeys are fold.SortKey in SQL.
var sortKeys = map[store.TraceSort]string{
	store.SortLatency:  latencyUS,
	store.SortCost:     "coalesce(cost_nano_usd, -1)",
	store.SortTokens:   "coalesce(" + allTokens + ", -1)",
	store.SortFailures: "error_count",
}

// allTokens adds both sorts of tokens; NULL if neither is known. Halves of the
// largest number (fold.MaxAddend) add up to no more than that.
const allTokens = `CASE WHEN input_tokens IS NOT NULL OR output_tokens IS NOT NULL
	THEN least(coalesce(input_tokens, 0), 4611686018427387903) + least(coalesce(output_tokens, 0), 4611686018427387903) END`

// Page gives the first traces of a window.
func (s *searching) Page(ctx context.Context, w fold.Window, sort store.TraceSort, after *fold.SortPlace, limit int) ([]trace.Trace, error) {
	c := s.window(w)
	order := inOrder(w)
	if key := sortKeys[sort]; key != "" {
		if after != nil {
			c.and("(" + key + ", start_time, trace_id) < (" + c.arg(after.Key) + ", " + c.arg(micros(after.Start)) + ", " + c.arg(after.ID) + ")")
		}
		order = " ORDER BY " + key + " DESC, start_time DESC, trace_id DESC LIMIT "
	}
	rows, err := collect(ctx, s.q, scanTrace, `SELECT `+traceTable.list+c.text.String()+order+c.arg(limit), c.args...)
	out := make([]trace.Trace, len(rows))
	for i, t := range rows {
		out[i] = *t
	}
	return out, err
}

// ByID gives traces by id.
func (s *searching) ByID(ctx context.Context, ids []trace.TraceID) ([]trace.Trace, error) {
	rows, err := collect(ctx, s.q, scanTrace, `SELECT `+traceTable.list+` FROM traces WHERE project_id = $1 AND trace_id = ANY($2)`, string(s.project), texts(ids))
	out := make([]trace.Trace, len(rows))
	for i, t := range rows {
		out[i] = *t
	}
	return out, err
}

// CountRows counts the traces of a window.
func (s *searching) CountRows(ctx context.Context, w fold.Window) (int64, error) {
	c := s.window(w)
	return collectOne(ctx, s.q, pgx.RowTo[int64], `SELECT count(*)`+c.text.String(), c.args...)
}

// CountWhole counts the traces of whole buckets.
func (s *searching) CountWhole(ctx context.Context, p fold.Part, terms []filter.Term) (int64, error) {
	c := s.on("trace_counts")
	c.and("grain = " + c.arg(string(p.Grain)) + " AND bucket >= " + c.arg(micros(p.From)) + " AND bucket < " + c.arg(micros(p.To)))
	for i := range terms {
		c.andTerm(&terms[i], countFields)
	}
	return collectOne(ctx, s.q, pgx.RowTo[int64], `SELECT coalesce(sum(count), 0)::bigint`+c.text.String(), c.args...)
}

// Spans gives spans by id.
func (s *searching) Spans(ctx context.Context, ids []trace.SpanID, maxBytes int) (map[trace.SpanID]*trace.Span, error) {
	rows, err := collect(ctx, s.q, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.span_id = ANY($2)`, string(s.project), texts(ids))
	if err == nil {
		err = fillShown(ctx, s.q, s.project, rows, maxBytes)
	}
	out := make(map[trace.SpanID]*trace.Span, len(rows))
	for _, r := range rows {
		out[r.ID] = &r.Span
	}
	return out, err
}

// Failed gives the spans that failed of traces.
func (s *searching) Failed(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID][]fold.Failed, error) {
	type failure struct {
		id trace.TraceID
		fold.Failed
	}
	rows, err := collect(ctx, s.q, func(row pgx.CollectableRow) (failure, error) {
		var f failure
		var start time.Time
		err := row.Scan((*string)(&f.id), (*string)(&f.ID), (*string)(&f.Parent), &start, &f.DurationMS)
		f.Start = start.UnixMicro()
		return f, err
	}, `SELECT t.id, s.span_id, s.parent_id, s.start_time, s.duration_ms FROM unnest($2::text[]) AS t (id) CROSS JOIN LATERAL (
			SELECT start_time, span_id, parent_id, duration_ms FROM (
				(SELECT start_time, span_id, parent_id, status, duration_ms FROM spans WHERE project_id = $1 AND form = 'span' AND trace_id = t.id AND trace_id <> ''
					ORDER BY start_time, span_id LIMIT $3)
				UNION ALL SELECT start_time, span_id, parent_id, status, duration_ms
					FROM (SELECT * FROM spans WHERE project_id = $1 AND span_id = t.id OFFSET 0) o WHERE form = 'trace') f
			WHERE status = 'error' ORDER BY start_time, span_id LIMIT $4) s
		ORDER BY t.id, s.start_time, s.span_id`, string(s.project), texts(ids), fold.MaxFailedIn, fold.MaxFailed)
	out := make(map[trace.TraceID][]fold.Failed, len(ids))
	for _, f := range rows {
		out[f.id] = append(out[f.id], f.Failed)
	}
	return out, err
}

// Fill reads the first spans of traces.
func (s *searching) Fill(ctx context.Context, traces []trace.Trace) error {
	list := make([]*trace.Trace, len(traces))
	for i := range traces {
		list[i] = &traces[i]
	}
	return fillSpans(ctx, s.q, s.project, list, store.TextSpans, store.Full)
}

// termFields says what fields of a filter are in a table.
type termFields struct {
	status          string // a condition that is true of an error
	provider, model string
}

var (
	traceFields = termFields{status: "error_count > 0", provider: "provider_key", model: "model_key"}
	countFields = termFields{status: "status = 'error'", provider: "provider", model: "model"} // those that fold.Counted names
)

// andTerm adds a term. What is not known (NULL) meets no term, and so meets all
// that are negated.
func (c *conditions) andTerm(t *filter.Term, f termFields) {
	var any []string
	for _, v := range t.Values {
		any = append(any, c.term(t, v, f))
		if t.Op == filter.OpRange { // of both values
			break
		}
	}
	text := "(" + strings.Join(any, " OR ") + ")"
	if t.Not {
		text = "NOT coalesce(" + text + ", false)"
	}
	c.and(text)
}

// term gives what one value of a term asks for; of a range, the term's.
func (c *conditions) term(t *filter.Term, v filter.Value, f termFields) string {
	switch t.Field {
	case filter.FieldStatus:
		if v.Text == string(trace.StatusError) {
			return f.status
		}
		return "NOT " + f.status
	case filter.FieldProvider:
		return c.matches(f.provider, v)
	case filter.FieldModel:
		return c.matches(f.model, v)
	case filter.FieldSource:
		return "sources & " + c.arg(int64(trace.Source(v.Text).Mask())) + " <> 0"
	case filter.FieldName:
		return c.matches("name", v)
	case filter.FieldSession:
		return c.matches("nullif(session_id, '')", v)
	case filter.FieldUser:
		return c.matches("user_id", v)
	case filter.FieldEnv:
		return c.matches("environment", v)
	case filter.FieldTrace:
		return c.matches("trace_id", v)
	case filter.FieldTag:
		return c.inList("tags", v)
	case filter.FieldService:
		return c.inList("services", v) + " OR " + anySpan(c.matches("s.service", v))
	case filter.FieldKind:
		return anySpan(c.matches("s.kind", v))
	case filter.FieldTool:
		return anySpan(c.matches("s.tool_name", v))
	case filter.FieldRelease:
		return anySpan(c.matches("s.release", v))
	case filter.FieldKey:
		return anySpan(c.matches("s.api_key", v))
	case filter.FieldHas:
		return has(filter.Field(v.Text))
	case filter.FieldLatency:
		return c.compares(latencyUS, t, v, 1)
	case filter.FieldTTFT:
		return c.compares("first_token_ms", t, v, 1000)
	case filter.FieldCost:
		return c.compares("cost_nano_usd", t, v, 1)
	case filter.FieldTokens:
		return c.compares("("+allTokens+")", t, v, 1)
	case filter.FieldIn:
		return c.compares("input_tokens", t, v, 1)
	case filter.FieldOut:
		return c.compares("output_tokens", t, v, 1)
	case filter.FieldSpans:
		return c.compares("span_count", t, v, 1)
	}
	return "false" // of payloads: fold looks for it
}

// has gives the condition of a known field.
func has(f filter.Field) string {
	switch f {
	case filter.FieldError:
		return "error_count > 0"
	case filter.FieldName:
		return "name <> ''"
	case filter.FieldProvider:
		return "llm_count > 0 AND provider_key <> 'sdk'"
	case filter.FieldModel:
		return "llm_count > 0 AND model_key <> 'unknown'"
	case filter.FieldSession:
		return "session_id <> ''"
	case filter.FieldUser:
		return "user_id IS NOT NULL"
	case filter.FieldEnv:
		return "environment IS NOT NULL"
	case filter.FieldTag:
		return "tags IS NOT NULL"
	case filter.FieldCost:
		return "cost_nano_usd IS NOT NULL"
	case filter.FieldTokens:
		return "input_tokens IS NOT NULL OR output_tokens IS NOT NULL"
	case filter.FieldTTFT:
		return "first_token_ms IS NOT NULL"
	case filter.FieldTool:
		return anySpan("s.tool_name IS NOT NULL")
	case filter.FieldService:
		return anySpan("s.service IS NOT NULL")
	case filter.FieldRelease:
		return anySpan("s.release IS NOT NULL")
	case filter.FieldKey:
		return anySpan("s.api_key IS NOT NULL")
	}
	return "false"
}

// matches compares a column with a text or a pattern.
func (c *conditions) matches(column string, v filter.Value) string {
	if v.Glob {
		return column + " LIKE " + c.arg(strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`).Replace(v.Text))
	}
	return column + " = " + c.arg(v.Text)
}

// inList is matches for a column that holds a list.
func (c *conditions) inList(column string, v filter.Value) string {
	return "EXISTS (SELECT FROM json_array_elements_text(traces." + column + "::json) AS l (value) WHERE " + c.matches("l.value", v) + ")"
}

// anySpan asks the spans of a trace.
func anySpan(condition string) string {
	return "(EXISTS (SELECT FROM spans s WHERE s.project_id = traces.project_id AND s.trace_id = traces.trace_id AND s.trace_id <> '' AND s.form = 'span' AND " + condition + ")" +
		" OR EXISTS (SELECT FROM " + ownSpan + " s WHERE s.form = 'trace' AND " + condition + "))"
}

// compares compares a number with a value, in units of which a value has per.
func (c *conditions) compares(column string, t *filter.Term, v filter.Value, per int64) string {
	number := func(n int64) string {
		if per == 1 {
			return c.arg(n)
		}
		return c.arg(float64(n) / float64(per))
	}
	switch t.Op {
	case filter.OpIs:
		return column + " = " + number(v.Number)
	case filter.OpRange:
		return column + " BETWEEN " + number(t.Values[0].Number) + " AND " + number(t.Values[1].Number)
	default:
		return column + " " + string(t.Op) + " " + number(v.Number)
	}
}
