package webapi_test

import (
	"bytes"
	"compress/gzip"
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
	"github.com/pulse-traces/pulse/shared/testkit"
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
			got := testkit.Ask(t, tc.method, url+tc.path)
			if got.Status != tc.status || got.Body != tc.body || got.Header.Get("Content-Type") != tc.typ {
				t.Errorf("got %d %q %q, want %d %q %q", got.Status, got.Header.Get("Content-Type"), got.Body, tc.status, tc.typ, tc.body)
			}
		})
	}
}

// What the build compressed is served as it is, to who can read it.
func TestCompressedByTheBuild(t *testing.T) {
	t.Parallel()
	const name, beside = "assets/app-1234.js", "assets/beside-1234.js"
	var gzipped bytes.Buffer
	w := gzip.NewWriter(&gzipped)
	_, _ = w.Write([]byte("console.log(1)"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		"index.html": {Data: []byte("<!doctype html>")},
		name + ".gz": {Data: gzipped.Bytes()}, beside: {Data: []byte("console.log(2)")}, beside + ".gz": {Data: []byte("gzip")},
		"assets/stray.gz": {Data: []byte("stray")},
	}
	url := setup(t, webapi.Deps{Dashboard: files})
	for _, tc := range []struct{ name, accept, with, coding, body string }{
		{name, "gzip, deflate, br, zstd", "", "gzip", gzipped.String()},
		{name, "br;q=0, GZIP;q=0.5", "", "gzip", gzipped.String()},
		{name, "identity", "", "", "console.log(1)"},
		{name, "gzip;q=0.0", "", "", "console.log(1)"},
		{name, "gzip", "bytes=0-6", "", "console"},
		{beside, "gzip", "", "gzip", "gzip"},
		{beside, "identity", "", "", "console.log(2)"},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/"+tc.name, http.NoBody)
		req.Header.Set("Accept-Encoding", tc.accept)
		if tc.with != "" {
			req.Header.Set("Range", tc.with)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		h := resp.Header
		if err != nil || string(body) != tc.body || h.Get("Content-Encoding") != tc.coding || !strings.Contains(h.Get("Vary"), "Accept-Encoding") ||
			!strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Content-Type") != "text/javascript;charset=utf-8" || resp.ContentLength != int64(len(tc.body)) {
			t.Errorf("%+v: %s %q %v", tc, resp.Status, body, h)
		}
	}
	for path, want := range map[string]int{name + ".gz": 404, beside + ".gz": 404, "assets/stray.gz": 200} {
		resp, err := http.Get(url + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestDashboardHeaders(t *testing.T) {
	t.Parallel()
	url := setup(t, webapi.Deps{Dashboard: built})

	page := testkit.Ask(t, "GET", url+"/dashboard/traces")
	asset := testkit.Ask(t, "GET", url+"/assets/app-1234.js")
	if got := page.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("page: Cache-Control %q", got)
	}
	if got := asset.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("asset: Cache-Control %q", got)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Strict-Transport-Security": "", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	csp := page.Header.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self';", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, rule) {
			t.Errorf("policy %q lacks %q", csp, rule)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("policy allows inline code: %q", csp)
	}
	if page.Header.Get("Permissions-Policy") == "" {
		t.Error("no Permissions-Policy")
	}

	again := testkit.Ask(t, "GET", url+"/", "If-None-Match", page.Header.Get("Etag"))
	if again.Status != http.StatusNotModified || again.Body != "" {
		t.Errorf("known page: got %d %q, want 304", again.Status, again.Body)
	}
	if changed := testkit.Ask(t, "GET", url+"/", "If-None-Match", `W/"other"`); changed.Status != http.StatusOK {
		t.Errorf("another tag: got %d, want 200", changed.Status)
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	url := setup(t, webapi.Deps{Dashboard: built, HTTPS: true, APIBaseURL: "https://pulse.example.com/base"})
	got := testkit.Ask(t, "GET", url+"/")
	if v := got.Header.Get("Strict-Transport-Security"); v != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security = %q", v)
	}
	if csp := got.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "connect-src 'self' https://pulse.example.com;") {
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
			got := testkit.Ask(t, "GET", url+"/")
			if got.Status != 200 || !strings.Contains(got.Body, "/dashboard/api/signup") {
				t.Errorf("got %d %q, want the page that says how to begin", got.Status, got.Body)
			}
			if got := testkit.Ask(t, "GET", url+"/assets/app.js"); got.Status != 404 {
				t.Errorf("asset: got %d, want 404", got.Status)
			}
		})
	}
}

// TestEmbedded serves what this checkout has embedded, built or not.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	url := setup(t, webapi.Deps{Dashboard: dashboard.Files()})
	if got := testkit.Ask(t, "GET", url+"/"); got.Status != 200 || got.Header.Get("Content-Type") != "text/html;charset=utf-8" {
		t.Errorf("got %d %q", got.Status, got.Header.Get("Content-Type"))
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
			got := testkit.Ask(t, "GET", url+"/runtime-config.js")
			if got.Status != 200 || got.Body != tc.want {
				t.Errorf("got %d %q, want %q", got.Status, got.Body, tc.want)
			}
			if v := got.Header.Get("Content-Type"); v != "application/javascript; charset=utf-8" {
				t.Errorf("Content-Type %q", v)
			}
			if v := got.Header.Get("Cache-Control"); v != "no-store" {
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
	got := testkit.Ask(t, "GET", url+"/openapi.json")
	var description struct{ OpenAPI string }
	if err := json.Unmarshal([]byte(got.Body), &description); err != nil || description.OpenAPI != "3.1.0" || got.Status != 200 || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s: %v %.200s", got.Status, got.Header.Get("Content-Type"), err, got.Body)
	}
	broken := setup(t, webapi.Deps{OpenAPI: func() ([]byte, error) { return nil, errors.New("broken") }})
	if got := testkit.Ask(t, "GET", broken+"/openapi.json"); got.Status != 500 {
		t.Errorf("a description that cannot be made: got %d", got.Status)
	}
}
