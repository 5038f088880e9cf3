package sqlite

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
	spans, err := s.sent(ctx, `WHERE project = ?1 AND span_id = ?2 AND form = 'trace'`, int64(s.project), string(id))
	if err != nil || len(spans) == 0 {
		return nil, err
	}
	return &spans[0], nil
}

// Sent implements fold.Exporter.
func (s *searching) Sent(ctx context.Context, id trace.TraceID, after fold.Cursor, limit int) ([]trace.Span, error) {
	return s.sent(ctx, traceSpans+` AND (start_time, span_id) > (?3, ?4) ORDER BY start_time, span_id LIMIT ?5`,
		int64(s.project), string(id), after.Start, after.ID, limit)
}

func (s *searching) sent(ctx context.Context, rest string, args ...any) ([]trace.Span, error) {
	rows, err := readStored(ctx, s.q, s.project, store.Full, rest, args...)
	if err != nil {
		return nil, err
	}
	out := make([]trace.Span, len(rows))
	for i, row := range rows {
		out[i] = *row.Says()
	}
	return out, nil
}
