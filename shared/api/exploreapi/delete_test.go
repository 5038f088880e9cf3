package exploreapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// deleted is an answer of delete.
type deleted struct {
	DeletedTraces, DeletedSpans int
	Remaining                   struct {
		Value int
		Exact bool
	}
	Done bool
	Next *string
}

func (s *server) remove(t testing.TB, in object) deleted {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	status, _, answer := s.send(t, http.MethodPost, "/delete", boss, mine, string(body))
	var d deleted
	if err := json.Unmarshal(answer, &d); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s", body, status, answer)
	}
	return d
}

// rest lists what is left of mine, and checks that the sums are those of that.
func (s *server) rest(t testing.TB) string {
	t.Helper()
	if n, err := s.db.Recount(t.Context(), mine, false); err != nil || n != 0 {
		t.Errorf("%d rows differ from a recount: %v", n, err)
	}
	var p page
	s.ask(t, "/traces/search", object{"limit": 200}, &p)
	return p.ids()
}

func TestDeleteByID(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for n := range 4 {
		s.write(t, mine, call(fmt.Sprint("c", n), minute(n)))
		s.write(t, theirs, call(fmt.Sprint("c", n), minute(n)))
	}
	s.write(t, mine, step("root", "", "t", minute(9)), step("leaf", "root", "t", minute(10)))
	d := s.remove(t, object{"ids": []string{"c1", "t", "c1", "nobody", "c2"}})
	if d.DeletedTraces != 3 || d.DeletedSpans != 4 || !d.Done || d.Next != nil || d.Remaining.Value != 0 || !d.Remaining.Exact {
		t.Errorf("%+v", d)
	}
	if got := s.rest(t); got != "c3 c0" {
		t.Error(got)
	}
	if d := s.remove(t, object{"ids": []string{}}); !d.Done || d.DeletedTraces != 0 {
		t.Errorf("no ids: %+v", d)
	}
	hits, err := s.db.SearchTraces(t.Context(), theirs, store.TraceQuery{}, store.SearchPage{Sort: store.SortStart, Limit: 10})
	if err != nil || len(hits.Hits) != 4 {
		t.Errorf("of another project %d traces are left: %v", len(hits.Hits), err)
	}
}

func TestDeleteByQuery(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var spans []trace.Span
	for n := range 1300 {
		sp := call(fmt.Sprintf("c%04d", n), minute(0).Add(minute(1).Sub(minute(0))*3/10))
		sp.Start = sp.Start.Add(minute(n % 60).Sub(minute(0)))
		sp.SessionID = trace.SessionID(fmt.Sprint("s", n%7))
		if n%1000 == 7 {
			sp.Model = ptr("other")
		}
		if n%2 == 0 {
			sp.Payload.OutputText = ptr("needle")
		}
		spans = append(spans, sp)
	}
	s.write(t, mine, spans...)
	if d := s.remove(t, object{"q": "model:other"}); d.DeletedTraces != 2 || !d.Done {
		t.Errorf("%+v", d)
	}
	// In steps, each as long as a function may be busy.
	in, total := object{"q": "model:gpt-4o", "to": "2026-01-25T00:30:00Z"}, 0
	var left []int
	for {
		d := s.remove(t, in)
		total += d.DeletedTraces
		left = append(left, d.Remaining.Value)
		if d.Done {
			break
		}
		if d.Next == nil || !d.Remaining.Exact || len(left) > 5 {
			t.Fatalf("%+v", d)
		}
		in["cursor"] = *d.Next
	}
	if want := 1300*30/60 + 9; total < 640 || total > want+10 || len(left) != 2 || left[0] != total-500 || left[1] != 0 {
		t.Errorf("%d in %v", total, left)
	}
	if got := s.rest(t); strings.Contains(got, "c0000 ") || len(got) == 0 {
		t.Error("what is newer is gone, or what is older is there")
	}
	if d := s.remove(t, object{"q": "", "text": "needle", "from": "2026-01-25T00:50:00Z"}); d.DeletedTraces == 0 || !d.Done {
		t.Errorf("%+v", d)
	}
	if d := s.remove(t, object{"q": ""}); !d.Done && d.Next == nil {
		t.Errorf("%+v", d)
	} else if !d.Done {
		s.remove(t, object{"q": "", "cursor": *d.Next})
	}
	if got := s.rest(t); got != "" {
		t.Error(got)
	}
}

func TestDeleteRefuses(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.write(t, mine, call("c", minute(0)))
	for body, want := range map[string]int{
		`{}`: 400, `[]`: 400, `{"ids":null}`: 400, `{"ids":"c"}`: 400, `{"ids":["c"],"q":""}`: 400, `{"ids":[1]}`: 400, `{"q":"nope:x"}`: 400,
		`{"q":"","cursor":"x"}`: 400, `{"q":"","cursor":"eyJjIjoieCJ9"}`: 400, `{"ids":["` + strings.Repeat("c", 600) + `"]}`: 400,
		`{"ids":[` + strings.TrimSuffix(strings.Repeat(`"c",`, 1001), ",") + `]}`: 400,
	} {
		if status, _, answer := s.send(t, http.MethodPost, "/delete", boss, mine, body); status != want {
			t.Errorf("%.60s: %d %s", body, status, answer)
		}
	}
	if status, _, _ := s.send(t, http.MethodPost, "/delete", member, mine, `{"ids":["c"]}`); status != http.StatusForbidden {
		t.Errorf("by a member: %d", status)
	}
	if got := s.rest(t); got != "c" {
		t.Error(got)
	}
}
