package exploreapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/exploreapi"
	"github.com/pulse-traces/pulse/shared/trace"
)

// page is what the tests read of a page of traces.
type page struct {
	Items []struct{ TraceID string }
	Next  *string
	Total *struct {
		Value int
		Exact bool
	}
	ScannedTo, CompleteTo *string
}

func (p page) ids() string {
	var ids []string
	for _, i := range p.Items {
		ids = append(ids, i.TraceID)
	}
	return strings.Join(ids, " ")
}

func TestSearchTraces(t *testing.T) {
	t.Parallel()
	s := setup(t)
	lone := call("lone", minute(1))
	lone.InputTokens, lone.OutputTokens, lone.CostNanoUSD, lone.TimeToFirstTokenMS, lone.SessionID = ptr(int64(8)), ptr(int64(2)), ptr(int64(1<<53+1)), ptr(12.5), "s1"
	lone.Payload.Request = []byte(`{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"How do\n I return  boots?"}]}]}`)
	lone.Payload.Response = []byte(`{"choices":[{"message":{"role":"assistant","content":"` + strings.Repeat("é", 300) + `"}}]}`)
	root, tool := step("root", "", "agent", minute(2)), step("tool", "root", "agent", minute(3))
	root.Kind, root.Tags, root.UserID, root.Environment, root.Service = trace.KindAgentRun, []string{"b", "a"}, ptr("u"), ptr("prod"), ptr("web")
	root.Payload.InputMessages = []byte(`[{"role":"user","parts":[{"type":"text","text":"Plan a trip"}]}]`)
	tool.Kind, tool.Status, tool.ToolName, tool.Name = trace.KindToolUse, trace.StatusError, ptr("run_sql"), ""
	tool.Payload.Error = []byte(`{"error":{"message":"upstream timeout"}}`)
	s.write(t, mine, lone, root, tool)
	s.write(t, theirs, call("other", minute(1)))

	status, _, body := s.send(t, http.MethodPost, "/traces/search", member, mine, `{"to":null}`)
	want := `{"items":[{"traceId":"agent","name":"name of root","worst":{"spanId":"tool","name":"run_sql","error":"upstream timeout"},"status":"error","kind":"agent_run",` +
		`"provider":null,"model":null,"startTime":"2026-01-25T00:02:00.000000Z","durationMs":61000,"ttftMs":null,"inputTokens":null,"outputTokens":null,"costNanoUsd":null,` +
		`"spanCount":2,"errorCount":1,"sessionId":null,"userId":"u","environment":"prod","services":["web"],"tags":["a","b"],"preview":{"input":"Plan a trip","output":null}},` +
		`{"traceId":"lone","name":null,"worst":null,"status":"success","kind":"llm_call","provider":"openai","model":"gpt-4o","startTime":"2026-01-25T00:01:00.000000Z",` +
		`"durationMs":100,"ttftMs":12.5,"inputTokens":8,"outputTokens":2,"costNanoUsd":"9007199254740993","spanCount":1,"errorCount":0,"sessionId":"s1","userId":null,` +
		`"environment":null,"services":[],"tags":[],"preview":{"input":"How do I return boots?","output":"` + strings.Repeat("é", 200) + `"}}],` +
		`"next":null,"total":{"value":2,"exact":true},"scannedTo":null,"completeTo":"2026-01-25T11:59:58.000000Z"}`
	if diff := cmp.Diff(want, string(body)); status != http.StatusOK || diff != "" {
		t.Errorf("%d %s", status, diff)
	}
	if s.barriers != 1 {
		t.Errorf("%d waits for writes", s.barriers)
	}

	for text, want := range map[string]string{
		`{"q":"status:error"}`: "agent", `{"q":"-tool:run_sql"}`: "lone", `{"text":"RETURN boots"}`: "", `{"text":" return  BOOTS "}`: "lone", `{"q":"status:ok \"plan\""}`: "",
		`{"from":"2026-01-25T00:02:00Z"}`: "agent", `{"to":"2026-01-25T00:02:00Z"}`: "lone", `{"sort":"cost"}`: "lone agent", `{"sort":"duration"}`: "agent lone",
		`{"limit":1}`: "agent", `{"q":"cost>900000 latency:100ms"}`: "lone", `{"q":"","unknown":1}`: "agent lone", `{"from":"2026-01-26T00:00:00Z","to":"2026-01-25T00:00:00Z"}`: "",
	} {
		var p page
		status, _, body := s.send(t, http.MethodPost, "/traces/search", member, mine, text)
		if err := json.Unmarshal(body, &p); err != nil || status != http.StatusOK || p.ids() != want {
			t.Errorf("%s: %d %v, want %s", text, status, p.ids(), want)
		}
	}
}

func TestSearchPages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var all []string
	for i := range 30 {
		sp := call(fmt.Sprintf("t%02d", i), minute(i/3))
		sp.CostNanoUSD = ptr(int64(i % 4))
		s.write(t, mine, sp)
		all = append(all, string(sp.ID))
	}
	for _, sort := range []string{"start", "cost", "duration", "tokens", "errors"} {
		var got []string
		var cursor *string
		for n := 0; ; n++ {
			var p page
			s.ask(t, "/traces/search", object{"sort": sort, "limit": 7, "cursor": cursor, "q": "trace:t*"}, &p)
			if (p.Total != nil) != (n == 0) {
				t.Errorf("page %d has total %v", n, p.Total)
			}
			got = append(got, strings.Fields(p.ids())...)
			if p.Next == nil {
				break
			}
			cursor = p.Next
			newer := call(fmt.Sprintf("x%s%d", sort, n), minute(100))
			s.write(t, mine, newer)
		}
		slices.Sort(got)
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("%s: %s", sort, diff)
		}
	}
}

func TestSearchFaults(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for body, want := range map[string]string{
		`{"q":"status:error nosuch:1 cost>x"}`:                                              "Invalid query: [[q 13] [q 27]]",
		`{"q":5,"text":[],"from":1,"to":"yesterday","sort":"size","limit":0,"cursor":true}`: "Invalid query: [[q] [text] [from] [to] [sort] [limit] [cursor]]",
		`{"limit":201}`:              "Invalid query: [[limit]]",
		`{"limit":1.5}`:              "Invalid query: [[limit]]",
		`{"cursor":"x"}`:             "Invalid query: [[cursor]]",
		`{"sort":"cost","text":"x"}`: "Invalid query: [[sort]]",
		`{"text":"` + strings.Repeat("x", 1001) + `"}`:   "Invalid query: [[text]]",
		`{"text":"a\u0000"}`:                             "Invalid query: [[text]]",
		`{"q":"` + strings.Repeat("name:x ", 600) + `"}`: "Invalid query: [[q]]",
		`[]`: "Invalid query: [[]]",
		`{`:  "Invalid JSON body: [[]]",
	} {
		if got := s.refused(t, "/traces/search", body); got != want {
			t.Errorf("%.80s: %s", body, got)
		}
	}
	if s.barriers != 2 { // those of the cursor and the sort, which the store reads
		t.Errorf("%d waits for questions that ask nothing", s.barriers)
	}
}

// TestTenants asks every route as nobody, as a member of another project, and
// there: nothing of this one shows.
func TestTenants(t *testing.T) {
	t.Parallel()
	s := setup(t)
	secret := step("secret", "", "secret", minute(1))
	secret.SessionID, secret.Payload.OutputText = "secret", ptr("secret")
	s.write(t, mine, secret)
	for _, r := range exploreapi.New(exploreapi.Deps{}).Routes() {
		path := strings.NewReplacer("{id}", "secret", "{part}", "output").Replace(strings.TrimPrefix(r.Pattern, "/dashboard/api/query"))
		allowed := http.StatusOK
		if r.Auth == api.AuthAdmin { // and what the member sends is not enough
			allowed = http.StatusForbidden
			if status, body := s.request(t, r.Method, path, "boss", "mine"); status != http.StatusBadRequest {
				t.Errorf("%s %s by an administrator: %d %s", r.Method, path, status, body)
			}
		}
		if status, body := s.request(t, r.Method, path, "member", "mine"); status != allowed {
			t.Errorf("%s %s by a member: %d %s", r.Method, path, status, body)
		}
		for _, c := range []struct {
			user, project string
			want          int
		}{{"", "mine", 401}, {"stranger", "mine", 403}, {"stranger", "theirs", 200}, {"member", "", 400}} {
			if r.Auth == api.AuthSession && c.user != "" { // looks in the user's own projects, whatever the header says
				if c.user == "member" {
					continue
				}
				c.want = 200
			}
			want := c.want
			if want == 200 && r.Auth == api.AuthAdmin {
				want = 403
			}
			if want == 200 && strings.Contains(r.Pattern, "{id}") {
				want = 404
			}
			if status, body := s.request(t, r.Method, path, c.user, c.project); status != want || strings.Contains(string(body), "secret") {
				t.Errorf("%s %s as %q of %q: %d %s, want %d", r.Method, path, c.user, c.project, status, body, want)
			}
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.write(t, mine, call("t", minute(1).Add(1234567*time.Nanosecond).Truncate(time.Microsecond)))
	var p struct{ Items []struct{ StartTime string } }
	s.ask(t, "/traces/search", object{}, &p)
	if got := p.Items[0].StartTime; got != "2026-01-25T00:01:00.001234Z" {
		t.Error(got)
	}
}

// FuzzSearch sends any filter and cursor: a page or a fault, never a failure.
func FuzzSearch(f *testing.F) {
	for _, q := range []string{"", "status:error", `name:"a*",b* -user:x`, "latency:1s..2s cost>0.1 tokens<5", "has:tool,ttft kind:chain", `"text" meta.a:b error:x`, "model:[a*]?", "tag:%_\\"} {
		f.Add(q, "", "start")
	}
	f.Add("", "AwAA", "cost")
	f.Add("", "eyJzIjoxLCJpIjoidCIsImluIjp0cnVlLCJwIjoieCJ9", "start") // a place of an export
	s := setup(f)
	s.write(f, mine, call("t", minute(1)), step("s", "", "u", minute(2)))
	f.Fuzz(func(t *testing.T, q, cursor, sort string) {
		body, err := json.Marshal(object{"q": q, "cursor": cursor, "sort": sort, "limit": 1})
		if err != nil {
			t.Skip()
		}
		for _, path := range []string{"/traces/search", "/sessions/search", "/facets", "/export"} {
			if status, _, answer := s.send(t, http.MethodPost, path, member, mine, string(body)); status != http.StatusOK && status != http.StatusBadRequest {
				t.Fatalf("%s %s: %d %s", path, body, status, answer)
			}
		}
	})
}

// TestPreviewOfALargePrompt shows the begin of what is too large to be read for a
// list.
func TestPreviewOfALargePrompt(t *testing.T) {
	t.Parallel()
	s := setup(t)
	large := call("large", minute(1))
	large.Payload.Request = []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat("Was ist größer? ", 1<<18) + `"}]}`)
	s.write(t, mine, large)
	var got struct {
		Items []struct{ Preview struct{ Input string } }
	}
	s.ask(t, "/traces/search", object{}, &got)
	if len(got.Items) != 1 || got.Items[0].Preview.Input != strings.Repeat("Was ist größer? ", 12)+"Was ist " {
		t.Errorf("%+v", got)
	}
}

// With PAYLOAD_SEARCH=off a filter that payloads have to be read for is refused,
// wherever it stands, and any other is answered.
func TestPayloadSearchOff(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.write(t, mine, call("t", minute(1)))
	deps := s.deps
	deps.NoPayloadSearch = true
	s.serve(deps)
	for path, bodies := range map[string]map[string]string{
		"/traces/search": {
			`{"text":"x"}`: "Invalid query: [[text]]", `{"q":"error:x"}`: "Invalid query: [[q]]", `{"q":"status:error meta.a:b","text":"x"}`: "Invalid query: [[q] [text]]",
		},
		"/compare": {`{"selection":{"text":"x"}}`: "Invalid query: [[selection text]]"},
		"/export":  {`{"q":"\"x\""}`: "Invalid query: [[q]]"},
		"/tail":    {`{"text":"x"}`: "Invalid query: [[text]]"},
	} {
		for body, want := range bodies {
			if got := s.refused(t, path, body); got != want {
				t.Errorf("%s %s: %s", path, body, got)
			}
		}
	}
	for path, want := range map[string]int{"t/neighbours?text=x": http.StatusBadRequest, "t/neighbours?q=status:ok": http.StatusOK} {
		if status, _, answer := s.send(t, http.MethodGet, "/traces/"+path, member, mine, ""); status != want {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if status, _, answer := s.send(t, http.MethodPost, "/traces/search", member, mine, `{"q":"status:success"}`); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
}
