package queryapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/queryapi"
)

const (
	mine   account.ProjectID = "mine"
	theirs account.ProjectID = "theirs"
)

// call is an LLM trace's input; more holds further members.
func call(id, timestamp, more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"trace_id":%q,"timestamp":%q,"provider":"openai","model_requested":"gpt-4o","request_body":{"z":1,"a":[]},`+
		`"status":"success","latency_ms":100%s}`, id, timestamp, more))
}

// event is a span's input.
func event(id, timestamp, more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"span_id":%q,"timestamp":%q,"session_id":"s","source":"codex","kind":"notification",`+
		`"event_type":"e","status":"success"%s}`, id, timestamp, more))
}

func withKey(p account.ProjectID) http.Header {
	return http.Header{"Authorization": {"Bearer key-of-" + string(p)}}
}

func signedIn(u account.UserID, p account.ProjectID) http.Header {
	return http.Header{"Cookie": {"session=" + string(u)}, "X-Project-Id": {string(p)}}
}

// answer is what the tests read of any answer.
type answer struct {
	Traces, Spans []map[string]json.RawMessage
	Total         *int
	NextCursor    *string
	Error         string
	Details       []struct{ Path []any }
}

func (s *server) ask(t *testing.T, path string, want int) answer {
	t.Helper()
	status, body := s.get(t, path, withKey(mine))
	if status != want {
		t.Fatalf("GET %s: %d, want %d: %s", path, status, want, body)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func ids(rows []map[string]json.RawMessage, name string) string {
	var out []string
	for _, r := range rows {
		out = append(out, strings.Trim(string(r[name]), `"`))
	}
	return strings.Join(out, " ")
}

func TestRoutes(t *testing.T) {
	var got []string
	for _, g := range []api.Group{queryapi.New(queryapi.Deps{}), queryapi.NewDashboard(queryapi.Deps{})} {
		for _, r := range g.Routes() {
			got = append(got, fmt.Sprint(r.Method, " ", r.Pattern, " ", r.Auth))
		}
	}
	want := []string{
		"GET /v1/traces key", "GET /v1/traces/{id} key", "GET /v1/traces/{id}/spans key", "GET /v1/spans key", "GET /v1/spans/{id} key", "GET /v1/sessions/{id} key",
		"GET /v1/sessions/{id}/spans key", "GET /v1/analytics key", "GET /v1/analytics/spans key", "POST /v1/auth/login none",
		"GET /dashboard/api/traces project", "GET /dashboard/api/traces/{id} project", "GET /dashboard/api/traces/{id}/spans project",
		"GET /dashboard/api/spans project",
		"GET /dashboard/api/spans/{id} project", "GET /dashboard/api/sessions/{id} project", "GET /dashboard/api/sessions/{id}/spans project",
		"GET /dashboard/api/analytics project", "GET /dashboard/api/analytics/spans project", "GET /dashboard/api/agent-sessions project",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := setup(t)
	login := func(authorization *string, body io.Reader) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/auth/login", body)
		if authorization != nil {
			r.Header.Set("Authorization", *authorization)
		}
		status, got := s.do(t, r)
		return status, string(got)
	}
	for name, c := range map[string]struct{ authorization, want string }{
		"OK":         {"Bearer key-of-mine", `{"authenticated":true}`},
		"NoSuchKey":  {"Bearer nope", `{"authenticated":false}`},
		"OtherForm":  {"key-of-mine", `{"authenticated":false}`},
		"EmptyValue": {"", `{"authenticated":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			if status, got := login(&c.authorization, nil); status != 200 || got != c.want {
				t.Errorf("%d %s, want %s", status, got, c.want)
			}
		})
	}
	t.Run("BodyIsNotRead", func(t *testing.T) {
		key := "Bearer key-of-mine"
		if status, got := login(&key, strings.NewReader("not JSON")); status != 200 || got != `{"authenticated":true}` {
			t.Errorf("%d %s", status, got)
		}
	})
	t.Run("ErrUnavailable", func(t *testing.T) {
		key := "Bearer key-while-down"
		if status, got := login(&key, nil); status != 503 {
			t.Errorf("a key that cannot be checked: %d %s", status, got)
		}
	})
}

// TestReadsWaitForWrites lets the barrier store what the read must then show.
func TestReadsWaitForWrites(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/v1/traces/t", "/v1/spans/e", "/v1/sessions/s", "/v1/sessions/s/spans", "/v1/traces", "/v1/spans",
		"/v1/analytics?date_from=2026-01-01T00:00Z&date_to=2026-02-01T00:00Z", "/v1/analytics/spans?date_from=2026-01-01T00:00Z&date_to=2026-02-01T00:00Z",
		"/dashboard/api/agent-sessions",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.store(t, mine)
			deps := queryapi.Deps{Traces: s.db, Spans: s.db, Sessions: s.db, Analytics: s.db, Barrier: func(context.Context) {
				s.store(t, mine, call("t", "2026-01-25T12:00:00Z", `,"session_id":"s"`),
					event("e", "2026-01-25T12:00:00Z", `,"trace_id":"u"`))
			}}
			s.handler = api.New(api.Options{Log: slog.New(slog.DiscardHandler), Keys: keys{}, Sessions: sessions{}, Roles: s.db},
				queryapi.New(deps), queryapi.NewDashboard(deps))
			header := withKey(mine)
			if strings.HasPrefix(path, "/dashboard") {
				header = signedIn(member, mine)
			}
			status, body := s.get(t, path, header)
			if status != 200 || !matchesAny(body, `"total":[12]`, `"traceId":"t"`, `"spanId":"e"`, `"totalRequests":1`, `"totalSpans":1`) {
				t.Fatalf("%d %s", status, body)
			}
		})
	}
	t.Run("NotForFaults", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		s.ask(t, "/v1/traces?limit=0", 400)
		s.ask(t, "/v1/spans/%00", 404)
		if s.barriers != 0 {
			t.Errorf("%d waits for requests that read nothing", s.barriers)
		}
	})
}

func TestPaging(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var records []json.RawMessage
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		at := "2026-01-25T12:00:00.000Z" // all at once but the first: only ids tell them apart
		if id == "a" {
			at = "2026-01-25T11:00:00.000Z"
		}
		records = append(records, call("t"+id, at, `,"session_id":"s"`), event("s"+id, at, ""))
	}
	s.store(t, mine, records...)
	for _, c := range []struct{ path, list, id, want string }{
		{"/v1/traces", "traces", "traceId", "te td tc tb ta"},
		{"/v1/spans", "spans", "spanId", "se sd sc sb sa"},
		{"/v1/sessions/s", "traces", "traceId", "ta tb tc td te"},
		{"/v1/sessions/s/spans", "spans", "spanId", "sa sb sc sd se"},
	} {
		t.Run(c.path, func(t *testing.T) {
			rows := func(a answer) []map[string]json.RawMessage { return append(a.Traces, a.Spans...) }
			whole := s.ask(t, c.path, 200)
			if got := ids(rows(whole), c.id); got != c.want || whole.NextCursor != nil {
				t.Fatalf("whole: %s, next %v", got, whole.NextCursor)
			}
			var pages []string
			for next := ""; ; {
				a := s.ask(t, c.path+"?limit=2&offset=1&cursor="+url.QueryEscape(next), 200)
				if next == "" && strings.Count(c.path, "/") == 2 { // the offset of a list counts until there is a cursor
					a = s.ask(t, c.path+"?limit=2", 200)
				}
				pages = append(pages, ids(rows(a), c.id))
				if a.NextCursor == nil {
					break
				}
				next = *a.NextCursor
			}
			if got := strings.Join(pages, " "); got != c.want || len(pages) != 3 {
				t.Errorf("pages %q, want %s", pages, c.want)
			}
			a := s.ask(t, c.path+"?cursor=nonsense", 400)
			if a.Error != "Invalid query parameters" || len(a.Details) != 1 || a.Details[0].Path[0] != "cursor" {
				t.Errorf("%+v", a)
			}
		})
	}
	t.Run("Offset", func(t *testing.T) {
		if got := ids(s.ask(t, "/v1/traces?limit=2&offset=3", 200).Traces, "traceId"); got != "tb ta" {
			t.Error(got)
		}
		s.store(t, mine, event("x", "2026-01-25T12:00:00Z", `,"trace_id":"tree"`), event("y", "2026-01-25T12:00:01Z", `,"trace_id":"tree"`))
		if got := ids(s.ask(t, "/v1/traces/tree/spans?limit=1&offset=1", 200).Spans, "spanId"); got != "y" {
			t.Errorf("the second span of a trace: %s", got)
		}
	})
}

// FuzzCursor sends any text as a cursor: a page or a fault, never a failure.
func FuzzCursor(f *testing.F) {
	for _, c := range []string{"", "nonsense", "AQBh", "\x00", "AQ", "AZycnJycnJycnJwB"} {
		f.Add(c)
	}
	s := setup(f)
	s.store(f, mine, call("t", "2026-01-25T12:00:00Z", `,"session_id":"s"`), event("e", "2026-01-25T12:00:00Z", ""))
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, path := range []string{"/v1/traces", "/v1/spans", "/v1/sessions/s", "/v1/sessions/s/spans"} {
			if status, body := s.get(t, path+"?cursor="+url.QueryEscape(cursor), withKey(mine)); status != 200 && status != 400 {
				t.Fatalf("%s with %q: %d %s", path, cursor, status, body)
			}
		}
	})
}

func TestSummary(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.store(t, mine, call("t", "2026-01-25T12:00:00Z", `,"session_id":"s","output_text":"x","metadata":{"a":1},"error":{"b":2},"response_body":{}`),
		event("e", "2026-01-25T12:00:00Z", `,"tool_input":1,"tool_response":2,"error":3,"output_text":"x","metadata":{}`))
	large := []string{"requestBody", "responseBody", "outputText", "error", "metadata", "toolInput", "toolResponse", "spans"}
	for _, path := range []string{"/v1/traces", "/v1/spans", "/v1/sessions/s", "/v1/sessions/s/spans"} {
		for _, row := range slices.Concat(s.ask(t, path+"?fields=summary", 200).Traces, s.ask(t, path+"?fields=summary", 200).Spans) {
			for _, name := range large {
				if v, ok := row[name]; ok {
					t.Errorf("%s: %s is %s", path, name, v)
				}
			}
			if len(row["status"]) == 0 || len(row["timestamp"]) == 0 {
				t.Errorf("%s: %v", path, row)
			}
		}
	}
}

// TestStoredBytes gets back what clients stored, byte for byte.
func TestStoredBytes(t *testing.T) {
	t.Parallel()
	const value = `{"z":1,"a":{"y":12345678901234567890,"b":[1e400,0.10,-0]},"n":null,"t":"\u0000\u00e9<&>\ud83d\ude00é","r":1,"r":2}`
	s := setup(t)
	s.store(t, mine, json.RawMessage(strings.Replace(string(call("t", "2026-01-25T12:00:00Z", `,"response_body":`+value)), `{"z":1,"a":[]}`, value, 1)),
		event("e", "2026-01-25T12:00:00Z", `,"tool_input":`+value+`,"metadata":`+value))
	for path, want := range map[string]string{
		"/v1/traces/t": `"requestBody":` + value + `,"responseBody":` + value, "/v1/spans/e": `"toolInput":` + value,
		"/v1/traces": `"responseBody":` + value, "/v1/spans": `"metadata":` + value,
	} {
		if status, body := s.get(t, path, withKey(mine)); status != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestPayloadBound(t *testing.T) {
	t.Parallel()
	s := setupWith(t, 150)
	big := `,"output_text":"` + strings.Repeat("x", 100) + `"`
	s.store(t, mine, call("a", "2026-01-25T12:00:03Z", big), call("b", "2026-01-25T12:00:02Z", big), call("c", "2026-01-25T12:00:01Z", big))
	list := s.ask(t, "/v1/traces", 200)
	for i, whole := range []bool{true, true, false} {
		row := list.Traces[i]
		if _, ok := row["outputText"]; ok != whole || (string(row["payloadsTruncated"]) == "true") == whole {
			t.Errorf("row %d: outputText %s, marked %s", i, row["outputText"], row["payloadsTruncated"])
		}
	}
	if status, body := s.get(t, "/v1/traces/c", withKey(mine)); status != 200 || !strings.Contains(string(body), strings.Repeat("x", 100)) {
		t.Errorf("alone it is whole: %d %s", status, body)
	}
}

// TestTenants asks for one project's records as others: nothing shows.
func TestTenants(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.store(t, mine, call("t", "2026-01-25T12:00:00Z", `,"session_id":"s"`), event("e", "2026-01-25T12:00:00Z", `,"trace_id":"u"`))
	s.store(t, theirs, call("other", "2026-01-25T12:00:00Z", `,"session_id":"o"`))
	const day = "?date_from=2026-01-25T00:00Z&date_to=2026-01-26T00:00Z"
	for path, want := range map[string]int{
		"/traces": 200, "/traces/t": 404, "/traces/u": 404, "/spans": 200, "/spans/e": 404, "/sessions/s": 404,
		"/sessions/s/spans": 404, "/analytics" + day: 200, "/analytics/spans" + day: 200,
	} {
		status, body := s.get(t, "/v1"+path, withKey(theirs))
		if status != want || matchesAny(body, `"traceId":"[tu]"`, `"e"`, `"mine"`, `"totalSpans":1`, `"totalRequests":2`) {
			t.Errorf("%s with another key: %d %s", path, status, body)
		}
		if status, _ := s.get(t, "/dashboard/api"+path, signedIn(stranger, mine)); status != 403 {
			t.Errorf("%s without membership: %d", path, status)
		}
		_, v1 := s.get(t, "/v1"+path, withKey(mine))
		status, dashboard := s.get(t, "/dashboard/api"+path, signedIn(member, mine))
		if status != 200 || !bytes.Equal(v1, dashboard) {
			t.Errorf("%s differs between the prefixes: %d\n%s\n%s", path, status, v1, dashboard)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	s := setup(t)
	odd := "a/b c?d%é;+日"
	s.store(t, mine, event(odd, "2026-01-25T12:00:00Z", fmt.Sprintf(`,"trace_id":%q`, odd)))
	for _, path := range []string{"/v1/spans/", "/v1/traces/"} {
		if status, body := s.get(t, path+url.PathEscape(odd), withKey(mine)); status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for path, want := range map[string]string{
		"/v1/traces/none": "Trace not found", "/v1/spans/none": "Span not found",
		"/v1/sessions/none": "Session not found", "/v1/sessions/none/spans": "Session not found", "/v1/traces/%00": "Trace not found",
		"/v1/spans/a%00b": "Span not found", "/v1/sessions/%FF": "Session not found", "/v1/traces/batch": "Trace not found",
		"/v1/spans/" + strings.Repeat("x", 5000): "Span not found",
	} {
		if a := s.ask(t, path, 404); a.Error != want {
			t.Errorf("%.40s: %q", path, a.Error)
		}
	}
	t.Run("ModelCallsAreNoSpans", func(t *testing.T) {
		s.store(t, mine, call("t", "2026-01-25T12:00:00Z", ""))
		s.ask(t, "/v1/spans/t", 404)
		s.ask(t, "/v1/traces/t", 200)
	})
}

func TestAnalyticsGroups(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for i, model := range []string{"m1", "m1", "m2", "m3", "m4", "m5", "m6"} {
		s.store(t, mine, json.RawMessage(strings.Replace(string(call(fmt.Sprint("t", i), "2026-01-25T12:00:00Z",
			`,"cost_cents":1.5,"input_tokens":3,"output_tokens":2,"time_to_first_token_ms":10`)), "gpt-4o", model, 1)))
	}
	const path = "/v1/analytics?date_from=2026-01-25T00:00:00Z&date_to=2026-01-25T23:59:59Z"
	type group struct {
		Provider, Model           string
		Requests                  int
		CostCents, AvgLatency     float64
		TotalTokens               struct{ Input, Output, Total int }
		Latency, TimeToFirstToken map[string]*float64
	}
	var a struct {
		TopModels                 []any
		CostOverTime              []struct{ Period string }
		Groups                    []group
		Latency, TimeToFirstToken map[string]*float64
	}
	read := func(groupBy string) {
		t.Helper()
		a.Groups, a.Latency = nil, nil
		status, body := s.get(t, path+groupBy, withKey(mine))
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		if err := json.Unmarshal(body, &a); err != nil {
			t.Fatal(err)
		}
	}
	near := func(got *float64, want float64) bool { return got != nil && *got > want*0.99 && *got < want*1.01 }
	read("")
	if a.Groups != nil || len(a.TopModels) != 5 || !near(a.Latency["p50"], 100) || !near(a.Latency["p99"], 100) || !near(a.TimeToFirstToken["p95"], 10) {
		t.Errorf("%+v", a)
	}
	read("&group_by=model")
	if len(a.Groups) != 6 || a.Groups[0].Model != "m1" || a.Groups[0].Requests != 2 || a.Groups[0].CostCents != 3 ||
		a.Groups[0].TotalTokens.Total != 10 || !near(a.Groups[0].Latency["p90"], 100) {
		t.Errorf("%+v", a.Groups)
	}
	for query, want := range map[string]string{
		"": "2026-01-25", "&period=hour": "2026-01-25 12:00:00", "&group_by=model": "2026-01-25", "&group_by=hour&period=day": "2026-01-25",
		"&group_by=model&period=hour": "2026-01-25 12:00:00", "&group_by=provider&period=day": "2026-01-25",
	} {
		if read(query); len(a.CostOverTime) != 1 || a.CostOverTime[0].Period != want {
			t.Errorf("%s: %+v", query, a.CostOverTime)
		}
	}
	if a := s.ask(t, path+"&period=week", 400); !strings.Contains(fmt.Sprint(a.Details), "period") {
		t.Errorf("%+v", a)
	}
	read("&group_by=provider")
	if len(a.Groups) != 1 || a.Groups[0].Model != "" || a.Groups[0].Requests != 7 || a.Groups[0].AvgLatency != 100 {
		t.Errorf("%+v", a.Groups)
	}
	t.Run("NothingMeasured", func(t *testing.T) {
		status, body := s.get(t, strings.ReplaceAll(path, "2026", "2027"), withKey(mine))
		const want = `"latency":{"p50":null,"p90":null,"p95":null,"p99":null},"timeToFirstToken":{"p50":null,"p90":null,"p95":null,"p99":null}`
		if status != 200 || !bytes.Contains(body, []byte(want)) || !bytes.Contains(body, []byte(`"costOverTime":[],"costByProvider":[],"topModels":[]`)) {
			t.Errorf("%d %s", status, body)
		}
	})
}

// matchesAny reports whether body matches any pattern.
func matchesAny(body []byte, patterns ...string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return regexp.MustCompile(p).Match(body) })
}
