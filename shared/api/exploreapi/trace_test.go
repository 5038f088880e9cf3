package exploreapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

type tree struct {
	N, First  int
	Receipt   *struct{ FirstAcceptedAt, AcceptedAt, StoredAt string }
	Total     int
	StartTime string
	Cols      struct {
		ID, Name, Kind, Status []string
		Parent, Depth          []int
		Start                  []int64
		Dur                    []*float64
		Tokens                 []*int64
		Cost                   []*string
		Counted                []bool
	}
	Errors []struct {
		SpanID, Name string
		Error        *string
		Start        int64
		Cause        bool
	}
	Totals struct {
		SpanCount, ErrorCount int
		Worst                 struct{ SpanID string }
	}
	Next *string
}

func TestTree(t *testing.T) {
	t.Parallel()
	s := setup(t)
	root, llm, tool := step("root", "", "t", minute(0)), step("llm", "root", "t", minute(1)), step("tool", "llm", "t", minute(2))
	llm.Kind, llm.InputTokens, llm.OutputTokens, llm.CostNanoUSD, llm.Model = trace.KindLLMCall, ptr(int64(5)), ptr(int64(7)), ptr(int64(9)), ptr("m")
	root.DurationMS = ptr(1e6)
	tool.Kind, tool.Name, tool.ToolName, tool.DurationMS, tool.Status = trace.KindToolUse, "", ptr("run"), ptr(5.5), trace.StatusError
	llm.DurationMS = nil
	tool.Payload.StatusMessage = ptr("timeout")
	root.Status = trace.StatusError
	s.write(t, mine, tool, llm, root, call("lone", minute(1)))
	var a tree
	s.ask(t, "/traces/t/tree", nil, &a)
	if a.N != 3 || a.First != 0 || a.Total != 3 || a.Next != nil || a.StartTime != "2026-01-25T00:00:00.000000Z" || a.Totals.ErrorCount != 2 || a.Totals.Worst.SpanID != "tool" {
		t.Errorf("%+v", a)
	}
	c := a.Cols
	got := fmt.Sprint(c.ID, c.Name, c.Kind, c.Parent, c.Depth, c.Start, c.Status, c.Counted, *c.Tokens[1], *c.Cost[1], c.Dur[1], *c.Dur[2])
	want := "[root llm tool] [name of root name of llm run] [chain llm_call tool_use] [-1 0 1] [0 1 2] [0 60000000 120000000] [error success error] [true true true] 129<nil> 5.5"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(a.Errors) != 2 || a.Errors[1].SpanID != "tool" || *a.Errors[1].Error != "timeout" || !a.Errors[1].Cause || a.Errors[0].Cause || a.Errors[0].Error != nil {
		t.Errorf("%+v", a.Errors)
	}
	if r := a.Receipt; r == nil || r.FirstAcceptedAt != "2026-01-25T01:00:00.000000Z" || r.AcceptedAt != r.FirstAcceptedAt || r.StoredAt <= r.AcceptedAt {
		t.Errorf("%+v", a.Receipt)
	}
	var lone tree
	s.ask(t, "/traces/lone/tree", nil, &lone)
	if lone.N != 1 || lone.Cols.Name[0] != "gpt-4o" {
		t.Errorf("%+v", lone)
	}
	for path, want := range map[string]int{"/traces/none/tree": 404, "/traces/t/tree?limit=0": 400, "/traces/t/tree?limit=x": 400, "/traces/t/tree?cursor=x": 400, "/traces/t/tree?limit=10001": 400} {
		if status, _, body := s.send(t, http.MethodGet, path, member, mine, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestLargeTree holds 10,000 spans to 300 KB, and its pages to the whole.
func TestLargeTree(t *testing.T) {
	t.Parallel()
	s := setup(t)
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 10_000
	id := func(i int) string { return fmt.Sprintf("%016x", uint64(i+1)*0x9E3779B97F4A7C15) }
	spans := make([]trace.Span, n)
	for i := range spans {
		parent := ""
		if i > 0 {
			parent = id(rng.IntN(i))
		}
		sp := step(id(i), parent, "t", start.Add(time.Duration(i)*17*time.Millisecond+time.Duration(rng.IntN(1000))*time.Microsecond))
		sp.MappingVersion, sp.Name, sp.AgentName = 0, "", ptr(fmt.Sprint("step ", i%40)) // of the older form, which is written faster
		sp.DurationMS = ptr(float64(rng.IntN(1_000_000)) / 1000)
		if i%3 == 0 {
			sp.Kind, sp.InputTokens, sp.OutputTokens, sp.CostNanoUSD = trace.KindLLMCall, ptr(rng.Int64N(5000)), ptr(rng.Int64N(500)), ptr(rng.Int64N(1e7))
			sp.Model = ptr("claude-sonnet-4-5")
		}
		spans[i] = sp
	}
	for part := range slices.Chunk(spans, 1000) {
		s.write(t, mine, part...)
	}
	began := time.Now()
	status, _, body := s.send(t, http.MethodGet, "/traces/t/tree", member, mine, "")
	t.Logf("%d bytes in %v", len(body), time.Since(began))
	var whole tree
	if err := json.Unmarshal(body, &whole); err != nil || status != http.StatusOK || whole.N != n {
		t.Fatalf("%d %v: %d spans", status, err, whole.N)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(body); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if packed.Len() > 300<<10 {
		t.Errorf("%d bytes, compressed", packed.Len())
	}
	var pages tree
	for cursor := ""; ; {
		var page tree
		s.ask(t, "/traces/t/tree?limit=3000&cursor="+cursor, nil, &page)
		if page.First != len(pages.Cols.ID) {
			t.Fatalf("a page begins at %d, not %d", page.First, len(pages.Cols.ID))
		}
		pages.Cols.ID, pages.Cols.Parent = append(pages.Cols.ID, page.Cols.ID...), append(pages.Cols.Parent, page.Cols.Parent...)
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	if diff := cmp.Diff(whole.Cols.ID, pages.Cols.ID) + cmp.Diff(whole.Cols.Parent, pages.Cols.Parent); diff != "" {
		t.Error("pages differ from the whole")
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const request = `{"z":1,"a":12345678901234567890,"a":"\u00e9<&>"}`
	lone := call("lone", minute(1))
	lone.Payload = trace.Payload{Request: []byte(request), OutputText: ptr("said\nso"), Error: []byte(`"broken"`)}
	tool := step("a/b", "", "t", minute(1))
	tool.Payload = trace.Payload{ToolInput: []byte(`{"q":1}`), Attributes: []byte(`{"k":"v"}`), Events: []byte(`[]`), StatusMessage: ptr("no"), Metadata: []byte(`{"pulse.response":{"x":1}}`)}
	s.write(t, mine, lone, tool)
	for path, want := range map[string]string{
		"lone/payload/request": "200 application/json " + request, "lone/payload/output": "200 text/plain; charset=utf-8 said\nso", "lone/payload/error": `200 application/json "broken"`,
		"lone/payload/attributes": `404 application/json {"error":"The span has no such part"}`, "lone/payload/raw": `404 application/json {"error":"The span has no such part"}`,
		"a%2Fb/payload/input": `200 application/json {"q":1}`, "a%2Fb/payload/attributes": `200 application/json {"k":"v"}`, "a%2Fb/payload/events": `200 application/json []`,
		"a%2Fb/payload/error": "200 text/plain; charset=utf-8 no", "a%2Fb/payload/response": `200 application/json {"x":1}`, "none/payload/input": `404 application/json {"error":"Span not found"}`,
	} {
		status, header, body := s.send(t, http.MethodGet, "/spans/"+path, member, mine, "")
		if got := fmt.Sprint(status, " ", header.Get("Content-Type"), " ", string(body)); got != want || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Content-Disposition") != "" {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	t.Run("Download", func(t *testing.T) {
		_, header, _ := s.send(t, http.MethodGet, "/spans/lone/payload/output?download", member, mine, "")
		if got := header.Get("Content-Disposition"); got != "attachment; filename=output.txt" {
			t.Error(got)
		}
	})
	t.Run("Range", func(t *testing.T) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/dashboard/api/query/spans/lone/payload/request", nil)
		r.Header = http.Header{"Cookie": {"session=member"}, "X-Project-Id": {"mine"}, "Range": {"bytes=1-3"}}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != http.StatusPartialContent || w.Body.String() != `"z"` {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
