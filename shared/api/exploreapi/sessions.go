package exploreapi

import (
	"cmp"
	"net/http"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func (g *Group) searchSessions(w http.ResponseWriter, r *http.Request) error {
	in, err := g.readInput(r)
	if err != nil {
		return err
	}
	q := in.query()
	page := store.SessionPage{
		Sort: enum(in, "sort", store.SessionSorts(), store.SortRecent), Limit: in.integer("limit", 1, maxRows, defaultRows), Cursor: in.text("cursor", 4*maxTextChars),
	}
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	complete := g.completeTo(ctx)
	hits, err := g.Sessions.SearchSessions(ctx, reqctx.Project(ctx), q, page)
	if err != nil {
		return queryFault(err)
	}
	answer := struct {
		Items      []view.SessionRow `json:"items"`
		Next       *string           `json:"next"`
		Total      *total            `json:"total"`     // null behind a cursor
		ScannedTo  *string           `json:"scannedTo"` // when the last session that was looked at ended; null if all were
		CompleteTo *string           `json:"completeTo"`
	}{Items: make([]view.SessionRow, len(hits.Hits)), Next: orNull(hits.Next), ScannedTo: timeOrNull(hits.ScannedTo), CompleteTo: complete}
	for i := range hits.Hits {
		answer.Items[i] = view.SessionRowOf(&hits.Hits[i])
	}
	if page.Cursor == "" {
		answer.Total = &total{hits.Total, hits.Exact}
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// turn is a trace as a part of a conversation.
type turn struct {
	Trace  view.TraceRow `json:"trace"`
	Input  *string       `json:"input"`  // at most maxTurnChars of what was asked, as text
	Output *string       `json:"output"` // and answered, by the root, else last
	// ToolCalls are distinct; FailedTools are those of them that failed.
	ToolCalls   int64 `json:"toolCalls"`
	FailedTools int64 `json:"failedTools"`
}

const maxTurnChars = 8000

func (g *Group) turns(w http.ResponseWriter, r *http.Request) error {
	const noSession = "Session not found"
	id, err := api.PathID(r, noSession)
	if err != nil {
		return err
	}
	in := queryInput(r)
	page := store.SearchPage{Sort: store.SortStart, Limit: in.digits("limit", 1, maxRows, defaultRows), Cursor: in.text("cursor", 4*maxTextChars)}
	if err := in.err(); err != nil {
		return err
	}
	ctx := r.Context()
	g.Barrier(ctx)
	got, err := g.Sessions.SessionTurns(ctx, reqctx.Project(ctx), trace.SessionID(id), page)
	if err != nil {
		return api.Missing(queryFault(err), noSession)
	}
	answer := struct {
		Session view.SessionRow `json:"session"`
		Items   []turn          `json:"items"`
		Total   int64           `json:"total"`
		Next    *string         `json:"next"`
	}{view.SessionRowOf(&store.SessionHit{Session: got.Session}), make([]turn, len(got.Hits)), got.Total, orNull(got.Next)}
	for i := range got.Hits {
		h := &got.Hits[i]
		root := cmp.Or(h.RootSpan, &h.MainSpan)
		tools := got.Tools[h.ID]
		answer.Items[i] = turn{
			Trace:       view.TraceRowOf(h),
			Input:       view.Cut(cmp.Or(view.InputText(root), view.InputText(&h.MainSpan)), maxTurnChars),
			Output:      view.Cut(answerOf(h, got.Answers[h.ID]), maxTurnChars),
			ToolCalls:   tools.Calls,
			FailedTools: tools.Failed,
		}
	}
	return api.WriteJSON(w, http.StatusOK, answer)
}

// answerOf gives what a trace answered: what its root tells, else what was said
// last in it, nil if nobody knows, else what its main span tells.
func answerOf(h *store.TraceHit, last *trace.Span) string {
	spans := []*trace.Span{h.RootSpan, last, &h.MainSpan}
	if h.Root.SpanID == h.Main.SpanID {
		spans = []*trace.Span{&h.MainSpan, last}
	}
	for _, span := range spans {
		if span == nil {
			continue
		}
		if text := view.OutputText(span); text != "" {
			return text
		}
	}
	return ""
}
