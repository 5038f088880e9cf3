package legacy

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func ptr[T any](v T) *T { return &v }

// traceRow is a row of G1's traces with a value in every column.
func traceRow() Row {
	return Row{
		id: ptr("8609df2c-4c56-4d35-9d88-f4a23e6d7fa8"), project: ptr("p"), session: ptr("s"), timeMS: ptr(1769322600123.0),
		durationMS: ptr(1.5), provider: ptr("openai"), model: ptr("gpt-4o"), modelUsed: ptr("gpt-4o-2024-05-13"), requestID: ptr("req-1"),
		request: []byte(`{"b":1,"a":12345678901234567890}`), response: []byte(`{"content":"Hello"}`), inputTokens: ptr(10.0), outputTokens: ptr(5.0),
		outputText: ptr("Hello"), finishReason: ptr("stop"), status: ptr("success"), failure: []byte(`{"message":"m"}`), costCents: ptr(0.75),
		metadata: []byte(`{"user":"u1"}`),
	}
}

// spanRow is a row of G2's spans with a value in every column.
func spanRow() Row {
	return Row{
		id: ptr("span-1"), project: ptr("p"), session: ptr("sess"), parent: ptr("span-0"), timeMS: ptr(1769342400000.0), durationMS: ptr(125.0),
		source: ptr("claude_code"), kind: ptr("tool_use"), eventType: ptr("post_tool_use"), status: ptr("error"), toolUseID: ptr("toolu_1"),
		toolName: ptr("Edit"), toolInput: []byte(`{"file_path":"/a.go"}`), toolResponse: []byte(`["a",1,null]`), failure: []byte(`"boom"`),
		isInterrupt: ptr(false), cwd: ptr("/w"), model: ptr("claude-x"), agentName: ptr("Plan"), metadata: []byte(`{"raw":{"k":"v"}}`),
		trace: ptr("trace-1"), service: ptr("shop"), provider: ptr("anthropic"), modelUsed: ptr("claude-y"), inputTokens: ptr(7.0),
		outputTokens: ptr(8.0), costCents: ptr(0.1), finishReason: ptr("end"), outputText: ptr("done"), requestID: ptr("req-2"),
	}
}

func TestFieldsAreColumns(t *testing.T) {
	t.Parallel()
	for _, table := range []Table{Traces, Spans} {
		var r Row
		fields := r.Fields(table)
		columns := Columns(table)
		if len(fields) != len(columns) {
			t.Fatalf("%s: %d places for %d columns", table, len(fields), len(columns))
		}
		seen := map[any]bool{}
		for i, c := range columns {
			var ok bool
			switch c.Type {
			case Text:
				_, ok = fields[i].(**string)
			case JSON:
				_, ok = fields[i].(*[]byte)
			case Number, Time:
				_, ok = fields[i].(**float64)
			case Boolean:
				_, ok = fields[i].(**bool)
			}
			if !ok || seen[fields[i]] {
				t.Errorf("%s.%s: place %T, used before: %v", table, c.Name, fields[i], seen[fields[i]])
			}
			seen[fields[i]] = true
		}
	}
}

func TestSpanOfTrace(t *testing.T) {
	t.Parallel()
	r := traceRow()
	got, changed := r.span(Traces)
	want := trace.Span{
		ID: "8609df2c-4c56-4d35-9d88-f4a23e6d7fa8", TraceID: "8609df2c-4c56-4d35-9d88-f4a23e6d7fa8", SessionID: "s", Form: trace.FormTrace,
		Start:  time.Date(2026, 1, 25, 6, 30, 0, 123_000_000, time.UTC),
		Source: trace.SourceSDK, Kind: trace.KindLLMCall, EventType: "provider_call", Status: trace.StatusSuccess,
		DurationMS: ptr(1.5), Model: ptr("gpt-4o"), Provider: ptr("openai"), ModelUsed: ptr("gpt-4o-2024-05-13"),
		InputTokens: ptr[int64](10), OutputTokens: ptr[int64](5), CostNanoUSD: ptr[int64](7_500_000), FinishReason: ptr("stop"),
		ProviderRequestID: ptr("req-1"),
		Payload: trace.Payload{
			Request: r.request, Response: r.response, Error: r.failure, Metadata: r.metadata,
			OutputText: ptr("Hello"),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || len(changed) > 0 {
		t.Fatalf("changed %v\n%s", changed, diff)
	}
}

func TestSpanOfSpan(t *testing.T) {
	t.Parallel()
	r := spanRow()
	got, changed := r.span(Spans)
	want := trace.Span{
		ID: "span-1", TraceID: "trace-1", ParentID: "span-0", SessionID: "sess", Form: trace.FormSpan,
		Start:  time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC),
		Source: trace.SourceClaudeCode, Kind: trace.KindToolUse, EventType: "post_tool_use", Status: trace.StatusError,
		DurationMS: ptr(125.0), Service: ptr("shop"), ToolUseID: ptr("toolu_1"), ToolName: ptr("Edit"), IsInterrupt: ptr(false),
		CWD: ptr("/w"), Model: ptr("claude-x"), AgentName: ptr("Plan"), Provider: ptr("anthropic"), ModelUsed: ptr("claude-y"),
		InputTokens: ptr[int64](7), OutputTokens: ptr[int64](8), CostNanoUSD: ptr[int64](1_000_000), FinishReason: ptr("end"),
		ProviderRequestID: ptr("req-2"), EditedFile: ptr("/a.go"),
		Payload: trace.Payload{
			ToolInput: r.toolInput, ToolResponse: r.toolResponse, Error: r.failure, Metadata: r.metadata,
			OutputText: ptr("done"),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || len(changed) > 0 {
		t.Fatalf("changed %v\n%s", changed, diff)
	}
}

func TestSpanOfNulls(t *testing.T) {
	t.Parallel()
	r := Row{
		id: ptr("i"), project: ptr("p"), session: ptr("s"), timeMS: ptr(0.0), source: ptr("codex"), kind: ptr("session"),
		eventType: ptr("session_start"), status: ptr("success"), failure: []byte("null"),
	}
	got, changed := r.span(Spans)
	want := trace.Span{
		ID: "i", SessionID: "s", Form: trace.FormSpan, Start: trace.MinTime, Source: trace.SourceCodex, Kind: trace.KindSession,
		EventType: "session_start", Status: trace.StatusSuccess,
	}
	if diff := cmp.Diff(want, got); diff != "" || len(changed) > 0 {
		t.Fatalf("changed %v\n%s", changed, diff)
	}
}

func TestChangedToFit(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", trace.MaxIDBytes)
	for _, tc := range []struct {
		name   string
		change func(*Row)
		column string
		got    func(*trace.Span) any
		want   any
	}{
		{"BeforeFirstTime", func(r *Row) { r.timeMS = ptr(-62135596800000.0) }, "timestamp", func(s *trace.Span) any { return s.Start }, trace.MinTime},
		{
			"AfterLastTime", func(r *Row) { r.timeMS = ptr(253370764800000.0) }, "timestamp",
			func(s *trace.Span) any { return s.Start }, trace.MaxTime.Add(-time.Microsecond),
		},
		{
			"InfiniteTime", func(r *Row) { r.timeMS = ptr(math.Inf(1)) }, "timestamp",
			func(s *trace.Span) any { return s.Start }, trace.MaxTime.Add(-time.Microsecond),
		},
		{"NoTime", func(r *Row) { r.timeMS = nil }, "timestamp", func(s *trace.Span) any { return s.Start }, trace.MinTime},
		{"LongID", func(r *Row) { r.id = &long }, "id", func(s *trace.Span) any { return len(s.ID) }, trace.MaxIDBytes},
		{
			"LongSession", func(r *Row) { r.session = ptr("x" + long) }, "session_id",
			func(s *trace.Span) any { return len(s.SessionID) }, trace.MaxIDBytes - 1,
		}, // no half of an é
		{"NUL", func(r *Row) { r.cwd = ptr("a\x00b") }, "cwd", func(s *trace.Span) any { return *s.CWD }, "a\uFFFDb"},
		{"NoUTF8", func(r *Row) { r.model = ptr("a\xff") }, "model", func(s *trace.Span) any { return *s.Model }, "a\uFFFD"},
		{"HugeDuration", func(r *Row) { r.durationMS = ptr(1e300) }, "duration", func(s *trace.Span) any { return *s.DurationMS }, trace.MaxDurationMS},
		{"NegativeDuration", func(r *Row) { r.durationMS = ptr(-1.0) }, "duration", func(s *trace.Span) any { return *s.DurationMS }, 0.0},
		{
			"HugeCost", func(r *Row) { r.costCents = ptr(math.Inf(1)) }, "cost_cents",
			func(s *trace.Span) any { return *s.CostNanoUSD }, trace.NanoUSD(trace.MaxCostCents),
		},
		{"NoNumber", func(r *Row) { r.costCents = ptr(math.NaN()) }, "cost_cents", func(s *trace.Span) any { return s.CostNanoUSD == nil }, true},
		{"FractionOfToken", func(r *Row) { r.inputTokens = ptr(1.5) }, "input_tokens", func(s *trace.Span) any { return *s.InputTokens }, int64(1)},
		{"NoJSON", func(r *Row) { r.metadata = []byte(`{"a":`) }, "metadata", func(s *trace.Span) any { return string(s.Payload.Metadata) }, `"{\"a\":"`},
		{
			"BottomlessJSON", func(r *Row) { r.toolInput = []byte(strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999)) }, "tool_input",
			func(s *trace.Span) any { return s.Payload.ToolInput[0] }, byte('"'),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := spanRow()
			tc.change(&r)
			s, changed := r.span(Spans)
			if diff := cmp.Diff([]string{tc.column}, changed); diff != "" {
				t.Error(diff)
			}
			if got := tc.got(&s); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if issues := s.Check(); len(issues) > 0 {
				t.Errorf("does not fit: %v", issues)
			}
		})
	}
}

func TestJSONStays(t *testing.T) {
	t.Parallel()
	for _, v := range []string{
		`"boom"`, `5`, `true`, `[]`, `{}`, `{"a":1,"a":2}`, `"\ud83d"`, `{"cmd": "ls 0"}`, `1e400`, `"` + "\xff" + `"`,
		strings.Repeat("[", 9_900) + strings.Repeat("]", 9_900),
	} {
		var c changer
		if got := c.json("error", []byte(v)); string(got) != v || len(c.changed) > 0 {
			t.Errorf("%.40s became %.40s", v, got)
		}
	}
}

func TestEditedFile(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		`{"file_path":"/a"}`: "/a", `{"x":{"file_path":"/b"},"file_path":"/a"}`: "/a", `{"file_path":"/a","x":"\ud83d"}`: "/a",
		`{"File_Path":"/a"}`: "", `{"file_path":5}`: "", `{"file_path":""}`: "", `["file_path"]`: "", `"x"`: "", ``: "", `{`: "",
		`{"file_path":"a\u0000"}`: "",
	} {
		if got := value(editedFile([]byte(input))); got != want {
			t.Errorf("%s: got %q, want %q", input, got, want)
		}
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	rows := make([]Row, 6)
	for i := range rows {
		rows[i] = spanRow()
		rows[i].id = ptr(string(rune('a' + i)))
	}
	rows[0].project = ptr("q")
	rows[1].project = ptr("gone")
	rows[3].kind = ptr("dream")
	rows[4].cwd = ptr("\x00")
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	p := NewPlan(Spans, rows, map[account.ProjectID]bool{"p": true, "q": true}, now)

	type batch struct {
		Project account.ProjectID
		IDs     string
	}
	var got []batch
	for _, b := range p.Batches {
		ids := ""
		for _, s := range b.Spans {
			ids += string(s.ID)
		}
		got = append(got, batch{b.Project, ids})
		if !b.Arrived.Equal(now) {
			t.Errorf("arrived %v", b.Arrived)
		}
	}
	if diff := cmp.Diff([]batch{{"q", "a"}, {"p", "cef"}}, got); diff != "" {
		t.Fatal(diff)
	}
	kept := p.Kept([]store.Outcome{{Inserted: []bool{true}}, {Inserted: []bool{true, true, false}}})
	want := []KeptRow{
		{1, "not moved: there is no such project"},
		{3, `not moved: kind: Invalid option: expected one of "tool_use"|"agent_run"|"session"|"user_prompt"|"llm_response"|"llm_call"|"notification"|` +
			`"embedding"|"retrieval"|"rerank"|"chain"|"guardrail"|"evaluator"|"event"|"generic"`},
		{4, "moved, but changed to fit: cwd"},
		{5, "not moved: another record of the project has its id"},
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Fatal(diff)
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 3400000: "3,400,000", 120000: "120,000"} {
		if got := thousands(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
