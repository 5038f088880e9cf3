package postgres

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// traceWhere selects the traces of a project ($1) by a store.TraceFilter, of
// which traceArgs gives $2 to $10. An unset field's condition is a constant,
// which the planner drops: statements are planned with their values.
const traceWhere = ` FROM traces t WHERE t.project_id = $1 AND t.start_time >= $2 AND t.start_time < $3
	AND ($4 = '' OR t.session_id = $4)
	AND ($5::bigint = 0 OR t.sources & $5 <> 0)
	AND ($6 = '' OR t.provider_key = $6)
	AND ($7 = '' OR t.model_key = $7)
	AND ($8 = '' OR (t.error_count > 0) = ($8 = 'error'))
	AND ($9 = '' OR t.trace_id IN (SELECT s.trace_id FROM spans s WHERE s.project_id = $1 AND s.service = $9))`

func traceArgs(project account.ProjectID, f *store.TraceFilter) []any {
	bounds := fold.Bounds(f.Time)
	return []any{
		string(project), micros(bounds.From), micros(bounds.To), string(f.SessionID), int64(f.Source.Mask()),
		f.Provider, f.Model, string(f.Status), f.Service,
	}
}

// ListTraces gives a page of traces with their spans.
func (db *DB) ListTraces(ctx context.Context, project account.ProjectID, f store.TraceFilter, p store.Page) (store.TraceList, error) {
	cursor, offset, err := pageStart(p, fold.Cursor{Start: trace.MaxTime.UnixMicro()})
	if err != nil {
		return store.TraceList{}, err
	}
	var out store.TraceList
	err = db.inSnapshot(ctx, func(tx pgx.Tx) error {
		args := append(traceArgs(project, &f), micros(cursor.Start), cursor.ID, p.Limit+1, offset)
		traces, err := collect(ctx, tx, scanTrace, `SELECT `+traceTable.list+traceWhere+`
			AND (t.start_time, t.trace_id) < ($10, $11) ORDER BY t.start_time DESC, t.trace_id DESC LIMIT $12 OFFSET $13`, args...)
		if err != nil {
			return err
		}
		if out.Total, err = countTraces(ctx, tx, project, &f); err != nil {
			return err
		}
		out.Traces, out.Next, err = finishTraces(ctx, tx, project, traces, p)
		return err
	})
	return out, err
}

// pageStart gives where a page starts: behind a cursor, or at first with rows
// to pass over.
func pageStart(p store.Page, first fold.Cursor) (fold.Cursor, int, error) {
	if p.Cursor == "" {
		return first, p.Offset, nil
	}
	c, err := fold.ParseCursor(p.Cursor)
	return c, 0, err
}

// finishTraces cuts a list that was read with one row too many, so as to know
// of the next page, and fills in the spans.
func finishTraces(ctx context.Context, q querier, project account.ProjectID, traces []*trace.Trace, p store.Page) ([]trace.Trace, string, error) {
	next := ""
	if len(traces) > p.Limit {
		traces = traces[:p.Limit]
		last := traces[p.Limit-1]
		next = fold.Cursor{Start: last.Start.UnixMicro(), ID: string(last.ID)}.String()
	}
	if err := fillSpans(ctx, q, project, traces, store.MaxListedSpans, p.Detail); err != nil {
		return nil, "", err
	}
	out := make([]trace.Trace, len(traces))
	for i, t := range traces {
		out[i] = *t
	}
	return out, next, nil
}

// countTraces counts the traces that f selects: from roll-ups but for the
// buckets that the range cuts, or from the rows if roll-ups do not know a field.
func countTraces(ctx context.Context, q querier, project account.ProjectID, f *store.TraceFilter) (int64, error) {
	if !fold.TraceCountsCount(*f) {
		return collectOne(ctx, q, pgx.RowTo[int64], `SELECT count(*)`+traceWhere, traceArgs(project, f)...)
	}
	return fold.NewPlan(fold.Bounds(f.Time)).Count(func(part fold.Part) (int64, error) {
		return collectOne(ctx, q, pgx.RowTo[int64], `SELECT coalesce(sum(count), 0)::bigint FROM trace_counts
			WHERE project_id = $1 AND grain = $2 AND bucket >= $3 AND bucket < $4
			AND ($5::bigint = 0 OR sources & $5 <> 0) AND ($6 = '' OR provider = $6) AND ($7 = '' OR model = $7) AND ($8 = '' OR status = $8)`,
			string(project), string(part.Grain), micros(part.From), micros(part.To), int64(f.Source.Mask()), f.Provider, f.Model, string(f.Status))
	}, func(cut fold.Interval) (int64, error) {
		part := *f
		part.Time = rangeOf(cut)
		return collectOne(ctx, q, pgx.RowTo[int64], `SELECT count(*)`+traceWhere, traceArgs(project, &part)...)
	})
}

// Trace gives one trace with its spans and payloads.
func (db *DB) Trace(ctx context.Context, project account.ProjectID, id trace.TraceID) (trace.Trace, error) {
	var out trace.Trace
	err := db.inSnapshot(ctx, func(tx pgx.Tx) error {
		t, err := collectOne(ctx, tx, scanTrace,
			`SELECT `+traceTable.list+` FROM traces WHERE project_id = $1 AND trace_id = $2`, string(project), string(id))
		if err != nil {
			return err
		}
		err = fillSpans(ctx, tx, project, []*trace.Trace{t}, store.MaxTraceSpans, store.Full)
		out = *t
		return err
	})
	return out, err
}

// SessionTraces gives the traces of a session.
func (db *DB) SessionTraces(ctx context.Context, project account.ProjectID, id trace.SessionID, p store.Page) (store.TraceList, error) {
	cursor, offset, err := pageStart(p, fold.Cursor{Start: trace.MinTime.UnixMicro()})
	if err != nil || id == "" { // '' is stored for no session
		return store.TraceList{}, err
	}
	var out store.TraceList
	err = db.inSnapshot(ctx, func(tx pgx.Tx) error {
		traces, err := collect(ctx, tx, scanTrace, `SELECT `+traceTable.list+` FROM traces
			WHERE project_id = $1 AND session_id = $2 AND session_id <> '' AND start_time IS NOT NULL AND (start_time, trace_id) > ($3, $4)
			ORDER BY start_time, trace_id LIMIT $5 OFFSET $6`,
			string(project), string(id), micros(cursor.Start), cursor.ID, p.Limit+1, offset)
		if err != nil {
			return err
		}
		out.Total, err = collectOne(ctx, tx, pgx.RowTo[int64], `SELECT count(*) FROM traces
			WHERE project_id = $1 AND session_id = $2 AND session_id <> '' AND start_time IS NOT NULL`, string(project), string(id))
		if err != nil {
			return err
		}
		out.Traces, out.Next, err = finishTraces(ctx, tx, project, traces, p)
		return err
	})
	return out, err
}

// spanColumns are the columns of "spans s".
var spanColumns = spanTable.listOf("s")

// fillSpans gives each trace its spans, at most limit, the main one among them.
func fillSpans(ctx context.Context, q querier, project account.ProjectID, traces []*trace.Trace, limit int, detail store.Detail) error {
	if len(traces) == 0 {
		return nil
	}
	ids := make([]string, len(traces))
	var cut []string // main spans that the limit may leave out
	for i, t := range traces {
		ids[i] = string(t.ID)
		if t.SpanCount > int64(limit) {
			cut = append(cut, string(t.Main.SpanID))
		}
	}
	// The span of an LLM trace has the trace's id; all others are in an index.
	// OFFSET 0 keeps the planner from reading all LLM traces by another index
	// while it has no statistics yet.
	rows, err := collect(ctx, q, scanSpan, `SELECT `+spanColumns+` FROM unnest($2::text[]) AS t (id)
		CROSS JOIN LATERAL (SELECT * FROM spans WHERE project_id = $1 AND form = 'span' AND trace_id = t.id AND trace_id <> ''
			ORDER BY start_time, span_id LIMIT $3) s
		UNION ALL
		SELECT `+spanColumns+` FROM (SELECT * FROM spans WHERE project_id = $1 AND span_id = ANY($2) OFFSET 0) s WHERE s.form = 'trace'`,
		string(project), ids, limit)
	if err != nil {
		return err
	}
	if len(cut) > 0 {
		main, err := collect(ctx, q, scanSpan,
			`SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.span_id = ANY($2)`, string(project), cut)
		if err != nil {
			return err
		}
		rows = append(rows, main...)
	}
	byTrace := make(map[trace.TraceID][]*spanRow, len(traces))
	for _, r := range rows {
		byTrace[r.TraceID] = append(byTrace[r.TraceID], r)
	}
	rows = rows[:0]
	for _, t := range traces {
		of := byTrace[t.ID]
		slices.SortFunc(of, func(a, b *spanRow) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
		of = slices.CompactFunc(of, func(a, b *spanRow) bool { return a.ID == b.ID })
		if len(of) > limit {
			if i := slices.IndexFunc(of, func(r *spanRow) bool { return r.ID == t.Main.SpanID }); i >= limit {
				of[limit-1] = of[i]
			}
			of = of[:limit]
		}
		byTrace[t.ID] = of
		rows = append(rows, of...)
		t.SpansTruncated = t.SpanCount > int64(len(of))
	}
	if detail == store.Full {
		if err := fillShown(ctx, q, project, rows, anySize); err != nil {
			return err
		}
	}
	for _, t := range traces {
		t.Spans = spansOf(byTrace[t.ID])
	}
	return nil
}

func spansOf(rows []*spanRow) []trace.Span {
	out := make([]trace.Span, len(rows))
	for i, r := range rows {
		out[i] = r.Span
	}
	return out
}

// fillShown reads the payloads of spans for readers: without raw bytes, and with
// what other spans know of the same calls.
func fillShown(ctx context.Context, q querier, project account.ProjectID, rows []*spanRow, maxBytes int) error {
	if err := fillPayloads(ctx, q, project, rows, maxBytes); err != nil {
		return err
	}
	for _, r := range rows {
		r.Payload.Raw = nil
	}
	return complete(ctx, q, project, rows, maxBytes)
}

// complete gives spans that were read with their payloads what others say of
// the same calls.
func complete(ctx context.Context, q querier, project account.ProjectID, rows []*spanRow, maxBytes int) error {
	var ids []trace.SpanID
	for _, r := range rows {
		ids = append(ids, r.from...)
	}
	if len(ids) == 0 {
		return nil
	}
	others, err := collect(ctx, q, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.span_id = ANY($2)`, string(project), texts(ids))
	if err != nil {
		return err
	}
	if err := fillPayloads(ctx, q, project, others, maxBytes); err != nil {
		return err
	}
	said := make(map[trace.SpanID]*trace.Span, len(others))
	for _, o := range others {
		said[o.ID] = o.Says()
	}
	for _, r := range rows {
		fold.Complete(&r.Span, r.from, said)
	}
	return nil
}

// anySize is for reads of payloads of whatever size.
const anySize = math.MaxInt

// fillPayloads reads the payloads of rows; of those in chunks of more than
// maxBytes their head.
func fillPayloads(ctx context.Context, q querier, project account.ProjectID, rows []*spanRow, maxBytes int) error {
	var days []string
	var ids [][]byte
	spans, places := make([]*trace.Span, len(rows)), make([]fold.PayloadAt, len(rows))
	seen := map[uuid.UUID]bool{}
	for i, r := range rows {
		spans[i], places[i] = &r.Span, r.At()
		if chunk := places[i].Chunk; chunk != uuid.Nil && !seen[chunk] {
			seen[chunk] = true
			days, ids = append(days, r.payloadDay.Format(time.DateOnly)), append(ids, r.payloadChunk)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(days)
	type chunk struct{ id, data []byte }
	chunks, err := collect(ctx, q, func(row pgx.CollectableRow) (chunk, error) {
		var c chunk
		err := row.Scan(&c.id, &c.data)
		return c, err
	}, `SELECT chunk_id, CASE WHEN octet_length(data) <= $4::bigint THEN data ELSE substring(data FROM 1 FOR $5::int) END FROM payload_chunks
		WHERE project_id = $1 AND day = ANY($2::text[]::date[]) AND chunk_id = ANY($3)`,
		string(project), slices.Compact(days), ids, int64(store.CompressedBytes(maxBytes)), store.HeadBytes)
	if err != nil {
		return err
	}
	data := make(map[uuid.UUID][]byte, len(chunks))
	for _, c := range chunks {
		data[uuid.UUID(c.id)] = c.data
	}
	return fold.FillPayloads(spans, places, data, maxBytes)
}
