package apitest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/api"
)

const protobufType = "application/x-protobuf"

// otlp sends as OpenTelemetry exporters do.
func (s *suite) otlp(t *testing.T) {
	t.Parallel()
	t.Run("Encodings", s.otlpEncodings)
	t.Run("Paths", s.otlpPaths)
	t.Run("Keys", s.otlpKeys)
	t.Run("Partial", s.otlpPartial)
	t.Run("Errors", s.otlpErrors)
	t.Run("Logs", s.otlpLogs)
	t.Run("Many", s.otlpMany)
	t.Run("Hostile", s.otlpHostile)
}

// newIDs makes the ids of a span as OTLP has them.
func newIDs() (traceID, spanID string) {
	id := uuid.New()
	other := uuid.New()
	return hex.EncodeToString(id[:]), hex.EncodeToString(other[:8])
}

// exportOf is a request of one model call in JSON.
func exportOf(traceID, spanID, text string) string {
	return fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"test","version":"1"},"spans":[
		{"traceId":%q,"spanId":%q,"parentSpanId":null,"name":"chat gpt-4o-mini","kind":3,"startTimeUnixNano":"1769342400000000000","endTimeUnixNano":1769342400250000000,"attributes":[
		{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.provider.name","value":{"stringValue":"openai"}},
		{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o-mini"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"1000"}},
		{"key":"gen_ai.usage.output_tokens","value":{"intValue":100}},{"key":"pulse.output_text","value":{"stringValue":%s}}],"status":{}}]}]}]}`, traceID, spanID, quotedJSON(text))
}

// message makes a field of protobuf that holds a message of parts.
func message(num protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), bytes.Join(parts, nil))
}

func field(num protowire.Number, text string) []byte { return message(num, []byte(text)) }

func attribute(key string, value []byte) []byte { return message(9, field(1, key), message(2, value)) }

func count(n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), n)
}

func nanos(num protowire.Number, at uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), at)
}

// protobufOf is exportOf in protobuf.
func protobufOf(traceID, spanID, text string) []byte {
	id := func(num protowire.Number, s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			panic(err) // only for what newIDs did not make
		}
		return message(num, b)
	}
	span := message(2, id(1, traceID), id(2, spanID), field(5, "chat gpt-4o-mini"), nanos(7, 1769342400000000000), nanos(8, 1769342400250000000),
		attribute("gen_ai.operation.name", field(1, "chat")), attribute("gen_ai.provider.name", field(1, "openai")),
		attribute("gen_ai.request.model", field(1, "gpt-4o-mini")), attribute("gen_ai.usage.input_tokens", count(1000)),
		attribute("gen_ai.usage.output_tokens", count(100)), attribute("pulse.output_text", field(1, text)), message(15))
	resource := message(1, message(1, field(1, "service.name"), message(2, field(1, "shop"))))
	return message(1, resource, message(2, message(1, field(1, "test"), field(2, "1")), span))
}

// export sends a request of OTLP with a key in Authorization, unless the headers
// say otherwise.
func (s *suite) export(t *testing.T, p person, path, contentType string, body io.Reader, headers ...string) answer {
	t.Helper()
	r := request{method: http.MethodPost, path: path, header: http.Header{"Authorization": {"Bearer " + p.key}, "Content-Type": {contentType}}, body: body}
	for i := 0; i < len(headers); i += 2 {
		r.header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.header.Del(headers[i])
		}
	}
	return s.do(t, r)
}

// shownSpan reads a span without what names its project.
func (s *suite) shownSpan(t *testing.T, p person, id string) map[string]any {
	t.Helper()
	var span map[string]any
	s.want(t, p, http.MethodGet, "/v1/spans/"+id, "", http.StatusOK, &span)
	delete(span, "projectId")
	return span
}

// compressors are the encodings of bodies, and what Content-Encoding calls them.
var compressors = map[string]func(io.Writer) (io.WriteCloser, error){
	"":           nil,
	"gzip":       func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"zstd":       func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	"deflate":    func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
	" Deflate  ": func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) }, // without zlib's frame
}

// otlpEncodings sends the same span in every encoding: all show the same, with
// the price that the sender did not know.
func (s *suite) otlpEncodings(t *testing.T) {
	owner := s.signUp(t)
	traceID, spanID := newIDs()
	const text = "青い空 \u0001 \\ \" 🗼"
	var first map[string]any
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "", protobufType} {
		body := []byte(exportOf(traceID, spanID, text))
		if contentType == protobufType {
			body = protobufOf(traceID, spanID, text)
		}
		want := "application/json"
		if contentType == protobufType {
			want = protobufType
		}
		for encoding, compressor := range compressors {
			for _, chunked := range []bool{false, true} {
				p := owner
				s.addProject(t, &p) // of its own
				sent := bytes.NewBuffer(body)
				if compressor != nil {
					sent = &bytes.Buffer{}
					w, err := compressor(sent)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := w.Write(body); err != nil || w.Close() != nil {
						t.Fatal(err)
					}
				}
				var r io.Reader = sent
				if chunked {
					r = io.MultiReader(sent) // of a length that nobody knows
				}
				a := s.export(t, p, "/v1/traces", contentType, r, "Content-Encoding", encoding)
				if a.status != http.StatusOK || a.header.Get("Content-Type") != want || (want == protobufType) != (len(a.body) == 0) {
					t.Fatalf("%q, %q, chunked %v: %s", contentType, encoding, chunked, a)
				}
				span := s.shownSpan(t, p, spanID)
				if first == nil {
					first = span
					for name, want := range map[string]any{
						"kind": "llm_call", "service": "shop", "model": "gpt-4o-mini", "provider": "openai", "inputTokens": 1000.0, "outputTokens": 100.0,
						"outputText": text, "durationMs": 250.0, "parentSpanId": nil, "costCents": 0.021, "timestamp": "2026-01-25T12:00:00.000Z",
					} {
						if span[name] != want {
							t.Errorf("%s is %v, want %v", name, span[name], want)
						}
					}
				}
				if diff := cmp.Diff(first, span); diff != "" {
					t.Errorf("%q, %q, chunked %v: shown otherwise:\n%s", contentType, encoding, chunked, diff)
				}
			}
		}
	}
}

// otlpRoutes are those for OpenTelemetry.
func (s *suite) otlpRoutes() []api.Route {
	return slices.DeleteFunc(slices.Clone(s.Routes), func(r api.Route) bool { return r.Protocol == nil })
}

// otlpPaths sends to every path.
func (s *suite) otlpPaths(t *testing.T) {
	p := s.signUp(t)
	list := s.otlpRoutes()
	if len(list) < 18 {
		t.Errorf("there are %d paths", len(list))
	}
	sent := 0
	for _, r := range list {
		body, protobuf := `{"resourceMetrics":[]}`, []byte(nil)
		traceID, spanID := newIDs()
		switch {
		case strings.HasSuffix(r.Pattern, "/traces"):
			body, protobuf = exportOf(traceID, spanID, "x"), protobufOf(spanID+spanID, traceID[:16], "x")
			sent += 2
		case strings.HasSuffix(r.Pattern, "/logs"):
			body, protobuf = `{"resourceLogs":[]}`, nil
		}
		if a := s.export(t, p, r.Pattern, "application/json", strings.NewReader(body)); a.status != http.StatusOK || string(a.body) != "{}" {
			t.Errorf("%s: %s", r.Pattern, a)
		}
		if a := s.export(t, p, r.Pattern, protobufType, bytes.NewReader(protobuf)); a.status != http.StatusOK || len(a.body) > 0 {
			t.Errorf("%s: %s", r.Pattern, a)
		}
	}
	var page struct{ Total int }
	s.want(t, p, http.MethodGet, "/v1/spans?limit=1", "", http.StatusOK, &page)
	if page.Total != sent {
		t.Errorf("%d spans are there, %d were sent", page.Total, sent)
	}
	if a := s.do(t, request{method: http.MethodGet, path: "/info"}); a.status != http.StatusOK || string(a.body) != "{}" {
		t.Errorf("/info: %s", a)
	}
}

// otlpKeys puts the key where exporters do, and where it must not be found.
func (s *suite) otlpKeys(t *testing.T) {
	p, other := s.signUp(t), s.signUp(t)
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"Bearer", []string{"Authorization", "Bearer " + p.key}, 200},
		{"BearerEncoded", []string{"Authorization", "Bearer%20" + p.key}, 200},
		{"Plain", []string{"Authorization", p.key}, 200},
		{"BasicUser", []string{"Authorization", basic(p.key, "")}, 200},
		{"BasicPassword", []string{"Authorization", basic("pk-lf-1", p.key)}, 200},
		{"BasicBoth", []string{"Authorization", basic(p.key, p.key)}, 200},
		{"Header", []string{"Authorization", "", "X-Api-Key", p.key}, 200},
		{"OtherHeader", []string{"Authorization", "", "Api-Key", p.key}, 200},
		{"Both", []string{"Authorization", "Bearer " + p.key, "X-Auth-Token", p.key}, 200},
		{"None", []string{"Authorization", ""}, 401},
		{"Unknown", []string{"Authorization", "Bearer pulse_sk_x"}, 401},
		{"Malformed", []string{"Authorization", "Basic x"}, 401},
		{"Scheme", []string{"Authorization", "Token " + p.key}, 401},
		{"Two", []string{"Authorization", "Bearer " + p.key, "X-Api-Key", other.key}, 401},
		{"TwoInOne", []string{"Authorization", basic(p.key, other.key)}, 401},
	} {
		for contentType, body := range map[string]string{"application/json": `{"resourceSpans":[]}`, protobufType: ""} {
			if a := s.export(t, person{}, "/v1/traces", contentType, strings.NewReader(body), c.headers...); a.status != c.status {
				t.Errorf("%s: %s, want %d", c.name, a, c.status)
			}
		}
	}
}

// otlpPartial leaves out what cannot be stored, and keeps what stands beside it.
func (s *suite) otlpPartial(t *testing.T) {
	p := s.signUp(t)
	traceID, spanID := newIDs()
	bad := `{"spanId":"00f067aa0ba902b7","attributes":[{"key":"pulse.source","value":{"stringValue":"weird"}}]},null,`
	a := s.export(t, p, "/v1/traces", "application/json", strings.NewReader(strings.Replace(exportOf(traceID, spanID, "x"), `"spans":[`, `"spans":[`+bad, 1)))
	var answer struct {
		PartialSuccess struct {
			RejectedSpans int
			ErrorMessage  string
		}
	}
	if err := json.Unmarshal(a.body, &answer); err != nil || a.status != http.StatusOK || answer.PartialSuccess.RejectedSpans != 2 || answer.PartialSuccess.ErrorMessage == "" {
		t.Errorf("%s, %v", a, err)
	}
	s.shownSpan(t, p, spanID)
	const why = `Invalid option: expected one of "claude_code"|"codex"|"opencode"|"openclaw"|"sdk"`
	weird := message(2, field(2, "12345678"), attribute("pulse.source", field(1, "weird")))
	good := protobufOf(spanID+spanID, traceID[:16], "x")
	a = s.export(t, p, "/v1/traces", protobufType, bytes.NewReader(append(message(1, message(2, weird)), good...)))
	if want := message(1, []byte{0x08, 1}, field(2, why)); a.status != http.StatusOK || !bytes.Equal(a.body, want) {
		t.Errorf("%s, want %q", a, want)
	}
	s.shownSpan(t, p, traceID[:16])
	a = s.export(t, p, "/v1/metrics", "application/json", strings.NewReader(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}`))
	if a.status != http.StatusOK || !bytes.Contains(a.body, []byte(`"rejectedDataPoints":1`)) {
		t.Errorf("metrics: %s", a)
	}
}

// otlpErrors are google.rpc.Status in the encoding of the request.
func (s *suite) otlpErrors(t *testing.T) {
	p := s.signUp(t)
	status := func(code byte, text string) string {
		return string(slices.Concat([]byte{0x08, code}, field(2, text)))
	}
	for _, c := range []struct {
		contentType, body, encoding string
		status                      int
		answer                      string
	}{
		{protobufType, "{}", "", 400, status(3, "Invalid protobuf body")},
		{protobufType, "\x0a\x05", "", 400, status(3, "Invalid protobuf body")},
		{protobufType, "", "br", 415, status(12, "Unsupported Content-Encoding: send gzip, zstd, deflate or none")},
		{protobufType, "x", "gzip", 400, status(3, "Request body is not valid gzip")},
		{"application/json", "\x0a\x00", "", 400, `{"error":"Invalid JSON body","code":3,"message":"Invalid JSON body"}`},
		{"application/json", "{}", "", 400, `{"error":"Missing resourceSpans","code":3,"message":"Missing resourceSpans"}`},
		{"application/json", "{}", "br", 415, `{"error":"Unsupported Content-Encoding: send gzip, zstd, deflate or none","code":12,"message":"Unsupported Content-Encoding: send gzip, zstd, deflate or none"}`},
		{"text/html", "", "", 415, `{"error":"Unsupported Content-Type: send application/x-protobuf or application/json","code":12,"message":"Unsupported Content-Type: send application/x-protobuf or application/json"}`},
	} {
		a := s.export(t, p, "/v1/traces", c.contentType, strings.NewReader(c.body), "Content-Encoding", c.encoding)
		if a.status != c.status || string(a.body) != c.answer {
			t.Errorf("%s, %q, %q: %s, want %d %q", c.contentType, c.encoding, c.body, a, c.status, c.answer)
		}
	}
	if a := s.export(t, person{key: "x"}, "/otel/v1/logs", protobufType, strings.NewReader("")); a.status != 401 || string(a.body) != status(16, "Invalid API key") || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("a wrong key: %s", a)
	}
	if a := s.do(t, request{method: http.MethodPut, path: "/v1/traces", body: strings.NewReader("{}")}); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("PUT: %s, Allow: %s", a, a.header.Get("Allow"))
	}
}

// otlpLogs sends records: those of a session show as spans of it.
func (s *suite) otlpLogs(t *testing.T) {
	p := s.signUp(t)
	a := s.export(t, p, "/v1/logs", "application/json", strings.NewReader(`{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"claude-code"}}]},
		"scopeLogs":[{"scope":{"name":"com.anthropic.claude_code.events"},"logRecords":[
		{"timeUnixNano":"1769342400000000000","body":{"stringValue":"claude_code.user_prompt"},"attributes":[{"key":"event.name","value":{"stringValue":"user_prompt"}},
			{"key":"session.id","value":{"stringValue":"session-of-logs"}},{"key":"prompt","value":{"stringValue":"Hello"}}]},
		{"body":{"stringValue":"of nobody"}}]}]}]}`))
	if a.status != http.StatusOK || !bytes.Contains(a.body, []byte(`"rejectedLogRecords":1`)) {
		t.Fatal(a)
	}
	var page struct {
		Spans []struct{ SessionID, Kind string }
	}
	s.want(t, p, http.MethodGet, "/v1/spans?session_id=session-of-logs", "", http.StatusOK, &page)
	if len(page.Spans) != 1 || page.Spans[0].Kind != "user_prompt" {
		t.Errorf("%+v", page)
	}
}

// otlpMany sends more spans in one request than the earlier service took.
func (s *suite) otlpMany(t *testing.T) {
	p := s.signUp(t)
	const n = 3000
	spans := make([][]byte, n)
	for i := range spans {
		spans[i] = message(2, field(1, fmt.Sprintf("many-%011d", i/100)), field(2, fmt.Sprintf("%08d", i)), nanos(7, 1769342400000000000+uint64(i)*1000))
	}
	if a := s.export(t, p, "/v1/traces", protobufType, bytes.NewReader(message(1, message(2, spans...)))); a.status != http.StatusOK || len(a.body) > 0 {
		t.Fatal(a)
	}
	var page struct{ Total int }
	s.want(t, p, http.MethodGet, "/v1/spans?limit=1", "", http.StatusOK, &page)
	if page.Total != n {
		t.Errorf("%d spans are there", page.Total)
	}
}

// otlpHostile sends what is made to do harm: it costs a span, or the request.
func (s *suite) otlpHostile(t *testing.T) {
	p := s.signUp(t)
	deep := field(1, "x")
	for range 2000 {
		deep = message(5, message(1, deep))
	}
	lying := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), 1<<40)
	const attributes = 1_000_000
	many := bytes.Repeat(message(9, field(1, "")), min(attributes, (s.MaxBodyBytes-1000)/4))
	spans := func(parts ...[]byte) []byte { return message(1, message(2, message(2, parts...))) }
	before := s.memory(t)
	for _, c := range []struct {
		name, contentType string
		body              []byte
		status            int
		rejected          bool
	}{
		{"Deep", protobufType, spans(attribute("k", deep)), 200, true},
		{"DeepJSON", "application/json", []byte(`{"resourceSpans":` + strings.Repeat("[", 500_000)), 400, false},
		{"Attributes", protobufType, spans(many), 200, true},
		{"InvalidUTF8", protobufType, spans(field(5, "\xff"), attribute("\xfe", field(1, "\xff"))), 200, false},
		{"InvalidUTF8JSON", "application/json", []byte("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\xff\",\"attributes\":[{\"key\":\"\xfe\",\"value\":{\"stringValue\":\"\xff\"}}]}]}]}]}"), 200, false},
		{"NUL", protobufType, spans(field(5, "\x00"), attribute("\x00", field(1, "\x00"))), 200, false},
		{"Lying", protobufType, lying, 400, false},
		{"LyingInside", protobufType, spans(lying), 200, true},
	} {
		a := s.export(t, p, "/v1/traces", c.contentType, bytes.NewReader(c.body))
		if rejected := a.status == http.StatusOK && len(a.body) > len("{}"); a.status != c.status || rejected != c.rejected {
			t.Errorf("%s: %s", c.name, a)
		}
	}
	var page struct{ Total int }
	s.want(t, p, http.MethodGet, "/v1/spans?limit=10", "", http.StatusOK, &page)
	if page.Total != 2 { // what is not UTF-8 is replaced, so two of the three are the same
		t.Errorf("%d spans are there", page.Total)
	}
	if after := s.memory(t); before > 0 && after-before > bombMemory {
		t.Errorf("hostile requests cost %.0f MB of memory", (after-before)/(1<<20))
	}
}

func quotedJSON(v any) []byte {
	b, err := api.Marshal(v)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	return b
}
