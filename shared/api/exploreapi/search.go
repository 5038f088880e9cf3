package exploreapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// Rows of a page.
const (
	defaultRows = 50
	maxRows     = 200
)

// total is how many there are.
type total struct {
	Value int64 `json:"value"`
	Exact bool  `json:"exact"` // false: there are more than were looked at
}

func (g *Group) searchTraces(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	q := in.query()
	page := store.SearchPage{
		Sort: enum(in, "sort", store.TraceSorts(), store.SortStart), Limit: in.integer("limit", 1, maxRows, defaultRows), Cursor: in.text("cursor", 4*maxTextChars),
	}
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	complete := g.completeTo(ctx)
	hits, err := g.Traces.SearchTraces(ctx, reqctx.Project(ctx), q, page)
	if err != nil {
		return queryFault(err)
	}
	answer := struct {
		Items      []view.TraceRow `json:"items"`
		Next       *string         `json:"next"`
		Total      *total          `json:"total"`     // null behind a cursor
		ScannedTo  *string         `json:"scannedTo"` // the start of the oldest trace that was looked at; null if all were
		CompleteTo *string         `json:"completeTo"`
	}{Items: make([]view.TraceRow, len(hits.Hits)), Next: orNull(hits.Next), ScannedTo: timeOrNull(hits.ScannedTo), CompleteTo: complete}
	for i := range hits.Hits {
		answer.Items[i] = view.TraceRowOf(&hits.Hits[i])
	}
	if page.Cursor == "" {
		answer.Total = &total{hits.Total, hits.Exact}
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// completeTo is the time up to which all that was accepted can be read; nil if
// nobody knows. It is asked for before the read.
func (g *Group) completeTo(ctx context.Context) *string {
	lag, ok := g.lag(ctx)
	if !ok {
		return nil
	}
	at := g.Now().Add(-lag)
	return timeOrNull(&at)
}

// lag reports false if nobody knows.
func (g *Group) lag(ctx context.Context) (time.Duration, bool) {
	if g.Lag == nil {
		return 0, false
	}
	lag, err := g.Lag(ctx)
	return lag, err == nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timeOrNull(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := view.Exactly(*t)
	return &s
}

// queryFault gives a store's complaint about a query the words of every other.
func queryFault(err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Code != fault.Invalid {
		return err
	}
	issues := make([]fault.Issue, len(e.Issues))
	for i, issue := range e.Issues {
		issues[i] = issue
		if len(issue.Path) == 1 && issue.Path[0] == "cursor" {
			issues[i].Message = "Invalid cursor: send what next gave, with the same query and sort"
		}
	}
	return &fault.Error{Code: fault.Invalid, Message: "Invalid query", Err: err, Issues: issues}
}
