package serverless

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	routes := []Route{
		{Method: "ANY", Function: "default"},
		{Method: "GET", Path: "/pets/{rest+}"},
		{Method: "GET", Path: "/pets/dogs/{rest+}"},
		{Method: "GET", Path: "/pets/{id}"},
		{Method: "ANY", Path: "/pets/{id}"},
		{Method: "GET", Path: "/pets/list"},
		{Method: "GET", Path: "/pets/{id}/toys"},
		{Method: "POST", Path: "/pets"},
	}
	slices.SortStableFunc(routes, compareRoutes)
	for _, c := range []struct {
		method, path, want string
		values             map[string]string
	}{
		{"GET", "/pets/list", "GET /pets/list", nil},
		{"GET", "/pets/6", "GET /pets/{id}", map[string]string{"id": "6"}},
		{"PUT", "/pets/6", "ANY /pets/{id}", map[string]string{"id": "6"}},
		{"PUT", "/pets/list", "ANY /pets/{id}", map[string]string{"id": "list"}},
		{"GET", "/pets/6/toys", "GET /pets/{id}/toys", map[string]string{"id": "6"}},
		{"GET", "/pets/6/toys/1", "GET /pets/{rest+}", map[string]string{"rest": "6/toys/1"}},
		{"GET", "/pets/dogs/1/2", "GET /pets/dogs/{rest+}", map[string]string{"rest": "1/2"}},
		{"GET", "/pets/", "GET /pets/{rest+}", map[string]string{"rest": ""}},
		{"GET", "/pets", "$default", nil},
		{"POST", "/pets", "POST /pets", nil},
		{"HEAD", "/pets/list", "ANY /pets/{id}", map[string]string{"id": "list"}},
		{"GET", "/", "$default", nil},
		{"GET", "/PETS/list", "$default", nil},
	} {
		got, values, ok := choose(routes, c.method, c.path)
		if !ok || got.Key() != c.want || !maps.Equal(values, c.values) {
			t.Errorf("%s %s: %s %v, want %s %v", c.method, c.path, got.Key(), values, c.want, c.values)
		}
	}
	if r, _, ok := choose(routes[:1], "GET", "/other"); ok {
		t.Errorf("%s takes /other", r.Key())
	}
}

func TestGatewayPath(t *testing.T) {
	t.Parallel()
	refused := "(refused)"
	for sent, want := range map[string][2]string{ // decoded once, and as it was seen on AWS
		"/plain":            {"/plain", "/plain"},
		"/a%20b+c":          {"/a b+c", "/a b+c"},
		"/%CE%BB-%E4%B8%96": {"/λ-世", "/λ-世"},
		"/a%23b":            {"/a#b", "/a#b"},
		"/a%2Fb":            {"/a/b", "/a/b"},
		"/%74races":         {"/traces", "/traces"},
		"//v1///traces/":    {"/v1/traces/", "/v1/traces/"},
		"/a%3Fb":            {"/a?b", "/a"},
		"/100%25":           {"/100%", refused},
		"/a%253Fb":          {"/a%3Fb", "/a?b"},
		"/a%252Fb":          {"/a%2Fb", "/a/b"},
		"/a%2525b":          {"/a%25b", "/a%b"},
		"/%zz":              {refused, refused},
	} {
		for i, twice := range []bool{false, true} {
			got, ok := gatewayPath(sent, twice)
			if !ok {
				got = refused
			}
			if got != want[i] {
				t.Errorf("%s, twice %v: %q, want %q", sent, twice, got, want[i])
			}
		}
	}
}

func FuzzGatewayPath(f *testing.F) {
	f.Add("/a%2Fb", false)
	f.Add("/a%3F%25//", true)
	f.Fuzz(func(t *testing.T, sent string, twice bool) {
		if path, ok := gatewayPath(sent, twice); ok && strings.Contains(path, "//") {
			t.Errorf("%q becomes %q", sent, path)
		}
	})
}

// gateway serves the echo function at every path below /v1/, and nothing else.
func gateway(t *testing.T, change func(*Gateway)) string {
	t.Helper()
	p := echo(t, 2, &Output{})
	g := NewGateway([]Route{{Method: "ANY", Path: "/v1/{rest+}", Function: "Echo"}}, func(ctx context.Context, function string, event []byte) ([]byte, error) {
		if function != "Echo" {
			t.Errorf("function %s", function)
		}
		return p.Invoke(ctx, event)
	}, nil)
	if g.timeout != integrationTimeout {
		t.Errorf("it waits %s for a function", g.timeout)
	}
	g.timeout = invokePatience
	// The other paths of the function.
	g.routes = append(g.routes, Route{Method: "GET", Path: "/slow", Function: "Echo"}, Route{Method: "GET", Path: "/exit", Function: "Echo"},
		Route{Method: "GET", Path: "/nothing", Function: "Echo"})
	if change != nil {
		change(g)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return server.URL
}

// send does a request and gives the answer with its body.
func send(t *testing.T, method, url string, header http.Header, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp, string(raw)
}

func TestGatewayEvent(t *testing.T) {
	t.Parallel()
	url := gateway(t, nil)
	host := strings.TrimPrefix(url, "http://")
	resp, raw := send(t, http.MethodPost, url+"/v1/a%20b/%CE%BB?x=1&x=2&y=a%2Cb&z", http.Header{
		"Cookie": {"one=1; two=2"}, "X-Rep": {"a", "b"}, "Content-Type": {"application/json"}, "User-Agent": {"test"}, "X-Forwarded-For": {"10.1.2.3"},
	}, `{"emoji":"🗼","less":"<"}`)
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("Content-Type") != "application/json" || resp.ContentLength != int64(len(raw)) {
		t.Errorf("%s, %v", resp.Status, resp.Header)
	}
	if got := resp.Header.Values("Set-Cookie"); !slices.Equal(got, []string{"a=1; Path=/", "b=2"}) {
		t.Errorf("cookies %q", got)
	}
	var got httpEvent
	if err := json.Unmarshal([]byte(raw), &got); err != nil {
		t.Fatal(err)
	}
	c := &got.RequestContext
	if c.RequestID == "" || c.TimeEpoch == 0 || c.Time == "" || got.Headers["x-amzn-trace-id"] == "" {
		t.Errorf("context %+v", c)
	}
	c.RequestID, c.Time, c.TimeEpoch = "", "", 0
	delete(got.Headers, "x-amzn-trace-id")
	want := httpEvent{
		Version: "2.0", RouteKey: "ANY /v1/{rest+}", RawPath: "/v1/a b/λ", RawQueryString: "x=1&x=2&y=a%2Cb&z", Cookies: []string{"one=1", "two=2"},
		Headers: map[string]string{
			"host": host, "x-rep": "a,b", "content-type": "application/json", "user-agent": "test", "content-length": "27",
			"x-forwarded-for": "10.1.2.3,127.0.0.1", "x-forwarded-proto": "https", "x-forwarded-port": "443", "accept-encoding": "gzip",
		},
		Query: map[string]string{"x": "1,2", "y": "a,b", "z": ""}, PathParameters: map[string]string{"rest": "a b/λ"},
		Body: `{"emoji":"🗼","less":"<"}`,
	}
	want.RequestContext = httpContext{AccountID: "000000000000", APIID: "testapi", DomainName: host, RouteKey: want.RouteKey, Stage: "$default"}
	want.RequestContext.DomainPrefix, _, _ = strings.Cut(host, ".")
	h := &want.RequestContext.HTTP
	h.Method, h.Path, h.Protocol, h.SourceIP, h.UserAgent = "POST", want.RawPath, "HTTP/1.1", "127.0.0.1", "test"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGatewayBodies(t *testing.T) {
	t.Parallel()
	url := gateway(t, nil)
	for name, c := range map[string]struct {
		header http.Header
		body   string
		binary bool
	}{
		"None":     {nil, "", false},
		"JSON":     {http.Header{"Content-Type": {"application/json; charset=utf-8"}}, "{}", false},
		"Text":     {http.Header{"Content-Type": {"text/plain"}}, "x", false},
		"Encoded":  {http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, "x", true},
		"NoUTF8":   {http.Header{"Content-Type": {"application/json"}}, "\xff", true},
		"Protobuf": {http.Header{"Content-Type": {"application/x-protobuf"}}, "x", true},
		"NoType":   {nil, "x", true},
	} {
		_, raw := send(t, http.MethodPost, url+"/v1/x", c.header, c.body)
		var got httpEvent
		if err := json.Unmarshal([]byte(raw), &got); err != nil {
			t.Fatal(err)
		}
		if got.IsBase64Encoded != c.binary || (!c.binary && got.Body != c.body) {
			t.Errorf("%s: base64 %v, %q", name, got.IsBase64Encoded, got.Body)
		}
	}
}

func TestGatewayRefuses(t *testing.T) {
	t.Parallel()
	url := gateway(t, func(g *Gateway) { g.decodesTwice = true })
	text := http.Header{"Content-Type": {"text/plain"}}
	for _, c := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"GET", "/other", "", 404, "Not Found"},
		{"POST", "/v1", "", 404, "Not Found"},
		{"GET", "/v1/100%25", "", 400, "Bad Request"},
		{"GET", "/exit", "", 500, "Internal Server Error"},
		{"POST", "/v1/x", strings.Repeat("x", maxEventBytes), 413, "Request Entity Too Large"},
		{"POST", "/v1/x", strings.Repeat("x", maxRequestBytes+1), 413, "Request Entity Too Large"},
	} {
		resp, body := send(t, c.method, url+c.path, text, c.body)
		if resp.StatusCode != c.status || body != `{"message":"`+c.message+`"}` || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %s %v %s", c.method, c.path, resp.Status, resp.Header, body)
		}
	}
	if resp, body := send(t, "GET", url+"/nothing", nil, ""); resp.StatusCode != http.StatusNoContent || body != "" {
		t.Errorf("nothing: %s %s", resp.Status, body)
	}
	// As large as an event may be.
	if resp, _ := send(t, "POST", url+"/v1/x", text, strings.Repeat("x", 4<<20)); resp.StatusCode != http.StatusCreated {
		t.Errorf("4 MiB: %s", resp.Status)
	}
}

func TestGatewayWaitsForFunctionsSoLong(t *testing.T) {
	t.Parallel()
	url := gateway(t, func(g *Gateway) { g.timeout = 100 * time.Millisecond })
	if resp, body := send(t, "GET", url+"/slow", nil, ""); resp.StatusCode != http.StatusServiceUnavailable || body != `{"message":"Service Unavailable"}` {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestGatewaySettlesBeforeReads(t *testing.T) {
	t.Parallel()
	var reads atomic.Int32
	var g *Gateway
	url := gateway(t, func(made *Gateway) {
		g = made
		g.settled = func(context.Context) { reads.Add(1) }
	})
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		send(t, method, url+"/v1/x", nil, "")
	}
	if n := reads.Load(); n != 2 {
		t.Errorf("%d waits", n)
	}
	g.inOrder = true
	send(t, "POST", url+"/v1/x", nil, "")
	if n := reads.Load(); n != 3 {
		t.Errorf("%d waits, in order", n)
	}
}
