package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceSpans gives a page of a trace's spans, depth first. It reads the ids of
// all spans and the rows of the page.
func (db *DB) TraceSpans(ctx context.Context, project account.ProjectID, id trace.TraceID, p store.Page) (store.Tree, error) {
	var out store.Tree
	err := db.inSnapshot(ctx, func(tx pgx.Tx) error {
		branches, err := collect(ctx, tx, func(row pgx.CollectableRow) (fold.Branch, error) {
			var b fold.Branch
			err := row.Scan((*string)(&b.ID), (*string)(&b.Parent))
			return b, err
		}, `SELECT span_id, parent_id FROM (
				SELECT start_time, span_id, parent_id FROM spans WHERE project_id = $1 AND form = 'span' AND trace_id = $2 AND trace_id <> ''
				UNION ALL SELECT start_time, span_id, parent_id FROM spans WHERE project_id = $1 AND span_id = $2 AND form = 'trace') s
			ORDER BY start_time, span_id`, string(project), string(id))
		if err != nil {
			return err
		}
		if len(branches) == 0 {
			return fault.New(fault.NotFound, "")
		}
		page, first, next, err := fold.TreePage(fold.DepthFirst(branches), p)
		if err != nil {
			return err
		}
		ids, place := make([]string, len(page)), make(map[trace.SpanID]int, len(page))
		for i, at := range page {
			ids[i], place[at.ID] = string(at.ID), i
		}
		rows, err := collect(ctx, tx, scanSpan, `SELECT `+spanColumns+` FROM spans s WHERE s.project_id = $1 AND s.span_id = ANY($2)`, string(project), ids)
		if err != nil {
			return err
		}
		if p.Detail == store.Full {
			if err := fillShown(ctx, tx, project, rows, anySize); err != nil {
				return err
			}
		}
		slices.SortFunc(rows, func(a, b *spanRow) int { return cmp.Compare(place[a.ID], place[b.ID]) })
		out = store.Tree{First: first, Total: int64(len(branches)), Next: next, Spans: make([]store.TreeSpan, len(rows))}
		for i, r := range rows {
			out.Spans[i] = store.TreeSpan{Span: r.Span, Depth: page[i].Depth, Parent: page[i].Parent}
		}
		return nil
	})
	return out, err
}
