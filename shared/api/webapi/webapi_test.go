package webapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pulse-traces/pulse/dashboard"
	"github.com/pulse-traces/pulse/docs"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/webapi"
)

// built is a dashboard as a build leaves it.
var built = fstest.MapFS{
	"index.html":         {Data: []byte("<!doctype html><title>app</title>")},
	"favicon.svg":        {Data: []byte("<svg/>")},
	"assets/app-1234.js": {Data: []byte("console.log(1)")},
	"assets/app-1234.css": {
		Data: []byte("body{}"),
	},
	"runtime-config.js":   {Data: []byte("shadowed")},
	".vite/manifest.json": {Data: []byte("{}")},
}

func setup(t *testing.T, d webapi.Deps) string {
	t.Helper()
	if d.OpenAPI == nil {
		d.OpenAPI = func() ([]byte, error) { return []byte(`{"openapi":"3.1.0"}`), nil }
	}
	g, err := webapi.New(d)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(api.New(api.Options{Log: slog.New(slog.DiscardHandler)}, g))
	t.Cleanup(srv.Close)
	return srv.URL
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send asks without following redirects, with the path as written.
func send(t *testing.T, method, url string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	url := setup(t, webapi.Deps{Dashboard: built})
	index := string(built["index.html"].Data)
	const notFound = `{"error":"Not found"}`
	for _, tc := range []struct {
		method, path string
		status       int
		body, typ    string
	}{
		{"GET", "/", 200, index, "text/html;charset=utf-8"},
		{"HEAD", "/", 200, "", "text/html;charset=utf-8"},
		{"GET", "/index.html", 200, index, "text/html;charset=utf-8"},
		{"GET", "/login", 200, index, "text/html;charset=utf-8"},
		{"GET", "/dashboard/traces", 200, index, "text/html;charset=utf-8"},
		{"GET", "/dashboard/api-keys", 200, index, "text/html;charset=utf-8"},
		{"GET", "/dashboard/sessions/x.y", 200, index, "text/html;charset=utf-8"},
		{"GET", "/v1", 200, index, "text/html;charset=utf-8"},
		{"GET", "/api", 200, index, "text/html;charset=utf-8"},
		{"GET", "/health/", 200, index, "text/html;charset=utf-8"},
		{"GET", "//v1", 200, index, "text/html;charset=utf-8"},
		{"GET", "/favicon.svg", 200, "<svg/>", "image/svg+xml"},
		{"GET", "/assets/app-1234.js", 200, "console.log(1)", "text/javascript;charset=utf-8"},
		{"GET", "/assets/app-1234.css", 200, "body{}", "text/css;charset=utf-8"},
		{"GET", "/assets/nope.js", 404, notFound, "application/json"},
		{"GET", "/assets/nope", 404, notFound, "application/json"},
		{"GET", "/assets/", 404, notFound, "application/json"},
		{"GET", "/nope.txt", 404, notFound, "application/json"},
		{"GET", "/.vite/manifest.json", 404, notFound, "application/json"},
		{"GET", "/a..b", 404, notFound, "application/json"},
		{"GET", "/%2e%2e/package.json", 404, notFound, "application/json"},
		{"GET", "/dashboard/..%2f..%2fetc", 404, notFound, "application/json"},
		{"GET", "/%00", 400, `{"error":"Invalid path"}`, "application/json"},
		{"GET", "/v1/not-a-route", 404, notFound, "application/json"},
		{"GET", "/v1/", 404, notFound, "application/json"},
		{"GET", "//v1/not-a-route", 404, notFound, "application/json"},
		{"GET", "/api/nope", 404, notFound, "application/json"},
		{"GET", "/dashboard/api/nope", 404, notFound, "application/json"},
		{"GET", "/metrics", 404, notFound, "application/json"},
		{"POST", "/", 404, notFound, "application/json"},
		{"POST", "/admin/projects", 404, notFound, "application/json"},
		{"OPTIONS", "/v1/traces/batch", 404, notFound, "application/json"},
		{"POST", "/runtime-config.js", 405, `{"error":"Method not allowed: use GET, HEAD"}`, "application/json"},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			t.Parallel()
			got := send(t, tc.method, url+tc.path)
			if got.status != tc.status || got.body != tc.body || got.header.Get("Content-Type") != tc.typ {
				t.Errorf("got %d %q %q, want %d %q %q", got.status, got.header.Get("Content-Type"), got.body, tc.status, tc.typ, tc.body)
			}
		})
	}
}

func TestDashboardHeaders(t *testing.T) {
	t.Parallel()
	url := setup(t, webapi.Deps{Dashboard: built})

	page := send(t, "GET", url+"/dashboard/traces")
	asset := send(t, "GET", url+"/assets/app-1234.js")
	if got := page.header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("page: Cache-Control %q", got)
	}
	if got := asset.header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("asset: Cache-Control %q", got)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Strict-Transport-Security": "", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := page.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	csp := page.header.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self';", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, rule) {
			t.Errorf("policy %q lacks %q", csp, rule)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("policy allows inline code: %q", csp)
	}
	if page.header.Get("Permissions-Policy") == "" {
		t.Error("no Permissions-Policy")
	}

	again := send(t, "GET", url+"/", "If-None-Match", page.header.Get("Etag"))
	if again.status != http.StatusNotModified || again.body != "" {
		t.Errorf("known page: got %d %q, want 304", again.status, again.body)
	}
	if changed := send(t, "GET", url+"/", "If-None-Match", `W/"other"`); changed.status != http.StatusOK {
		t.Errorf("another tag: got %d, want 200", changed.status)
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	url := setup(t, webapi.Deps{Dashboard: built, HTTPS: true, APIBaseURL: "https://pulse.example.com/base"})
	got := send(t, "GET", url+"/")
	if v := got.header.Get("Strict-Transport-Security"); v != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security = %q", v)
	}
	if csp := got.header.Get("Content-Security-Policy"); !strings.Contains(csp, "connect-src 'self' https://pulse.example.com;") {
		t.Errorf("the configured API may not be called: %q", csp)
	}
}

func TestWithoutDashboard(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fs.FS{
		"Nil":         nil,
		"OnlyGitkeep": fstest.MapFS{".gitkeep": {}},
		"NoSuchDir":   missingDir(t),
		"NoIndex":     fstest.MapFS{"assets/app.js": {Data: []byte("1")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := setup(t, webapi.Deps{Dashboard: files})
			got := send(t, "GET", url+"/")
			if got.status != 200 || !strings.Contains(got.body, "/dashboard/api/signup") {
				t.Errorf("got %d %q, want the page that says how to begin", got.status, got.body)
			}
			if got := send(t, "GET", url+"/assets/app.js"); got.status != 404 {
				t.Errorf("asset: got %d, want 404", got.status)
			}
		})
	}
}

// TestEmbedded serves what this checkout has embedded, built or not.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	url := setup(t, webapi.Deps{Dashboard: dashboard.Files()})
	if got := send(t, "GET", url+"/"); got.status != 200 || got.header.Get("Content-Type") != "text/html;charset=utf-8" {
		t.Errorf("got %d %q", got.status, got.header.Get("Content-Type"))
	}
}

func missingDir(t *testing.T) fs.FS {
	root, err := fs.Sub(fstest.MapFS{"x": {}}, "nope")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRuntimeConfig(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, base, want string }{
		{"NotConfigured", "", "window.__PULSE_CONFIG = Object.assign({}, window.__PULSE_CONFIG, {});\n"},
		{"Configured", "http://localhost:3900", "window.__PULSE_CONFIG = Object.assign({}, window.__PULSE_CONFIG, {\"apiBaseUrl\":\"http://localhost:3900\"});\n"},
		{
			"Escaped", "http://h/\"</script>\u2028",
			"window.__PULSE_CONFIG = Object.assign({}, window.__PULSE_CONFIG, {\"apiBaseUrl\":\"http://h/\\\"\\u003c/script\\u003e\\u2028\"});\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			url := setup(t, webapi.Deps{Dashboard: built, APIBaseURL: tc.base})
			got := send(t, "GET", url+"/runtime-config.js")
			if got.status != 200 || got.body != tc.want {
				t.Errorf("got %d %q, want %q", got.status, got.body, tc.want)
			}
			if v := got.header.Get("Content-Type"); v != "application/javascript; charset=utf-8" {
				t.Errorf("Content-Type %q", v)
			}
			if v := got.header.Get("Cache-Control"); v != "no-store" {
				t.Errorf("Cache-Control %q", v)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]webapi.Deps{
		"BaseURL":       {APIBaseURL: "javascript:alert(1)"},
		"BaseURLSpaces": {APIBaseURL: "http://a;script-src *"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := webapi.New(d); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	url := setup(t, webapi.Deps{OpenAPI: docs.OpenAPI})
	got := send(t, "GET", url+"/openapi.json")
	var description struct{ OpenAPI string }
	if err := json.Unmarshal([]byte(got.body), &description); err != nil || description.OpenAPI != "3.1.0" || got.status != 200 || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s: %v %.200s", got.status, got.header.Get("Content-Type"), err, got.body)
	}
	broken := setup(t, webapi.Deps{OpenAPI: func() ([]byte, error) { return nil, errors.New("broken") }})
	if got := send(t, "GET", broken+"/openapi.json"); got.status != 500 {
		t.Errorf("a description that cannot be made: got %d", got.status)
	}
}
