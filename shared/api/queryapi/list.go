package queryapi

import (
	"errors"
	"net/http"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Rows that an answer holds if the caller names no limit. A session is read
// whole as far as it fits one page: its earlier route had no pages.
const (
	defaultListLimit    = 100
	defaultSessionLimit = maxLimit
)

// paging is the part of a list's answer beside its rows.
type paging struct {
	Total      int64   `json:"total"`
	Limit      int     `json:"limit"`
	Offset     int     `json:"offset"`
	NextCursor *string `json:"nextCursor"` // null on the last page
}

func pagingOf(total int64, p store.Page, next string) paging {
	return paging{Total: total, Limit: p.Limit, Offset: p.Offset, NextCursor: cursor(next)}
}

func cursor(next string) *string {
	if next == "" {
		return nil
	}
	return &next
}

func (h *handlers) listTraces(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r)
	page := q.listPage()
	filter := store.TraceFilter{
		SessionID: trace.SessionID(q.text("session_id")),
		Source:    enum(q, "source", trace.Sources()),
		Service:   q.text("service"),
		Provider:  q.text("provider"),
		Model:     q.text("model"),
		Status:    enum(q, "status", trace.Statuses()),
		Time:      q.listRange(),
	}
	if err := q.err(); err != nil {
		return err
	}
	h.Barrier(r.Context())
	list, err := h.Traces.ListTraces(r.Context(), reqctx.Project(r.Context()), filter, page)
	if err != nil {
		return cursorFault(err)
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Traces []view.Trace `json:"traces"`
		paging
	}{traceRows(h.rows(r, page.Detail), list.Traces), pagingOf(list.Total, page, list.Next)})
}

func traceRows(rows *view.Rows, traces []trace.Trace) []view.Trace {
	out := make([]view.Trace, len(traces))
	for i := range traces {
		out[i] = rows.Trace(&traces[i])
	}
	return out
}

func spanRows(rows *view.Rows, spans []trace.Span) []view.Span {
	out := make([]view.Span, len(spans))
	for i := range spans {
		out[i] = rows.Span(&spans[i])
	}
	return out
}

func (h *handlers) getTrace(w http.ResponseWriter, r *http.Request) error {
	id, err := api.PathID(r, "Trace not found")
	if err != nil {
		return err
	}
	h.Barrier(r.Context())
	t, err := h.Traces.Trace(r.Context(), reqctx.Project(r.Context()), trace.TraceID(id))
	if err != nil {
		return api.Missing(err, "Trace not found")
	}
	return api.WriteJSON(w, http.StatusOK, h.rows(r, store.Full).Trace(&t))
}

// traceSpans gives a page of a trace's tree, depth first.
func (h *handlers) traceSpans(w http.ResponseWriter, r *http.Request) error {
	id, err := api.PathID(r, "Trace not found")
	if err != nil {
		return err
	}
	q := parseQuery(r)
	page := q.listPage()
	if err := q.err(); err != nil {
		return err
	}
	h.Barrier(r.Context())
	tree, err := h.Traces.TraceSpans(r.Context(), reqctx.Project(r.Context()), trace.TraceID(id), page)
	if err != nil {
		return cursorFault(api.Missing(err, "Trace not found"))
	}
	rows := h.rows(r, page.Detail)
	nodes := make([]view.Node, len(tree.Spans))
	for i := range tree.Spans {
		nodes[i] = rows.Node(&tree.Spans[i])
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Spans      []view.Node `json:"spans"`
		Total      int64       `json:"total"`
		NextCursor *string     `json:"nextCursor"`
	}{nodes, tree.Total, cursor(tree.Next)})
}

func (h *handlers) listSpans(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r)
	page := q.listPage()
	filter := store.SpanFilter{
		SessionID: trace.SessionID(q.text("session_id")),
		TraceID:   trace.TraceID(q.text("trace_id")),
		Service:   q.text("service"),
		Source:    enum(q, "source", trace.Sources()),
		Kind:      enum(q, "kind", trace.Kinds()),
		ToolName:  q.text("tool_name"),
		Status:    enum(q, "status", trace.Statuses()),
		Time:      q.listRange(),
	}
	if err := q.err(); err != nil {
		return err
	}
	h.Barrier(r.Context())
	list, err := h.Spans.ListSpans(r.Context(), reqctx.Project(r.Context()), filter, page)
	if err != nil {
		return cursorFault(err)
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Spans []view.Span `json:"spans"`
		paging
	}{spanRows(h.rows(r, page.Detail), list.Spans), pagingOf(list.Total, page, list.Next)})
}

func (h *handlers) getSpan(w http.ResponseWriter, r *http.Request) error {
	id, err := api.PathID(r, "Span not found")
	if err != nil {
		return err
	}
	q := parseQuery(r)
	wantsRaw := enum(q, "raw", []rawForm{rawNo, rawYes}) == rawYes
	if err := q.err(); err != nil {
		return err
	}
	h.Barrier(r.Context())
	s, err := h.Spans.Span(r.Context(), reqctx.Project(r.Context()), trace.SpanID(id))
	if err != nil {
		return api.Missing(err, "Span not found")
	}
	if wantsRaw {
		return writeRaw(w, &s)
	}
	return api.WriteJSON(w, http.StatusOK, h.rows(r, store.Full).Span(&s))
}

// writeRaw answers a span as it was sent: OTLP JSON.
func writeRaw(w http.ResponseWriter, s *trace.Span) error {
	if len(s.Payload.Raw) == 0 {
		return fault.New(fault.NotFound, "The span was not sent as OpenTelemetry: leave out raw")
	}
	body, err := otlp.RawJSON(s.Payload.Raw)
	if err != nil {
		return err
	}
	api.WriteBody(w, http.StatusOK, "application/json", body)
	return nil
}

const noSession = "Session not found"

// sessionQuery reads what both views of a session take.
func sessionQuery(r *http.Request) (trace.SessionID, store.Page, error) {
	id, err := api.PathID(r, noSession)
	if err != nil {
		return "", store.Page{}, err
	}
	q := parseQuery(r)
	page := q.page(defaultSessionLimit)
	return trace.SessionID(id), page, q.err()
}

func (h *handlers) sessionTraces(w http.ResponseWriter, r *http.Request) error {
	id, page, err := sessionQuery(r)
	if err != nil {
		return err
	}
	h.Barrier(r.Context())
	list, err := h.Traces.SessionTraces(r.Context(), reqctx.Project(r.Context()), id, page)
	if err != nil {
		return cursorFault(err)
	}
	if len(list.Traces) == 0 && page.Cursor == "" {
		return fault.New(fault.NotFound, noSession)
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		SessionID  trace.SessionID `json:"sessionId"`
		Traces     []view.Trace    `json:"traces"`
		NextCursor *string         `json:"nextCursor"`
	}{id, traceRows(h.rows(r, page.Detail), list.Traces), cursor(list.Next)})
}

func (h *handlers) sessionSpans(w http.ResponseWriter, r *http.Request) error {
	id, page, err := sessionQuery(r)
	if err != nil {
		return err
	}
	h.Barrier(r.Context())
	list, err := h.Spans.SessionSpans(r.Context(), reqctx.Project(r.Context()), id, page)
	if err != nil {
		return cursorFault(err)
	}
	if len(list.Spans) == 0 && page.Cursor == "" {
		return fault.New(fault.NotFound, noSession)
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		SessionID  trace.SessionID `json:"sessionId"`
		Spans      []view.Span     `json:"spans"`
		NextCursor *string         `json:"nextCursor"`
	}{id, spanRows(h.rows(r, page.Detail), list.Spans), cursor(list.Next)})
}

func (h *handlers) listSessions(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r)
	filter := store.SessionFilter{
		Source: enum(q, "source", trace.Sources()),
		Sort: enum(q, "sort", []store.SessionSort{
			store.SortRecent, store.SortOldest, store.SortDuration,
			store.SortErrors, store.SortVolume,
		}),
		Time: q.listRange(),
	}
	page := store.Page{Limit: q.limit(defaultListLimit), Offset: q.offset()}
	if err := q.err(); err != nil {
		return err
	}
	h.Barrier(r.Context())
	list, err := h.Sessions.ListSessions(r.Context(), reqctx.Project(r.Context()), filter, page)
	if err != nil {
		return err
	}
	rows := make([]view.Session, len(list.Sessions))
	for i := range list.Sessions {
		rows[i] = view.SessionOf(&list.Sessions[i])
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Sessions []view.Session `json:"sessions"`
		Total    int64          `json:"total"`
		Limit    int            `json:"limit"`
		Offset   int            `json:"offset"`
	}{rows, list.Total, page.Limit, page.Offset})
}

// rawForm is the query parameter raw.
type rawForm string

const (
	rawNo  rawForm = "0"
	rawYes rawForm = "1"
)

// cursorFault gives a store's complaint about a cursor the words of every other
// fault of a query.
func cursorFault(err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Code != fault.Invalid {
		return err
	}
	return &fault.Error{Code: fault.Invalid, Message: invalidQuery, Err: err, Issues: []fault.Issue{{
		Path: []any{"cursor"}, Code: "invalid_format", Message: "Invalid cursor: send what nextCursor gave, with the same filters",
	}}}
}
