package postgres

import (
	"context"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// SentSpans implements store.TraceExporter.
func (db *DB) SentSpans(ctx context.Context, project account.ProjectID, id trace.TraceID, p store.SentPage) (store.SentSpans, error) {
	return searched(ctx, db, project, func(s *searching) (store.SentSpans, error) { return fold.SentSpans(ctx, s, id, p) })
}

// SentCall implements fold.Exporter.
func (s *searching) SentCall(ctx context.Context, id trace.TraceID) (*trace.Span, error) {
	spans, err := s.sent(ctx, `s.span_id = $2 AND s.form = 'trace'`, string(id))
	if err != nil || len(spans) == 0 {
		return nil, err
	}
	return &spans[0], nil
}

// Sent implements fold.Exporter.
func (s *searching) Sent(ctx context.Context, id trace.TraceID, after fold.Cursor, limit int) ([]trace.Span, error) {
	return s.sent(ctx, `s.form = 'span' AND s.trace_id = $2 AND s.trace_id <> '' AND (s.start_time, s.span_id) > ($3, $4)
		ORDER BY s.start_time, s.span_id LIMIT $5`, string(id), micros(after.Start), after.ID, limit)
}

func (s *searching) sent(ctx context.Context, rest string, args ...any) ([]trace.Span, error) {
	rows, err := collect(ctx, s.q, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND `+rest, append([]any{string(s.project)}, args...)...)
	if err != nil {
		return nil, err
	}
	if err := fillPayloads(ctx, s.q, s.project, rows, anySize); err != nil {
		return nil, err
	}
	out := make([]trace.Span, len(rows))
	for i, row := range rows {
		out[i] = *row.Says()
	}
	return out, nil
}
