package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceSpans implements store.TraceReader. It reads the ids of all spans and
// the rows of a page.
func (db *DB) TraceSpans(ctx context.Context, project account.ProjectID, id trace.TraceID, p store.Page) (store.Tree, error) {
	var out store.Tree
	err := db.inProject(ctx, project, func(q querier, project projectNumber) error {
		branches, err := branchesOf(ctx, q, project, id)
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
		ids, depth := make([]trace.SpanID, len(page)), make(map[trace.SpanID]int, len(page))
		for i, at := range page {
			ids[i], depth[at.ID] = at.ID, i
		}
		list, err := jsonList(ids)
		if err != nil {
			return err
		}
		spans, err := readSpans(ctx, q, project, p.Detail, `WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(project), list)
		if err != nil {
			return err
		}
		slices.SortFunc(spans, func(a, b trace.Span) int { return cmp.Compare(depth[a.ID], depth[b.ID]) })
		out = store.Tree{First: first, Total: int64(len(branches)), Next: next, Spans: make([]store.TreeSpan, len(spans))}
		for i := range spans {
			out.Spans[i] = store.TreeSpan{Span: spans[i], Depth: page[i].Depth, Parent: page[i].Parent}
		}
		return nil
	})
	return out, err
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
