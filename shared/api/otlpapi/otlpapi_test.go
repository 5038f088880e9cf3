package otlpapi_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// prefixes are all places where the routes must be.
var prefixes = []string{"", "/api/public/otel", "/otel", "/api/otel", "/api/v1/private/otel", "/opik/api/v1/private/otel"}

// TestPaths sends each signal to each path in both encodings.
func TestPaths(t *testing.T) {
	t.Parallel()
	s := setup(t)
	log := message(2, fixed64(1, start), message(9, []byte("0000000000000001")), message(10, []byte("00000001")), message(5, text(1, "hello")))
	bodies := map[string][2]string{
		"traces":  {string(request(span(1))), chatJSON},
		"logs":    {string(message(1, message(2, log))), `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","body":{"stringValue":"hello"}}]}]}]}`},
		"metrics": {"", `{"resourceMetrics":[]}`},
	}
	for _, prefix := range prefixes {
		for name, body := range bodies {
			path := prefix + "/v1/" + name
			if got := shown(s.post(path, []byte(body[0]), "Content-Type", protobufType)); got != `200 application/x-protobuf ""` {
				t.Errorf("%s: %s", path, got)
			}
			if got := shown(s.post(path, []byte(body[1]), "Content-Type", jsonType)); got != `200 application/json "{}"` {
				t.Errorf("%s: %s", path, got)
			}
			if got := s.post(strings.ReplaceAll(path, "/v1/", "//v1/")+"/", []byte(body[1]), "Content-Type", jsonType).Code; got != http.StatusOK {
				t.Errorf("%s with stray slashes: %d", path, got)
			}
		}
	}
	if len(s.accepted) != 6*len(prefixes) {
		t.Errorf("%d records were accepted", len(s.accepted))
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/info", nil))
	if got := shown(w); got != `200 application/json "{}"` {
		t.Errorf("/info: %s", got)
	}
}

// TestSpans looks at what is handed on: spans with their bytes, and with the costs
// that their senders gave. Prices are no business of the group.
func TestSpans(t *testing.T) {
	t.Parallel()
	s := setup(t)
	paid := span(2, attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.provider.name", "openai"), attribute("gen_ai.request.model", "gpt-4o-mini"),
		attribute("pulse.cost_cents", "0.5"))
	if got := shown(s.post("/v1/traces", request(chat(1), paid, span(3)), "Content-Type", protobufType)); got != `200 application/x-protobuf ""` {
		t.Fatal(got)
	}
	type row struct {
		ID     trace.SpanID
		Kind   trace.Kind
		Cost   int64
		Source trace.CostSource
	}
	var got []row
	for _, sp := range s.accepted {
		r := row{sp.ID, sp.Kind, -1, sp.CostSource}
		if sp.CostNanoUSD != nil {
			r.Cost = *sp.CostNanoUSD
		}
		got = append(got, r)
		if !bytes.Contains(sp.Payload.Raw, []byte("op")) || sp.Form != trace.FormSpan {
			t.Errorf("%s: form %s, raw %q", sp.ID, sp.Form, sp.Payload.Raw)
		}
	}
	want := []row{
		{"3030303030303031", trace.KindLLMCall, -1, trace.CostUnknown},
		{"3030303030303032", trace.KindLLMCall, 5_000_000, trace.CostOfSender},
		{"3030303030303033", trace.KindGeneric, -1, trace.CostUnknown},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestContentTypes names the body in all ways that clients do.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for contentType, want := range map[string]string{
		protobufType: protobufType, "application/protobuf": protobufType, "application/vnd.google.protobuf": protobufType,
		"Application/X-Protobuf; q=1": protobufType, "application/x-protobuf;": protobufType,
		jsonType: jsonType, "application/json; charset=utf-8": jsonType, "text/json": jsonType, "application/vnd.api+json": jsonType, "": jsonType,
		"text/plain;charset=UTF-8": jsonType, "application/x-www-form-urlencoded": jsonType, "application/octet-stream": jsonType, "nonsense": jsonType,
	} {
		body := []byte(chatJSON)
		if want == protobufType {
			body = request(chat(1))
		}
		w := s.post("/v1/traces", body, "Content-Type", contentType)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != want {
			t.Errorf("%q: %s, want %s", contentType, shown(w), want)
		}
	}
	for _, contentType := range []string{"multipart/form-data; boundary=x", "image/png", "text/html", "application/xml", "application/x-ndjson", "application/x-thrift", "application/grpc", "application/grpc+proto"} {
		w := s.post("/v1/traces", []byte(chatJSON), "Content-Type", contentType)
		if w.Code != http.StatusUnsupportedMediaType || !strings.HasPrefix(w.Body.String(), `{"error":"Unsupported Content-Type`) {
			t.Errorf("%q: %s", contentType, shown(w))
		}
	}
	if w := s.post("/v1/traces", append([]byte("\xEF\xBB\xBF"), chatJSON...), "Content-Type", jsonType); w.Code != http.StatusOK {
		t.Errorf("with a byte order mark: %s", shown(w))
	}
}

// TestEncodings sends compressed bodies, whose length nobody knows.
func TestEncodings(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for encoding, writer := range map[string]func(io.Writer) io.WriteCloser{
		"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser {
			zw, err := zstd.NewWriter(w)
			if err != nil {
				t.Fatal(err)
			}
			return zw
		},
	} {
		for contentType, body := range map[string][]byte{protobufType: request(chat(1)), jsonType: []byte(chatJSON)} {
			var b bytes.Buffer
			w := writer(&b)
			if _, err := w.Write(body); err != nil || w.Close() != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/v1/traces", stream(b.String()))
			r.Header = http.Header{"Authorization": {key}, "Content-Type": {contentType}, "Content-Encoding": {encoding}}
			rec := httptest.NewRecorder()
			s.handler.ServeHTTP(rec, r)
			if rec.Code != http.StatusOK {
				t.Errorf("%s %s: %s", encoding, contentType, shown(rec))
			}
		}
	}
	if len(s.accepted) != 6 {
		t.Errorf("%d spans were accepted", len(s.accepted))
	}
}

// TestPartialSuccess leaves out what cannot be stored, and keeps its neighbours.
// Metrics, of which nothing is kept, are no fault of the sender.
func TestPartialSuccess(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const why = `Invalid option: expected one of "claude_code"|"codex"|"opencode"|"openclaw"|"sdk"`
	bad := func(n int) []byte { return span(n, attribute("pulse.source", "weird")) }
	w := s.post("/v1/traces", request(bad(1), chat(2), bad(3)), "Content-Type", protobufType)
	want := message(1, []byte{0x08, 2}, text(2, why))
	if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), want) {
		t.Errorf("%s, want %q", shown(w), want)
	}
	w = s.post("/v1/traces", []byte(strings.Replace(chatJSON, `"spans":[`, `"spans":[{"attributes":[{"key":"pulse.source","value":{"stringValue":"weird"}}]},null,`, 1)))
	if want := `{"partialSuccess":{"errorMessage":"Invalid option: expected one of \"claude_code\"|\"codex\"|\"opencode\"|\"openclaw\"|\"sdk\"","rejectedSpans":2}}`; w.Body.String() != want && !strings.Contains(w.Body.String(), `"rejectedSpans":2`) {
		t.Errorf("%s, want %s", shown(w), want)
	}
	w = s.post("/v1/logs", []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"of nobody"}}]}]}]}`))
	if want := `{"partialSuccess":{"errorMessage":"Log record of no span and no session","rejectedLogRecords":1}}`; w.Body.String() != want {
		t.Errorf("%s, want %s", shown(w), want)
	}
	point := message(1, fixed64(3, start))
	w = s.post("/v1/metrics", message(1, message(2, message(2, message(5, point, point)))), "Content-Type", protobufType)
	if !bytes.HasPrefix(w.Body.Bytes()[2:], []byte{0x08, 2, 0x12}) || !bytes.Contains(w.Body.Bytes(), []byte("keeps no metrics")) {
		t.Errorf("metrics: %s", shown(w))
	}
	w = s.post("/v1/metrics", []byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{},{},{}]}}]}]}]}`))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"rejectedDataPoints":3`) {
		t.Errorf("metrics: %s", shown(w))
	}
	if len(s.accepted) != 2 {
		t.Errorf("%d spans were accepted", len(s.accepted))
	}
	if diff := cmp.Diff([]string{"invalid 2", "invalid 2", "invalid 1"}, s.refused); diff != "" {
		t.Error(diff)
	}
}

// rpcError makes a google.rpc.Status.
func rpcError(code byte, text string, details ...[]byte) string {
	return string(slices.Concat([]byte{0x08, code}, message(2, []byte(text)), bytes.Join(details, nil)))
}

// retryInfo asks to come again in a second.
var retryInfo = message(3, text(1, "type.googleapis.com/google.rpc.RetryInfo"), message(2, message(1, []byte{0x08, 1, 0x10, 0})))

func TestErrors(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.fails[1] = fault.New(fault.Unavailable, "")
	s.fails[2] = fault.New(fault.Unavailable, "")
	s.fails[3] = fault.New(fault.RateLimited, "Slower")
	s.fails[4] = fmt.Errorf("a secret")
	s.fails[5] = fmt.Errorf("a secret")
	spans := string(request(chat(1)))
	for _, c := range []struct {
		name, contentType, body string
		headers                 []string
		status                  int
		want                    string
	}{
		{"Log", protobufType, spans, nil, 503, rpcError(14, "Failed to enqueue span", retryInfo)},
		{"Log", jsonType, chatJSON, nil, 503, `{"error":"Failed to enqueue span","code":14,"message":"Failed to enqueue span"}`},
		{"Rate", protobufType, spans, nil, 429, rpcError(8, "Slower", retryInfo)},
		{"Bug", protobufType, spans, nil, 500, rpcError(13, "Internal server error")},
		{"Bug", jsonType, chatJSON, []string{"X-Request-Id", "request-1"}, 500, `{"error":"Internal server error","code":13,"message":"Internal server error","requestId":"request-1"}`},
		{"NoProtobuf", protobufType, spans[:len(spans)-1], nil, 400, rpcError(3, "Invalid protobuf body")},
		{"JSONAsProtobuf", protobufType, chatJSON, nil, 400, rpcError(3, "Invalid protobuf body")},
		{"NoJSON", jsonType, "{x", nil, 400, `{"error":"Invalid JSON body","code":3,"message":"Invalid JSON body"}`},
		{"ProtobufAsJSON", jsonType, spans, nil, 400, `{"error":"Invalid JSON body","code":3,"message":"Invalid JSON body"}`},
		{"Nothing", jsonType, "", nil, 400, `{"error":"Invalid JSON body","code":3,"message":"Invalid JSON body"}`},
		{"Missing", jsonType, "{}", nil, 400, `{"error":"Missing resourceSpans","code":3,"message":"Missing resourceSpans"}`},
		{"NoKey", jsonType, chatJSON, []string{"Authorization", ""}, 401, `{"error":"Missing or invalid Authorization header","code":16,"message":"Missing or invalid Authorization header"}`},
		{"NoKey", protobufType, spans, []string{"Authorization", ""}, 401, rpcError(16, "Missing or invalid Authorization header")},
		{"WrongKey", protobufType, spans, []string{"Authorization", "Bearer x"}, 401, rpcError(16, "Invalid API key")},
		{"Large", protobufType, spans + string(make([]byte, maxBody)), nil, 413, rpcError(3, "The request body is larger than 8388608 bytes: send fewer records in one request")},
		{"Encoding", protobufType, spans, []string{"Content-Encoding", "br"}, 415, rpcError(12, "Unsupported Content-Encoding: send gzip, zstd, deflate or none")},
		{"Gzip", protobufType, spans, []string{"Content-Encoding", "gzip"}, 400, rpcError(3, "Request body is not valid gzip")},
	} {
		w := s.post("/otel/v1/traces", []byte(c.body), append([]string{"Content-Type", c.contentType}, c.headers...)...)
		if w.Code != c.status || w.Header().Get("Content-Type") != c.contentType || w.Body.String() != c.want {
			t.Errorf("%s: %s, want %d %s %q", c.name, shown(w), c.status, c.contentType, c.want)
		}
		if retry := w.Header().Get("Retry-After"); (retry == "1") != (c.status == 503 || c.status == 429) {
			t.Errorf("%s: Retry-After is %q", c.name, retry)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (c.status == 401) {
			t.Errorf("%s: WWW-Authenticate is %q", c.name, challenge)
		}
	}
	if len(s.accepted) != 0 {
		t.Errorf("%d spans were accepted", len(s.accepted))
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/otel/v1/traces", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %s, Allow: %s", shown(w), w.Header().Get("Allow"))
	}
}

// TestSteps takes a request in parts: all of it, and nothing of what fails is
// answered as taken.
func TestSteps(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var spans [][]byte
	for n := range 12_000 {
		spans = append(spans, message(2, id(1, n), id(2, n)))
	}
	if w := s.post("/v1/traces", request(spans...), "Content-Type", protobufType); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Fatal(shown(w))
	}
	seen := map[trace.SpanID]bool{}
	for i := range s.accepted {
		seen[s.accepted[i].ID] = true
	}
	if len(s.accepted) != len(spans) || len(seen) != len(spans) || s.calls != 3 {
		t.Errorf("%d of %d spans in %d calls", len(seen), len(s.accepted), s.calls)
	}
	s.fails[5] = fault.New(fault.Unavailable, "")
	if w := s.post("/v1/traces", request(spans...), "Content-Type", protobufType); w.Code != http.StatusServiceUnavailable {
		t.Error(shown(w))
	}
}

// TestTooManySpans refuses a request that holds more spans than is taken.
func TestTooManySpans(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const n = 100_001
	for contentType, body := range map[string][]byte{
		protobufType: message(1, message(2, bytes.Repeat(message(2), n))),
		jsonType:     []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat("{},", n-1) + `{}]}]}]}`),
	} {
		w := s.post("/v1/traces", body, "Content-Type", contentType)
		if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "Export exceeds 100000 spans") {
			t.Errorf("%s: %s", contentType, shown(w))
		}
	}
	if s.calls > 0 {
		t.Errorf("%d calls", s.calls)
	}
}

// deep nests an AnyValue n times.
func deep(n int) []byte {
	v := text(1, "x")
	for range n {
		v = message(5, message(1, v))
	}
	return v
}

// TestHostile sends what is made to do harm. It costs a span, or the request,
// never the server.
func TestHostile(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var bomb bytes.Buffer
	zw := gzip.NewWriter(&bomb)
	if _, err := io.CopyN(zw, zeros{}, 1<<26); err != nil || zw.Close() != nil {
		t.Fatal(err)
	}
	manyAttributes := span(1, bytes.Repeat(message(9, text(1, "k")), 1_000_000))
	lying := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), 1<<40)
	for _, c := range []struct {
		name, contentType, encoding string
		body                        []byte
		status                      int
		rejected                    bool
	}{
		{"Deep", protobufType, "", request(span(1, message(9, text(1, "k"), message(2, deep(5000))))), 200, true},
		{"DeepJSON", jsonType, "", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":` +
			strings.Repeat(`{"arrayValue":{"values":[`, 3000) + "{}" + strings.Repeat(`]}}`, 3000) + `}]}]}]}]}`), 200, true},
		{"DeeperJSON", jsonType, "", []byte(`{"resourceSpans":` + strings.Repeat("[", 100_000)), 400, false},
		{"DeepUnknown", jsonType, "", []byte(`{"x":` + strings.Repeat(`{"x":`, 100_000)), 400, false},
		{"Attributes", protobufType, "", request(manyAttributes), 200, true},
		{"Bomb", protobufType, "gzip", bomb.Bytes(), 413, false},
		{"BombJSON", jsonType, "gzip", bomb.Bytes(), 413, false},
		{"InvalidUTF8", protobufType, "", request(span(1, text(5, "\xff\xfe"), attribute("k\xff", "v\xff"))), 200, false},
		{"InvalidUTF8JSON", jsonType, "", []byte(strings.Replace(chatJSON, `"op"`, "\"\xff\xfe\"", 1)), 200, false},
		{"NUL", protobufType, "", request(span(1, text(5, "a\x00b"), attribute("k\x00", "v\x00"))), 200, false},
		{"Lying", protobufType, "", lying, 400, false},
		{"LyingInside", protobufType, "", request(message(2, lying)), 200, true},
		{"Group", protobufType, "", protowire.AppendTag(nil, 1, protowire.StartGroupType), 400, false},
		{"Zeros", protobufType, "", make([]byte, maxBody), 400, false},
	} {
		w := s.post("/v1/traces", c.body, "Content-Type", c.contentType, "Content-Encoding", c.encoding)
		rejected := w.Code == http.StatusOK && w.Body.Len() > len("{}")
		if w.Code != c.status || rejected != c.rejected {
			t.Errorf("%s: %.300s", c.name, shown(w))
		}
	}
	for _, sp := range s.accepted {
		if !utf8.ValidString(sp.Name) || strings.ContainsRune(sp.Name, 0) {
			t.Errorf("a name is %q", sp.Name)
		}
	}
}

// FuzzHTTP sends any body under any name.
func FuzzHTTP(f *testing.F) {
	for _, body := range []string{string(request(chat(1), span(2))), chatJSON, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"x"}]}]}]}`, "\n\x00", ""} {
		for _, contentType := range []string{protobufType, jsonType, ""} {
			f.Add("traces", contentType, "", []byte(body))
			f.Add("logs", contentType, "gzip", []byte(body))
			f.Add("metrics", contentType, "deflate", []byte(body))
		}
	}
	s := setup(f)
	f.Fuzz(func(t *testing.T, signal, contentType, encoding string, body []byte) {
		path := "/v1/metrics"
		if signal == "traces" || signal == "logs" {
			path = "/v1/" + signal
		}
		s.accepted, s.refused = nil, nil
		w := s.post(path, body, "Content-Type", contentType, "Content-Encoding", encoding)
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		default:
			t.Errorf("%d", w.Code)
		}
		if contentType != "" && w.Header().Get("Content-Type") == "" {
			t.Error("the answer has no type")
		}
		for i := range s.accepted {
			if issues := s.accepted[i].Check(); len(issues) > 0 {
				t.Errorf("%v", issues)
			}
		}
	})
}
