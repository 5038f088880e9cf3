package exploreapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// answers sends questions and compares the answers.
func (s *server) answers(t *testing.T, cases []struct{ method, path, body, want string }) {
	t.Helper()
	for _, c := range cases {
		status, _, got := s.send(t, c.method, c.path, member, mine, c.body)
		if diff := cmp.Diff(c.want, fmt.Sprint(status, " ", string(got))); diff != "" {
			t.Errorf("%s %s %s:\n%s", c.method, c.path, c.body, diff)
		}
	}
}

func TestHistogramAndFacets(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var spans []trace.Span
	for i := range 10 {
		sp := call(fmt.Sprint("t", i), minute(i*30))
		sp.Model, sp.CostNanoUSD = ptr(fmt.Sprint("m", i%3)), ptr(int64(i))
		if i == 9 {
			sp.Status = trace.StatusError
		}
		spans = append(spans, sp)
	}
	s.write(t, mine, spans...)
	s.write(t, theirs, call("other", minute(1)))
	const at = 1769299200000 // start
	s.answers(t, []struct{ method, path, body, want string }{
		{"POST", "/histogram", `{"from":"2026-01-25T00:00:00Z","to":"2026-01-25T06:00:00Z","buckets":3}`, fmt.Sprintf(
			`200 {"t":[%d,%d,%d],"to":%d,"series":[{"key":"","v":[4,4,2]}],"scannedTo":null}`, at, at+7200_000, at+14400_000, at+21600_000)},
		{"POST", "/histogram", `{"from":"2026-01-25T00:00:00Z","to":"2026-01-25T06:00:00Z","buckets":2,"by":"model","top":1,"measure":"cost"}`, fmt.Sprintf(
			`200 {"t":[%d,%d],"to":%d,"series":[{"key":"m0","v":[3,15]},{"key":"","other":true,"v":[12,15]}],"scannedTo":null}`, at, at+10800_000, at+21600_000)},
		{"POST", "/histogram", `{"from":"2026-01-25T00:10:00Z","to":"2026-01-25T02:00:00Z","buckets":2,"tz":"Asia/Kolkata","measure":"p50","q":"model:m1"}`, fmt.Sprintf(
			`200 {"t":[%d,%d,%d],"to":%d,"series":[{"key":"","v":[null,100.49751243781094,null]}],"scannedTo":null}`, at+600_000, at+1800_000, at+5400_000, at+7200_000)},
		{"POST", "/histogram", `{"from":"2026-01-26T00:00:00Z","to":"2026-01-25T02:00:00Z"}`, `200 {"t":[],"to":null,"series":[],"scannedTo":null}`},
		{
			"POST", "/facets", `{"fields":["status","model","tag"],"limit":2}`,
			`200 {"facets":{"model":[{"value":"m0","count":4},{"value":"m1","count":3}],"status":[{"value":"success","count":9},{"value":"error","count":1}],"tag":[]},"exact":true,"scannedTo":null}`,
		},
		{"POST", "/facets", `{"fields":["kind"],"q":"status:error"}`, `200 {"facets":{"kind":[{"value":"llm_call","count":1}]},"exact":true,"scannedTo":null}`},
		{"GET", "/status", "", `200 {"traces":10,"firstTraceAt":"2026-01-25T00:00:00.000000Z","completeTo":"2026-01-25T11:59:58.000000Z","lagMs":2000,"rejected":[]}`},
		{"GET", "/traces/t4/neighbours", "", `200 {"next":"t3","previous":"t5","lastGood":"t1"}`},
		{"GET", "/traces/t4/neighbours?q=model%3Am0&from=2026-01-25T00:00:00Z", "", `200 {"next":"t3","previous":"t6","lastGood":"t1"}`},
		{"GET", "/traces/other/neighbours", "", `404 {"error":"Trace not found"}`},
		{"GET", "/traces/%00/neighbours", "", `404 {"error":"Trace not found"}`},
		{"GET", "/resolve/t4", "", `200 {"matches":[{"projectId":"mine","projectName":"p","kind":"trace","traceId":"t4","spanId":null,"sessionId":null}]}`},
		{"GET", "/resolve/other", "", `404 {"error":"None of your projects has a trace, span or session of this id"}`},
	})
	t.Run("WithoutRange", func(t *testing.T) { // from the first trace to now
		var h struct {
			T      []int64
			To     int64
			Series []struct{ V []float64 }
		}
		s.ask(t, "/histogram", object{"buckets": 12}, &h)
		if len(h.T) != 12 || h.T[0] != at || h.To != at+12*3600_000 || fmt.Sprint(h.Series[0].V) != "[2 2 2 2 2 0 0 0 0 0 0 0]" {
			t.Errorf("%+v", h)
		}
	})
	t.Run("Faults", func(t *testing.T) {
		for body, want := range map[string]string{
			`{"tz":"Mars/Base","buckets":0,"by":"cost","measure":"size","top":0}`: "Invalid query: [[tz] [buckets] [by] [measure] [top]]",
			`{"tz":"Local"}`:   "Invalid query: [[tz]]",
			`{"buckets":1000}`: "Invalid query: [[buckets]]",
		} {
			if got := s.refused(t, "/histogram", body); got != want {
				t.Errorf("%s: %s", body, got)
			}
		}
		for body, want := range map[string]string{
			`{"fields":"model"}`:                     "Invalid query: [[fields]]",
			`{"fields":["model","cost"],"limit":-1}`: "Invalid query: [[fields 1] [limit]]",
			`{"fields":[null]}`:                      "Invalid query: [[fields 0]]",
		} {
			if got := s.refused(t, "/facets", body); got != want {
				t.Errorf("%s: %s", body, got)
			}
		}
		status, _, got := s.send(t, http.MethodGet, "/traces/t4/neighbours?q=nosuch%3A1&from=x", member, mine, "")
		if status != http.StatusBadRequest || !strings.Contains(string(got), `"path":["q",0]`) || !strings.Contains(string(got), `"path":["from"]`) {
			t.Errorf("%d %s", status, got)
		}
	})
}

// TestStatusOfWhatWasRefused shows the last day's, and nobody else's.
func TestStatusOfWhatWasRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	now := s.deps.Now()
	for i, project := range []account.ProjectID{mine, mine, mine, theirs} {
		ago := []time.Duration{0, time.Hour, 25 * time.Hour, 0}[i]
		if err := s.db.AddRejections(t.Context(), project, []store.Rejection{{Minute: now.Add(-ago), Reason: fmt.Sprint("reason ", i), Count: int64(i + 1)}}); err != nil {
			t.Fatal(err)
		}
	}
	var a struct{ Rejected json.RawMessage }
	s.ask(t, "/status", nil, &a)
	if want := `[{"at":"2026-01-25T12:00:00.000Z","reason":"reason 0","count":1},{"at":"2026-01-25T11:00:00.000Z","reason":"reason 1","count":2}]`; string(a.Rejected) != want {
		t.Errorf("%s, want %s", a.Rejected, want)
	}
}

// TestResolve finds an id wherever the user may look.
func TestResolve(t *testing.T) {
	t.Parallel()
	s := setup(t)
	inner := step("span", "", "trace", minute(1))
	inner.SessionID = "session"
	s.write(t, mine, inner)
	for id, want := range map[string]string{"trace": "trace", "span": "span", "session": "session"} {
		var a struct{ Matches []struct{ Kind string } }
		s.ask(t, "/resolve/"+id, nil, &a)
		if len(a.Matches) != 1 || a.Matches[0].Kind != want {
			t.Errorf("%s: %+v", id, a)
		}
		if status, _, body := s.send(t, http.MethodGet, "/resolve/"+id, stranger, "", ""); status != http.StatusNotFound {
			t.Errorf("%s by a stranger: %d %s", id, status, body)
		}
	}
}

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var a map[string]json.RawMessage
	s.ask(t, "/status", nil, &a)
	if string(a["traces"]) != "0" || string(a["firstTraceAt"]) != "null" {
		t.Errorf("%s", a)
	}
}
