// Package webapi serves what is no API: the dashboard's files, its run-time
// configuration, and the API description. It is the fallback of
// every path that no other group has.
package webapi

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
)

// Deps are what the group serves.
type Deps struct {
	// Dashboard holds the built dashboard, index.html at its root. Without one a
	// small page says how to begin. It is read once, by New.
	Dashboard fs.FS
	// OpenAPI makes the description of the API, as JSON. It is called once, when
	// it is first asked for: a start should not wait for it.
	OpenAPI func() ([]byte, error)
	// APIBaseURL is where the dashboard sends its calls: BETTER_AUTH_URL where
	// that was set by hand. "" leaves them to the page's own origin.
	APIBaseURL string
	// HTTPS says that the public URL is https, so browsers may be told to stay
	// with it.
	HTTPS bool
}

// Group is the route group.
type Group struct {
	Deps
	site          *site
	runtimeConfig []byte
}

var _ api.Fallback = (*Group)(nil)

// New makes the group. It fails if the dashboard's files cannot be read.
func New(d Deps) (*Group, error) {
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
	d.OpenAPI = sync.OnceValues(d.OpenAPI)
	return &Group{Deps: d, site: st, runtimeConfig: config}, nil
}

// Routes implements api.Group.
func (g *Group) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Pattern: "/runtime-config.js", Handler: g.config},
		{Method: http.MethodGet, Pattern: "/openapi.json", Handler: g.openAPI},
	}
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

// openAPI serves the description to tools of any origin.
func (g *Group) openAPI(w http.ResponseWriter, _ *http.Request) error {
	description, err := g.OpenAPI()
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	api.WriteBody(w, http.StatusOK, "application/json", description)
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
