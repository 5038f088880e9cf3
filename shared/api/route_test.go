package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/fault"
)

// named is a group whose routes answer with their pattern and their value.
type named []string // "GET /v1/x/{id}"

func (n named) Routes() []Route {
	var routes []Route
	for _, s := range n {
		method, pattern, _ := strings.Cut(s, " ")
		routes = append(routes, Route{Method: method, Pattern: pattern, Handler: func(w http.ResponseWriter, r *http.Request) error {
			return WriteJSON(w, http.StatusOK, []string{pattern, r.PathValue("id")})
		}})
	}
	return routes
}

// fallback is a group that answers what has no route below a prefix.
type fallback struct {
	named
	prefix string
}

func (f fallback) Prefix() string { return f.prefix }

func (f fallback) Unmatched(w http.ResponseWriter, _ *http.Request, allow []string) error {
	return WriteJSON(w, http.StatusTeapot, append([]string{f.prefix}, allow...))
}

// answerOf sends a request whose path is written as in a request line, and gives
// what is told of the answer.
func answerOf(h http.Handler, method, path string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "http://pulse.test"+path, nil))
	got := []string{http.StatusText(w.Code)}
	for _, name := range []string{"Allow", "Location"} {
		if v := w.Header().Get(name); v != "" {
			got = append(got, v)
		}
	}
	if w.Code == http.StatusOK || w.Code == http.StatusTeapot {
		got = append(got, w.Body.String())
	}
	return strings.Join(got, " ")
}

var reads = named{
	"GET /v1/traces", "GET /v1/traces/{id}", "POST /v1/traces/batch", "GET /v1/sessions/{id}", "GET /v1/sessions/{id}/spans", "GET /v1/analytics/spans",
}

// TestDecodedPaths sends paths as a client writes them, and as a gateway that
// has decoded them hands them over: the answers are the same.
func TestDecodedPaths(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	whole, decoding := New(Options{Log: log}, reads), New(Options{Log: log, DecodedPaths: true}, reads)
	for _, c := range []struct{ method, written, decoded, want string }{
		{"GET", "/v1/traces/a", "/v1/traces/a", `OK ["/v1/traces/{id}","a"]`},
		{"GET", "/v1/traces/a%2Fb", "/v1/traces/a/b", `OK ["/v1/traces/{id}","a/b"]`},
		{"GET", "/v1/traces/a%2Fb%2Fc%2Fd", "/v1/traces/a/b/c/d", `OK ["/v1/traces/{id}","a/b/c/d"]`},
		{"GET", "/v1/traces/a%2F%2Fb", "/v1/traces/a//b", `OK ["/v1/traces/{id}","a//b"]`},
		{"GET", "/v1/sessions/%2Fhome%2Fuser", "/v1/sessions//home/user", `OK ["/v1/sessions/{id}","/home/user"]`},
		{"GET", "/v1/sessions/%2Fhome%2Fuser/spans", "/v1/sessions//home/user/spans", `OK ["/v1/sessions/{id}/spans","/home/user"]`},
		{"GET", "/v1/sessions/a%2Fb/spans", "/v1/sessions/a/b/spans", `OK ["/v1/sessions/{id}/spans","a/b"]`},
		{"GET", "/v1/sessions/a/spans", "/v1/sessions/a/spans", `OK ["/v1/sessions/{id}/spans","a"]`},
		{"GET", "/v1/traces/batch%2Fx", "/v1/traces/batch/x", `OK ["/v1/traces/{id}","batch/x"]`},
		{"GET", "/v1/traces/a%252Fb", "/v1/traces/a%2Fb", ``}, // sent on escaped: see below
		{"POST", "/v1/traces/a%2Fb", "/v1/traces/a/b", "Method Not Allowed GET, HEAD"},
		{"POST", "/v1/sessions/a%2Fb/spans", "/v1/sessions/a/b/spans", "Method Not Allowed GET, HEAD"},
		{"POST", "/v1/traces/batch", "/v1/traces/batch", `OK ["/v1/traces/batch",""]`},
		{"GET", "/v1//traces/a/", "/v1//traces/a/", `OK ["/v1/traces/{id}","a"]`},
		{"GET", "/v1/traces", "/v1/traces", `OK ["/v1/traces",""]`},
		{"GET", "/v1/analytics/spans/x", "/v1/analytics/spans/x", "Not Found"},
		{"GET", "/v1/other/a/b", "/v1/other/a/b", "Not Found"},
		{"GET", "/v1", "/v1", "Not Found"},
		{"GET", "/", "/", "Not Found"},
	} {
		if c.want == "" {
			c.decoded, c.want = "/v1/traces/a%252Fb", `OK ["/v1/traces/{id}","a%2Fb"]` // the host escapes what it hands over
		}
		if got := answerOf(whole, c.method, c.written); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.written, got, c.want)
		}
		if got := answerOf(decoding, c.method, c.decoded); got != c.want {
			t.Errorf("decoded: %s %s: %s, want %s", c.method, c.decoded, got, c.want)
		}
	}
	// Without the option a slash ends a value.
	if got := answerOf(whole, "GET", "/v1/traces/a/b"); got != "Not Found" {
		t.Errorf("a slash within an id, on a host that does not decode: %s", got)
	}
	// The only slash at an end is taken for a stray one, as everywhere.
	for path, want := range map[string]string{"/v1/traces/a/": "a", "/v1/traces//a": "a"} {
		if diff := cmp.Diff(`OK ["/v1/traces/{id}","`+want+`"]`, answerOf(decoding, "GET", path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if got := answerOf(decoding, "GET", "/v1/traces/"+strings.Repeat("/a", 5000)); !strings.HasPrefix(got, "OK") {
		t.Errorf("an id of 5000 slashes: %.100s", got)
	}
}

// TestElsewhere is about routes that a gateway leads to other processes, as seen
// by the one that gets what the gateway knows no route for.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	own := fallback{named{"GET /health"}, "/"}
	auth := fallback{named{"POST /api/auth/sign-in/{id}"}, "/api/auth/"}
	h := New(Options{Log: log, Elsewhere: []Group{reads, auth}}, own)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/health", `OK ["/health",""]`},
		{"POST", "/health", `I'm a teapot ["/","GET","HEAD"]`},
		{"GET", "/nothing", `I'm a teapot ["/"]`},
		{"PUT", "/v1/traces/a", `I'm a teapot ["/","GET","HEAD"]`},
		{"DELETE", "/v1/traces/batch", `I'm a teapot ["/","GET","HEAD","POST"]`},
		{"GET", "/v1/traces/a", `I'm a teapot ["/"]`}, // the gateway has a route for it
		{"GET", "/v1//traces///a/", "Permanent Redirect /v1/traces/a"},
		{"POST", "/v1/traces/batch/?x=1&y=%2F", "Permanent Redirect /v1/traces/batch?x=1&y=%2F"},
		{"GET", "/v1//traces/a%2Fb%3Fc", "Permanent Redirect /v1/traces/a%2Fb%3Fc"},
		{"GET", "//v1/traces", "Permanent Redirect /v1/traces"},
		{"GET", "//evil.test/v1/traces", `I'm a teapot ["/"]`},
		{"GET", "/v1//evil.test", `I'm a teapot ["/"]`},
		{"PUT", "/v1//traces/a", `I'm a teapot ["/","GET","HEAD"]`},
		{"GET", "/api/auth/nothing", `I'm a teapot ["/api/auth/"]`},
		{"GET", "/api/auth/sign-in/email", `I'm a teapot ["/api/auth/","POST"]`},
	} {
		if got := answerOf(h, c.method, c.path); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

// shouting is a protocol whose key is a header's and whose errors are loud.
type shouting struct{}

func (shouting) Key(r *http.Request) (string, bool) {
	key := r.Header.Get("X-Key")
	return key, key != ""
}

func (shouting) WriteError(w http.ResponseWriter, _ *http.Request, f Failure) {
	WriteBody(w, http.StatusOK, "text/plain", fmt.Appendf(nil, "%d %d %s", f.Status, f.RPC, strings.ToUpper(f.Message)))
}

// oneKey knows one key.
type oneKey struct{}

func (oneKey) Check(_ context.Context, key string) (account.APIKey, error) {
	if key != "good" {
		return account.APIKey{}, fault.New(fault.Unauthenticated, "Invalid API key")
	}
	return account.APIKey{ProjectID: "p"}, nil
}

// TestProtocol asks a route that differs from all others in how it is called.
func TestProtocol(t *testing.T) {
	t.Parallel()
	failure := map[string]error{
		"invalid": fault.New(fault.Invalid, "no"), "busy": fault.New(fault.Unavailable, "wait"), "bug": errors.New("secret"),
	}
	var observed []int
	h := New(Options{
		Log: slog.New(slog.DiscardHandler), Keys: oneKey{},
		Observe: func(_, _ string, status int, _ time.Duration) { observed = append(observed, status) },
	}, group{{
		Method: http.MethodPost, Pattern: "/else/v1/x", Auth: AuthKey, Protocol: shouting{},
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			if reqctx.Project(r.Context()) != "p" {
				return errors.New("whose?")
			}
			if r.Header.Get("Content-Type") == "application/x-protobuf" {
				return WriteJSON(w, http.StatusOK, "read")
			}
			return failure[r.Header.Get("Content-Type")]
		},
	}})
	for _, c := range []struct {
		path, key, contentType, want, retry, challenge string
		status                                         int
	}{
		{"/else/v1/x", "good", "application/x-protobuf", `"read"`, "", "", 200},
		{"//else//v1/x/", "good", "application/x-protobuf", `"read"`, "", "", 200},
		{"/else/v1/x", "", "", "401 16 MISSING OR INVALID AUTHORIZATION HEADER", "", "Bearer", 401},
		{"/else/v1/x", "bad", "", "401 16 INVALID API KEY", "", "Bearer", 401},
		{"/else/v1/x", "good", "invalid", "400 3 NO", "", "", 400},
		{"/else/v1/x", "good", "busy", "503 14 WAIT", "1", "", 503},
		{"/else/v1/x", "good", "bug", "500 13 INTERNAL SERVER ERROR", "", "", 500},
		{"/else/v1/y/", "good", "", `{"error":"Not found"}`, "", "", 404},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://pulse.test"+c.path, nil)
		r.Header.Set("X-Key", c.key)
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Body.String() != c.want || w.Header().Get("Retry-After") != c.retry || w.Header().Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%+v: %s %v", c, w.Body, w.Header())
		}
		if last := observed[len(observed)-1]; last != c.status {
			t.Errorf("%+v: observed as %d", c, last)
		}
	}
}

// TestStatuses looks for every code in the table.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, code := range fault.Codes() {
		if s := statuses[code]; s.http == 0 || s.rpc == 0 {
			t.Errorf("%s has status %d and code %d", code, s.http, s.rpc)
		}
	}
}
