package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// read is an example of testdata/reads: a request with its answer, or a row of
// a table of queries. Bearer keys are "key-of-" and the project.
type read struct {
	Method, Path  string
	Authorization *string
	SignedIn      bool
	Project       string
	Input         []json.RawMessage // of a POST: what later examples read
	Status        int
	Answer        json.RawMessage

	Query                string
	TraceIDs             []string `json:"traceIds"`
	Timestamps           []string
	Total, Limit, Offset *int
	Returned             *int
	Body                 json.RawMessage
}

// widened lists the reads that Pulse answers otherwise than the earlier service
// did, each with the status it gives and why. What is there is not compared
// further.
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

// reads stores what the earlier service, of both generations, had stored, asks
// what it was asked, and wants each answer to hold at least the same.
func (s *suite) reads(t *testing.T) {
	t.Parallel()
	owner := s.signUp(t)
	for _, c := range []struct {
		topics  []string // the first ones' inputs serve the others
		stored  func(*testing.T) []json.RawMessage
		project string // of stored
	}{
		{topics: []string{"gen2-traces", "gen2-sessions", "gen2-agent-sessions", "gen2-analytics"}},
		{topics: []string{"gen2-spans"}},
		{topics: []string{"analytics", "analytics-spans"}},
		{topics: []string{"v1-auth-login"}},
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
			r := &reader{suite: s, owner: owner, names: newNames(), project: c.project, projects: map[string]person{}}
			if c.stored != nil {
				r.store(t, c.project, c.stored(t))
			}
			for _, topic := range c.topics {
				for _, e := range load[read](t, "reads", topic) {
					r.replay(t, e)
				}
			}
		})
	}
}

// reader tells one group of reads.
type reader struct {
	*suite
	owner    person
	names    *names
	project  string // of what was stored before, as recorded
	projects map[string]person
}

// in gives the owner with the project that stands for a recorded one.
func (r *reader) in(t *testing.T, project string) person {
	t.Helper()
	p, ok := r.projects[project]
	if !ok {
		p = r.owner
		r.addProject(t, &p)
		r.projects[project] = p
		r.names.bind(project, p.project)
	}
	return p
}

// store sends records, inputs of either form or rows of answers.
func (r *reader) store(t *testing.T, project string, records []json.RawMessage) {
	t.Helper()
	byPath := map[string][]string{}
	for _, raw := range records {
		record, err := snake(raw)
		if err != nil {
			t.Fatal(err)
		}
		path := "/v1/spans/batch"
		if bytes.Contains(record, []byte(`"model_requested":`)) {
			path = "/v1/traces/batch"
		}
		byPath[path] = append(byPath[path], string(record))
	}
	const most = 100 // of one request
	for path, list := range byPath {
		for chunk := range slices.Chunk(list, most) {
			r.want(t, r.in(t, project), http.MethodPost, path, "["+strings.Join(chunk, ",")+"]", http.StatusAccepted, nil)
		}
	}
}

func (r *reader) replay(t *testing.T, e read) {
	t.Helper()
	if e.Query != "" { // a row of a table
		e.Method, e.Path = http.MethodGet, "/v1/traces?"+e.Query
		project := r.project
		if project == "" {
			project = "a0d01a10-3469-4beb-aacd-722c52b11f5f"
		}
		key := "Bearer key-of-" + project
		e.Authorization = &key
		if e.Body != nil {
			e.Answer = e.Body
		}
	}
	project := ""
	if e.Authorization != nil {
		_, project, _ = strings.Cut(*e.Authorization, "key-of-")
	}
	if e.Method == http.MethodPost && len(e.Input) > 0 {
		if e.Status == http.StatusAccepted {
			r.store(t, project, e.Input)
		}
		return
	}
	header := http.Header{}
	if e.Authorization != nil {
		value := *e.Authorization
		if project != "" {
			value = strings.Replace(value, "key-of-"+project, r.in(t, project).key, 1)
		}
		header.Set("Authorization", value)
	}
	if e.SignedIn {
		header.Set("Cookie", r.owner.cookie)
	}
	if e.Project != "" {
		header.Set("X-Project-Id", r.in(t, e.Project).project)
	}
	got := r.do(t, request{method: e.Method, path: e.Path, header: header})
	want := e.Status
	w, widens := widened[e.Path]
	if widens {
		want = w.status
	}
	if want == http.StatusNotFound && got.status == http.StatusMethodNotAllowed {
		return // wrong methods were not told apart
	}
	if got.status != want {
		t.Errorf("%s %s: %s, want %d", e.Method, e.Path, got, want)
		return
	}
	if widens {
		return
	}
	if e.Answer != nil {
		for _, d := range r.names.missing(e.Answer, got.body) {
			t.Errorf("%s %s: %s", e.Method, e.Path, d)
		}
	}
	e.checkTable(t, got.body)
}

// checkTable compares what a row of a table tells of an answer.
func (e *read) checkTable(t *testing.T, body []byte) {
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
		answer := load[read](t, "reads", topic)[n].Answer
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
	for _, e := range load[read](t, "reads", "spans-list") {
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
