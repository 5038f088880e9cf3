package exploreapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/trace"
)

type valueList struct {
	Values []struct {
		Value string
		Count int
	}
	Exact bool
}

func (v valueList) String() string {
	out := ""
	for _, one := range v.Values {
		out += fmt.Sprintf("%s=%d ", one.Value, one.Count)
	}
	return out
}

func TestValues(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for n := range 12 {
		sp := step(fmt.Sprint("s", n), "", fmt.Sprint("t", n), minute(n))
		sp.Tags, sp.UserID = []string{"common", fmt.Sprint("c", n%3), "100%_*"}, ptr([]string{"ann", "Ann", "bob*", "bobby"}[n%4])
		s.write(t, mine, sp)
	}
	other := step("x", "", "x", minute(1))
	other.Tags = []string{"caesar"}
	s.write(t, theirs, other)
	for body, want := range map[string]string{
		`{"field":"tag","prefix":"c"}`:                              "common=12 c0=4 c1=4 c2=4 ",
		`{"field":"tag","prefix":"c","limit":2}`:                    "common=12 c0=4 ",
		`{"field":"tag","prefix":"c1"}`:                             "c1=4 ",
		`{"field":"tag","prefix":"100%_*"}`:                         "100%_*=12 ",
		`{"field":"tag","prefix":"1*_"}`:                            "",
		`{"field":"user"}`:                                          "Ann=3 ann=3 bob*=3 bobby=3 ",
		`{"field":"user","prefix":"bob*"}`:                          "bob*=3 ",
		`{"field":"user","prefix":"a","to":"2026-01-25T00:05:00Z"}`: "ann=2 ",
		`{"field":"user","prefix":"a","q":"tag:c0"}`:                "ann=1 ",
		`{"field":"status","prefix":"s"}`:                           "success=12 ",
		`{"field":"status","prefix":"x"}`:                           "",
		`{"field":"model","prefix":"gpt"}`:                          "",
	} {
		var got valueList
		s.askText(t, "/values", body, &got)
		if got.String() != want || !got.Exact {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	for body, want := range map[string]string{
		`{}`: "[[field]]", `{"field":"trace"}`: "[[field]]", `{"field":"tag","prefix":1,"limit":101,"q":"x:y"}`: "[[q 0] [prefix] [limit]]",
	} {
		if got := s.refused(t, "/values", body); got != "Invalid query: "+want {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	s := setup(t)
	one, two := call("c", minute(1)), call("d", minute(2))
	one.Payload.Metadata, two.Payload.Metadata = []byte(`{"team":"red","n":1}`), []byte(`{"team":"red"}`)
	s.write(t, mine, one, two)
	var got struct {
		Fields []struct {
			Name, Type string
			Options    []string
			Top        []struct {
				Value string
				Count int
			}
		}
	}
	s.ask(t, "/fields", nil, &got)
	what := map[string]string{}
	for _, f := range got.Fields {
		what[f.Name] = fmt.Sprintf("%s %d %v", f.Type, len(f.Options), f.Top)
	}
	for name, want := range map[string]string{
		"status": "enum 2 [{success 2}]", "model": "text 0 [{gpt-4o 2}]", "meta.team": "text 0 [{red 2}]", "meta.n": "text 0 [{1 1}]", "latency": "duration 0 []", "cost": "money 0 []", "tokens": "count 0 []", "trace": "text 0 []",
	} {
		if what[name] != want {
			t.Errorf("%s: %s, want %s", name, what[name], want)
		}
	}
}

// TestKeys names the keys of the project to whoever is a member, and nothing
// else of them.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := setup(t)
	one, two := call("c", minute(1)), call("d", minute(2))
	one.APIKey, two.APIKey = ptr("id-"+string(mine)), ptr("gone")
	s.write(t, mine, one, two)
	_, _, body := s.send(t, http.MethodGet, "/keys", member, mine, "")
	if want := `{"keys":[{"id":"id-` + string(mine) + `","name":"k"}]}`; strings.TrimSpace(string(body)) != want {
		t.Errorf("%s, want %s", body, want)
	}
	for _, c := range []struct{ path, body, want string }{
		{"/values", `{"field":"key"}`, `"values":[{"value":"gone","count":1},{"value":"id-` + string(mine) + `","count":1}]`},
		{"/facets", `{"fields":["key"],"q":"key:gone"}`, `"key":[{"value":"gone","count":1}]`},
		{"/breakdown", `{"by":["key","model"],"measures":["count"],"sort":"count"}`, `{"keys":["gone","gpt-4o"],"values":{"count":1}}`},
		{"/histogram", `{"by":"key","from":"2026-01-25T00:00:00Z","to":"2026-01-25T01:00:00Z","buckets":1}`, `{"key":"gone","v":[1]}`},
		{"/compare", `{"selection":{"q":"key:gone"},"fields":["key"]}`, `{"value":"gone","selected":1,"baseline":0}`},
	} {
		status, _, got := s.send(t, http.MethodPost, c.path, member, mine, c.body)
		if status != http.StatusOK || !strings.Contains(string(got), c.want) {
			t.Errorf("%s: %d %s", c.path, status, got)
		}
	}
}

// TestMetadataIsAField wherever traces are counted by one.
func TestMetadataIsAField(t *testing.T) {
	t.Parallel()
	s := setup(t)
	one := call("c", minute(1))
	one.Payload.Metadata = []byte(`{"team":"red","":1}`)
	s.write(t, mine, one)
	const rng = `"from":"2026-01-25T00:00:00Z","to":"2026-01-25T01:00:00Z"`
	for _, c := range []struct{ path, body, want string }{
		{"/values", `{"field":"meta.team","prefix":"r"}`, `"values":[{"value":"red","count":1}]`},
		{"/values", `{"field":"meta.team","prefix":"b"}`, `"values":[]`},
		{"/facets", `{"fields":["meta.team"]}`, `{"meta.team":[{"value":"red","count":1}]}`},
		{"/breakdown", `{"by":["meta.team"],"measures":["count"],` + rng + `}`, `"keys":["red"],"values":{"count":1}`},
		{"/histogram", `{"by":"meta.team","buckets":1,` + rng + `}`, `"key":"red"`},
		{"/compare", `{"fields":["meta.team"],"selection":{"q":"status:success"}}`, `"name":"meta.team"`},
	} {
		if status, _, body := s.send(t, http.MethodPost, c.path, member, mine, c.body); status != http.StatusOK || !strings.Contains(string(body), c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, body)
		}
	}
	for _, field := range []string{"meta.", "metateam", "meta." + strings.Repeat("x", 201), "latency"} {
		if status, _, body := s.send(t, http.MethodPost, "/values", member, mine, `{"field":"`+field+`"}`); status != http.StatusBadRequest {
			t.Errorf("%.20s: %d %s", field, status, body)
		}
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	s := setup(t)
	type answer struct {
		Items []struct{ TraceID string }
		Next  string
		More  bool
	}
	ask := func(in object) (ids []string, next string) {
		var a answer
		s.ask(t, "/tail", in, &a)
		for _, i := range a.Items {
			ids = append(ids, i.TraceID)
		}
		return ids, a.Next
	}
	ids, before := ask(object{})
	if ids != nil || before == "" {
		t.Errorf("of nothing: %s %q", ids, before)
	}
	if ids, same := ask(object{"after": before}); ids != nil || same != before {
		t.Errorf("still nothing: %s", ids)
	}
	s.write(t, mine, call("b", minute(1)))
	if ids, _ := ask(object{"after": before}); !slices.Equal(ids, []string{"b"}) {
		t.Errorf("the first: %s", ids)
	}
	_, next := ask(object{})
	if ids, same := ask(object{"after": next}); ids != nil || same != next {
		t.Errorf("nothing new: %s", ids)
	}
	failed := call("d", minute(2))
	failed.Status = "error"
	s.write(t, mine, call("a", minute(1)), call("c", minute(1)), failed)
	s.write(t, theirs, call("e", minute(3)))
	ids, later := ask(object{"after": next})
	if !slices.Equal(ids, []string{"d", "c"}) {
		t.Error(ids)
	}
	if ids, _ := ask(object{"after": later}); ids != nil {
		t.Error(ids)
	}
	if ids, _ := ask(object{"after": next, "q": "status:error"}); !slices.Equal(ids, []string{"d"}) {
		t.Error(ids)
	}
	if got := s.refused(t, "/tail", `{"after":"x"}`); got != "Invalid query: [[after]]" {
		t.Error(got)
	}
	var many []trace.Span
	for i := range 200 {
		many = append(many, call(fmt.Sprintf("m%03d", i), minute(4)))
	}
	for i, want := range []bool{false, true} { // the 201st does not fit
		s.write(t, mine, many...)
		many = []trace.Span{call("last", minute(5))}
		var a answer
		s.ask(t, "/tail", object{"after": later}, &a)
		if len(a.Items) != 200 || a.More != want {
			t.Errorf("%d: %d traces, more: %v", i, len(a.Items), a.More)
		}
	}
}

// TestTailWaits asks where waiting costs nothing: the answer comes with a trace.
func TestTailWaits(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.write(t, mine, call("a", minute(1)))
	var first struct{ Next string }
	s.ask(t, "/tail", object{}, &first)
	deps := s.deps
	looks := 0
	deps.Wait, deps.Barrier = time.Hour, func(context.Context) { // the clock stands still
		if looks++; looks == 2 {
			s.write(t, mine, call("b", minute(2)))
		}
	}
	s.serve(deps)
	var a struct{ Items []struct{ TraceID string } }
	s.ask(t, "/tail", object{"after": first.Next}, &a)
	if len(a.Items) != 1 || a.Items[0].TraceID != "b" || looks != 2 {
		t.Errorf("%+v after %d looks", a, looks)
	}
}
