// Package otlpapi is the route group that takes what OpenTelemetry exporters
// send: OTLP over HTTP, in protobuf and JSON, also on the paths that exporters
// of other products insist on, and OTLP over gRPC. It decodes no span itself:
// package otlp does.
package otlpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Accepter makes spans durable; *ingest.Service is the one in use.
type Accepter interface {
	Accept(ctx context.Context, from account.Sender, spans []trace.Span) error
	AcceptSent(ctx context.Context, from account.Sender, spans []otlp.Span) error
}

// Deps are what the group needs.
type Deps struct {
	Accept Accepter
	// Rejected, if set, is told of what was refused, and why: a request, which
	// counts as one, or n records of a request whose others were taken.
	Rejected func(ctx context.Context, err error, n int)
	// GRPC adds the methods of OTLP over gRPC, for a server that speaks HTTP/2.
	// API Gateway passes no gRPC on.
	GRPC bool
	// Now is the clock for spans without a time; nil is time.Now.
	Now func() time.Time
}

// Group is the set of routes.
type Group struct{ Deps }

// prefixes are where the routes are: at the root as OTLP has it, and where the
// exporters of other products send without being asked.
var prefixes = []string{
	"",
	"/api/public/otel",          // Langfuse
	"/otel",                     // LangSmith, Braintrust, Weave
	"/api/otel",                 // LangWatch
	"/api/v1/private/otel",      // Opik in a server of one's own
	"/opik/api/v1/private/otel", // Opik behind its usual proxy
}

// New makes the group.
func New(d Deps) *Group {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Group{d}
}

// Routes implements api.Group.
func (g *Group) Routes() []api.Route {
	post := func(path string, p api.Protocol, h api.HandlerFunc) api.Route {
		return api.Route{Method: http.MethodPost, Pattern: path, Auth: api.AuthKey, Protocol: p, Handler: h, Failed: g.failed}
	}
	routes := []api.Route{{Method: http.MethodGet, Pattern: "/info", Handler: info}}
	for _, s := range signals {
		for _, prefix := range prefixes {
			routes = append(routes, post(prefix+"/v1/"+s.name, overHTTP{}, g.overHTTP(s)))
		}
		if g.GRPC {
			routes = append(routes, post(s.method, overGRPC{}, g.overGRPC(s)))
		}
	}
	return routes
}

// info answers LangSmith's client, which asks what the server can do before it
// sends anything, and has defaults for what it is not told.
func info(w http.ResponseWriter, _ *http.Request) error {
	return api.WriteJSON(w, http.StatusOK, struct{}{})
}

// failed counts a request that was refused whole.
func (g *Group) failed(ctx context.Context, err error) {
	if g.Rejected != nil {
		g.Rejected(ctx, err, 1)
	}
}

// export does what all transports have in common: it takes the message of a
// request and says what of it was left out.
func (g *Group) export(r *http.Request, s *signal, body []byte, enc otlp.Encoding) (partial, error) {
	if enc == otlp.JSON { // it is rewritten as protobuf, which is not larger
		if err := api.Hold(r, len(body)); err != nil {
			return partial{}, err
		}
	}
	p, err := s.take(g, r.Context(), body, enc)
	if err == nil && p.rejected > 0 && s.keeps && g.Rejected != nil {
		g.Rejected(r.Context(), fault.New(fault.Invalid, p.reason), p.rejected)
	}
	return p, err
}
