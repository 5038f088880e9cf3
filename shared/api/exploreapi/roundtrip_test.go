package exploreapi_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/api/ingestapi"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/otlp/otlptest"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TestRoundTripOfCorpus exports what real instrumentations sent, stores the lines
// in another project, and compares all that can be read of both.
func TestRoundTripOfCorpus(t *testing.T) {
	t.Parallel()
	scenarios, err := otlptest.Load()
	if err != nil {
		t.Fatal(err)
	}
	traces, of := 0, map[string]int{}
	for _, sc := range scenarios {
		if of[sc.Family]++; of[sc.Family] > 1 { // all of them take a minute
			continue
		}
		s := setup(t)
		whole := true
		for _, r := range sc.Requests {
			spans := mapped(t, &r)
			s.write(t, mine, spans...)
			whole = whole && !slices.ContainsFunc(spans, func(sp trace.Span) bool { return sp.TraceID == "" })
		}
		traces += s.roundTrip(t, sc.Family+"/"+sc.Name, whole)
	}
	if traces < 30 {
		t.Errorf("%d traces only", traces)
	}
}

// mapped reads a request as the drain does.
func mapped(t testing.TB, r *otlptest.Request) []trace.Span {
	t.Helper()
	enc := otlp.Protobuf
	if r.JSON() {
		enc = otlp.JSON
	}
	switch r.Signal {
	case "traces":
		sent, err := otlp.DecodeTraces(r.Body, enc)
		if err != nil {
			t.Fatal(err)
		}
		return sent.Map(start)
	case "logs":
		sent, err := otlp.DecodeLogs(r.Body, enc)
		if err != nil {
			t.Fatal(err)
		}
		return sent.Map(start)
	}
	return nil
}

// roundTrip compares how spans were sent, and, if all of them are in traces,
// what is shown: spans of no trace, which no export has, may complete others.
func (s *server) roundTrip(t testing.TB, what string, whole bool) (n int) {
	t.Helper()
	bodies, _ := s.pages(t, object{})
	for _, line := range strings.Split(strings.TrimSpace(strings.Join(bodies, "")), "\n") {
		if line == "" {
			continue
		}
		spans, err := ingestapi.DecodeLine([]byte(line), start.Add(time.Hour))
		if err != nil {
			t.Fatalf("%s: %v: %.300s", what, err, line)
		}
		if strings.Contains(line, `"omitted"`) {
			t.Errorf("%s: %.300s", what, line)
		}
		s.write(t, theirs, spans...)
	}
	ctx := t.Context()
	hits, err := s.db.SearchTraces(ctx, mine, store.TraceQuery{}, store.SearchPage{Sort: store.SortStart, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hits.Hits {
		read := func(project account.ProjectID) (shown trace.Trace, sent store.SentSpans) {
			shown, err := s.db.Trace(ctx, project, h.ID)
			if err != nil {
				t.Fatalf("%s: %s: %v", what, h.ID, err)
			}
			if sent, err = s.db.SentSpans(ctx, project, h.ID, store.SentPage{MaxBytes: 1 << 30}); err != nil {
				t.Fatal(err)
			}
			for i := range sent.Spans {
				sent.Spans[i].Payload.Raw = nil // in another order
			}
			return shown, sent
		}
		want, wantSent := read(mine)
		got, gotSent := read(theirs)
		if diff := cmp.Diff(wantSent, gotSent, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s (-exported +imported):\n%s", what, h.ID, diff)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); whole && diff != "" {
			t.Errorf("%s: %s is shown (-exported +imported):\n%s", what, h.ID, diff)
		}
		n++
	}
	if n, err := s.db.Recount(ctx, theirs, false); err != nil || n != 0 {
		t.Errorf("%s: %d rows differ from a recount: %v", what, n, err)
	}
	return n
}

// TestRoundTripOfRecords does the same with the records of Pulse's own routes.
func TestRoundTripOfRecords(t *testing.T) {
	t.Parallel()
	s := setup(t)
	full := call("5d0f3c9e-7c4b-4c0e-9b55-0d7f4f1f6a01", minute(1).Add(1234*time.Microsecond))
	full.SessionID, full.Status, full.TimeToFirstTokenMS, full.ModelUsed = "s", trace.StatusError, ptr(12.25), ptr("gpt-4o-2024")
	full.InputTokens, full.OutputTokens, full.CostNanoUSD, full.FinishReason, full.ProviderRequestID = ptr(int64(1)), ptr(int64(1<<53-1)), ptr(int64(123_456_789)), ptr("stop"), ptr("r")
	full.Payload = trace.Payload{
		Request: []byte(`{"b":1,"a":[1e400,12345678901234567890,"\ud83d"]}`), Response: []byte(`{"x":null}`), Error: []byte(`{}`), Metadata: []byte(`{"a":{"b":"\u0000"}}`), OutputText: ptr("a\r\nb\u2028"),
	}
	bare := call("5d0f3c9e-7c4b-4c0e-9b55-0d7f4f1f6a02", minute(2))
	bare.Payload.Request = []byte(`{}`)
	spans := []trace.Span{full, bare}
	for n := range 230 { // more than a batch takes
		sp := trace.Span{
			ID: trace.SpanID("s" + strings.Repeat("i", n)), TraceID: "agent", SessionID: "s", Form: trace.FormSpan, Start: minute(3).Add(time.Duration(n) * time.Millisecond),
			Source: trace.SourceClaudeCode, Kind: trace.KindToolUse, EventType: "post_tool_use", Status: trace.StatusSuccess,
		}
		if n > 0 {
			sp.ParentID = "s"
		}
		spans = append(spans, sp)
	}
	one := &spans[len(spans)-1]
	one.DurationMS, one.TimeToFirstTokenMS, one.Service, one.ToolUseID, one.ToolName = ptr(1.5), ptr(0.25), ptr("web"), ptr("u"), ptr("Edit")
	one.IsInterrupt, one.CWD, one.Model, one.AgentName, one.Provider, one.ModelUsed = ptr(false), ptr("/a"), ptr("m"), ptr("Plan"), ptr(""), ptr("m2")
	one.InputTokens, one.OutputTokens, one.CostNanoUSD, one.FinishReason, one.ProviderRequestID, one.EditedFile = ptr(int64(0)), ptr(int64(2)), ptr(int64(1)), ptr("f"), ptr("r"), ptr("/a/b")
	one.Payload = trace.Payload{
		ToolInput: []byte(`{"file_path":"/a/b"}`), ToolResponse: []byte(`"text"`), Error: []byte(`[1]`), Metadata: []byte(`{"k":"v"}`), OutputText: ptr(""),
	}
	s.write(t, mine, spans...)
	if n := s.roundTrip(t, "records", true); n != 3 {
		t.Errorf("%d traces", n)
	}
}
