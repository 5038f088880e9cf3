package lambda_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/reqctx"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/host/lambda"
)

var quiet = slog.New(slog.DiscardHandler)

// answer is what a function gives the gateway.
type answer struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

func (a answer) body(t *testing.T) string {
	t.Helper()
	if !a.IsBase64Encoded {
		return a.Body
	}
	b, err := base64.StdEncoding.DecodeString(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type object = map[string]any

// event makes the event of a request as the gateway does: the path decoded, each
// header once, cookies apart.
func event(method, path, query string, headers map[string]string, cookies []string, body []byte) object {
	e := object{
		"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers, "cookies": cookies,
		"requestContext": object{
			"domainName": "a1.execute-api.test", "stage": "$default", "requestId": "JKJaXmPLvHcESHA=",
			"http": object{"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "test"},
		},
		"body": string(body), "isBase64Encoded": false,
	}
	if !utf8.Valid(body) {
		e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

func invoke(ctx context.Context, t *testing.T, h lambda.Handler, e object) answer {
	t.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Invoke(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// seen is what a handler sees of a request.
type seen struct {
	Method, Path, RequestURI, Query string
	Length                          int64
	Header                          http.Header
	Body                            []byte
}

// probe tells what it sees, and answers with bytes of its own.
func probe(got *seen) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		*got = seen{r.Method, r.URL.Path, r.RequestURI, r.URL.RawQuery, r.ContentLength, r.Header.Clone(), body}
		for _, name := range []string{"Host", "X-Forwarded-For", "X-Request-Id", "Content-Length", "Accept-Encoding", "User-Agent"} {
			delete(got.Header, name) // of the way, not of the client; the tests below are about these
		}
		_, _ = w.Write(body)
	})
}

// TestRequestsAreTheSame sends requests over a connection, and as events of the
// same: a handler sees no difference.
func TestRequestsAreTheSame(t *testing.T) {
	t.Parallel()
	binary := make([]byte, 3000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range binary {
		binary[i] = byte(rng.Uint32())
	}
	type h = map[string]string
	var got seen
	server := httptest.NewServer(probe(&got))
	t.Cleanup(server.Close)
	onLambda := lambda.NewHTTP(probe(&got), quiet)
	for name, c := range map[string]struct {
		method, path, query string
		headers             h
		cookies             []string
		body                []byte
	}{
		"Plain":         {method: "GET", path: "/v1/traces"},
		"Root":          {method: "GET", path: "/"},
		"Percent":       {method: "GET", path: "/v1/traces/100%"},
		"PercentCode":   {method: "GET", path: "/v1/traces/a%20b"},
		"QuestionMark":  {method: "GET", path: "/v1/traces/a?b=c"},
		"Hash":          {method: "GET", path: "/v1/traces/a#b"},
		"Blank":         {method: "GET", path: "/v1/traces/a b"},
		"NonASCII":      {method: "GET", path: "/v1/traces/é☕🙂"},
		"Odd":           {method: "GET", path: `/v1/traces/a+b:c;d=e,f"g<h>\i|^[]{}~!$&'()*@`},
		"Control":       {method: "GET", path: "/v1/traces/a\x01\x7f\n"},
		"DoubledSlash":  {method: "GET", path: "//v1//traces"},
		"Query":         {method: "GET", path: "/x", query: "a=1&a=2&b=%2C%26%20&c"},
		"QueryOdd":      {method: "GET", path: "/x", query: "a=%zz&=;b"},
		"CommaHeaders":  {method: "GET", path: "/x", headers: h{"tracestate": "a=1,b=2", "x-custom": "one, two,three", "accept": "text/html,*/*;q=0.1"}},
		"Cookies":       {method: "GET", path: "/x", cookies: []string{"a=1", "b=x%2Cy", `c="q"`}},
		"Text":          {method: "POST", path: "/x", headers: h{"content-type": "application/json"}, body: []byte(`{"a":"ü"}`)},
		"Empty":         {method: "POST", path: "/x"},
		"Binary":        {method: "POST", path: "/x", headers: h{"content-encoding": "gzip", "content-type": "application/json"}, body: binary},
		"Delete":        {method: "DELETE", path: "/x"},
		"Patch":         {method: "PATCH", path: "/x", body: []byte("{}"), headers: h{"content-type": "application/json; charset=utf-8"}},
		"Head":          {method: "HEAD", path: "/x"},
		"Options":       {method: "OPTIONS", path: "/x", headers: h{"origin": "https://app.example.com", "access-control-request-headers": "a,b"}},
		"OtherMethod":   {method: "PROPFIND", path: "/x"},
		"Authorization": {method: "GET", path: "/x", headers: h{"authorization": "Bearer a,b"}},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL, bytes.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Path, req.URL.RawQuery = c.path, c.query
			for name, value := range c.headers {
				req.Header.Set(name, value)
			}
			if len(c.cookies) > 0 {
				req.Header.Set("Cookie", strings.Join(c.cookies, "; "))
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			wantBody, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			want := got
			headers := h{"host": "other.test"}
			for name, value := range c.headers {
				headers[name] = value
			}
			a := invoke(t.Context(), t, onLambda, event(c.method, c.path, c.query, headers, c.cookies, c.body))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("a handler sees (-connection +event):\n%s", diff)
			}
			if c.method != "HEAD" && (a.StatusCode != 200 || a.body(t) != string(wantBody)) {
				t.Errorf("answer %d with %d bytes, want %d bytes", a.StatusCode, len(a.body(t)), len(wantBody))
			}
		})
	}
}

// TestWhereRequestsComeFrom is about what only the gateway can vouch for.
func TestWhereRequestsComeFrom(t *testing.T) {
	t.Parallel()
	ip := func(trusted int, forwarded string) string {
		var got string
		h := api.New(api.Options{Log: quiet, TrustedProxies: trusted}, routes{"GET /ip": func(w http.ResponseWriter, r *http.Request) error {
			got = reqctx.ClientIP(r.Context())
			return api.WriteJSON(w, 200, r.Host)
		}})
		headers := map[string]string{"host": "forged.test"}
		if forwarded != "" {
			headers["x-forwarded-for"] = forwarded
		}
		a := invoke(t.Context(), t, lambda.NewHTTP(h, quiet), event("GET", "/ip", "", headers, nil, nil))
		if a.Body != `"a1.execute-api.test"` {
			t.Errorf("the host is %s", a.Body)
		}
		return got
	}
	for _, c := range []struct {
		trusted         int
		forwarded, want string
	}{
		{0, "", "192.0.2.7"},
		{0, "203.0.113.9", "192.0.2.7"},
		{0, "203.0.113.9,192.0.2.7", "192.0.2.7"},
		// The gateway is the last proxy, also if it should not say so.
		{1, "", "192.0.2.7"},
		{1, "203.0.113.9", "192.0.2.7"},
		{1, "203.0.113.9, 192.0.2.7", "192.0.2.7"},
		// One more is in front, and says where the request came from.
		{2, "198.51.100.1, 203.0.113.9, 192.0.2.7", "203.0.113.9"},
		{2, "198.51.100.1, 203.0.113.9", "203.0.113.9"},
	} {
		if got := ip(c.trusted, c.forwarded); got != c.want {
			t.Errorf("%d proxies, X-Forwarded-For %q: %s, want %s", c.trusted, c.forwarded, got, c.want)
		}
	}
}

// routes is a group of handlers by method and pattern.
type routes map[string]api.HandlerFunc

func (rs routes) Routes() []api.Route {
	var list []api.Route
	for name, handler := range rs {
		method, pattern, _ := strings.Cut(name, " ")
		list = append(list, api.Route{Method: method, Pattern: pattern, Handler: handler})
	}
	return list
}

// TestAnswers is about what a handler's answer becomes.
func TestAnswers(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(`a "quoted" word `, 1000)
	h := lambda.NewHTTP(api.New(api.Options{Log: quiet}, routes{
		"GET /cookies": func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Add("Set-Cookie", "a=1; Path=/")
			w.Header().Add("Set-Cookie", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
			w.Header().Add("Vary", "Origin")
			api.NoContent(w, http.StatusNoContent)
			return nil
		},
		"GET /text": func(w http.ResponseWriter, _ *http.Request) error { return api.WriteJSON(w, 200, text) },
		"GET /error": func(http.ResponseWriter, *http.Request) error {
			return fault.New(fault.Unavailable, "The database is away")
		},
		"GET /panic": func(http.ResponseWriter, *http.Request) error { panic("at the handler") },
		"GET /abort": func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) },
		"GET /wait": func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return fault.Wrap(fault.Unavailable, "", r.Context().Err())
		},
	}), quiet)
	get := func(t *testing.T, path string, headers map[string]string) answer {
		t.Helper()
		return invoke(t.Context(), t, h, event("GET", path, "", headers, nil, nil))
	}
	t.Run("Cookies", func(t *testing.T) {
		t.Parallel()
		a := get(t, "/cookies", nil)
		if want := []string{"a=1; Path=/", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"}; a.StatusCode != 204 || !slices.Equal(a.Cookies, want) || a.Body != "" {
			t.Errorf("%+v", a)
		}
		if v := a.Headers["Vary"]; v != "Origin,Accept-Encoding" && v != "Accept-Encoding,Origin" {
			t.Errorf("Vary %q", v)
		}
	})
	t.Run("Text", func(t *testing.T) {
		t.Parallel()
		var got string
		if a := get(t, "/text", nil); a.IsBase64Encoded || json.Unmarshal([]byte(a.Body), &got) != nil || got != text {
			t.Errorf("%.200v", a)
		}
	})
	t.Run("Compressed", func(t *testing.T) {
		t.Parallel()
		if a := get(t, "/text", map[string]string{"accept-encoding": "gzip"}); !a.IsBase64Encoded || a.Headers["Content-Encoding"] != "gzip" || len(a.Body) > 1000 {
			t.Errorf("%.200v", a)
		}
	})
	t.Run("Error", func(t *testing.T) {
		t.Parallel()
		if a := get(t, "/error", nil); a.StatusCode != 503 || a.Headers["Retry-After"] != "1" || a.Body != `{"error":"The database is away"}` {
			t.Errorf("%+v", a)
		}
	})
	t.Run("Panic", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/panic", "/abort"} {
			a := get(t, path, nil)
			if a.StatusCode != 500 || !strings.Contains(a.Body, `"Internal server error"`) || strings.Contains(a.Body, "handler") {
				t.Errorf("%s: %+v", path, a)
			}
		}
	})
	t.Run("Deadline", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := invoke(ctx, t, h, event("GET", "/wait", "", nil, nil, nil))
		if ctx.Err() != nil || a.StatusCode != 503 || a.Headers["Retry-After"] == "" || !strings.Contains(a.Body, `"error"`) {
			t.Errorf("%+v, %v", a, ctx.Err())
		}
	})
	t.Run("RequestID", func(t *testing.T) {
		t.Parallel()
		const id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: id})
		if a := invoke(ctx, t, h, event("GET", "/nothing", "", nil, nil, nil)); a.Headers["X-Request-Id"] != id || a.StatusCode != 404 {
			t.Errorf("%+v", a)
		}
		if a := invoke(ctx, t, h, event("GET", "/nothing", "", map[string]string{"x-request-id": "of-the-client"}, nil, nil)); a.Headers["X-Request-Id"] != "of-the-client" {
			t.Errorf("%+v", a)
		}
	})
}

// TestLargeAnswers is about the 6 MB that Lambda takes, as JSON.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	const limit = 6 << 20
	send := func(body []byte, headers map[string]string) ([]byte, answer) {
		h := lambda.NewHTTP(api.New(api.Options{Log: quiet}, routes{"GET /large": func(w http.ResponseWriter, _ *http.Request) error {
			api.WriteBody(w, 200, "application/json", body)
			return nil
		}}), quiet)
		raw, err := json.Marshal(event("GET", "/large", "", headers, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		out, err := h.Invoke(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := json.Unmarshal(out, &a); err != nil {
			t.Fatal(err)
		}
		return out, a
	}
	empty, _ := send(nil, nil)
	fits := bytes.Repeat([]byte("x"), limit-len(empty)-len("6000000")+1)
	if out, a := send(fits, nil); a.StatusCode != 200 || len(a.Body) != len(fits) || len(out) > limit || len(out) < limit-100 {
		t.Errorf("what just fits: status %d, %d bytes of answer", a.StatusCode, len(out))
	}
	// Half as many quotes are more, since JSON in JSON escapes them.
	for name, body := range map[string][]byte{"Plain": append(fits, make([]byte, 200)...), "Quotes": bytes.Repeat([]byte(`"`), limit/2+1)} {
		out, a := send(body, nil)
		if a.StatusCode != 413 || len(out) > 2000 || !strings.Contains(a.Body, "fields=summary") || a.Headers["Content-Type"] != "application/json" || a.Headers["X-Request-Id"] == "" {
			t.Errorf("%s: status %d, %d bytes of answer: %.300s", name, a.StatusCode, len(out), a.Body)
		}
	}
	if _, a := send(bytes.Repeat([]byte(`"`), limit), map[string]string{"accept-encoding": "gzip"}); a.StatusCode != 200 || !a.IsBase64Encoded {
		t.Errorf("compressed: status %d", a.StatusCode)
	}
}

// TestForeignEvents is about what no HTTP API sends.
func TestForeignEvents(t *testing.T) {
	t.Parallel()
	h := lambda.NewHTTP(api.New(api.Options{Log: quiet}), quiet)
	for name, raw := range map[string]string{
		"Empty": ``, "NoJSON": `x`, "Null": `null`, "Array": `[]`, "Object": `{}`, "SQS": `{"Records":[{"messageId":"a"}]}`,
		"RESTAPI":   `{"version":"1.0","httpMethod":"GET","path":"/","requestContext":{}}`,
		"NoMethod":  `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":""}}}`,
		"BadMethod": `{"version":"2.0","rawPath":"/secret-id","requestContext":{"http":{"method":"GET /x"}}}`,
		"BadBase64": `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"POST"}},"body":"secret!","isBase64Encoded":true}`,
	} {
		if out, err := h.Invoke(t.Context(), []byte(raw)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
}

// echo answers with the id of a path.
func echo() lambda.Handler {
	return lambda.NewHTTP(api.New(api.Options{Log: quiet, DecodedPaths: true, TrustedProxies: 1}, routes{"GET /v1/traces/{id}": func(w http.ResponseWriter, r *http.Request) error {
		return api.WriteJSON(w, 200, r.PathValue("id"))
	}}), quiet)
}

// FuzzHTTPEvent: whatever the event, there is an answer or an error.
func FuzzHTTPEvent(f *testing.F) {
	for _, e := range []object{
		event("GET", "/v1/traces/a?b#c", "a=1&b", map[string]string{"x-y": "1,2", "host": "x"}, []string{"a=b"}, nil),
		event("POST", "/v1/traces/é", "", map[string]string{"content-type": "application/json"}, nil, []byte("{\xff")),
		{"version": "2.0", "requestContext": object{"http": object{"method": "GET"}}},
	} {
		raw, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	h := echo()
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := h.Invoke(t.Context(), raw)
		if err != nil {
			return
		}
		var a answer
		if err := json.Unmarshal(out, &a); err != nil || a.StatusCode < 200 || a.StatusCode == 500 {
			t.Errorf("%d, %v: %.300s", a.StatusCode, err, out)
		}
	})
}

// FuzzHTTPRequest: whatever a client sends, it is answered, and an id comes as it
// was sent.
func FuzzHTTPRequest(f *testing.F) {
	f.Add("GET", "a?b#c%", "a=1&b", "x-y", "1,2", "a=b", "a1.execute-api.test", "192.0.2.7", []byte("{\xff"), false)
	f.Add("GET", "a/b//c d", "%zz#?", "Host", "a b\n", "", "a/b:c@d", "::1%eth0", []byte("aGk="), true)
	h := echo()
	f.Fuzz(func(t *testing.T, method, id, query, name, value, cookie, domain, ip string, body []byte, isBase64 bool) {
		e := event(method, "/v1/traces/"+id, query, map[string]string{name: value}, []string{cookie}, nil)
		e["body"], e["isBase64Encoded"] = string(body), isBase64
		e["requestContext"].(object)["domainName"] = domain
		e["requestContext"].(object)["http"].(object)["sourceIp"] = ip
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &struct { // as it is in the event
			RawPath *string `json:"rawPath"`
		}{&id}); err != nil {
			t.Fatal(err)
		}
		id = strings.TrimPrefix(id, "/v1/traces/")
		out, err := h.Invoke(t.Context(), raw)
		_, bad := base64.StdEncoding.DecodeString(string(body))
		if err != nil {
			if method == "GET" && (!isBase64 || bad == nil) {
				t.Error(err)
			}
			return
		}
		var a answer
		if err := json.Unmarshal(out, &a); err != nil || a.StatusCode < 200 || a.StatusCode == 500 {
			t.Errorf("%d, %v: %.300s", a.StatusCode, err, out)
		}
		if method != "GET" || id == "" || strings.HasPrefix(id, "/") || strings.HasSuffix(id, "/") || len(id) > 500 {
			return
		}
		var got string
		if err := json.Unmarshal([]byte(a.body(t)), &got); err != nil || got != id {
			t.Errorf("id %q came as %q, %v: %.300s", id, got, err, out)
		}
	})
}
