// Package api is the edge: it turns bytes into values and values into bytes,
// knows the one table from fault codes to HTTP statuses, checks who asks, and
// bounds what comes in. Route groups live below it and never import each other;
// each host mounts the groups it serves with New. It knows no SQL.
package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Auth is who may call a route.
type Auth int

// The levels. Each includes the checks of the ones it names.
const (
	AuthNone    Auth = iota
	AuthKey          // a project API key as a bearer token; the project is the key's
	AuthSession      // a session cookie
	AuthProject      // AuthSession, and a membership in the project of X-Project-Id
	AuthAdmin        // AuthProject with account.RoleAdmin
)

// String names the level as docs and tables do.
func (a Auth) String() string {
	return [...]string{"none", "key", "session", "project", "admin"}[a]
}

// HandlerFunc answers one request: it either writes one answer through this
// package's writers and returns nil, or returns an error and writes nothing.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Route is one method and pattern, as data: the router, the docs and the
// template check read the same list.
type Route struct {
	Method  string // upper case; a GET also answers HEAD
	Pattern string // segments like /v1/traces/{id}; the value is r.PathValue("id"), percent-decoded
	Auth    Auth
	Handler HandlerFunc
	// Form says that the route takes bodies that a browser may send across
	// sites without asking (forms): it does its own origin check.
	Form bool
	// Failed, if set, is told of every error that the route answers with, that of
	// a check before its handler too; the context has the project if it was known.
	Failed func(ctx context.Context, err error)
	// Protocol, if set, is how the route differs from JSON over HTTP.
	Protocol Protocol
}

// Protocol is what clients speak that are not Pulse's own: they have other ways
// to send a key, other bodies (the route's handler checks their type) and other
// forms of errors.
type Protocol interface {
	// Key gives the API key of a request, as BearerToken does.
	Key(r *http.Request) (string, bool)
	// WriteError answers what went wrong.
	WriteError(w http.ResponseWriter, r *http.Request, f Failure)
}

// Group is one set of routes that is deployed together.
type Group interface {
	Routes() []Route
}

// Fallback is a Group that answers, under a prefix, what no route matches.
type Fallback interface {
	Group
	// Prefix begins and ends with a slash; the longest one that fits wins.
	Prefix() string
	// Unmatched answers; allow lists the methods that the path has, if any.
	Unmatched(w http.ResponseWriter, r *http.Request, allow []string) error
}

// router finds routes. It is not http.ServeMux because that one redirects
// doubled slashes and dots, where clients of the earlier service must get an
// answer, and because ids may hold any character, encoded.
type router struct {
	bySegments   map[int][]*compiled
	mostSegments int
	fallbacks    []Fallback
}

type compiled struct {
	Route
	segments  []string // "{name}" for a value
	elsewhere bool     // another process serves it
}

func newRouter(groups, elsewhere []Group) *router {
	rt := &router{bySegments: map[int][]*compiled{}}
	seen := map[string]bool{}
	for i, g := range slices.Concat(groups, elsewhere) {
		for _, route := range g.Routes() {
			if id := route.Method + " " + route.Pattern; seen[id] {
				panic("api: route declared twice: " + id)
			} else {
				seen[id] = true
			}
			c := &compiled{Route: route, segments: strings.Split(route.Pattern[1:], "/"), elsewhere: i >= len(groups)}
			rt.bySegments[len(c.segments)] = append(rt.bySegments[len(c.segments)], c)
			rt.mostSegments = max(rt.mostSegments, len(c.segments))
		}
		if f, ok := g.(Fallback); ok {
			rt.fallbacks = append(rt.fallbacks, f)
		}
	}
	for _, list := range rt.bySegments { // fixed segments before values, so /traces/batch wins over /traces/{id}
		slices.SortStableFunc(list, func(a, b *compiled) int {
			return strings.Count(a.Pattern, "{") - strings.Count(b.Pattern, "{")
		})
	}
	slices.SortStableFunc(rt.fallbacks, func(a, b Fallback) int { return len(b.Prefix()) - len(a.Prefix()) })
	return rt
}

// match finds the route of a request and sets its path values, or tells the
// methods that the path has.
func (rt *router) match(r *http.Request) (*compiled, []string) {
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, s := range segments {
		if v, err := url.PathUnescape(s); err == nil {
			segments[i] = v
		}
	}
	return rt.find(r, segments)
}

// matchDecoded is match for a path whose slashes may be part of a value, since
// the host has decoded it: several segments of the path, as it was sent, make
// one. It is for what no route fits segment by segment; of several routes the
// one with more segments of its own wins. Some values cannot be told: the only
// slash of one that stands at its begin or end is taken for a stray one, and
// "a/spans" of a session for the spans of session "a".
func (rt *router) matchDecoded(r *http.Request, path string) (*compiled, []string) {
	sent := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for n := min(len(sent)-1, rt.mostSegments); n > 0; n-- {
		more := len(sent) - n // how many segments the value has beside its first
		for at := range n {
			value := strings.Join(sent[at:at+more+1], "/")
			route, allow := rt.find(r, slices.Concat(sent[:at], []string{value}, sent[at+more+1:]))
			if route != nil || len(allow) > 0 {
				return route, allow
			}
		}
	}
	return nil, nil
}

// find is match by the segments of a path, decoded.
func (rt *router) find(r *http.Request, segments []string) (*compiled, []string) {
	var allow []string
	for _, c := range rt.bySegments[len(segments)] {
		if !c.fits(segments) {
			continue
		}
		if c.Method == r.Method || (c.Method == http.MethodGet && r.Method == http.MethodHead) {
			for i, s := range c.segments {
				if name, ok := valueName(s); ok {
					r.SetPathValue(name, segments[i])
				}
			}
			return c, nil
		}
		allow = append(allow, c.Method)
		if c.Method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	return nil, slices.Compact(allow)
}

func (c *compiled) fits(segments []string) bool {
	for i, want := range c.segments {
		if _, ok := valueName(want); ok {
			if segments[i] == "" {
				return false
			}
		} else if want != segments[i] {
			return false
		}
	}
	return true
}

func valueName(segment string) (string, bool) {
	if strings.HasPrefix(segment, "{") {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

// fallback gives the group that answers unmatched requests of a path.
func (rt *router) fallback(path string) Fallback {
	for _, f := range rt.fallbacks {
		if strings.HasPrefix(path+"/", f.Prefix()) {
			return f
		}
	}
	return nil
}

// isAPI reports whether path is one that tolerates stray slashes: that of a
// route with a protocol, or one with the prefix of our own APIs.
func (rt *router) isAPI(path string) bool {
	if strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/dashboard/api/") {
		return true
	}
	return slices.ContainsFunc(rt.bySegments[strings.Count(path, "/")], func(c *compiled) bool {
		return c.Protocol != nil && c.Pattern == path
	})
}

// tidyPath drops doubled and trailing slashes from API paths: SDKs join base
// URLs and paths carelessly. It reports whether there were any.
func (rt *router) tidyPath(u *url.URL) bool {
	escaped := u.EscapedPath()
	clean := escaped
	for strings.Contains(clean, "//") {
		clean = strings.ReplaceAll(clean, "//", "/")
	}
	clean = strings.TrimSuffix(clean, "/")
	if clean == escaped || !rt.isAPI(clean) {
		return false
	}
	path, err := url.PathUnescape(clean)
	if err != nil {
		return false
	}
	u.Path, u.RawPath = path, clean
	return true
}
