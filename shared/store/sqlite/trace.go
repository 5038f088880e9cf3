package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

var errNotFound = fault.New(fault.NotFound, "")

const (
	tracesByStart   = "INDEXED BY traces_start_idx "
	tracesBySession = "INDEXED BY traces_session_idx "
)

// tracesByID reads traces by id, in no order.
func tracesByID(ctx context.Context, q querier, project projectNumber, ids []trace.TraceID) ([]trace.Trace, error) {
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	var out []trace.Trace
	err = query(ctx, q, "read traces", func(rows *sql.Rows) error {
		t, err := scanTrace(rows)
		out = append(out, t)
		return err
	}, selectTrace+`WHERE project = ? AND trace_id IN (SELECT value FROM json_each(?))`, int64(project), list)
	return out, err
}

// tracePage reads a page of traces that w selects, with their spans.
func tracePage(ctx context.Context, q querier, project projectNumber, index string, w *where, p store.Page, descending bool) (store.TraceList, error) {
	var out store.TraceList
	if err := w.page(p, "trace_id", descending); err != nil {
		return out, err
	}
	err := query(ctx, q, "read traces", func(rows *sql.Rows) error {
		t, err := scanTrace(rows)
		out.Traces = append(out.Traces, t)
		return err
	}, selectTrace+index+w.text.String(), w.args...)
	if err != nil {
		return out, err
	}
	if len(out.Traces) > p.Limit {
		out.Traces = out.Traces[:p.Limit]
		last := out.Traces[p.Limit-1]
		out.Next = fold.Cursor{Start: last.Start.UnixMicro(), ID: string(last.ID)}.String()
	}
	return out, fillTraces(ctx, q, project, out.Traces, store.MaxListedSpans, p.Detail)
}

// traceSpans selects the spans of a trace: those of FormSpan by index, that of
// FormTrace, whose id is the trace's, by key.
const traceSpans = spansByTrace + `WHERE project = ?1 AND trace_id = ?2 AND trace_id <> '' AND form = 'span'`

// fillTraces reads up to limit spans of each trace.
func fillTraces(ctx context.Context, q querier, project projectNumber, traces []trace.Trace, limit int, detail store.Detail) error {
	var mains []trace.SpanID // of traces of one span, and of truncated ones
	for i := range traces {
		if traces[i].SpanCount == 1 || traces[i].SpanCount > int64(limit) {
			mains = append(mains, traces[i].Main.SpanID)
		}
	}
	read := func(found map[trace.SpanID]*storedSpan, rest string, args ...any) error {
		return query(ctx, q, "read spans", func(rows *sql.Rows) error {
			s, err := scanSpan(rows)
			found[s.ID] = &s
			return err
		}, selectSpan+rest, args...)
	}
	byID := map[trace.SpanID]*storedSpan{}
	if len(mains) > 0 {
		list, err := jsonList(mains)
		if err != nil {
			return err
		}
		if err := read(byID, `WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(project), list); err != nil {
			return err
		}
	}
	var all []*storedSpan
	ofTraces := make([][]*storedSpan, len(traces))
	for i := range traces {
		t := &traces[i]
		found := map[trace.SpanID]*storedSpan{}
		if t.SpanCount == 1 {
			if main := byID[t.Main.SpanID]; main != nil {
				found[main.ID] = main
			}
		} else {
			err := read(found, traceSpans+` ORDER BY start_time, span_id LIMIT ?3`, int64(project), string(t.ID), limit)
			if err != nil {
				return err
			}
			if err := read(found, `WHERE project = ? AND span_id = ? AND form = 'trace'`, int64(project), string(t.ID)); err != nil {
				return err
			}
		}
		ordered := slices.SortedFunc(maps.Values(found), func(a, b *storedSpan) int { return bySpanStart(&a.Span, &b.Span) })
		if t.SpanCount > int64(limit) {
			t.SpansTruncated = true
			ordered = ordered[:limit]
			main := byID[t.Main.SpanID]
			if main != nil && !slices.ContainsFunc(ordered, func(s *storedSpan) bool { return s.ID == main.ID }) {
				ordered[limit-1] = main
			}
		}
		ofTraces[i] = ordered
		all = append(all, ordered...)
	}
	if detail == store.Full {
		if err := fillShown(ctx, q, project, all, anySize); err != nil {
			return err
		}
	}
	for i, rows := range ofTraces {
		traces[i].Spans = make([]trace.Span, len(rows))
		for j, row := range rows {
			traces[i].Spans[j] = row.Span
		}
	}
	return nil
}

// bySpanStart orders spans by start, then id.
func bySpanStart(a, b *trace.Span) int {
	if c := a.Start.Compare(b.Start); c != 0 {
		return c
	}
	switch {
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	}
	return 0
}

// ListTraces implements store.TraceReader.
func (db *DB) ListTraces(ctx context.Context, project account.ProjectID, f store.TraceFilter, p store.Page) (store.TraceList, error) {
	var out store.TraceList
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		var err error
		out, err = listTraces(ctx, q, project, f, p)
		return err
	})
	return out, err
}

func listTraces(ctx context.Context, q querier, project projectNumber, f store.TraceFilter, p store.Page) (store.TraceList, error) {
	var out store.TraceList
	bounds := fold.Bounds(f.Time)
	index := tracesByStart
	w := newWhere(project)
	if f.SessionID != "" {
		index = tracesBySession
		w.and("session_id <> '' AND session_id = ?", string(f.SessionID))
	}
	if f.Source != "" {
		w.and("sources & ? <> 0", int64(f.Source.Mask()))
	}
	if f.Service != "" {
		// A trace lists some services of its spans from OpenTelemetry, as a rule all.
		w.and(`(EXISTS (SELECT 1 FROM json_each(traces.services) WHERE value = ?)
			OR EXISTS (SELECT 1 FROM spans s INDEXED BY spans_service_idx WHERE s.project = traces.project AND s.service IS NOT NULL
				AND s.mapping_version = 0 AND s.service = ? AND s.trace_id = traces.trace_id)
			OR (json_array_length(traces.services) >= ? AND EXISTS (SELECT 1 FROM spans s INDEXED BY spans_trace_idx WHERE s.project = traces.project
				AND s.trace_id = traces.trace_id AND s.trace_id <> '' AND s.form = 'span' AND s.service = ?)))`,
			f.Service, f.Service, trace.MaxTraceServices, f.Service)
	}
	w.andIf("provider_key", f.Provider)
	w.andIf("model_key", f.Model)
	switch f.Status {
	case trace.StatusError:
		w.and("error_count > 0")
	case trace.StatusSuccess:
		w.and("error_count = 0")
	}
	rows := w.clone()
	rows.andStart(bounds)
	var err error
	if out, err = tracePage(ctx, q, project, index, rows, p, true); err != nil {
		return out, err
	}
	if fold.TraceCountsCount(f) {
		out.Total, err = countTraces(ctx, q, project, f, w, bounds)
		return out, err
	}
	w.andStart(bounds)
	out.Total, err = count(ctx, q, "count traces", `SELECT count(*) FROM traces `+index+w.text.String(), w.args...)
	return out, err
}

// countTraces counts whole buckets from trace_counts, the rest from rows.
func countTraces(ctx context.Context, q querier, project projectNumber, f store.TraceFilter, rows *where, bounds fold.Interval) (int64, error) {
	return fold.NewPlan(bounds).Count(func(part fold.Part) (int64, error) {
		w := newWhere(project)
		w.and("grain = ? AND bucket >= ? AND bucket < ?", string(part.Grain), part.From, part.To)
		w.andIf("provider", f.Provider)
		w.andIf("model", f.Model)
		w.andIf("status", string(f.Status))
		if f.Source != "" {
			w.and("sources & ? <> 0", int64(f.Source.Mask()))
		}
		return count(ctx, q, "count traces", `SELECT coalesce(sum(count), 0) FROM trace_counts `+w.text.String(), w.args...)
	}, func(cut fold.Interval) (int64, error) {
		w := rows.clone()
		w.andStart(cut)
		return count(ctx, q, "count traces", `SELECT count(*) FROM traces `+tracesByStart+w.text.String(), w.args...)
	})
}

// Trace implements store.TraceReader.
func (db *DB) Trace(ctx context.Context, project account.ProjectID, id trace.TraceID) (trace.Trace, error) {
	var out trace.Trace
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		traces, err := tracesByID(ctx, q, project, []trace.TraceID{id})
		if err != nil {
			return err
		}
		if len(traces) == 0 {
			return errNotFound
		}
		if err := fillTraces(ctx, q, project, traces, store.MaxTraceSpans, store.Full); err != nil {
			return err
		}
		out = traces[0]
		return nil
	})
	return out, err
}

// SessionTraces implements store.TraceReader.
func (db *DB) SessionTraces(ctx context.Context, project account.ProjectID, id trace.SessionID, p store.Page) (store.TraceList, error) {
	var out store.TraceList
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		w := newWhere(project)
		w.and("session_id <> '' AND session_id = ? AND start_time IS NOT NULL", string(id))
		total, err := count(ctx, q, "count session traces", `SELECT count(*) FROM traces `+tracesBySession+w.text.String(), w.args...)
		if err != nil {
			return err
		}
		out, err = tracePage(ctx, q, project, tracesBySession, w, p, false)
		out.Total = total
		return err
	})
	return out, err
}
