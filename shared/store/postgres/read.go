package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// spanWhere selects the spans of a project ($1) by a store.SpanFilter, of which
// spanArgs gives $2 to $10. See traceWhere.
const spanWhere = ` FROM spans s WHERE s.project_id = $1 AND s.form = 'span' AND s.start_time >= $2 AND s.start_time < $3
	AND ($4 = '' OR s.session_id = $4 AND s.session_id <> '')
	AND ($5 = '' OR s.trace_id = $5 AND s.trace_id <> '')
	AND ($6 = '' OR s.service = $6)
	AND ($7 = '' OR s.source = $7)
	AND ($8 = '' OR s.kind = $8)
	AND ($9 = '' OR s.tool_name = $9)
	AND ($10 = '' OR s.status = $10)`

func spanArgs(project account.ProjectID, f *store.SpanFilter) []any {
	bounds := fold.Bounds(f.Time)
	return []any{
		string(project), micros(bounds.From), micros(bounds.To), string(f.SessionID), string(f.TraceID), f.Service,
		string(f.Source), string(f.Kind), f.ToolName, string(f.Status),
	}
}

// ListSpans gives a page of spans.
func (db *DB) ListSpans(ctx context.Context, project account.ProjectID, f store.SpanFilter, p store.Page) (store.SpanList, error) {
	cursor, offset, err := pageStart(p, fold.Cursor{Start: trace.MaxTime.UnixMicro()})
	if err != nil {
		return store.SpanList{}, err
	}
	var out store.SpanList
	err = db.inSnapshot(ctx, func(tx pgx.Tx) error {
		rows, err := collect(ctx, tx, scanSpan, `SELECT `+spanColumns+spanWhere+`
			AND (s.start_time, s.span_id) < ($11, $12) ORDER BY s.start_time DESC, s.span_id DESC LIMIT $13 OFFSET $14`,
			append(spanArgs(project, &f), micros(cursor.Start), cursor.ID, p.Limit+1, offset)...)
		if err != nil {
			return err
		}
		if out.Total, err = countSpans(ctx, tx, project, &f); err != nil {
			return err
		}
		out.Spans, out.Next, err = finishSpans(ctx, tx, project, rows, p)
		return err
	})
	return out, err
}

// finishSpans is finishTraces for spans.
func finishSpans(ctx context.Context, q querier, project account.ProjectID, rows []*spanRow, p store.Page) ([]trace.Span, string, error) {
	next := ""
	if len(rows) > p.Limit {
		rows = rows[:p.Limit]
		last := rows[p.Limit-1]
		next = fold.Cursor{Start: last.Start.UnixMicro(), ID: string(last.ID)}.String()
	}
	if p.Detail == store.Full {
		if err := fillShown(ctx, q, project, rows, anySize); err != nil {
			return nil, "", err
		}
	}
	return spansOf(rows), next, nil
}

// countSpans counts the spans that f selects: from roll-ups but for the buckets
// that the range cuts, or from the rows if roll-ups do not know a field.
func countSpans(ctx context.Context, q querier, project account.ProjectID, f *store.SpanFilter) (int64, error) {
	if !fold.RollupsCount(*f) {
		return collectOne(ctx, q, pgx.RowTo[int64], `SELECT count(*)`+spanWhere, spanArgs(project, f)...)
	}
	return fold.NewPlan(fold.Bounds(f.Time)).Count(func(part fold.Part) (int64, error) {
		return collectOne(ctx, q, pgx.RowTo[int64], `SELECT coalesce(sum(count), 0)::bigint FROM rollups
			WHERE project_id = $1 AND grain = $2 AND bucket >= $3 AND bucket < $4 AND form = 'span'
			AND ($5 = '' OR source = $5) AND ($6 = '' OR kind = $6) AND ($7 = '' OR tool_name = $7) AND ($8 = '' OR status = $8)`,
			string(project), string(part.Grain), micros(part.From), micros(part.To),
			string(f.Source), string(f.Kind), f.ToolName, string(f.Status))
	}, func(cut fold.Interval) (int64, error) {
		part := *f
		part.Time = rangeOf(cut)
		return collectOne(ctx, q, pgx.RowTo[int64], `SELECT count(*)`+spanWhere, spanArgs(project, &part)...)
	})
}

// rangeOf gives an interval as filters have it.
func rangeOf(i fold.Interval) store.TimeRange {
	from, to := micros(i.From), micros(i.To)
	return store.TimeRange{From: &from, To: &to}
}

// Span gives one span with its payload.
func (db *DB) Span(ctx context.Context, project account.ProjectID, id trace.SpanID) (trace.Span, error) {
	var out trace.Span
	err := db.inSnapshot(ctx, func(tx pgx.Tx) error {
		r, err := collectOne(ctx, tx, scanSpan,
			`SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.span_id = $2 AND s.form = 'span'`, string(project), string(id))
		if err != nil {
			return err
		}
		if err := fillPayloads(ctx, tx, project, []*spanRow{r}, anySize); err != nil {
			return err
		}
		err = complete(ctx, tx, project, []*spanRow{r}, anySize)
		out = r.Span
		return err
	})
	return out, err
}

// SessionSpans gives the spans of a session.
func (db *DB) SessionSpans(ctx context.Context, project account.ProjectID, id trace.SessionID, p store.Page) (store.SpanList, error) {
	cursor, offset, err := pageStart(p, fold.Cursor{Start: trace.MinTime.UnixMicro()})
	if err != nil || id == "" { // '' is stored for no session
		return store.SpanList{}, err
	}
	var out store.SpanList
	err = db.inSnapshot(ctx, func(tx pgx.Tx) error {
		rows, err := collect(ctx, tx, scanSpan, `SELECT `+spanColumns+` FROM spans s
			WHERE s.project_id = $1 AND s.session_id = $2 AND s.session_id <> '' AND s.form = 'span' AND (s.start_time, s.span_id) > ($3, $4)
			ORDER BY s.start_time, s.span_id LIMIT $5 OFFSET $6`,
			string(project), string(id), micros(cursor.Start), cursor.ID, p.Limit+1, offset)
		if err != nil {
			return err
		}
		out.Total, err = collectOne(ctx, tx, pgx.RowTo[int64], `SELECT count(*) FROM spans s
			WHERE s.project_id = $1 AND s.session_id = $2 AND s.session_id <> '' AND s.form = 'span'`, string(project), string(id))
		if err != nil {
			return err
		}
		out.Spans, out.Next, err = finishSpans(ctx, tx, project, rows, p)
		return err
	})
	return out, err
}
