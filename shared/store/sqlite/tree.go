package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceSpans implements store.TraceReader. It reads the ids of all spans and
// the rows of a page, or of a trace that is one page of outlines those at once.
func (db *DB) TraceSpans(ctx context.Context, project account.ProjectID, id trace.TraceID, p store.Page) (store.Tree, error) {
	var out store.Tree
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		var known map[trace.SpanID]*trace.Span
		var branches []fold.Branch
		var err error
		if p.Detail == store.Outline {
			known, branches, err = outlinesOf(ctx, q, project, id, p.Limit)
		}
		if err == nil && known == nil {
			branches, err = branchesOf(ctx, q, project, id)
		}
		if err != nil {
			return err
		}
		if len(branches) == 0 {
			return errNotFound
		}
		page, first, next, err := fold.TreePage(fold.DepthFirst(branches), p)
		if err != nil {
			return err
		}
		if known == nil {
			if known, err = spansOf(ctx, q, project, page, p.Detail); err != nil {
				return err
			}
		}
		out = store.Tree{First: first, Total: int64(len(branches)), Next: next, Spans: make([]store.TreeSpan, len(page))}
		for i, at := range page {
			out.Spans[i] = store.TreeSpan{Span: *known[at.ID], Depth: at.Depth, Parent: at.Parent}
		}
		return nil
	})
	return out, err
}

// spansOf reads the spans of a page.
func spansOf(ctx context.Context, q querier, project projectNumber, page []fold.Placed, detail store.Detail) (map[trace.SpanID]*trace.Span, error) {
	ids := make([]trace.SpanID, len(page))
	for i, at := range page {
		ids[i] = at.ID
	}
	list, err := jsonList(ids)
	if err != nil {
		return nil, err
	}
	spans, err := readSpans(ctx, q, project, detail, `WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(project), list)
	if err != nil {
		return nil, err
	}
	return byID(spans), nil
}

func byID(spans []trace.Span) map[trace.SpanID]*trace.Span {
	out := make(map[trace.SpanID]*trace.Span, len(spans))
	for i := range spans {
		out[spans[i].ID] = &spans[i]
	}
	return out
}

// branchesOf reads the spans of a trace by start, then id, as far as a tree
// needs them.
func branchesOf(ctx context.Context, q querier, project projectNumber, id trace.TraceID) ([]fold.Branch, error) {
	var out []fold.Branch
	err := query(ctx, q, "read tree", func(rows *sql.Rows) error {
		var b fold.Branch
		err := rows.Scan(&b.ID, &b.Parent)
		out = append(out, b)
		return err
	}, `SELECT span_id, parent_id FROM (
			SELECT start_time, span_id, parent_id FROM spans `+traceSpans+`
			UNION ALL SELECT start_time, span_id, parent_id FROM spans WHERE project = ?1 AND span_id = ?2 AND form = 'trace')
		ORDER BY start_time, span_id`, int64(project), string(id))
	return out, err
}

// outlinesOf reads what store.Outline asks for of a trace of about limit
// spans at most, and what a tree needs; nil of a larger one.
func outlinesOf(ctx context.Context, q querier, project projectNumber, id trace.TraceID, limit int) (map[trace.SpanID]*trace.Span, []fold.Branch, error) {
	var n int
	err := q.QueryRowContext(ctx, `SELECT count(*) FROM spans `+traceSpans, int64(project), string(id)).Scan(&n)
	if err != nil || n > limit {
		return nil, nil, toFault("count spans", err)
	}
	const columns = `start_time, span_id, parent_id, form, kind, event_type, status, duration_ms, first_token_ms, tool_name, model, agent_name, model_used,
		input_tokens, output_tokens, cost_nano_usd, name, patch, repeats`
	spans := make([]trace.Span, 0, n+1)
	err = query(ctx, q, "read outlines", func(rows *sql.Rows) error {
		var s trace.Span
		var start int64
		var name sql.NullString
		err := rows.Scan(&start, &s.ID, &s.ParentID, &s.Form, &s.Kind, &s.EventType, &s.Status, &s.DurationMS, &s.TimeToFirstTokenMS, &s.ToolName, &s.Model,
			&s.AgentName, &s.ModelUsed, &s.InputTokens, &s.OutputTokens, &s.CostNanoUSD, &name, &s.Patch, &s.Repeat)
		s.Start, s.Name = time.UnixMicro(start).UTC(), name.String
		spans = append(spans, s)
		return err
	}, `SELECT `+columns+` FROM spans `+traceSpans+`
		UNION ALL SELECT `+columns+` FROM spans WHERE project = ?1 AND span_id = ?2 AND form = 'trace' ORDER BY start_time, span_id`, int64(project), string(id))
	if err != nil {
		return nil, nil, err
	}
	branches := make([]fold.Branch, len(spans))
	for i := range spans {
		branches[i] = fold.Branch{ID: spans[i].ID, Parent: spans[i].ParentID}
	}
	return byID(spans), branches, nil
}
