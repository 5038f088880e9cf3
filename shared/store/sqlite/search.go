package sqlite

import (
	"context"
	"database/sql"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// searched answers a question about a project's traces on one snapshot.
func searched[T any](ctx context.Context, db *DB, project account.ProjectID, ask func(*searching) (T, error)) (out T, err error) {
	err = db.inProject(ctx, project, func(q querier, project projectNumber) error {
		out, err = ask(&searching{q, project})
		return err
	})
	return out, err
}

// SearchTraces implements store.TraceSearcher.
func (db *DB) SearchTraces(ctx context.Context, project account.ProjectID, q store.TraceQuery, p store.SearchPage) (store.TraceHits, error) {
	return searched(ctx, db, project, func(s *searching) (store.TraceHits, error) { return fold.Search(ctx, s, q, p) })
}

// FindTrace implements store.TraceSearcher.
func (db *DB) FindTrace(ctx context.Context, project account.ProjectID, id trace.TraceID) (hit store.TraceHit, failed []trace.Span, err error) {
	hit, err = searched(ctx, db, project, func(s *searching) (store.TraceHit, error) {
		traces, err := tracesByID(ctx, s.q, s.project, []trace.TraceID{id})
		if err == nil && len(traces) == 0 {
			err = errNotFound
		}
		if err != nil {
			return hit, err
		}
		hit, failed, err = fold.FindTrace(ctx, s, &traces[0])
		return hit, err
	})
	return hit, failed, err
}

// AnySpan implements store.TraceSearcher.
func (db *DB) AnySpan(ctx context.Context, project account.ProjectID, id trace.SpanID) (trace.Span, error) {
	return searched(ctx, db, project, func(s *searching) (trace.Span, error) {
		spans, err := s.Spans(ctx, []trace.SpanID{id}, anySize)
		if err != nil {
			return trace.Span{}, err
		}
		if spans[id] == nil {
			return trace.Span{}, errNotFound
		}
		return *spans[id], nil
	})
}

// Receipt implements store.TraceSearcher.
func (db *DB) Receipt(ctx context.Context, project account.ProjectID, id trace.TraceID) (store.Receipt, error) {
	return searched(ctx, db, project, func(s *searching) (store.Receipt, error) {
		var out store.Receipt
		err := query(ctx, s.q, "read receipt", func(rows *sql.Rows) error {
			var chunk uuid.UUID
			var stored int64
			err := rows.Scan(&chunk, &stored)
			fold.AddReceipt(&out, chunk, time.UnixMicro(stored).UTC())
			return err
		}, `WITH chunks AS (SELECT DISTINCT payload_day, payload_chunk FROM (
				SELECT * FROM (SELECT payload_day, payload_chunk FROM spans `+traceSpans+` ORDER BY start_time DESC, span_id DESC LIMIT ?3)
				UNION ALL SELECT payload_day, payload_chunk FROM spans WHERE project = ?1 AND span_id = ?2 AND form = 'trace')
				WHERE payload_chunk IS NOT NULL)
			SELECT chunk_id, stored_at FROM chunks CROSS JOIN payload_chunks
			WHERE project = ?1 AND day = payload_day AND chunk_id = payload_chunk AND stored_at IS NOT NULL`, int64(s.project), string(id), store.ReceiptSpans)
		return out, err
	})
}

// searching implements fold.Counter.
type searching struct {
	q       querier
	project projectNumber
}

var _ fold.Counter = (*searching)(nil)

// window gives the condition of a window on traces.
func (s *searching) window(w fold.Window) *where {
	c := newWhere(s.project)
	c.andStart(w.Starts())
	if w.Before != nil {
		c.and("(start_time, trace_id) < (?, ?)", w.Before.Start, w.Before.ID)
	}
	if w.After != nil {
		c.and("(start_time, trace_id) > (?, ?)", w.After.Start, w.After.ID)
	}
	switch {
	case w.Low == nil:
	case w.After != nil:
		c.and("(start_time, trace_id) <= (?, ?)", w.Low.Start, w.Low.ID)
	default:
		c.and("(start_time, trace_id) >= (?, ?)", w.Low.Start, w.Low.ID)
	}
	for i := range w.Terms {
		c.andTerm(&w.Terms[i], traceFields)
	}
	return c
}

const newestFirst, oldestFirst = " ORDER BY start_time DESC, trace_id DESC LIMIT ?", " ORDER BY start_time, trace_id LIMIT ?"

// inOrder is the order of a window.
func inOrder(w fold.Window) string {
	if w.After != nil {
		return oldestFirst
	}
	return newestFirst
}

// Reach implements fold.Searcher. It reads the index alone.
func (s *searching) Reach(ctx context.Context, w fold.Window, n int) (last fold.Cursor, more bool, err error) {
	c := s.window(fold.Window{Interval: w.Interval, Before: w.Before, After: w.After})
	found := 0
	err = query(ctx, s.q, "search traces", func(rows *sql.Rows) error {
		var at fold.Cursor
		err := rows.Scan(&at.Start, &at.ID)
		if found++; found == 1 {
			last = at
		}
		return err
	}, `SELECT start_time, trace_id FROM traces `+tracesByStart+c.text.String()+inOrder(w)+` OFFSET ?`, append(c.args, 2, n-1)...)
	return last, found == 2, err
}

// sortKeys are fold.SortKey in SQL.
var sortKeys = map[store.TraceSort]string{
	store.SortLatency:  "(end_time - start_time)",
	store.SortCost:     "coalesce(cost_nano_usd, -1)",
	store.SortTokens:   "coalesce(" + allTokens + ", -1)",
	store.SortFailures: "error_count",
}

// allTokens adds both sorts of tokens; NULL if neither is known. Halves of the
// largest number (fold.MaxAddend) add up to no more than that.
const allTokens = `CASE WHEN input_tokens IS NOT NULL OR output_tokens IS NOT NULL
	THEN min(coalesce(input_tokens, 0), 4611686018427387903) + min(coalesce(output_tokens, 0), 4611686018427387903) END`

// Page implements fold.Searcher.
func (s *searching) Page(ctx context.Context, w fold.Window, sort store.TraceSort, after *fold.SortPlace, limit int) ([]trace.Trace, error) {
	c := s.window(w)
	order := inOrder(w)
	if key := sortKeys[sort]; key != "" {
		if after != nil {
			c.and("("+key+", start_time, trace_id) < (?, ?, ?)", after.Key, after.Start, after.ID)
		}
		order = " ORDER BY " + key + " DESC, start_time DESC, trace_id DESC LIMIT ?"
	}
	var out []trace.Trace
	err := query(ctx, s.q, "search traces", func(rows *sql.Rows) error {
		t, err := scanTrace(rows)
		out = append(out, t)
		return err
	}, selectTrace+tracesByStart+c.text.String()+order, append(c.args, limit)...)
	return out, err
}

// ByID implements fold.Searcher.
func (s *searching) ByID(ctx context.Context, ids []trace.TraceID) ([]trace.Trace, error) {
	return tracesByID(ctx, s.q, s.project, ids)
}

// CountRows implements fold.Searcher.
func (s *searching) CountRows(ctx context.Context, w fold.Window) (int64, error) {
	c := s.window(w)
	return count(ctx, s.q, "count traces", `SELECT count(*) FROM traces `+tracesByStart+c.text.String(), c.args...)
}

// CountWhole implements fold.Searcher.
func (s *searching) CountWhole(ctx context.Context, p fold.Part, terms []filter.Term) (int64, error) {
	c := newWhere(s.project)
	c.and("grain = ? AND bucket >= ? AND bucket < ?", string(p.Grain), p.From, p.To)
	for i := range terms {
		c.andTerm(&terms[i], countFields)
	}
	return count(ctx, s.q, "count traces", `SELECT coalesce(sum(count), 0) FROM trace_counts `+c.text.String(), c.args...)
}

// Spans implements fold.Searcher.
func (s *searching) Spans(ctx context.Context, ids []trace.SpanID, maxBytes int) (map[trace.SpanID]*trace.Span, error) {
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	rows, err := readStored(ctx, s.q, s.project, store.Summary, `WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(s.project), list)
	if err == nil {
		err = fillShown(ctx, s.q, s.project, rows, maxBytes)
	}
	out := make(map[trace.SpanID]*trace.Span, len(rows))
	for _, r := range rows {
		out[r.ID] = &r.Span
	}
	return out, err
}

// Failed implements fold.Searcher.
func (s *searching) Failed(ctx context.Context, ids []trace.TraceID) (map[trace.TraceID][]fold.Failed, error) {
	out := make(map[trace.TraceID][]fold.Failed, len(ids))
	for _, id := range ids {
		err := query(ctx, s.q, "find failures", func(rows *sql.Rows) error {
			var f fold.Failed
			err := rows.Scan(&f.ID, &f.Parent, &f.Start, &f.DurationMS)
			out[id] = append(out[id], f)
			return err
		}, `SELECT span_id, parent_id, start_time, duration_ms FROM (
				SELECT * FROM (SELECT start_time, span_id, parent_id, status, duration_ms FROM spans `+traceSpans+` ORDER BY start_time, span_id LIMIT ?3)
				UNION ALL SELECT start_time, span_id, parent_id, status, duration_ms FROM spans WHERE project = ?1 AND span_id = ?2 AND form = 'trace')
			WHERE status = 'error' ORDER BY start_time, span_id LIMIT ?4`, int64(s.project), string(id), fold.MaxFailedIn, fold.MaxFailed)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Fill implements fold.Searcher.
func (s *searching) Fill(ctx context.Context, traces []trace.Trace) error {
	return fillTraces(ctx, s.q, s.project, traces, store.TextSpans, store.Full)
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
func (w *where) andTerm(t *filter.Term, f termFields) {
	var c condition
	for _, v := range t.Values {
		if t.Op == filter.OpRange { // of both values
			c = condition{}
		}
		text, args := f.condition(t, v)
		c.or(text, args)
	}
	text := "(" + c.text.String() + ")"
	if t.Not {
		text = "NOT coalesce(" + text + ", 0)"
	}
	w.and(text, c.args...)
}

// condition is a text with its parameters.
type condition struct {
	text strings.Builder
	args []any
}

func (c *condition) or(text string, args []any) {
	if c.text.Len() > 0 {
		c.text.WriteString(" OR ")
	}
	c.text.WriteString(text)
	c.args = append(c.args, args...)
}

// condition gives what one value of a term asks for; of a range, the term's.
func (f *termFields) condition(t *filter.Term, v filter.Value) (string, []any) {
	switch t.Field {
	case filter.FieldStatus:
		if v.Text == string(trace.StatusError) {
			return f.status, nil
		}
		return "NOT " + f.status, nil
	case filter.FieldProvider:
		return matches(f.provider, v)
	case filter.FieldModel:
		return matches(f.model, v)
	case filter.FieldSource:
		return "sources & ? <> 0", []any{int64(trace.Source(v.Text).Mask())}
	case filter.FieldName:
		return matches("name", v)
	case filter.FieldSession:
		return matches("nullif(session_id, '')", v)
	case filter.FieldUser:
		return matches("user_id", v)
	case filter.FieldEnv:
		return matches("environment", v)
	case filter.FieldTrace:
		return matches("trace_id", v)
	case filter.FieldTag:
		return inList("tags", v)
	case filter.FieldService:
		listed, args := inList("services", v)
		said, more := anySpan(matches("s.service", v))
		return listed + " OR " + said, append(args, more...)
	case filter.FieldKind:
		return anySpan("s.kind = ?", []any{v.Text})
	case filter.FieldTool:
		return anySpan(matches("s.tool_name", v))
	case filter.FieldRelease:
		return anySpan(matches(`s."release"`, v))
	case filter.FieldKey:
		return anySpan(matches(keyID, v))
	case filter.FieldHas:
		return has(filter.Field(v.Text))
	case filter.FieldLatency:
		return compares("(end_time - start_time)", t, v, 1)
	case filter.FieldTTFT:
		return compares("first_token_ms", t, v, 1000)
	case filter.FieldCost:
		return compares("cost_nano_usd", t, v, 1)
	case filter.FieldTokens:
		return compares("("+allTokens+")", t, v, 1)
	case filter.FieldIn:
		return compares("input_tokens", t, v, 1)
	case filter.FieldOut:
		return compares("output_tokens", t, v, 1)
	case filter.FieldSpans:
		return compares("span_count", t, v, 1)
	}
	return "0", nil // of payloads: fold looks for it
}

// has gives the condition of a known field.
func has(f filter.Field) (string, []any) {
	switch f {
	case filter.FieldError:
		return "error_count > 0", nil
	case filter.FieldName:
		return "name <> ''", nil
	case filter.FieldProvider:
		return "llm_count > 0 AND provider_key <> 'sdk'", nil
	case filter.FieldModel:
		return "llm_count > 0 AND model_key <> 'unknown'", nil
	case filter.FieldSession:
		return "session_id <> ''", nil
	case filter.FieldUser:
		return "user_id IS NOT NULL", nil
	case filter.FieldEnv:
		return "environment IS NOT NULL", nil
	case filter.FieldTag:
		return "tags IS NOT NULL", nil
	case filter.FieldCost:
		return "cost_nano_usd IS NOT NULL", nil
	case filter.FieldTokens:
		return "input_tokens IS NOT NULL OR output_tokens IS NOT NULL", nil
	case filter.FieldTTFT:
		return "first_token_ms IS NOT NULL", nil
	case filter.FieldTool:
		return anySpan("s.tool_name IS NOT NULL", nil)
	case filter.FieldService:
		return anySpan("s.service IS NOT NULL", nil)
	case filter.FieldRelease:
		return anySpan(`s."release" IS NOT NULL`, nil)
	case filter.FieldKey:
		return anySpan(`s.api_key IS NOT NULL`, nil)
	}
	return "0", nil
}

// matches compares a column with a text or a pattern.
func matches(column string, v filter.Value) (string, []any) {
	if v.Glob {
		return column + " GLOB ?", []any{strings.NewReplacer("[", "[[]", "?", "[?]").Replace(v.Text)}
	}
	return column + " = ?", []any{v.Text}
}

// inList is matches for a column that holds a list.
func inList(column string, v filter.Value) (string, []any) {
	text, args := matches("l.value", v)
	return "EXISTS (SELECT 1 FROM json_each(traces." + column + ") l WHERE " + text + ")", args
}

// anySpan asks the spans of a trace.
func anySpan(text string, args []any) (string, []any) {
	return "(EXISTS (SELECT 1 FROM spans s " + spansByTrace + "WHERE s.project = traces.project AND s.trace_id = traces.trace_id AND s.trace_id <> '' AND s.form = 'span' AND " + text + ")" +
		" OR EXISTS (SELECT 1 FROM spans s WHERE s.project = traces.project AND s.span_id = traces.trace_id AND s.form = 'trace' AND " + text + "))", append(args[:len(args):len(args)], args...)
}

// compares compares a number with a value, in units of which a value has per.
func compares(column string, t *filter.Term, v filter.Value, per int64) (string, []any) {
	number := func(n int64) any {
		if per == 1 {
			return n
		}
		return float64(n) / float64(per)
	}
	switch t.Op {
	case filter.OpIs:
		return column + " = ?", []any{number(v.Number)}
	case filter.OpRange:
		return column + " BETWEEN ? AND ?", []any{number(t.Values[0].Number), number(t.Values[1].Number)}
	default:
		return column + " " + string(t.Op) + " ?", []any{number(v.Number)}
	}
}

// anySize is for reads of payloads of whatever size.
const anySize = math.MaxInt
