package view

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/trace"
)

func ptr[T any](v T) *T { return &v }

var start = time.Date(2026, 1, 25, 12, 0, 0, 999_999_000, time.UTC)

// call is a model call of the trace form with every field set.
func call() trace.Span {
	return trace.Span{
		ID: "t", TraceID: "t", SessionID: "s", Form: trace.FormTrace, Start: start, Source: trace.SourceSDK,
		Kind: trace.KindLLMCall, EventType: "provider_call", Status: trace.StatusSuccess, DurationMS: ptr(150.25),
		TimeToFirstTokenMS: ptr(12.5), Model: ptr("gpt-4o"), Provider: ptr("openai"), ModelUsed: ptr("gpt-4o-2024"),
		InputTokens: ptr(int64(10)), OutputTokens: ptr(int64(5)), CostNanoUSD: ptr(int64(7_500_000)),
		FinishReason: ptr("stop"), ProviderRequestID: ptr("req-1"),
		Payload: trace.Payload{
			Request: []byte(`{"z":1,"a":[12345678901234567890,1e400,"\u0000<>&"]}`), Response: []byte(`{"n":null}`),
			Error: []byte(`{"message":"m"}`), Metadata: []byte(`{"toolCalls":"mine"}`), OutputText: ptr("Hello"),
		},
	}
}

// traceOf adds spans up as the drain does.
func traceOf(spans ...trace.Span) *trace.Trace {
	t := &trace.Trace{ID: spans[0].TraceID, Spans: spans}
	for i := range spans {
		t.Add(&spans[i])
	}
	return t
}

// encode gives what goes over the wire.
func encode(t *testing.T, v any) string {
	t.Helper()
	body, err := api.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// decode gives a row's members as raw JSON.
func decode(t *testing.T, v any) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(encode(t, v)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// check compares some members of a row; "" means absent.
func check(t *testing.T, row any, want map[string]string) {
	t.Helper()
	got := decode(t, row)
	for name, w := range want {
		if diff := cmp.Diff(w, string(got[name])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTraceOfOneCall(t *testing.T) {
	t.Run("Full", func(t *testing.T) {
		s := call()
		got := encode(t, (&Rows{Project: "p"}).TraceOf(&s))
		want := `{"traceId":"t","projectId":"p","sessionId":"s","timestamp":"2026-01-25T12:00:00.999Z","latencyMs":150.25,"source":"sdk",` +
			`"services":[],"spanCount":1,"summary":"gpt-4o","toolCallCount":0,"filesEdited":0,"providerRequestId":"req-1",` +
			`"outputText":"Hello","finishReason":"stop","status":"success","error":{"message":"m"},"errorService":null,` +
			`"metadata":{"toolCalls":"mine"},"spans":[{"spanId":"t","traceId":"t","projectId":"p","sessionId":"s","parentSpanId":null,` +
			`"timestamp":"2026-01-25T12:00:00.999Z","durationMs":150.25,"source":"sdk","service":null,"kind":"llm_call",` +
			`"eventType":"provider_call","status":"success","toolUseId":null,"toolName":null,"toolInput":null,"toolResponse":null,` +
			`"error":{"message":"m"},"isInterrupt":null,"cwd":null,"model":"gpt-4o","agentName":null,"provider":"openai",` +
			`"modelUsed":"gpt-4o-2024","inputTokens":10,"outputTokens":5,"costCents":0.75,"finishReason":"stop","outputText":"Hello",` +
			`"providerRequestId":"req-1","metadata":{"toolCalls":"mine"},"timeToFirstTokenMs":12.5,"label":"provider_call"}],` +
			`"provider":"openai","modelRequested":"gpt-4o","modelUsed":"gpt-4o-2024","inputTokens":10,"outputTokens":5,"costCents":0.75,` +
			`"requestBody":{"z":1,"a":[12345678901234567890,1e400,"\u0000<>&"]},"responseBody":{"n":null},"timeToFirstTokenMs":12.5,` +
			`"name":null,"rootSpanId":null,"userId":null,"environment":null,"tags":[],"input":null,"output":null}`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
	t.Run("Empty", func(t *testing.T) {
		s := trace.Span{
			ID: "t", TraceID: "t", Form: trace.FormTrace, Start: start, Kind: trace.KindLLMCall, Source: trace.SourceSDK,
			Status: trace.StatusSuccess, DurationMS: ptr(0.0), Model: ptr("m"), Provider: ptr("x"), Payload: trace.Payload{Request: []byte(`{}`)},
		}
		check(t, (&Rows{}).TraceOf(&s), map[string]string{
			"sessionId": "null", "modelUsed": "null", "providerRequestId": "null",
			"requestBody": "{}", "responseBody": "null", "inputTokens": "null", "outputTokens": "null", "outputText": "null",
			"finishReason": "null", "error": "null", "costCents": "null", "metadata": "null", "latencyMs": "0", "timeToFirstTokenMs": "null",
			"spansTruncated": "", "payloadsTruncated": "",
		})
	})
	t.Run("Narrow", func(t *testing.T) {
		s := call()
		got := decode(t, (&Rows{Narrow: true}).TraceOf(&s))
		for _, name := range []string{"requestBody", "responseBody", "outputText", "error", "metadata", "spans", "input", "output", "payloadsTruncated"} {
			if v, ok := got[name]; ok {
				t.Errorf("%s is %s", name, v)
			}
		}
		if string(got["provider"]) != `"openai"` || string(got["latencyMs"]) != "150.25" {
			t.Errorf("provider %s, latency %s", got["provider"], got["latencyMs"])
		}
	})
}

// agent is a trace of spans without a model call.
func agent() []trace.Span {
	at := func(sec int, s trace.Span) trace.Span {
		s.TraceID, s.SessionID, s.Form, s.Source = "agent", "s", trace.FormSpan, trace.SourceClaudeCode
		s.Start = start.Add(time.Duration(sec) * time.Second)
		if s.Status == "" {
			s.Status = trace.StatusSuccess
		}
		return s
	}
	return []trace.Span{
		at(0, trace.Span{
			ID: "1", Kind: trace.KindUserPrompt, EventType: "user_prompt_submit", DurationMS: ptr(10.0), Service: ptr("cli"),
			Payload: trace.Payload{Metadata: []byte(`{"prompt": "do it", "toolCalls": 99}`)},
		}),
		at(1, trace.Span{ID: "2", Kind: trace.KindToolUse, EventType: "pre_tool_use", ToolUseID: ptr("a"), ToolName: ptr("Edit"), EditedFile: ptr("/x")}),
		at(2, trace.Span{ID: "3", Kind: trace.KindToolUse, EventType: "post_tool_use", ToolUseID: ptr("a"), ToolName: ptr("Edit"), EditedFile: ptr("/x"), DurationMS: ptr(5.5)}),
		at(3, trace.Span{
			ID: "4", Kind: trace.KindToolUse, EventType: "post_tool_use_failure", Status: trace.StatusError, ToolUseID: ptr(""),
			ToolName: ptr(""), Service: ptr("worker"), Payload: trace.Payload{Error: []byte(`false`)},
		}),
		at(4, trace.Span{
			ID: "5", Kind: trace.KindNotification, EventType: "notification", Status: trace.StatusError, Service: ptr("cli"),
			Payload: trace.Payload{Error: []byte(`"boom"`)},
		}),
	}
}

func TestTraceOfSpans(t *testing.T) {
	t.Run("Agent", func(t *testing.T) {
		row := (&Rows{Project: "p"}).Trace(traceOf(agent()...))
		check(t, row, map[string]string{
			"latencyMs": "15.5", "services": `["cli","worker"]`, "spanCount": "5",
			"summary": `"2 tool calls · 1 files edited"`, "toolCallCount": "2", "filesEdited": "1", "status": `"error"`,
			"error": `"boom"`, "errorService": `"worker"`, "metadata": `{"prompt":"do it","toolCalls":2}`, "provider": "null",
			"modelRequested": "null", "modelUsed": "null", "inputTokens": "null", "requestBody": "null", "outputText": "null",
		})
		if got := row.Spans[3].Label; got != "post_tool_use_failure" {
			t.Errorf("label of a tool without a name: %q", got)
		}
		if got := row.Spans[1].Label; got != "Edit" {
			t.Errorf("label %q", got)
		}
	})
	t.Run("Lifecycle", func(t *testing.T) {
		s := trace.Span{
			ID: "1", TraceID: "life", Form: trace.FormSpan, Start: start, Kind: trace.KindSession, EventType: "session_end",
			Source: trace.SourceCodex, Status: trace.StatusSuccess, DurationMS: ptr(601000.0),
		}
		check(t, (&Rows{}).Trace(traceOf(s)), map[string]string{
			"summary": `"0 tool calls"`, "metadata": `{"toolCalls":0}`,
			"error": "null", "errorService": "null", "latencyMs": "601000",
		})
	})
	llm := func(meta string) trace.Span {
		return trace.Span{
			ID: "c", TraceID: "llm", Form: trace.FormSpan, Start: start, Kind: trace.KindLLMCall, EventType: "provider_call",
			Source: trace.SourceSDK, Status: trace.StatusSuccess, Payload: trace.Payload{Metadata: []byte(meta)},
		}
	}
	for name, c := range map[string]struct {
		span trace.Span
		want map[string]string
	}{
		"Bodies": {llm(`{"pulse.request":{"q":1},"pulse.response":{"a":2},"request":3}`), map[string]string{
			"requestBody": `{"q":1}`, "responseBody": `{"a":2}`, "metadata": `{"pulse.request":{"q":1},"pulse.response":{"a":2},"request":3,"toolCalls":0}`,
		}},
		"BodiesByShortName": {llm(`{"pulse.request":null,"request":[1],"response":"x"}`), map[string]string{"requestBody": `[1]`, "responseBody": `"x"`}},
		"BodiesWithDoubledPrefix": {
			llm(`{"pulse.metadata.pulse.request":{"q":1},"pulse.metadata.pulse.response":{"a":12345678901234567890}}`),
			map[string]string{"requestBody": `{"q":1}`, "responseBody": `{"a":12345678901234567890}`},
		},
		"LastOfRepeatedNames": {llm(`{"request":1,"request":2}`), map[string]string{"requestBody": "2"}},
		"NoBodies":            {llm(`{"user":"u"}`), map[string]string{"requestBody": "null", "responseBody": "null"}},
		"NothingKnown": {llm(``), map[string]string{
			"provider": `"sdk"`, "modelRequested": `"unknown"`, "modelUsed": `"unknown"`,
			"summary": `"unknown"`, "inputTokens": "null", "costCents": "null",
		}},
		"ProviderFromMetadata":   {llm(`{"pulse.provider":7,"provider":"","gen_ai.system":"mistral"}`), map[string]string{"provider": `"mistral"`}},
		"MetadataThatIsNoObject": {llm(`[1]`), map[string]string{"metadata": `{"toolCalls":0}`}},
		"EscapedNames":           {llm(`{"pulse\u002erequest":1,"é\u0000":2}`), map[string]string{"requestBody": "1", "metadata": `{"pulse\u002erequest":1,"é\u0000":2,"toolCalls":0}`}},
	} {
		t.Run(name, func(t *testing.T) { check(t, (&Rows{}).Trace(traceOf(c.span)), c.want) })
	}
	t.Run("SumsOfCalls", func(t *testing.T) {
		a, b := llm(`{}`), llm(`{}`)
		a.InputTokens, a.CostNanoUSD, a.Model, a.DurationMS = ptr(int64(1)), ptr(int64(10_000_000)), ptr("first"), ptr(1.0)
		b.ID, b.InputTokens, b.CostNanoUSD, b.Model, b.DurationMS = "d", ptr(int64(2)), ptr(int64(5_000_000)), ptr("second"), ptr(2.0)
		b.Start = a.Start.Add(time.Second)
		check(t, (&Rows{}).Trace(traceOf(a, b)), map[string]string{
			"inputTokens": "3", "outputTokens": "null", "costCents": "1.5",
			"modelRequested": `"first"`, "latencyMs": "3",
		})
	})
	t.Run("Truncated", func(t *testing.T) {
		tr := traceOf(agent()...)
		tr.Spans, tr.SpansTruncated = tr.Spans[:2], true
		check(t, (&Rows{}).Trace(tr), map[string]string{"spanCount": "5", "latencyMs": "15.5", "spansTruncated": "true", "status": `"error"`})
	})
}

// TestTraceOfMapped shows what spans made from OpenTelemetry tell of the whole.
func TestTraceOfMapped(t *testing.T) {
	t.Parallel()
	span := func(id, parent trace.SpanID, at, took int, in, out string) trace.Span {
		return trace.Span{
			ID: id, ParentID: parent, TraceID: "t", Form: trace.FormSpan, Start: start.Add(time.Duration(at) * time.Second), DurationMS: ptr(float64(took * 1000)),
			Kind: trace.KindChain, Status: trace.StatusSuccess, MappingVersion: 1, Name: "step " + string(id), UserID: ptr("ann"), Environment: ptr("prod"), Tags: []string{"b", "a"},
			Payload: trace.Payload{InputMessages: []byte(in), OutputMessages: []byte(out)},
		}
	}
	for name, c := range map[string]struct {
		spans         []trace.Span
		input, output string
	}{
		"OfTheRoot": {
			[]trace.Span{span("root", "", 0, 9, `["asked","and how"]`, `["answered"]`), span("2", "root", 1, 20, `["x"]`, `["y"]`)},
			`["asked","and how"]`, `["answered"]`,
		},
		"FirstAndLast": {
			[]trace.Span{span("root", "", 0, 9, "", ""), span("2", "root", 1, 5, `["first","x"]`, `["x"]`), span("3", "root", 2, 1, `["x"]`, `["y"]`), span("4", "2", 3, 3, "", `["x","last"]`)},
			`["first"]`, `["last"]`,
		},
		"Instructions": {
			[]trace.Span{span("root", "", 0, 9, "", ""), span("2", "root", 1, 5, `[{"role":"system"},{"role":"user"},{"role":"user"}]`, "")},
			`[{"role":"user"}]`, "null",
		},
		"OnlyInstructions": {
			[]trace.Span{span("root", "", 0, 9, "", ""), span("2", "root", 1, 5, `[{"role":"system"},{"role":"developer"}]`, "")},
			`[{"role":"system"}]`, "null",
		},
		"Nothing":      {[]trace.Span{span("root", "", 0, 9, "", "")}, "null", "null"},
		"EmptyOfAStep": {[]trace.Span{span("root", "", 0, 9, "", ""), span("2", "root", 1, 5, `[]`, `{}`)}, "null", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, (&Rows{}).Trace(traceOf(c.spans...)), map[string]string{
				"name": `"step root"`, "rootSpanId": `"root"`, "userId": `"ann"`, "environment": `"prod"`, "tags": `["a","b"]`, "input": c.input, "output": c.output,
			})
		})
	}
	// The main span takes all the room.
	row := (&Rows{MaxPayloadBytes: 1}).Trace(traceOf(span("root", "", 0, 1, `["in"]`, `["out"]`)))
	check(t, row, map[string]string{"payloadsTruncated": "true", "input": "", "output": ""})
}

// TestBodiesOfMessages: who reads only the earlier service's fields sees what was
// said too.
func TestBodiesOfMessages(t *testing.T) {
	t.Parallel()
	llm := trace.Span{
		ID: "1", TraceID: "t", Form: trace.FormSpan, Start: start, Kind: trace.KindLLMCall, Status: trace.StatusSuccess, MappingVersion: 1, Model: ptr("gpt-4o"),
		Payload: trace.Payload{
			InputMessages:  []byte(`[{"role":"system","parts":[{"type":"text","text":"be brief"}]},{"role":"user","parts":[{"type":"text","text":"hi"},{"type":"image","uri":"x"}]}]`),
			OutputMessages: []byte(`[{"role":"assistant","parts":[{"type":"text","text":"hello"}]}]`),
		},
	}
	check(t, (&Rows{}).Trace(traceOf(llm)), map[string]string{
		"requestBody":  `{"model":"gpt-4o","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]}`,
		"responseBody": `{"content":"hello","model":null}`,
	})
	llm.Payload.Request, llm.Payload.Response = []byte(`{"own":1}`), []byte(`{"own":2}`)
	check(t, (&Rows{}).Trace(traceOf(llm)), map[string]string{"requestBody": `{"own":1}`, "responseBody": `{"own":2}`})
	llm.Payload = trace.Payload{InputMessages: []byte(`[]`)}
	check(t, (&Rows{}).Trace(traceOf(llm)), map[string]string{"requestBody": "null", "responseBody": "null"})
	llm.Kind, llm.Payload.InputMessages = trace.KindChain, []byte(`[{"role":"user","parts":[]}]`)
	check(t, (&Rows{}).Trace(traceOf(llm)), map[string]string{"requestBody": "null", "responseBody": "null"})
}

func TestPayloadBound(t *testing.T) {
	big := func(id string) trace.Span {
		s := call()
		s.ID, s.TraceID, s.Payload = trace.SpanID(id), trace.TraceID(id), trace.Payload{Request: []byte(`"` + strings.Repeat("x", 100) + `"`)}
		return s
	}
	t.Run("Traces", func(t *testing.T) {
		rows := &Rows{MaxPayloadBytes: 150}
		for i, want := range []bool{true, true, false, false} {
			s := big("t")
			row := decode(t, rows.TraceOf(&s))
			_, whole := row["requestBody"]
			if whole != want || (string(row["payloadsTruncated"]) == "true") == want {
				t.Errorf("row %d: whole %t, marked %q", i, whole, row["payloadsTruncated"])
			}
			if string(row["spanCount"]) != "1" || !strings.Contains(string(row["spans"]), `"label"`) {
				t.Errorf("row %d lost its spans", i)
			}
		}
		small := call()
		small.Payload = trace.Payload{}
		check(t, rows.TraceOf(&small), map[string]string{"payloadsTruncated": "", "requestBody": "null"})
	})
	t.Run("MainSpanFirst", func(t *testing.T) {
		spans := agent()
		for i := range spans {
			spans[i].Payload.ToolInput = []byte(`"` + strings.Repeat("x", 100) + `"`)
		}
		spans[4].Kind = trace.KindLLMCall
		row := (&Rows{MaxPayloadBytes: 50}).Trace(traceOf(spans...))
		if !row.PayloadsTruncated || row.Metadata == nil {
			t.Error("the trace's own fields come first")
		}
		for i, s := range row.Spans {
			if (s.ToolInput != nil) != (i == 4) || s.PayloadsTruncated != (i != 4) {
				t.Errorf("span %d: %s, marked %t", i, s.ToolInput, s.PayloadsTruncated)
			}
		}
	})
	t.Run("OneSpanIsAlwaysWhole", func(t *testing.T) {
		s := big("t")
		s.Payload.ToolInput = s.Payload.Request
		if row := (&Rows{MaxPayloadBytes: 1}).Span(&s); row.PayloadsTruncated || row.ToolInput == nil {
			t.Error("a span read alone is cut")
		}
	})
}

func TestSpanOutsideTrace(t *testing.T) {
	s := agent()[3]
	s.TraceID = ""
	check(t, (&Rows{}).Span(&s), map[string]string{"traceId": "null", "label": "", "error": "false", "toolName": `""`, "outputText": "null"})
}

func TestSessionOf(t *testing.T) {
	s := trace.Session{ID: "s"}
	for _, sp := range agent() {
		s.Add(&sp)
	}
	s.ToolCalls, s.TraceCount = 2, 1
	const want = `{"sessionId":"s","firstTimestamp":"2026-01-25T12:00:00.999Z","lastTimestamp":"2026-01-25T12:00:04.999Z","status":"error",` +
		`"durationMs":4000,"agentRuns":0,"toolCalls":2,"totalSpans":5,"errorCount":2,"traceCount":1,"inputTokens":0,"outputTokens":0,` +
		`"costCents":0,"sources":["claude_code"],"source":"claude_code"}`
	if diff := cmp.Diff(want, encode(t, SessionOf(&s))); diff != "" {
		t.Fatal(diff)
	}
	s.Sources = trace.SourceSDK.Mask() | trace.SourceOpenCode.Mask() | trace.SourceOpenClaw.Mask()
	check(t, SessionOf(&s), map[string]string{"sources": `["openclaw","opencode","sdk"]`, "source": ""})
	check(t, SessionOf(&trace.Session{}), map[string]string{"sources": `[]`, "status": `"success"`})
}

func TestTruthy(t *testing.T) {
	for v, want := range map[string]bool{
		"": false, "null": false, "false": false, `""`: false, "0": false, "-0.0e9": false, " 0 ": false,
		"true": true, `"0"`: true, "{}": true, "[]": true, "1e-9": true, "1e400": true, "-1": true,
	} {
		if got := truthy([]byte(v)); got != want {
			t.Errorf("%q: %t", v, got)
		}
	}
}

// FuzzObject reads stored metadata, which is whatever a client once sent.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{"pulse.request":{"a":1},"b":"\u0000"}`, `{"a":1,"a":2}`, `{"\ud800":1}`, `[1]`, `{"a":`, "", "{\"\xff\":1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := parseObject(data)
		out := o.with("toolCalls", 3)
		if o != nil && json.Valid(data) && !json.Valid(out) {
			t.Fatalf("%q became %q", data, out)
		}
		if len(o.with("x", 1)) == 0 || string(parseObject(out).value("toolCalls")) != "3" {
			t.Fatalf("%q lost its count: %q", data, out)
		}
		truthy(o.value("error"))
	})
}

// TestSessionOfATrace is the main span's, or where that names none another's.
func TestSessionOfATrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ root, call, want trace.SessionID }{{"r", "", "r"}, {"r", "c", "c"}, {"", "c", "c"}} {
		root := trace.Span{ID: "root", TraceID: "t", Form: trace.FormSpan, Kind: trace.KindAgentRun, SessionID: c.root, MappingVersion: 1}
		call := trace.Span{ID: "call", TraceID: "t", ParentID: "root", Form: trace.FormSpan, Kind: trace.KindLLMCall, SessionID: c.call, MappingVersion: 1}
		tr := trace.Trace{ID: "t", Spans: []trace.Span{root, call}}
		tr.Add(&root)
		tr.Add(&call)
		rows := Rows{Project: "p"}
		if got := rows.Trace(&tr); got.SessionID == nil || *got.SessionID != c.want {
			t.Errorf("%+v: %v", c, got.SessionID)
		}
	}
}
