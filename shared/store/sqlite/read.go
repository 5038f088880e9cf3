package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// where collects conditions, each a static text with its parameters.
type where struct {
	text strings.Builder
	args []any
}

func newWhere(project projectNumber) *where {
	w := &where{}
	w.text.WriteString("WHERE project = ?")
	w.args = append(w.args, int64(project))
	return w
}

// and adds a condition.
func (w *where) and(condition string, args ...any) {
	w.text.WriteString(" AND " + condition)
	w.args = append(w.args, args...)
}

// andIf adds "column = value" unless value is empty.
func (w *where) andIf(column, value string) {
	if value != "" {
		w.and(column+" = ?", value)
	}
}

// andStart bounds a start time.
func (w *where) andStart(i fold.Interval) { w.and("start_time >= ? AND start_time < ?", i.From, i.To) }

// clone gives a copy to which conditions can be added.
func (w *where) clone() *where {
	c := &where{args: slices.Clone(w.args)}
	c.text.WriteString(w.text.String())
	return c
}

// page adds what follows from a store.Page: the place after the cursor, the
// order and one row more than the limit, which tells whether a page follows.
func (w *where) page(p store.Page, id string, descending bool) error {
	offset := p.Offset
	dir, less := " ASC", " > "
	if descending {
		dir, less = " DESC", " < "
	}
	if p.Cursor != "" {
		c, err := fold.ParseCursor(p.Cursor)
		if err != nil {
			return err
		}
		offset = 0
		w.and("(start_time, "+id+")"+less+"(?, ?)", c.Start, c.ID)
	}
	w.text.WriteString(" ORDER BY start_time" + dir + ", " + id + dir + " LIMIT ? OFFSET ?")
	w.args = append(w.args, p.Limit+1, offset)
	return nil
}

// readStored reads the rows of selectSpan with a rest, and their payloads if
// detail asks for them.
func readStored(ctx context.Context, q querier, project projectNumber, detail store.Detail, rest string, args ...any) ([]*storedSpan, error) {
	var out []*storedSpan
	err := query(ctx, q, "read spans", func(rows *sql.Rows) error {
		s, err := scanSpan(rows)
		out = append(out, &s)
		return err
	}, selectSpan+rest, args...)
	if err != nil || detail != store.Full {
		return out, err
	}
	return out, fillStored(ctx, q, project, out, anySize)
}

// fillStored reads the payloads of spans; of those in chunks of more than maxBytes
// their head.
func fillStored(ctx context.Context, q querier, project projectNumber, rows []*storedSpan, maxBytes int) error {
	all, places := make([]*trace.Span, len(rows)), make([]place, len(rows))
	for i, row := range rows {
		all[i], places[i] = &row.Span, row.at
	}
	return fillPayloads(ctx, q, project, all, places, maxBytes)
}

// fillShown reads the payloads of spans for readers: without raw bytes, and with
// what other spans know of the same calls.
func fillShown(ctx context.Context, q querier, project projectNumber, rows []*storedSpan, maxBytes int) error {
	if err := fillStored(ctx, q, project, rows, maxBytes); err != nil {
		return err
	}
	for _, row := range rows {
		row.Payload.Raw = nil
	}
	return complete(ctx, q, project, rows, maxBytes)
}

// readSpans reads spans for readers.
func readSpans(ctx context.Context, q querier, project projectNumber, detail store.Detail, rest string, args ...any) ([]trace.Span, error) {
	rows, err := readStored(ctx, q, project, store.Summary, rest, args...)
	if err == nil && detail == store.Full {
		err = fillShown(ctx, q, project, rows, anySize)
	}
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	spans := make([]trace.Span, len(rows))
	for i, row := range rows {
		spans[i] = row.Span
	}
	return spans, nil
}

// complete gives spans that were read with their payloads what others say of
// the same calls.
func complete(ctx context.Context, q querier, project projectNumber, rows []*storedSpan, maxBytes int) error {
	var ids []trace.SpanID
	for _, row := range rows {
		ids = append(ids, row.from...)
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := jsonList(ids)
	if err != nil {
		return err
	}
	others, err := readStored(ctx, q, project, store.Summary, `WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(project), list)
	if err != nil {
		return err
	}
	if err := fillStored(ctx, q, project, others, maxBytes); err != nil {
		return err
	}
	said := make(map[trace.SpanID]*trace.Span, len(others))
	for _, o := range others {
		said[o.ID] = o.Says()
	}
	for _, row := range rows {
		fold.Complete(&row.Span, row.from, said)
	}
	return nil
}

// chunksAtOnce is how many chunks a query asks for: SQLite allows 32,766
// parameters.
const chunksAtOnce = 256

// fillPayloads reads each chunk once.
func fillPayloads(ctx context.Context, q querier, project projectNumber, spans []*trace.Span, places []place, maxBytes int) error {
	at := make([]fold.PayloadAt, len(places))
	seen := map[uuid.UUID]bool{}
	var wanted []place
	for i, p := range places {
		if at[i] = p.PayloadAt; p.Chunk != uuid.Nil && !seen[p.Chunk] {
			seen[p.Chunk] = true
			wanted = append(wanted, p)
		}
	}
	chunks := make(map[uuid.UUID][]byte, len(wanted))
	for some := range slices.Chunk(wanted, chunksAtOnce) {
		if err := readChunks(ctx, q, project, some, maxBytes, chunks); err != nil {
			return err
		}
	}
	return fold.FillPayloads(spans, at, chunks, maxBytes)
}

// readChunks adds chunks as they are stored to those that were read; of one that
// is larger than maxBytes its head.
func readChunks(ctx context.Context, q querier, project projectNumber, wanted []place, maxBytes int, chunks map[uuid.UUID][]byte) error {
	args := make([]any, 0, 2*len(wanted)+3)
	for _, p := range wanted {
		args = append(args, p.day, p.Chunk[:])
	}
	return query(ctx, q, "read payload chunks", func(rows *sql.Rows) error {
		var id uuid.UUID
		var data []byte
		err := rows.Scan(&id, &data)
		chunks[id] = data
		return err
	}, `WITH wanted(day, id) AS (VALUES (?, ?)`+strings.Repeat(`, (?, ?)`, len(wanted)-1)+`)
		SELECT chunk_id, CASE WHEN length(data) <= ? THEN data ELSE substr(data, 1, ?) END
		FROM wanted CROSS JOIN payload_chunks WHERE project = ? AND payload_chunks.day = wanted.day AND chunk_id = wanted.id`,
		append(args, store.CompressedBytes(maxBytes), store.HeadBytes, int64(project))...)
}

// spanPage reads a page of spans that w selects.
func spanPage(ctx context.Context, q querier, project projectNumber, index string, w *where, p store.Page, descending bool) (store.SpanList, error) {
	var out store.SpanList
	if err := w.page(p, "span_id", descending); err != nil {
		return out, err
	}
	// The row beyond the page brings its payload too: one chunk more at most.
	spans, err := readSpans(ctx, q, project, p.Detail, index+w.text.String(), w.args...)
	if err != nil {
		return out, err
	}
	if len(spans) > p.Limit {
		spans = spans[:p.Limit]
		last := spans[p.Limit-1]
		out.Next = fold.Cursor{Start: last.Start.UnixMicro(), ID: string(last.ID)}.String()
	}
	out.Spans = spans
	return out, nil
}

// count answers a SELECT count.
func count(ctx context.Context, q querier, what, text string, args ...any) (int64, error) {
	var n int64
	err := q.QueryRowContext(ctx, text, args...).Scan(&n)
	return n, toFault(what, err)
}

// Without ANALYZE the engine guesses which index fits; INDEXED BY makes each
// plan certain, and a plan that became impossible an error instead of a scan.
const (
	spansByStart        = "INDEXED BY spans_start_idx "
	spansByTrace        = "INDEXED BY spans_trace_idx "
	spansBySession      = "INDEXED BY spans_session_idx "
	spansByTool         = "INDEXED BY spans_tool_idx "
	spansByService      = "INDEXED BY spans_service_idx "
	spansByServiceStart = "INDEXED BY spans_service_start_idx "
)

// ListSpans implements store.SpanReader.
func (db *DB) ListSpans(ctx context.Context, project account.ProjectID, f store.SpanFilter, p store.Page) (store.SpanList, error) {
	var out store.SpanList
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		var err error
		out, err = listSpans(ctx, q, project, f, p)
		return err
	})
	return out, err
}

func listSpans(ctx context.Context, q querier, project projectNumber, f store.SpanFilter, p store.Page) (store.SpanList, error) {
	var out store.SpanList
	bounds := fold.Bounds(f.Time)
	index := spansByStart
	w := newWhere(project)
	w.and("form = 'span'")
	switch {
	case f.TraceID != "":
		index = spansByTrace
		w.and("trace_id <> ''")
	case f.SessionID != "":
		index = spansBySession
		w.and("session_id <> ''")
	case f.ToolName != "":
		index = spansByTool
		w.and("tool_name IS NOT NULL")
	}
	w.andIf("trace_id", string(f.TraceID))
	w.andIf("session_id", string(f.SessionID))
	w.andIf("tool_name", f.ToolName)
	w.andIf("service", f.Service)
	w.andIf("source", string(f.Source))
	w.andIf("kind", string(f.Kind))
	w.andIf("status", string(f.Status))
	rows := w.clone()
	rows.andStart(bounds)
	var err error
	if out, err = spanPage(ctx, q, project, index, rows, p, true); err != nil {
		return out, err
	}
	if fold.RollupsCount(f) {
		out.Total, err = countSpans(ctx, q, project, f, w, bounds)
		return out, err
	}
	w.andStart(bounds)
	if f.Service == "" || index != spansByStart {
		out.Total, err = count(ctx, q, "count spans", `SELECT count(*) FROM spans `+index+w.text.String(), w.args...)
		return out, err
	}
	w.and("service IS NOT NULL")
	for index, which := range map[string]string{spansByService: " AND mapping_version = 0", spansByServiceStart: " AND mapping_version > 0"} {
		n, err := count(ctx, q, "count spans", `SELECT count(*) FROM spans `+index+w.text.String()+which, w.args...)
		if err != nil {
			return out, err
		}
		out.Total += n
	}
	return out, nil
}

// countSpans counts whole buckets from roll-ups, the rest from rows.
func countSpans(ctx context.Context, q querier, project projectNumber, f store.SpanFilter, rows *where, bounds fold.Interval) (int64, error) {
	return fold.NewPlan(bounds).Count(func(part fold.Part) (int64, error) {
		w := newWhere(project)
		w.and("grain = ? AND bucket >= ? AND bucket < ? AND form = 'span'", string(part.Grain), part.From, part.To)
		w.andIf("kind", string(f.Kind))
		w.andIf("source", string(f.Source))
		w.andIf("status", string(f.Status))
		w.andIf("tool_name", f.ToolName)
		return count(ctx, q, "count spans", `SELECT coalesce(sum(count), 0) FROM rollups `+w.text.String(), w.args...)
	}, func(cut fold.Interval) (int64, error) {
		w := rows.clone()
		w.andStart(cut)
		return count(ctx, q, "count spans", `SELECT count(*) FROM spans `+spansByStart+w.text.String(), w.args...)
	})
}

// Span implements store.SpanReader.
func (db *DB) Span(ctx context.Context, project account.ProjectID, id trace.SpanID) (trace.Span, error) {
	var out trace.Span
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		spans, err := readStored(ctx, q, project, store.Full, `WHERE project = ? AND span_id = ? AND form = 'span'`, int64(project), string(id))
		if err != nil {
			return err
		}
		if len(spans) == 0 {
			return errNotFound
		}
		err = complete(ctx, q, project, spans, anySize)
		out = spans[0].Span
		return err
	})
	return out, err
}

// SessionSpans implements store.SpanReader.
func (db *DB) SessionSpans(ctx context.Context, project account.ProjectID, id trace.SessionID, p store.Page) (store.SpanList, error) {
	var out store.SpanList
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		w := newWhere(project)
		w.and("form = 'span' AND session_id <> '' AND session_id = ?", string(id))
		total, err := count(ctx, q, "count session spans", `SELECT count(*) FROM spans `+spansBySession+w.text.String(), w.args...)
		if err != nil {
			return err
		}
		out, err = spanPage(ctx, q, project, spansBySession, w, p, false)
		out.Total = total
		return err
	})
	return out, err
}
