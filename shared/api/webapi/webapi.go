// Package webapi serves what is no API: the dashboard's files, its run-time
// configuration, health, metrics and the API description. It is the fallback of
// every path that no other group has.
package webapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
)

// Deps are what the group serves.
type Deps struct {
	// Dashboard holds the built dashboard, index.html at its root. Without one a
	// small page says how to begin. It is read once, by New.
	Dashboard fs.FS
	// OpenAPI is the description of the API, as JSON.
	OpenAPI []byte
	// APIBaseURL is where the dashboard sends its calls: BETTER_AUTH_URL where
	// that was set by hand. "" leaves them to the page's own origin.
	APIBaseURL string
	// HTTPS says that the public URL is https, so browsers may be told to stay
	// with it.
	HTTPS bool
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

// checkTimeout bounds a readiness check: probes give up after seconds.
const checkTimeout = 2 * time.Second

// Group is the route group.
type Group struct {
	Deps
	site          *site
	runtimeConfig []byte
	metrics       http.Handler
}

var _ api.Fallback = (*Group)(nil)

// New makes the group. It fails if the dashboard's files cannot be read, or the
// API description is not JSON.
func New(d Deps) (*Group, error) {
	if !jsontext.Value(d.OpenAPI).IsValid() {
		return nil, errors.New("OpenAPI description is not JSON")
	}
	connect, err := origin(d.APIBaseURL)
	if err != nil {
		return nil, err
	}
	st, err := newSite(d.Dashboard, connect, d.HTTPS)
	if err != nil {
		return nil, err
	}
	config, err := runtimeConfig(d.APIBaseURL)
	if err != nil {
		return nil, err
	}
	g := &Group{Deps: d, site: st, runtimeConfig: config}
	if d.Metrics != nil {
		g.metrics = promhttp.HandlerFor(d.Metrics, promhttp.HandlerOpts{
			DisableCompression: true, // the edge compresses
			ErrorHandling:      promhttp.ContinueOnError,
			ErrorLog:           slog.NewLogLogger(d.Log.Handler(), slog.LevelError),
		})
	}
	return g, nil
}

// Routes implements api.Group.
func (g *Group) Routes() []api.Route {
	routes := []api.Route{
		{Method: http.MethodGet, Pattern: "/health", Handler: g.health},
		{Method: http.MethodGet, Pattern: "/health/ready", Handler: g.ready},
		{Method: http.MethodGet, Pattern: "/runtime-config.js", Handler: g.config},
		{Method: http.MethodGet, Pattern: "/openapi.json", Handler: g.openAPI},
	}
	if g.metrics != nil {
		routes = append(routes, api.Route{Method: http.MethodGet, Pattern: "/metrics", Handler: g.scrape})
	}
	return routes
}

// Prefix implements api.Fallback.
func (g *Group) Prefix() string { return "/" }

// Unmatched serves the dashboard. Paths of the APIs never reach files.
func (g *Group) Unmatched(w http.ResponseWriter, r *http.Request, allow []string) error {
	if len(allow) > 0 || reserved(r.URL.Path) || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return api.Unmatched(w, allow)
	}
	return g.site.serve(w, r)
}

// reserved reports whether a path belongs to an API, whether or not this host
// mounts it.
func reserved(path string) bool {
	for _, prefix := range [...]string{"/api/", "/dashboard/api/", "/v1/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return path == "/health" || path == "/metrics"
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

// openAPI serves the description to tools of any origin.
func (g *Group) openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	api.WriteBody(w, http.StatusOK, "application/json", g.OpenAPI)
	return nil
}

// config tells the dashboard where its API is. A file of that name is shadowed.
func (g *Group) config(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	api.WriteBody(w, http.StatusOK, "application/javascript; charset=utf-8", g.runtimeConfig)
	return nil
}

// runtimeConfig makes the script. baseURL is escaped for JavaScript, which ends
// lines at two characters that JSON takes in strings.
func runtimeConfig(baseURL string) ([]byte, error) {
	config, err := json.Marshal(struct {
		APIBaseURL string `json:"apiBaseUrl,omitzero"`
	}{baseURL}, jsontext.EscapeForHTML(true), jsontext.EscapeForJS(true))
	if err != nil {
		return nil, err
	}
	return []byte("window.__PULSE_CONFIG = Object.assign({}, window.__PULSE_CONFIG, " + string(config) + ");\n"), nil
}

// origin gives the scheme://host[:port] of a URL, "" for "".
func origin(rawURL string) (string, error) {
	if rawURL == "" {
		return "", nil
	}
	u, err := url.Parse(rawURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.ContainsAny(u.Host, " ;,") {
		return "", errors.New("API base URL is not an http or https URL")
	}
	return u.Scheme + "://" + u.Host, nil
}
