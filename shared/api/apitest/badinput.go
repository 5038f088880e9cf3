package apitest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
)

// badInput sends what must be refused to every route that takes a body. The
// answer says so in JSON and names the field; nothing is stored; neither the
// answer nor the log repeats a value that was sent.
func (s *suite) badInput(t *testing.T) {
	t.Parallel()
	s.refusing(t, func(p person, marker string) {
		t.Run("Ingest", func(t *testing.T) { s.badIngest(t, p, marker) })
		t.Run("Bodies", func(t *testing.T) { s.badBodies(t, p, marker) })
		t.Run("Connections", func(t *testing.T) { s.badConnections(t, p, marker) })
		t.Run("Control", func(t *testing.T) { s.badControl(t, p, marker) })
		t.Run("Auth", func(t *testing.T) { s.badAuth(t, marker) })
		t.Run("Requests", func(t *testing.T) { s.badRequests(t, p, marker) })
	})
	t.Run("Counted", s.countsRefused)
}

// countsRefused sends what a check refuses before it is read, and looks where
// the members of the project, and who runs the server, see it.
func (s *suite) countsRefused(t *testing.T) {
	p := s.signUp(t)
	before := s.metrics(t)
	post := func(credentials http.Header, status int) {
		t.Helper()
		r := request{method: http.MethodPost, path: "/v1/traces/batch", header: credentials, body: strings.NewReader("[]")}
		r.header.Set("Content-Type", "application/xml")
		if a := s.do(t, r); a.status != status {
			t.Errorf("%s %s: %s, want %d", r.method, r.path, a, status)
		}
	}
	post(http.Header{"Authorization": {"Bearer pulse_sk_unknown"}}, http.StatusUnauthorized)
	post(p.credentials("/v1/traces/batch"), http.StatusUnsupportedMediaType)

	a := s.do(t, request{method: http.MethodGet, path: "/dashboard/api/query/status", header: p.credentials("/dashboard/api/query/status")})
	var seen struct {
		Rejected []struct {
			Reason string
			Count  int
		}
	}
	if err := json.Unmarshal(a.body, &seen); err != nil || len(seen.Rejected) != 1 || seen.Rejected[0].Count != 1 ||
		!strings.HasPrefix(seen.Rejected[0].Reason, "Unsupported Content-Type") {
		t.Errorf("what was refused of the project: %s: %v", a, err)
	}
	if before == "" {
		return
	}
	after := s.metrics(t)
	for _, reason := range []fault.Code{fault.Unauthenticated, fault.Unsupported} {
		line := regexp.MustCompile(`(?m)^pulse_ingest_rejected_total\{reason="` + string(reason) + `"\} (\S+)$`)
		if number(t, line, after) <= number(t, line, before) {
			t.Errorf("pulse_ingest_rejected_total does not count %s", reason)
		}
	}
}

// tooLarge sends what is too large. It MUST run while nothing else does: it
// measures the server's memory.
func (s *suite) tooLarge(t *testing.T) {
	s.refusing(t, func(p person, marker string) { s.bombs(t, p, marker) })
}

// refusing checks that nothing which send sends is stored, nor repeated in the
// log.
func (s *suite) refusing(t *testing.T, send func(p person, marker string)) {
	t.Helper()
	marker := "marker" + strings.ReplaceAll(uuid.NewString(), "-", "")
	p := s.signUp(t)
	before := s.totals(t, p)
	send(p, marker)
	if after := s.totals(t, p); after != before {
		t.Errorf("something was stored: %s, before %s", after, before)
	}
	if s.Output == nil {
		return
	}
	for line := range strings.Lines(s.Output()) {
		if strings.Contains(line, marker) || strings.Contains(line, p.key) || strings.Contains(line, p.email) {
			t.Errorf("the log repeats what was sent: %s", line)
		}
		if strings.Contains(line, "panic") || strings.Contains(line, "level=ERROR") {
			t.Errorf("a client's mistake is an error in the log: %s", line)
		}
	}
}

// totals counts what a project holds.
func (s *suite) totals(t *testing.T, p person) string {
	t.Helper()
	var traces, spans struct{ Total int }
	s.want(t, p, http.MethodGet, "/v1/traces?limit=1", "", http.StatusOK, &traces)
	s.want(t, p, http.MethodGet, "/v1/spans?limit=1", "", http.StatusOK, &spans)
	var lists [3]map[string][]any
	for i, path := range []string{"/dashboard/api/projects", "/dashboard/api/api-keys", "/dashboard/api/users"} {
		s.want(t, p, http.MethodGet, path, "", http.StatusOK, &lists[i])
	}
	return fmt.Sprintf("%d traces, %d spans, %d projects, %d keys, %d members", traces.Total, spans.Total,
		len(lists[0]["projects"]), len(lists[1]["keys"]), len(lists[2]["users"]))
}

// ingestRoutes are those that take records.
func (s *suite) ingestRoutes() []api.Route {
	return slices.DeleteFunc(slices.Clone(s.Routes), func(r api.Route) bool {
		return r.Method != http.MethodPost || !strings.HasSuffix(r.Pattern, "/batch") && !strings.HasSuffix(r.Pattern, "/async")
	})
}

// change gives a valid record of a route's form with one member changed; the
// marker is in its payload.
func change(route, marker, field, value string) string {
	record := spanRecord(uuid.NewString())
	if strings.Contains(route, "/traces/") {
		record = traceRecord(uuid.NewString())
	}
	record = record[:len(record)-1] + fmt.Sprintf(`,"output_text":%q`, marker)
	if field != "" {
		record += fmt.Sprintf(`,%q:%s`, field, value) // of a repeated name the last counts
	}
	return record + "}"
}

func (s *suite) badIngest(t *testing.T, p person, marker string) {
	quoted := func(text string) string { return strconv.Quote(text) }
	deep := strings.Repeat(`{"d":`, 300) + `"` + marker + `"` + strings.Repeat("}", 300)
	both := map[string][]string{
		"timestamp":              {"5", `"` + marker + `"`, `"2026-02-30T00:00:00Z"`, `"2026-01-25T12:00:00"`, `"0001-01-01T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `"2200-01-01T00:00:00Z"`, `"9999-12-31T23:59:59Z"`, "null"},
		"status":                 {`"` + marker + `"`, "5", "null"},
		"session_id":             {"5", `"nul\u0000"`, quoted(marker + strings.Repeat("x", 600))},
		"provider":               {"5", `["` + marker + `"]`, `"\u0000"`},
		"input_tokens":           {"-1", "1.5", `"` + marker + `"`, "9007199254740993", "1e400"},
		"output_tokens":          {"-1", "true"},
		"cost_cents":             {"-1", `"` + marker + `"`, "1e300", "1e400"},
		"time_to_first_token_ms": {"-1", "1e300"},
		"metadata":               {"5", `["` + marker + `"]`},
		"finish_reason":          {"5", quoted(strings.Repeat("x", 2000))},
	}
	byForm := map[string]map[string][]string{
		"/traces/": {
			"trace_id": {"5", `"` + marker + `"`, "null"}, "model_requested": {`""`, "5", "null"}, "request_body": {"5", "[]", "null"},
			"latency_ms": {"-1", `"` + marker + `"`, "1e300", "1e400", "null"}, "response_body": {"[]"}, "error": {`"` + marker + `"`},
		},
		"/spans/": {
			"span_id": {`""`, "5", "null", quoted(strings.Repeat("x", 600))}, "trace_id": {`""`, `"\u0000"`}, "source": {`"` + marker + `"`, "null"},
			"kind": {`"` + marker + `"`, "5"}, "event_type": {`""`, "null"}, "duration_ms": {"-1", `"` + marker + `"`},
			"is_interrupt": {`"` + marker + `"`, "1"}, "tool_name": {"5", `"\u0000"`}, "cwd": {"{}"}, "parent_span_id": {`""`},
		},
	}
	for _, r := range s.ingestRoutes() {
		fields := func(name string, values []string) {
			for _, v := range values {
				want := fmt.Sprintf(`[1,%q]`, name)
				body := "[" + change(r.Pattern, marker, "", "") + "," + change(r.Pattern, marker, name, v) + "]"
				s.refused(t, r, p, marker, body, http.StatusBadRequest, "Validation failed", want)
			}
		}
		for name, values := range both {
			fields(name, values)
		}
		for form, more := range byForm {
			if strings.Contains(r.Pattern, form) {
				for name, values := range more {
					fields(name, values)
				}
			}
		}
		good := change(r.Pattern, marker, "", "")
		many := func(n int) string { return "[" + strings.Repeat(good+",", n-1) + good + "]" }
		for _, c := range []struct{ body, message, path string }{
			{"", "Invalid JSON body", ""},
			{"{x", "Invalid JSON body", ""},
			{"[" + good + ",]", "Invalid JSON body", ""},
			{"[" + good + "] " + marker, "Invalid JSON body", ""},
			{"[" + good[:len(good)-3], "Invalid JSON body", ""},
			{"[" + change(r.Pattern, marker, "metadata", "{\"m\":\"\xff\xfe\"}") + "]", "Invalid JSON body", `[0,"metadata","m"]`},
			{"[" + change(r.Pattern, marker, "metadata", deep) + "]", "Invalid JSON body: nested deeper than 200 levels", ""},
			{strings.Repeat("[", 100_000), "Invalid JSON body: nested deeper than 200 levels", ""},
			{"null", "Validation failed", "[]"},
			{`"` + marker + `"`, "Validation failed", "[]"},
			{"{}", "Validation failed", "[]"},
			{"[1]", "Validation failed", "[0]"},
			{"[" + good + `,"` + marker + `"]`, "Validation failed", "[1]"},
			{"[{}]", "Validation failed", `[0,"timestamp"]`},
			{many(101), "Validation failed", "[]"},
			{many(10_000), "Validation failed", "[]"},
		} {
			s.refused(t, r, p, marker, c.body, http.StatusBadRequest, c.message, c.path)
		}
	}
}

// refused sends a body that must be refused with a status, a message, and a
// detail whose path is the given JSON.
func (s *suite) refused(t *testing.T, r api.Route, p person, marker, body string, status int, message, path string) {
	t.Helper()
	req := request{method: r.Method, path: r.Pattern + "?" + marker, header: p.credentials(r.Pattern), body: strings.NewReader(body)}
	req.header.Set("Content-Type", "application/json")
	s.refusedAs(t, req, marker, body, status, message, path)
}

func (s *suite) refusedAs(t *testing.T, req request, marker, shown string, status int, message, path string) {
	t.Helper()
	a := s.do(t, req)
	var body struct {
		Error   string
		Message string // of /api/auth
		Details []struct {
			Path json.RawMessage
		}
	}
	if err := json.Unmarshal(a.body, &body); err != nil && len(a.body) > 0 {
		t.Errorf("%s %s: %s: %v", req.method, req.path, a, err)
	}
	named := path == ""
	for _, d := range body.Details {
		named = named || string(d.Path) == path
	}
	const most = 200
	shown = shown[:min(most, len(shown))]
	if a.status != status || (message != "" && body.Error != message) || !named {
		t.Errorf("%s %s: %q: %s, want %d %q with details at %s", req.method, req.path, shown, a, status, message, path)
	}
	if bytes.Contains(a.body, []byte(marker)) {
		t.Errorf("%s %s: %q: the answer repeats what was sent: %s", req.method, req.path, shown, a)
	}
}

// badBodies are wrong before they are read as JSON.
func (s *suite) badBodies(t *testing.T, p person, marker string) {
	for _, r := range s.ingestRoutes() {
		good := "[" + change(r.Pattern, marker, "", "") + "]"
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := io.WriteString(w, good)
		if err != nil || w.Close() != nil {
			t.Fatal("gzip", err)
		}
		for _, c := range []struct {
			contentType, encoding, body string
			status                      int
		}{
			{"multipart/form-data; boundary=x", "", good, http.StatusUnsupportedMediaType},
			{"image/png", "", good, http.StatusUnsupportedMediaType},
			{"application/x-protobuf", "", good, http.StatusUnsupportedMediaType},
			{"application/x-ndjson", "", good, http.StatusUnsupportedMediaType},
			{"text/html", "", good, http.StatusUnsupportedMediaType},
			{"application/json", "br", good, http.StatusUnsupportedMediaType},
			{"application/json", marker, good, http.StatusUnsupportedMediaType},
			{"application/json", "gzip", good, http.StatusBadRequest},
			{"application/json", "zstd", good, http.StatusBadRequest},
			{"application/json", "gzip", zipped.String()[:zipped.Len()-12], http.StatusBadRequest},
			{"application/json", "gzip", zipped.String() + marker, http.StatusBadRequest},
		} {
			status := c.status
			if c.contentType != "application/json" && r.Auth != api.AuthKey {
				status = http.StatusForbidden // a page of another site can send it
			}
			req := request{method: r.Method, path: r.Pattern, header: p.credentials(r.Pattern), body: strings.NewReader(c.body)}
			req.header.Set("Content-Type", c.contentType)
			if c.encoding != "" {
				req.header.Set("Content-Encoding", c.encoding)
			}
			s.refusedAs(t, req, marker, c.contentType+" "+c.encoding, status, "", "")
		}
	}
}

const (
	bombBytes = 256 << 20
	// bombMemory and bombTime are what bombs may cost: bodies of the largest
	// size that is taken, and a password's hash, not what a bomb would grow to.
	bombMemory = 64 << 20
	bombTime   = 5 * time.Second
)

// inflated writes the text of a bomb, as JSON of a single string.
func inflated(w io.WriteCloser, marker string) error {
	_, err := io.WriteString(w, `["`+marker)
	chunk := bytes.Repeat([]byte("A"), 1<<20)
	for n := 0; n < bombBytes && err == nil; n += len(chunk) {
		_, err = w.Write(chunk)
	}
	if err == nil {
		_, err = io.WriteString(w, `"]`)
	}
	return errors.Join(err, w.Close())
}

var residentBytes = regexp.MustCompile(`(?m)^process_resident_memory_bytes (\S+)$`)

// memory gives the server's resident memory, 0 where it does not tell.
func (s *suite) memory(t *testing.T) float64 {
	t.Helper()
	return number(t, residentBytes, s.metrics(t))
}

// metrics gives what the server tells Prometheus, "" where it does not.
func (s *suite) metrics(t *testing.T) string {
	t.Helper()
	a := s.do(t, request{method: http.MethodGet, path: "/metrics"})
	if a.status != http.StatusOK {
		return ""
	}
	return string(a.body)
}

// number gives the first group of what line finds in text, 0 if it is not there.
func number(t *testing.T, line *regexp.Regexp, text string) float64 {
	t.Helper()
	m := line.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// bombs are bodies that are too large, as sent or once they are inflated.
func (s *suite) bombs(t *testing.T, p person, marker string) {
	var zipped, packed bytes.Buffer
	gz, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if err := inflated(gz, marker); err != nil {
		t.Fatal(err)
	}
	zw, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if err := inflated(zw, marker); err != nil {
		t.Fatal(err)
	}
	bodies := []struct {
		encoding string
		body     []byte
	}{
		{"", append([]byte(`["`+marker), bytes.Repeat([]byte("A"), s.MaxBodyBytes)...)},
		{"gzip", zipped.Bytes()},
		{"zstd", packed.Bytes()},
	}
	before, start := s.memory(t), time.Now()
	calls := 0
	send := func(r api.Route, pattern, encoding string, body []byte) {
		for _, chunked := range []bool{false, true} { // without a length the reader must stop by itself
			req := request{method: r.Method, path: pattern, header: p.credentials(pattern), body: bytes.NewReader(body)}
			if chunked {
				req.body = io.MultiReader(req.body)
			}
			req.header.Set("Content-Type", "application/json")
			if encoding != "" {
				req.header.Set("Content-Encoding", encoding)
			}
			status := http.StatusRequestEntityTooLarge
			if s.refusesLocal(pattern) {
				status = http.StatusForbidden // before it reads the body
			}
			s.refusedAs(t, req, marker, encoding, status, "", "")
			calls++
		}
	}
	for _, b := range bodies {
		for _, r := range s.ingestRoutes() {
			send(r, r.Pattern, b.encoding, b.body)
		}
		for _, pattern := range []string{"/v1/traces", "/v1/logs", "/v1/metrics", "/dashboard/api/signup", "/dashboard/api/projects", "/dashboard/api/users", "/dashboard/api/api-keys", "/dashboard/api/prices", "/v1/prices", "/dashboard/api/local-login-token", "/api/auth/sign-in/email"} {
			send(api.Route{Method: http.MethodPost}, pattern, b.encoding, b.body)
		}
	}
	if each := time.Since(start) / time.Duration(calls); each > bombTime {
		t.Errorf("a bomb takes %s", each)
	}
	if after := s.memory(t); before > 0 && after-before > bombMemory {
		t.Errorf("bombs cost %.0f MB of memory", (after-before)/(1<<20))
	}
}

// badConnections break off, lie about their length, or do not go on.
func (s *suite) badConnections(t *testing.T, p person, marker string) {
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	open := func(r api.Route, head, body string) *net.TCPConn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		h := p.credentials(r.Pattern)
		h.Set("Content-Type", "application/json")
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", r.Method, r.Pattern, u.Host, head)
		if err := h.Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, b.String()+"\r\n"+body); err != nil {
			t.Fatal(err)
		}
		return c.(*net.TCPConn)
	}
	var slow []*net.TCPConn
	for _, r := range s.ingestRoutes() {
		good := "[" + change(r.Pattern, marker, "", "") + "]"
		for name, head := range map[string]string{
			"longer than the body":  fmt.Sprintf("Content-Length: %d", len(good)+10),
			"shorter than the body": fmt.Sprintf("Content-Length: %d", len(good)-1),
			"chunk without an end":  "Transfer-Encoding: chunked",
		} {
			body := good
			if strings.HasPrefix(head, "Transfer") {
				body = fmt.Sprintf("%x\r\n%s\r\n", len(good), good)
			}
			c := open(r, head, body)
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Errorf("%s, length %s: %v", r.Pattern, name, err)
				continue
			}
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s, length %s: %s, want 400", r.Pattern, name, resp.Status)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			if err != nil || resp.Body.Close() != nil || c.Close() != nil {
				t.Errorf("%s, length %s: %v", r.Pattern, name, err)
			}
		}
		const each = 10
		for range each {
			slow = append(slow, open(r, fmt.Sprintf("Content-Length: %d", len(good)), good[:len(good)-1]))
		}
	}
	s.totals(t, p) // others are served while those wait
	for _, c := range slow {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// badControl are bodies of the control plane.
func (s *suite) badControl(t *testing.T, p person, marker string) {
	forms := map[string][]string{ // what each route takes for a text
		"/dashboard/api/signup":              {"name", "email", "password", "projectName"},
		"/dashboard/api/projects":            {"name"},
		"/dashboard/api/users":               {"email", "name", "password"},
		"/dashboard/api/prices":              {"model", "provider", "effectiveFrom"},
		"/dashboard/api/api-keys":            {"name"},
		"/dashboard/api/api-keys/{id}":       {"name"},
		"/dashboard/api/projects/{id}":       {"name"},
		"/dashboard/api/users/{id}":          {"role"},
		"/dashboard/api/invites":             {"role", "email"},
		"/dashboard/api/invites/{id}/accept": {"name", "email", "password"},
		"/dashboard/api/views":               {"name", "page", "query"},
		"/dashboard/api/views/{id}":          {"name", "query"},
		"/dashboard/api/settings":            {"name", "timeZone"},
		"/dashboard/api/local-login-token":   {"redirect_url", "api_key", "project_id", "email", "password"},

		"/dashboard/api/query/traces/search":   {"q", "text", "from", "to", "sort", "cursor"},
		"/dashboard/api/query/histogram":       {"q", "text", "from", "to", "tz", "by", "measure"},
		"/dashboard/api/query/facets":          {"q", "text", "from", "to"},
		"/dashboard/api/query/sessions/search": {"q", "text", "from", "to", "sort", "cursor"},
		"/dashboard/api/query/overview":        {"q", "text", "from", "to", "tz"},
		"/dashboard/api/query/heatmap":         {"q", "text", "from", "to", "tz", "measure"},
		"/dashboard/api/query/breakdown":       {"q", "text", "from", "to", "sort"},
		"/dashboard/api/query/compare":         {"q", "text", "from", "to"},
		"/dashboard/api/query/export":          {"q", "text", "from", "to", "cursor", "format"},
		"/dashboard/api/query/delete":          {"q", "text", "from", "to", "cursor"},
		"/dashboard/api/query/values":          {"q", "text", "from", "to", "field", "prefix"},
		"/dashboard/api/query/tail":            {"q", "text", "from", "to", "after"},
	}
	// What these change is looked for before the body is, and is not there.
	unfound := []string{"/dashboard/api/projects/{id}", "/dashboard/api/invites/{id}/accept", "/dashboard/api/views/{id}"}
	for _, r := range s.Routes {
		if !strings.HasPrefix(r.Pattern, "/dashboard/api/") || r.Method == http.MethodGet || r.Method == http.MethodDelete ||
			strings.HasSuffix(r.Pattern, "/batch") || strings.HasSuffix(r.Pattern, "/async") {
			continue
		}
		fields, ok := forms[r.Pattern]
		if !ok {
			t.Errorf("%s %s: say in forms what it takes", r.Method, r.Pattern)
		}
		bad := []string{"{x", `{"a":"` + marker + "\xff\"}", "[" + strings.Repeat("[", 500), `{} ` + marker}
		lenient := r.Pattern == "/dashboard/api/api-keys" // makes a key of anything that has no wrong name
		if !lenient {
			bad = append(bad, "", "null", "[]", "5", `"`+marker+`"`)
			if !strings.HasPrefix(r.Pattern, "/dashboard/api/query/") { // a question about everything
				bad = append(bad, "{}")
			}
		}
		for _, f := range fields {
			for _, v := range []string{`{"o":"` + marker + `"}`, `["` + marker + `"]`, "true", `"` + marker + `\u0000"`, `"` + marker + strings.Repeat("x", 20_000) + `"`} {
				all := `{`
				for _, other := range fields {
					if other != f {
						all += fmt.Sprintf(`%q:%q,`, other, marker)
					}
				}
				bad = append(bad, all+fmt.Sprintf(`%q:%s}`, f, v))
			}
		}
		for _, body := range bad {
			req := request{method: r.Method, path: strings.Replace(r.Pattern, "{id}", marker, 1), header: p.credentials(r.Pattern), body: strings.NewReader(body)}
			req.header.Set("Content-Type", "application/json")
			status := http.StatusBadRequest
			switch {
			case s.refusesLocal(r.Pattern):
				status = http.StatusForbidden
			case slices.Contains(unfound, r.Pattern):
				status = http.StatusNotFound
			}
			s.refusedAs(t, req, marker, body, status, "", "")
		}
	}
}

// badAuth sends nonsense to the routes of the sign-in library.
func (s *suite) badAuth(t *testing.T, marker string) {
	for _, r := range s.Routes {
		if !strings.HasPrefix(r.Pattern, "/api/auth/") || r.Method != http.MethodPost {
			continue
		}
		for _, body := range []string{
			"", "{x", "null", "[]", "5", `"` + marker + `"`, `{"email":5,"password":[],"token":{},"newPassword":null}`,
			`{"email":"` + marker + "\xff\"}", `{"email":"` + marker + `\u0000@example.com","password":"` + marker + `"}`, strings.Repeat("[", 50_000),
		} {
			req := request{method: r.Method, path: strings.NewReplacer("{id}", marker).Replace(r.Pattern), header: http.Header{"Content-Type": {"application/json"}}, body: strings.NewReader(body)}
			if a := s.do(t, req); a.status >= http.StatusInternalServerError || bytes.Contains(a.body, []byte(marker)) {
				t.Errorf("%s %s: %.80q: %s", r.Method, r.Pattern, body, a)
			}
		}
	}
}

// badRequests hide the marker in everything else that a request has.
func (s *suite) badRequests(t *testing.T, p person, marker string) {
	for _, c := range []struct {
		path   string
		header http.Header
		status int
	}{
		{"/v1/traces", http.Header{"Authorization": {"Bearer " + marker}}, http.StatusUnauthorized},
		{"/v1/traces", http.Header{"Authorization": {marker}}, http.StatusUnauthorized},
		{"/v1/traces?limit=" + marker, p.credentials("/v1/"), http.StatusBadRequest},
		{"/v1/traces?status=" + marker, p.credentials("/v1/"), http.StatusBadRequest},
		{"/v1/traces?date_from=" + marker, p.credentials("/v1/"), http.StatusBadRequest},
		{"/v1/traces?cursor=" + marker, p.credentials("/v1/"), http.StatusBadRequest},
		{"/v1/traces?fields=" + marker, p.credentials("/v1/"), http.StatusBadRequest},
		{"/v1/traces?model=%00" + marker, p.credentials("/v1/"), http.StatusBadRequest},
		{"/v1/traces/" + marker + "%00", p.credentials("/v1/"), http.StatusNotFound},
		{"/v1/traces/" + marker + "%ff", p.credentials("/v1/"), http.StatusNotFound},
		{"/v1/traces/" + marker + strings.Repeat("x", 5000), p.credentials("/v1/"), http.StatusNotFound},
		{"/v1/analytics?date_from=" + marker, p.credentials("/v1/"), http.StatusBadRequest},
		{"/v1/" + marker, nil, http.StatusNotFound},
		{"/dashboard/api/projects", http.Header{"Cookie": {"better-auth.session_token=" + marker + ".x"}}, http.StatusUnauthorized},
		{"/dashboard/api/traces", http.Header{"Cookie": {p.cookie}, "X-Project-Id": {marker + "\xff"}}, http.StatusForbidden},
		{"/dashboard/api/traces", http.Header{"Cookie": {p.cookie}, "X-Project-Id": {marker}}, http.StatusForbidden},
		{"/health", http.Header{"User-Agent": {marker}, "X-Request-Id": {marker + "\xff"}, "X-Forwarded-For": {marker}}, http.StatusOK},
	} {
		a := s.do(t, request{method: http.MethodGet, path: c.path, header: c.header})
		if a.status != c.status || bytes.Contains(a.body, []byte(marker)) {
			t.Errorf("GET %.80s: %s, want %d", c.path, a, c.status)
		}
	}
}
