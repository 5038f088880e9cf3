// Package exploreapi answers what the dashboard's pages ask beyond the lists of
// queryapi: traces by a filter, and what they add up to. All of it is below
// /dashboard/api/query, for members of a project. Questions are bodies of POST,
// so that no text of a prompt is in a URL or a log; all but delete change nothing.
package exploreapi

import (
	"context"
	"net/http"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/pricing"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Deps are what the routes ask.
type Deps struct {
	Traces   store.TraceSearcher
	Trees    store.TraceReader
	Counts   store.TraceCounter
	Explore  store.TraceExplorer
	Sessions store.SessionSearcher
	Export   store.TraceExporter
	Delete   store.TraceDeleter
	Projects store.ProjectStore
	Keys     store.KeyStore
	Rejected store.RejectionStore
	// Explain says by which of today's prices a span of a project costs what.
	Explain func(context.Context, account.ProjectID, *trace.Span) (pricing.Account, error)
	// Barrier, if set, is called before each read and returns once what was
	// accepted before is readable, or when its maker's patience ends.
	Barrier func(context.Context)
	// Lag, if set, tells how long the oldest record waits that is accepted and
	// cannot be read yet; 0 if none does. Where it is nil nobody knows.
	Lag func(context.Context) (time.Duration, error)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// MaxPayloadBytes bounds what is answered of a payload at once, where the host
	// has a limit; 0 is none.
	MaxPayloadBytes int
	// NoPayloadSearch refuses to look for texts, errors and metadata.
	NoPayloadSearch bool
	// Wait is how long tail waits for a trace; 0 where a request that waits is paid
	// for.
	Wait time.Duration
}

// TailWait is how long tail waits at most.
const TailWait = 20 * time.Second

// Group is the routes.
type Group struct{ Deps }

var _ api.Group = (*Group)(nil)

// New makes the group.
func New(d Deps) *Group {
	if d.Barrier == nil {
		d.Barrier = func(context.Context) {}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Group{d}
}

const prefix = "/dashboard/api/query"

// Routes implements api.Group.
func (g *Group) Routes() []api.Route {
	post := func(path string, h api.HandlerFunc) api.Route {
		return api.Route{Method: http.MethodPost, Pattern: prefix + path, Auth: api.AuthProject, Handler: h}
	}
	get := func(path string, h api.HandlerFunc) api.Route {
		return api.Route{Method: http.MethodGet, Pattern: prefix + path, Auth: api.AuthProject, Handler: h}
	}
	return []api.Route{
		post("/traces/search", g.searchTraces),
		post("/histogram", g.histogram),
		post("/facets", g.facets),
		post("/overview", g.overview),
		post("/heatmap", g.heatmap),
		post("/breakdown", g.breakdown),
		post("/compare", g.compare),
		post("/sessions/search", g.searchSessions),
		post("/export", g.export),
		{Method: http.MethodPost, Pattern: prefix + "/delete", Auth: api.AuthAdmin, Handler: g.delete},
		get("/sessions/{id}/turns", g.turns),
		post("/values", g.values),
		post("/tail", g.tail),
		get("/fields", g.fieldList),
		get("/keys", g.keys),
		get("/status", g.status),
		get("/traces/{id}/neighbours", g.neighbours),
		get("/traces/{id}/tree", g.tree),
		get("/traces/{id}/repeats", g.repeats),
		get("/spans/{id}/payload/{part}", g.payload),
		get("/spans/{id}/cost", g.cost),
		{Method: http.MethodGet, Pattern: prefix + "/resolve/{id}", Auth: api.AuthSession, Handler: g.resolve},
	}
}
