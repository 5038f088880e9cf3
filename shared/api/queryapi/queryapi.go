// Package queryapi is the read side of the data plane: traces, spans, sessions
// and their sums, for API keys under /v1 and for members of a project under
// /dashboard/api. Both prefixes have the same handlers. It asks the store's
// reading roles and gives rows the shape of package view; it writes nothing.
package queryapi

import (
	"context"
	"net/http"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// Deps are what the routes ask.
type Deps struct {
	Traces    store.TraceReader
	Spans     store.SpanReader
	Analytics store.AnalyticsReader
	Sessions  store.SessionReader // for NewDashboard
	Keys      api.KeyChecker      // for New: POST /v1/auth/login
	// Barrier, if set, is called before each read and returns once what was
	// accepted before is readable, or when its maker's patience ends.
	Barrier func(context.Context)
	// MaxPayloadBytes bounds the payloads in one answer, as view.Rows does;
	// 0 means 24 MiB. What does not fit is marked, and read by id.
	MaxPayloadBytes int
}

const defaultMaxPayloadBytes = 24 << 20

// Group is the routes of one prefix.
type Group struct{ routes []api.Route }

var _ api.Group = (*Group)(nil)

// Routes lists the group's routes.
func (g *Group) Routes() []api.Route { return g.routes }

// New makes the routes under /v1.
func New(deps Deps) *Group {
	h := newHandlers(deps)
	return &Group{append(h.routes("/v1", api.AuthKey),
		api.Route{Method: http.MethodPost, Pattern: "/v1/auth/login", Auth: api.AuthNone, Handler: h.login})}
}

// NewDashboard makes the routes under /dashboard/api: those of New but the
// login, and the list of agent sessions.
func NewDashboard(deps Deps) *Group {
	h := newHandlers(deps)
	return &Group{append(h.routes("/dashboard/api", api.AuthProject),
		api.Route{Method: http.MethodGet, Pattern: "/dashboard/api/agent-sessions", Auth: api.AuthProject, Handler: h.listSessions})}
}

type handlers struct{ Deps }

func newHandlers(deps Deps) *handlers {
	if deps.MaxPayloadBytes <= 0 {
		deps.MaxPayloadBytes = defaultMaxPayloadBytes
	}
	if deps.Barrier == nil {
		deps.Barrier = func(context.Context) {}
	}
	return &handlers{deps}
}

func (h *handlers) routes(prefix string, auth api.Auth) []api.Route {
	get := func(path string, handler api.HandlerFunc) api.Route {
		return api.Route{Method: http.MethodGet, Pattern: prefix + path, Auth: auth, Handler: handler}
	}
	return []api.Route{
		get("/traces", h.listTraces),
		get("/traces/{id}", h.getTrace),
		get("/traces/{id}/spans", h.traceSpans),
		get("/spans", h.listSpans),
		get("/spans/{id}", h.getSpan),
		get("/sessions/{id}", h.sessionTraces),
		get("/sessions/{id}/spans", h.sessionSpans),
		get("/analytics", h.callAnalytics),
		get("/analytics/spans", h.spanAnalytics),
	}
}

// rows begins the rows of an answer.
func (h *handlers) rows(r *http.Request, d store.Detail) *view.Rows {
	return &view.Rows{Project: reqctx.Project(r.Context()), Narrow: d == store.Summary, MaxPayloadBytes: h.MaxPayloadBytes}
}

// login tells whether the request's key is one. It answers 200 either way;
// only a key that cannot be checked now is an error.
func (h *handlers) login(w http.ResponseWriter, r *http.Request) error {
	key, ok := api.BearerToken(r)
	if ok {
		_, err := h.Keys.Check(r.Context(), key)
		if err != nil && !fault.Is(err, fault.Unauthenticated) {
			return err
		}
		ok = err == nil
	}
	return api.WriteJSON(w, http.StatusOK, struct {
		Authenticated bool `json:"authenticated"`
	}{ok})
}
