// Package healthapi tells those who run Pulse how it is: health for probes, and
// metrics for Prometheus. Every server of Pulse has it.
package healthapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
)

// Deps are what the group serves.
type Deps struct {
	// Ready are the checks of /health/ready.
	Ready []Check
	// Metrics are served at /metrics; nil leaves the route out.
	Metrics prometheus.Gatherer
	// MetricsToken, if set, is asked for as a bearer token.
	MetricsToken string
	// Log is told of failing checks, and of metrics that cannot be gathered.
	Log *slog.Logger
}

// Check is one condition of being ready.
type Check struct {
	Name string // a word that may be shown: database, log, drain
	Run  func(context.Context) error
}

// Every makes a check that asks at most once in a while, and gives the answer
// again until then: for what costs money or trouble to ask, since anybody may
// call /health/ready.
func Every(pause time.Duration, c Check) Check {
	var mu sync.Mutex
	var answer error
	var next time.Time
	return Check{Name: c.Name, Run: func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().Before(next) {
			return answer
		}
		err := c.Run(ctx)
		if errors.Is(ctx.Err(), context.Canceled) { // who asked has gone: that is no answer
			return err
		}
		answer, next = err, time.Now().Add(pause)
		return answer
	}}
}

// checkTimeout bounds a readiness check: probes give up after seconds.
const checkTimeout = 2 * time.Second

// Group is the route group.
type Group struct {
	Deps
	metrics http.Handler
}

var _ api.Group = (*Group)(nil)

// New makes the group.
func New(d Deps) *Group {
	g := &Group{Deps: d}
	if d.Metrics != nil {
		g.metrics = promhttp.HandlerFor(d.Metrics, promhttp.HandlerOpts{
			DisableCompression: true, // the edge compresses
			ErrorHandling:      promhttp.ContinueOnError,
			ErrorLog:           slog.NewLogLogger(d.Log.Handler(), slog.LevelError),
		})
	}
	return g
}

// Routes implements api.Group.
func (g *Group) Routes() []api.Route {
	routes := []api.Route{
		{Method: http.MethodGet, Pattern: "/health", Handler: g.health},
		{Method: http.MethodGet, Pattern: "/health/ready", Handler: g.ready},
	}
	if g.metrics != nil {
		routes = append(routes, api.Route{Method: http.MethodGet, Pattern: "/metrics", Handler: g.scrape})
	}
	return routes
}

type healthBody struct {
	Status  string            `json:"status"`
	Service string            `json:"service"`
	Checks  map[string]string `json:"checks,omitzero"`
}

// health says that the process answers. It asks nothing of the store or the
// log: restarting this process would not mend those.
func (g *Group) health(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return api.WriteJSON(w, http.StatusOK, healthBody{Status: "ok", Service: "pulse"})
}

// ready runs the checks side by side. What is wrong goes to the log only.
func (g *Group) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	errs := make([]error, len(g.Ready))
	var wg sync.WaitGroup
	for i, c := range g.Ready {
		wg.Go(func() { errs[i] = c.Run(ctx) })
	}
	wg.Wait()
	body, status := healthBody{Status: "ok", Service: "pulse", Checks: map[string]string{}}, http.StatusOK
	for i, c := range g.Ready {
		body.Checks[c.Name] = "ok"
		if errs[i] != nil {
			body.Checks[c.Name] = "failing"
			body.Status, status = "unavailable", http.StatusServiceUnavailable
			g.Log.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String("check", c.Name), slog.Any("err", errs[i]))
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return api.WriteJSON(w, status, body)
}

// scrape serves the metrics to whoever holds the token.
func (g *Group) scrape(w http.ResponseWriter, r *http.Request) error {
	if g.MetricsToken != "" {
		token, _ := api.BearerToken(r)
		got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(g.MetricsToken)) // equal lengths, so time tells nothing
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			return fault.New(fault.Unauthenticated, "Missing or invalid Authorization header")
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	g.metrics.ServeHTTP(w, r)
	return nil
}
