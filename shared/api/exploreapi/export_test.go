package exploreapi_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

// pages exports until there is no cursor, and gives the bodies.
func (s *server) pages(t testing.TB, in object) (bodies []string, total string) {
	t.Helper()
	for {
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		status, header, answer := s.send(t, http.MethodPost, "/export", member, mine, string(body))
		if status != http.StatusOK || len(bodies) > 500 {
			t.Fatalf("%s: %d %s", body, status, answer)
		}
		if len(bodies) == 0 {
			total = header.Get("Pulse-Total")
		} else if header.Get("Pulse-Total") != "" {
			t.Error("a total behind a cursor")
		}
		bodies = append(bodies, string(answer))
		next := header.Get("Pulse-Next-Cursor")
		if next == "" {
			return bodies, total
		}
		in["cursor"] = next
	}
}

// idsOfLines gives the traces of lines, with a + where the next line goes on.
func idsOfLines(t testing.TB, bodies []string) string {
	t.Helper()
	var out []string
	for _, l := range strings.Split(strings.TrimSpace(strings.Join(bodies, "")), "\n") {
		var line struct {
			TraceID string
			More    bool
		}
		if err := json.Unmarshal([]byte(l), &line); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		if line.More {
			line.TraceID += "+"
		}
		out = append(out, line.TraceID)
	}
	return strings.Join(out, " ")
}

func TestExportLines(t *testing.T) {
	t.Parallel()
	s := setup(t)
	lone := call("5d0f3c9e-7c4b-4c0e-9b55-0d7f4f1f6a01", minute(1))
	lone.CostNanoUSD, lone.SessionID = ptr(int64(7_500_000)), "s1"
	lone.Payload.Request, lone.Payload.OutputText = []byte("{\"n\": 12345678901234567890,\n \"t\":\"a\\u0000\"}"), ptr("two\nlines")
	tool := trace.Span{
		ID: "span", TraceID: "agent", SessionID: "s1", Form: trace.FormSpan, Start: minute(2), Source: trace.SourceCodex, Kind: trace.KindToolUse, EventType: "post_tool_use",
		Status: trace.StatusError, ToolName: ptr("Bash"), CostNanoUSD: ptr(int64(5)), CostSource: trace.CostOfPrices,
	}
	tool.Payload.ToolInput = []byte(`["x"]`)
	s.write(t, mine, lone, tool)
	s.write(t, theirs, call("theirs", minute(3)))
	status, header, body := s.send(t, http.MethodPost, "/export", member, mine, `{}`)
	want := `{"traceId":"agent","startTime":"2026-01-25T00:02:00.000000Z","spans":[{"span_id":"span","trace_id":"agent","session_id":"s1","timestamp":"2026-01-25T00:02:00.000000Z",` +
		`"source":"codex","kind":"tool_use","event_type":"post_tool_use","status":"error","tool_name":"Bash","tool_input":["x"]}]}` + "\n" +
		`{"traceId":"5d0f3c9e-7c4b-4c0e-9b55-0d7f4f1f6a01","startTime":"2026-01-25T00:01:00.000000Z","traces":[{"trace_id":"5d0f3c9e-7c4b-4c0e-9b55-0d7f4f1f6a01",` +
		`"timestamp":"2026-01-25T00:01:00.000000Z","provider":"openai","model_requested":"gpt-4o","status":"success","latency_ms":100,"session_id":"s1","cost_cents":0.75,` +
		`"output_text":"two\nlines","request_body":{"n":12345678901234567890,"t":"a\u0000"}}]}` + "\n"
	if diff := cmp.Diff(want, string(body)); status != http.StatusOK || diff != "" {
		t.Errorf("%d %s", status, diff)
	}
	for name, value := range map[string]string{"Content-Type": "application/x-ndjson", "Pulse-Total": "2", "Pulse-Next-Cursor": ""} {
		if got := header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

func TestExportPages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var want []string
	for n := range 9 {
		s.write(t, mine, call(fmt.Sprint("c", n), minute(n)))
		want = append([]string{fmt.Sprint("c", n)}, want...)
	}
	for _, limit := range []int{1, 2, 4, 9, 200} {
		for _, in := range []object{{"limit": limit}, {"limit": limit, "ids": append([]string{"nobody"}, want...)}} {
			bodies, total := s.pages(t, in)
			if got := idsOfLines(t, bodies); got != strings.Join(want, " ") {
				t.Errorf("limit %d: %s", limit, got)
			}
			if in["ids"] == nil && (total != "9" || len(bodies) != (9+limit-1)/limit) {
				t.Errorf("limit %d: total %s, %d pages", limit, total, len(bodies))
			}
		}
	}
	// A filter, and one that only payloads answer.
	if bodies, total := s.pages(t, object{"q": "trace:c3", "text": ""}); idsOfLines(t, bodies) != "c3" || total != "1" {
		t.Errorf("%s of %s", bodies, total)
	}
	// What goes meanwhile is passed over, and what comes is not.
	status, header, _ := s.send(t, http.MethodPost, "/export", member, mine, `{"limit":3}`)
	if status != http.StatusOK {
		t.Fatal(status)
	}
	s.remove(t, object{"ids": []string{"c6", "c5", "c1"}})
	s.write(t, mine, call("new", minute(20)))
	bodies, _ := s.pages(t, object{"limit": 3, "cursor": header.Get("Pulse-Next-Cursor")})
	if got := idsOfLines(t, bodies); got != "c4 c3 c2 c0" {
		t.Error(got)
	}
}

func TestExportOfLargeTraces(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var spans []trace.Span
	for n := range 24 {
		sp := trace.Span{
			ID: trace.SpanID(fmt.Sprintf("s%02d", n)), TraceID: "large", SessionID: "s", Form: trace.FormSpan, Start: minute(5), Source: trace.SourceSDK, Kind: trace.KindToolUse,
			EventType: "e", Status: trace.StatusSuccess,
		}
		sp.Payload.OutputText = ptr(strings.Repeat("x", 400<<10))
		spans = append(spans, sp)
	}
	s.write(t, mine, spans...)
	s.write(t, mine, call("a", minute(6)), call("z", minute(1)))
	for _, in := range []object{{}, {"ids": []string{"a", "large", "z"}}} {
		bodies, _ := s.pages(t, in)
		if len(bodies) < 3 {
			t.Errorf("%d pages", len(bodies))
		}
		seen := map[string]int{}
		for _, body := range bodies {
			if len(body) > 5<<20 {
				t.Errorf("a page of %d bytes", len(body))
			}
			for _, l := range strings.Split(strings.TrimSpace(body), "\n") {
				if len(l) > 2<<20 {
					t.Errorf("a line of %d bytes", len(l))
				}
			}
			for n := range spans {
				if id := fmt.Sprintf("s%02d", n); strings.Contains(body, `"`+id+`"`) {
					seen[id]++
				}
			}
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s comes %d times", id, n)
			}
		}
		got := idsOfLines(t, bodies)
		if len(seen) != len(spans) || !strings.HasPrefix(got, "a large+ large+ ") || !strings.HasSuffix(got, " large z") {
			t.Errorf("%d spans in %s", len(seen), got)
		}
	}
}

func TestExportTable(t *testing.T) {
	t.Parallel()
	s := setup(t)
	bad := call("c", minute(1))
	bad.Status, bad.CostNanoUSD, bad.Service = trace.StatusError, ptr(int64(1_234_500_000)), ptr("a,b")
	bad.Payload.Error, bad.Payload.OutputText = []byte(`{"message":"+1+1|cmd"}`), ptr("=HYPERLINK(\"x\")")
	bad.Payload.Request = []byte(`{"messages":[{"role":"user","content":"-2\n@x"}]}`)
	s.write(t, mine, bad, call("d", minute(0)))
	bodies, total := s.pages(t, object{"format": "csv", "limit": 1})
	if total != "2" || len(bodies) != 2 {
		t.Errorf("%s, %q", total, bodies)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.Join(bodies, ""))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%q: %v", rows, err)
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	for name, want := range map[string]string{
		"trace_id": "c", "start_time": "2026-01-25T00:01:00.000000Z", "status": "error", "duration_ms": "100", "cost_usd": "1.2345", "services": "a,b", "error": "'+1+1|cmd",
		"input": "'-2 @x", "output": `'=HYPERLINK("x")`, "ttft_ms": "", "spans": "1",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for body, want := range map[string]string{
		`{"format":"xml","limit":201,"cursor":"x"}`: "[[limit] [format] [cursor]]",
		`{"q":"nope:x"}`:                                            "[[q 0]]",
		`{"cursor":"eyJuIjo1fQ"}`:                                   "[[cursor]]", // an index, without ids
		`{"ids":["a"],"cursor":"eyJuIjo1fQ"}`:                       "[[cursor]]",
		`{"cursor":"eyJzIjoxLCJpIjoiXHUwMDAwIn0"}`:                  "[[cursor]]", // an id with NUL
		`{"ids":["a"],"cursor":"eyJjIjoiQXdBQSJ9"}`:                 "[[cursor]]",
		`{"cursor":"eyJzIjoxLCJpIjoidCIsImluIjp0cnVlLCJwIjoieCJ9"}`: "[[cursor]]",
	} {
		if got := s.refused(t, "/export", body); got != "Invalid query: "+want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

// TestExportWhereAnswersAreBounded leaves out what one answer cannot hold.
func TestExportWhereAnswersAreBounded(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var spans []trace.Span
	for n, size := range []int{10, 3000, 10, 800, 800, 800} {
		sp := trace.Span{
			ID: trace.SpanID(fmt.Sprint("s", n)), TraceID: "t", SessionID: "s", Form: trace.FormSpan, Start: minute(n), Source: trace.SourceSDK, Kind: trace.KindToolUse, EventType: "e",
			Status: trace.StatusSuccess,
		}
		sp.Payload.OutputText = ptr(strings.Repeat("x", size))
		spans = append(spans, sp)
	}
	raw := step("raw", "", "t", minute(9)) // without what it was made from
	s.write(t, mine, append(spans, raw)...)
	deps := s.deps
	deps.MaxPayloadBytes = 2000
	s.serve(deps)
	bodies, _ := s.pages(t, object{})
	all := strings.Join(bodies, "")
	for _, want := range []string{`"omitted":[{"spanId":"s1","reason":"too_large"}]`, `"omitted":[{"spanId":"raw","reason":"no_payload"}]`} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in %s", want, all)
		}
	}
	if n := strings.Count(all, `"span_id"`); n != 5 || len(bodies) < 2 {
		t.Errorf("%d spans on %d pages", n, len(bodies))
	}
	for _, body := range bodies {
		if len(body) > 3500 {
			t.Errorf("a page of %d bytes", len(body))
		}
	}
}
