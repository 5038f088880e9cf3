package queryapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/account"
)

// The files of testdata hold what the earlier service was asked and answered,
// by topic; "gen2-" marks its second generation. Bearer keys are "key-of-" and
// the project.

// observed is one example: a request with its answer, or a row of a table of
// queries.
type observed struct {
	Method, Path  string
	Authorization *string
	SignedIn      bool
	Project       account.ProjectID
	Input         []json.RawMessage // of a POST: what later examples read
	Status        int
	Answer        json.RawMessage
	Note          string

	Query                string
	TraceIDs             []string `json:"traceIds"`
	Timestamps           []string
	Total, Limit, Offset *int
	Returned             *int
	Body                 json.RawMessage
}

func examples(t *testing.T, topic string) []observed {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", topic+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Examples []observed }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file.Examples
}

// widened lists the requests that Pulse answers otherwise than the earlier
// service did, each with the status it gives and why. An answer that is not
// compared further has 200 here.
var widened = map[string]struct {
	status int
	why    string
}{
	"/v1/traces?session_id=bad":                                    {200, "session ids are free text"},
	"/v1/traces?session_id=agent-1":                                {200, "session ids are free text"},
	"/v1/traces?session_id=":                                       {200, "an empty free text filters nothing"},
	"/v1/traces?provider=google":                                   {200, "an unknown provider matches nothing"},
	"/v1/traces?provider=":                                         {200, "an empty free text filters nothing"},
	"/v1/spans?source=sdk":                                         {200, "the source came with generation 2"},
	"/v1/traces?date_from=2026-01-25T12:00:03Z":                    {200, "a trace is selected by its start, not by any of its spans"},
	"/dashboard/api/agent-sessions?date_from=2026-01-25T12:00:05Z": {200, "sums are those of the whole session"},
	"/v1/agent-sessions":                                           {404, "unmatched routes answer JSON"},
	"/v1/traces?date_from=2026-02-30":                              {400, "dates are strict"},
	"/v1/traces?date_from=-5":                                      {400, "dates are strict"},
	"/v1/traces?date_from=1.5":                                     {400, "dates are strict"},
	"/v1/traces?date_from=2026-01-26T00:00:00":                     {400, "a time needs its zone"},
	"/v1/traces?date_from=2026-01":                                 {400, "dates are strict"},
	"/v1/traces?date_from=Jan%2026%202026":                         {400, "dates are strict"},
	"/v1/traces?date_from=01/26/2026":                              {400, "dates are strict"},
	"/v1/traces?date_from=2026-1-26":                               {400, "dates are strict"},
}

// TestObserved replays reads of the earlier service, both generations, and
// wants each answer to hold at least what was answered then.
func TestObserved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		topics  []string // the first ones' inputs serve the others
		stored  func(*testing.T) []json.RawMessage
		project account.ProjectID // of stored
	}{
		{topics: []string{"gen2-traces", "gen2-sessions", "gen2-agent-sessions", "gen2-analytics"}},
		{topics: []string{"gen2-spans"}},
		{topics: []string{"analytics", "analytics-spans"}},
		{topics: []string{"traces-list"}, stored: rowsOf("traces-list", 0, "traces"), project: "90775956-2ed9-4019-8731-705edb835ee7"},
		{topics: []string{"date-parameters", "number-parameters"}, stored: rowsOf("traces-list", 0, "traces"), project: "90775956-2ed9-4019-8731-705edb835ee7"},
		{topics: []string{"traces-get"}, stored: rowsOf("traces-get", 0, ""), project: "e13e27dc-3b50-4d9b-80a2-d15fbc8808b4"},
		{topics: []string{"spans-get"}, stored: rowsOf("spans-get", 0, ""), project: "e13e27dc-3b50-4d9b-80a2-d15fbc8808b4"},
		{topics: []string{"spans-list"}, stored: listedSpans, project: "7a42bf8f-da9d-4884-b312-d65c9549aad2"},
		{topics: []string{"sessions", "dashboard-data-routes"}, stored: func(t *testing.T) []json.RawMessage {
			return slices.Concat(rowsOf("sessions", 0, "traces")(t), rowsOf("sessions", 1, "spans")(t), rowsOf("sessions", 5, "spans")(t))
		}, project: "43f4aac4-f6f5-49ca-8fb0-d30771e6e4c3"},
	} {
		t.Run(strings.Join(c.topics, "+"), func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			if c.stored != nil {
				s.store(t, c.project, c.stored(t)...)
			}
			for _, topic := range c.topics {
				for _, e := range examples(t, topic) {
					s.replay(t, e, c.project)
				}
			}
		})
	}
}

func (s *server) replay(t *testing.T, e observed, project account.ProjectID) {
	t.Helper()
	if e.Query != "" { // a row of a table
		e.Method, e.Path = http.MethodGet, "/v1/traces?"+e.Query
		if project == "" {
			project = "a0d01a10-3469-4beb-aacd-722c52b11f5f"
		}
		key := "Bearer key-of-" + string(project)
		e.Authorization = &key
		if e.Body != nil {
			e.Answer = e.Body
		}
	}
	if e.Method == http.MethodPost {
		if p, ok := strings.CutPrefix(deref(e.Authorization), "Bearer key-of-"); ok && e.Status == http.StatusAccepted {
			s.store(t, account.ProjectID(p), e.Input...)
		}
		return
	}
	header := http.Header{}
	if e.Authorization != nil {
		header.Set("Authorization", *e.Authorization)
	}
	if e.SignedIn {
		header.Set("Cookie", "session=member")
	}
	if e.Project != "" {
		header.Set("X-Project-Id", string(e.Project))
	}
	status, body := s.get(t, e.Path, header)
	want := e.Status
	w, widens := widened[e.Path]
	if widens {
		want = w.status
	}
	if status != want {
		t.Errorf("GET %s: %d, want %d: %s", e.Path, status, want, body)
		return
	}
	if widens {
		return
	}
	if e.Answer != nil {
		for _, d := range missing(t, e.Answer, body) {
			t.Errorf("GET %s: %s", e.Path, d)
		}
	}
	e.checkTable(t, body)
}

// checkTable compares what a row of a table tells of an answer.
func (e *observed) checkTable(t *testing.T, body []byte) {
	t.Helper()
	if e.Query == "" || e.Status != http.StatusOK {
		return
	}
	var got struct {
		Traces []struct {
			TraceID   string `json:"traceId"`
			Timestamp string
		}
		Total, Limit, Offset int
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	ids, stamps := []string{}, []string{}
	for _, tr := range got.Traces {
		ids, stamps = append(ids, tr.TraceID), append(stamps, tr.Timestamp)
	}
	if e.TraceIDs != nil && !slices.Equal(ids, e.TraceIDs) {
		t.Errorf("%s: traces %q, want %q", e.Query, ids, e.TraceIDs)
	}
	if e.Timestamps != nil && !slices.Equal(stamps, e.Timestamps) {
		t.Errorf("%s: timestamps %q, want %q", e.Query, stamps, e.Timestamps)
	}
	for name, pair := range map[string]struct {
		want *int
		got  int
	}{"total": {e.Total, got.Total}, "limit": {e.Limit, got.Limit}, "offset": {e.Offset, got.Offset}, "rows": {e.Returned, len(ids)}} {
		if pair.want != nil && *pair.want != pair.got {
			t.Errorf("%s: %s %d, want %d", e.Query, name, pair.got, *pair.want)
		}
	}
}

// rowsOf takes records from the n-th example's answer, which showed them whole.
func rowsOf(topic string, n int, list string) func(*testing.T) []json.RawMessage {
	return func(t *testing.T) []json.RawMessage {
		answer := examples(t, topic)[n].Answer
		if list == "" {
			return []json.RawMessage{answer}
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(answer, &all); err != nil {
			t.Fatal(err)
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(all[list], &rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
}

// listedSpans puts together the six spans that the list examples show in parts:
// two whole, and in each filtered list some fields, newest first.
func listedSpans(t *testing.T) []json.RawMessage {
	order := []string{"94d23c5d", "44cbf69e", "e602608e", "ec5fcb43", "68fe8ea9", "3e66f252"} // oldest first
	found := map[string]map[string]any{}
	for _, e := range examples(t, "spans-list") {
		var answer struct{ Spans []map[string]any }
		if err := json.Unmarshal(e.Answer, &answer); err != nil {
			t.Fatal(err)
		}
		for _, row := range answer.Spans {
			id := row["spanId"].(string)
			if found[id] == nil {
				found[id] = map[string]any{"eventType": "post_tool_use"}
			}
			for k, v := range row {
				found[id][k] = v
			}
		}
	}
	var rows []json.RawMessage
	for id, row := range found {
		i := slices.Index(order, id[:8])
		row["timestamp"] = fmt.Sprintf("2026-01-25T12:00:%02d.000Z", i)
		raw, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, raw)
	}
	if len(rows) != len(order) {
		t.Fatalf("%d spans", len(rows))
	}
	return rows
}

// missing lists what of want is not in got: names and values count, more names
// do not. Numbers may differ in the 12th digit (costs are integers here), the
// details of a fault in their words.
func missing(t *testing.T, want, got []byte) []string {
	t.Helper()
	var w, g any
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &g); err != nil {
		return []string{fmt.Sprintf("not JSON: %s", got)}
	}
	var out []string
	compare("", w, g, func(path, what string) { out = append(out, path+": "+what) })
	return out
}

// bulky is how the examples stand in for long lists: "<4 spans>".
var bulky = regexp.MustCompile(`^<(\d+) \w+>$`)

func compare(path string, want, got any, report func(path, what string)) {
	differ := func() { report(path, fmt.Sprintf("is %v, want %v", got, want)) }
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			differ()
			return
		}
		for name, v := range w {
			if name == "..." || (strings.HasPrefix(path, "/details") && name != "path") {
				continue
			}
			have, ok := g[name]
			if !ok {
				report(path+"/"+name, "is missing")
				continue
			}
			compare(path+"/"+name, v, have, report)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			differ()
			return
		}
		if path == "/topTools" || path == "/spansByKind" || path == "/topModels" { // ties stood in any order
			w, g = counts(w), counts(g)
		}
		for i := range w {
			compare(fmt.Sprint(path, "/", i), w[i], g[i], report)
		}
	case float64:
		g, ok := got.(float64)
		if !ok || math.Abs(g-w) > 1e-12*math.Max(math.Abs(g), math.Abs(w)) {
			differ()
		}
	case string:
		if m := bulky.FindStringSubmatch(w); m != nil {
			if list, ok := got.([]any); ok && fmt.Sprint(len(list)) == m[1] {
				return
			}
		}
		if got != want {
			differ()
		}
	default:
		if got != want {
			differ()
		}
	}
}

// counts keeps of rows how often each came.
func counts(rows []any) []any {
	out := make([]any, len(rows))
	for i, r := range rows {
		m := r.(map[string]any)
		if out[i] = m["count"]; out[i] == nil {
			out[i] = m["requests"]
		}
	}
	return out
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

var camel = regexp.MustCompile(`[A-Z]`)

// snake turns the names of an answer's row into those of an input.
func snake(raw json.RawMessage) (json.RawMessage, error) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal(raw, &row); err != nil {
		return nil, err
	}
	out := map[string]json.RawMessage{}
	for name, v := range row {
		if !bytes.Equal(v, []byte("null")) {
			out[camel.ReplaceAllStringFunc(name, func(s string) string { return "_" + strings.ToLower(s) })] = v
		}
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false) // values stay as they were written
	err := e.Encode(out)
	return buf.Bytes(), err
}
