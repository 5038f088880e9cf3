package exploreapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// What one call deletes: its caller repeats it, so it need not last, and a
// function's time is short.
const (
	deleteTraces = 500
	deleteTime   = 5 * time.Second
	deleteAtOnce = 100 // traces of one transaction
)

// deletion is a call of delete under way.
type deletion struct {
	g       *Group
	project account.ProjectID
	end     time.Time
	traces  int64
	spans   int64
}

// more reports whether there is time for another step.
func (d *deletion) more() bool { return d.traces < deleteTraces && d.g.Now().Before(d.end) }

// steps deletes traces while there is time, and gives those that are left.
func (d *deletion) steps(ctx context.Context, ids []trace.TraceID) ([]trace.TraceID, error) {
	for len(ids) > 0 && d.more() {
		now := ids[:min(len(ids), deleteAtOnce)]
		got, err := d.g.Delete.DeleteTraces(ctx, d.project, now)
		if err != nil {
			return nil, err
		}
		d.traces, d.spans = d.traces+got.Traces, d.spans+got.Spans
		ids = slices.Concat(got.Rest, ids[len(now):])
	}
	return ids, nil
}

func (g *Group) delete(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	sel, at := in.chosen(store.MaxDeleteTraces), in.place("cursor")
	if !sel.given { // a body that was not made to the end must not delete everything
		in.fault("ids", "invalid_type", "Give ids, or q (it may be empty), text, from or to")
	}
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	d := &deletion{g: g, project: reqctx.Project(ctx), end: g.Now().Add(deleteTime)}
	g.Barrier(ctx)
	answer := struct {
		DeletedTraces int64   `json:"deletedTraces"`
		DeletedSpans  int64   `json:"deletedSpans"`
		Remaining     total   `json:"remaining"`
		Done          bool    `json:"done"`
		Next          *string `json:"next"` // the cursor of the next call
	}{Remaining: total{Exact: true}}
	if sel.ids != nil {
		rest, err := d.steps(ctx, sel.ids)
		if err != nil {
			return err
		}
		answer.Done, answer.Remaining.Value = len(rest) == 0, int64(len(rest))
	} else {
		next, to, done, err := d.found(ctx, sel.query, at)
		if err != nil {
			return queryFault(err)
		}
		answer.Done, answer.Next = done, orNull(next.String())
		if !done {
			if to != nil && (sel.query.Time.To == nil || to.Before(*sel.query.Time.To)) {
				sel.query.Time.To = to
			}
			left, err := g.Traces.SearchTraces(ctx, d.project, sel.query, store.SearchPage{Sort: store.SortStart, Limit: 1})
			if err != nil {
				return err
			}
			answer.Remaining = total{left.Total, left.Exact}
		}
	}
	answer.DeletedTraces, answer.DeletedSpans = d.traces, d.spans
	return api.WriteJSON(w, http.StatusOK, answer)
}

// found deletes what a query finds from a place on. It gives where the next call
// goes on, and before when all starts that is left.
func (d *deletion) found(ctx context.Context, q store.TraceQuery, at place) (next place, to *time.Time, done bool, err error) {
	for d.more() {
		page, err := d.g.Traces.SearchTraces(ctx, d.project, q, at.page(deleteAtOnce))
		if err != nil {
			return at, to, false, err
		}
		ids := make([]trace.TraceID, len(page.Hits))
		for i := range page.Hits {
			ids[i] = page.Hits[i].ID
		}
		if len(ids) > 0 {
			from := page.Hits[0].Start.Add(time.Microsecond)
			to = &from
		}
		rest, err := d.steps(ctx, ids)
		if err != nil {
			return at, to, false, err
		}
		if len(rest) > 0 { // the same page finds what is left of it
			return at, to, false, nil
		}
		if page.Next == "" {
			return place{}, nil, true, nil
		}
		at = place{Search: page.Next}
	}
	return at, to, false, nil
}
