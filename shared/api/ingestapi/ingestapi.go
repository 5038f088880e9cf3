// Package ingestapi is the route group that accepts traces and spans: it reads
// their wire forms, hands them to the ingest service, and answers 202 once they
// are durable.
package ingestapi

import (
	"context"
	"net/http"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Accepter makes spans durable; *ingest.Service is the one in use.
type Accepter interface {
	Accept(ctx context.Context, from account.Sender, spans []trace.Span) error
	AcceptAndStore(ctx context.Context, from account.Sender, spans []trace.Span) (fresh []bool, err error)
}

// Deps are what the group needs.
type Deps struct {
	Accept Accepter
	// Price sets what calls cost whose sender did not say it, for the answers that
	// show rows: what is stored is priced again where it is. On an error the answer
	// has no costs.
	Price func(ctx context.Context, project account.ProjectID, spans []trace.Span) error
	// Rejected, if set, is told of every request that was refused, and why; n is 1.
	Rejected func(ctx context.Context, err error, n int)
}

// Group is a set of ingest routes.
type Group struct {
	Deps
	prefix string
	auth   api.Auth
	async  bool // whether traces/async is among them
}

// New gives the data plane's routes, /v1, for API keys.
func New(d Deps) *Group { return &Group{Deps: d, prefix: "/v1", auth: api.AuthKey, async: true} }

// NewDashboard gives the control plane's, /dashboard/api, for members of a
// project of either role. traces/async never existed there.
func NewDashboard(d Deps) *Group {
	return &Group{Deps: d, prefix: "/dashboard/api", auth: api.AuthProject}
}

// Routes implements api.Group.
func (g *Group) Routes() []api.Route {
	post := func(path string, h api.HandlerFunc) api.Route {
		return api.Route{Method: http.MethodPost, Pattern: g.prefix + path, Auth: g.auth, Handler: h, Failed: g.failed}
	}
	routes := []api.Route{
		post("/traces/batch", g.tracesBatch),
		post("/spans/batch", g.spansBatch),
		post("/spans/async", g.queue(decodeSpans, "Failed to enqueue span")),
	}
	if g.async {
		routes = append(routes, post("/traces/async", g.queue(decodeTraces, "Failed to enqueue trace")))
	}
	return routes
}

// failed counts a request that was refused whole.
func (g *Group) failed(ctx context.Context, err error) {
	if g.Rejected != nil {
		g.Rejected(ctx, err, 1)
	}
}

// read gives the spans of a request's body.
func read(r *http.Request, decode func([]byte) ([]trace.Span, error)) ([]trace.Span, error) {
	body, err := api.ReadBody(r)
	if err != nil {
		return nil, err
	}
	return decode(body)
}

type queued struct {
	Status string `json:"status"`
	Count  int    `json:"count"`
}

// queue answers as soon as the spans are durable.
func (g *Group) queue(decode func([]byte) ([]trace.Span, error), failure string) api.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		spans, err := read(r, decode)
		if err != nil {
			return err
		}
		n := len(spans)
		if err := g.Accept.Accept(r.Context(), reqctx.Sender(r.Context()), spans); err != nil {
			return named(err, failure)
		}
		return api.WriteJSON(w, http.StatusAccepted, queued{Status: "queued", Count: n})
	}
}

// named gives a log that refuses the message that clients know.
func named(err error, message string) error {
	if fault.Is(err, fault.Unavailable) {
		return fault.Wrap(fault.Unavailable, message, err)
	}
	return err
}

type tracesBody struct {
	Count   int          `json:"count"`
	Skipped int          `json:"skipped"`
	Traces  []view.Trace `json:"traces"`
}

// tracesBatch answers with one row per record, in order. A repeated id is no
// error: it is counted in skipped, and its row shows what was sent, not the
// record that came first and stays.
func (g *Group) tracesBatch(w http.ResponseWriter, r *http.Request) error {
	spans, fresh, err := g.batch(r, decodeTraces, "Failed to enqueue trace")
	if err != nil {
		return err
	}
	rows := view.Rows{Project: reqctx.Project(r.Context()), MaxPayloadBytes: maxEchoBytes}
	body := tracesBody{Count: len(spans), Traces: make([]view.Trace, len(spans))}
	for i := range spans {
		t := trace.Trace{ID: spans[i].TraceID, Spans: spans[i : i+1]}
		t.Add(&spans[i])
		body.Traces[i] = rows.Trace(&t)
		if !fresh[i] {
			body.Skipped++
		}
	}
	return api.WriteJSON(w, http.StatusAccepted, body)
}

type spansBody struct {
	Count   int         `json:"count"`
	Skipped int         `json:"skipped"`
	Spans   []view.Span `json:"spans"`
}

// spansBatch answers with the rows that were new.
func (g *Group) spansBatch(w http.ResponseWriter, r *http.Request) error {
	spans, fresh, err := g.batch(r, decodeSpans, "Failed to enqueue span")
	if err != nil {
		return err
	}
	rows := view.Rows{Project: reqctx.Project(r.Context()), MaxPayloadBytes: maxEchoBytes}
	body := spansBody{Spans: []view.Span{}}
	for i := range spans {
		if fresh[i] {
			body.Spans = append(body.Spans, rows.Span(&spans[i]))
		}
	}
	body.Count = len(body.Spans)
	body.Skipped = len(spans) - body.Count
	return api.WriteJSON(w, http.StatusAccepted, body)
}

// maxEchoBytes bounds the payloads that a batch's answer repeats.
const maxEchoBytes = 24 << 20

// batch accepts a request's spans and waits until they can be read.
func (g *Group) batch(r *http.Request, decode func([]byte) ([]trace.Span, error), failure string) (spans []trace.Span, fresh []bool, err error) {
	if spans, err = read(r, decode); err != nil {
		return nil, nil, err
	}
	ctx := r.Context()
	_ = g.Price(ctx, reqctx.Project(ctx), spans)
	fresh, err = g.Accept.AcceptAndStore(ctx, reqctx.Sender(ctx), spans)
	return spans, fresh, named(err, failure)
}
