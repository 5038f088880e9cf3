package trace_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Package otlp holds Merge to its laws, with spans of the corpus.

func TestMerge(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	ms := func(f float64) *float64 { return &f }
	count := func(n int64) *int64 { return &n }
	yes := true
	epoch := time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name       string
		a, b, want trace.Span
	}{
		{
			"a span that started, and has ended",
			trace.Span{ID: "s", TraceID: "t", ParentID: "p", Start: epoch, Status: trace.StatusSuccess, Kind: trace.KindChain, Model: text("m"), Tags: []string{"x"}},
			trace.Span{
				ID: "s", TraceID: "t", Start: epoch, Status: trace.StatusError, Kind: trace.KindLLMCall, DurationMS: ms(9), InputTokens: count(3),
				Usage: &trace.Usage{Input: 3}, Tags: []string{"a"}, IsInterrupt: &yes, CostNanoUSD: count(5), CostSource: trace.CostOfSender,
			},
			trace.Span{
				ID: "s", TraceID: "t", ParentID: "p", Start: epoch, Status: trace.StatusError, Kind: trace.KindLLMCall, Model: text("m"), DurationMS: ms(9),
				InputTokens: count(3), Usage: &trace.Usage{Input: 3}, Tags: []string{"a", "x"}, IsInterrupt: &yes, CostNanoUSD: count(5), CostSource: trace.CostOfSender,
			},
		},
		{
			"a patch knows neither the time nor the kind",
			trace.Span{ID: "s", Start: epoch, Status: trace.StatusSuccess, Kind: trace.KindEvent, EventType: "event", Patch: true, Role: trace.RoleReport, FinishReason: text("stop")},
			trace.Span{ID: "s", Start: epoch.Add(time.Second), Status: trace.StatusSuccess, Kind: trace.KindLLMCall, EventType: "x", Name: "chat"},
			trace.Span{ID: "s", Start: epoch.Add(time.Second), Status: trace.StatusSuccess, Kind: trace.KindLLMCall, EventType: "x", Name: "chat", FinishReason: text("stop")},
		},
		{
			"contents",
			trace.Span{Status: trace.StatusSuccess, Payload: trace.Payload{
				OutputText: text("Hel"), Metadata: json.RawMessage(`{"b":1,"a":"x"}`), ToolInput: json.RawMessage(`{}`),
				InputMessages: json.RawMessage(`[{"role":"user","time":"2026-01-25T12:00:00.5Z"}]`), OutputMessages: json.RawMessage(`[{"role":"assistant","time":"2026-01-25T12:00:00Z"}]`),
			}},
			trace.Span{Status: trace.StatusSuccess, Payload: trace.Payload{
				OutputText: text("Hello"), Metadata: json.RawMessage(`{"a":"xy","c":null}`), ToolInput: json.RawMessage(`{"a":1}`),
				InputMessages: json.RawMessage(`[{"role":"system","time":"2026-01-25T12:00:00.25Z"}]`), OutputMessages: json.RawMessage(`[{"role":"assistant"}]`),
			}},
			trace.Span{Status: trace.StatusSuccess, Payload: trace.Payload{
				OutputText: text("Hello"), Metadata: json.RawMessage(`{"a":"xy","b":1,"c":null}`), ToolInput: json.RawMessage(`{"a":1}`),
				InputMessages:  json.RawMessage(`[{"role":"system","time":"2026-01-25T12:00:00.25Z"},{"role":"user","time":"2026-01-25T12:00:00.5Z"}]`),
				OutputMessages: json.RawMessage(`[{"role":"assistant"}]`),
			}},
		},
		{
			"the sender's cost stands before a computed one",
			trace.Span{Status: trace.StatusSuccess, CostNanoUSD: count(9), CostSource: trace.CostOfPrices},
			trace.Span{Status: trace.StatusSuccess, CostNanoUSD: count(5), CostSource: trace.CostOfSender},
			trace.Span{Status: trace.StatusSuccess, CostNanoUSD: count(5), CostSource: trace.CostOfSender},
		},
		{
			"a computed cost is that of the counts that are kept: a report that knows of no cache made a dearer one",
			trace.Span{Status: trace.StatusSuccess, Usage: &trace.Usage{Input: 9, CacheRead: 4}, CostNanoUSD: count(7), CostSource: trace.CostOfPrices},
			trace.Span{Status: trace.StatusSuccess, Usage: &trace.Usage{Input: 13}, CostNanoUSD: count(8), CostSource: trace.CostOfPrices},
			trace.Span{Status: trace.StatusSuccess, Usage: &trace.Usage{Input: 9, CacheRead: 4}, CostNanoUSD: count(7), CostSource: trace.CostOfPrices},
		},
		{
			"raw bytes are joined, not repeated",
			trace.Span{Status: trace.StatusSuccess, Payload: trace.Payload{Raw: []byte("\x0a\x01b\x0a\x01a")}},
			trace.Span{Status: trace.StatusSuccess, Payload: trace.Payload{Raw: []byte("\x0a\x01a")}},
			trace.Span{Status: trace.StatusSuccess, Payload: trace.Payload{Raw: []byte("\x0a\x01a\x0a\x01b")}},
		},
	} {
		for _, pair := range [][2]*trace.Span{{&test.a, &test.b}, {&test.b, &test.a}} {
			if diff := cmp.Diff(test.want, trace.Merge(pair[0], pair[1])); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", test.name, diff)
			}
		}
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	count := func(n int64) *int64 { return &n }
	s := trace.Span{
		Model: text("m"), ModelUsed: text("m-1"), ProviderRequestID: text("r"), FinishReason: text("stop"), InputTokens: count(3), OutputTokens: count(2),
		Payload: trace.Payload{
			Parameters: json.RawMessage(`{"temperature":0.5}`),
			Tools:      json.RawMessage(`[{"name":"f"}]`),
			InputMessages: json.RawMessage(`[{"role":"system","parts":[{"type":"text","text":"S"}]},
				{"role":"user","parts":[{"type":"text","text":"Look"},{"type":"image","uri":"https://x/y.png"}]},
				{"role":"assistant","parts":[{"type":"reasoning","text":"Hm"},{"type":"tool_call","id":"c","name":"f","arguments":{"a":1}}]},
				{"role":"tool","parts":[{"type":"tool_result","id":"c","result":"rain"}]}]`),
			OutputMessages: json.RawMessage(`[{"role":"assistant","parts":[{"type":"text","text":"Hi"}]}]`),
		},
	}
	same := func(got json.RawMessage, want string) {
		t.Helper()
		var g, w any
		if err := json.Unmarshal(got, &g); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if err := json.Unmarshal([]byte(want), &w); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, g); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	same(trace.ChatRequest(&s), `{"model":"m","temperature":0.5,"tools":[{"name":"f"}],"messages":[
		{"role":"system","content":"S"},
		{"role":"user","content":[{"type":"text","text":"Look"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]},
		{"role":"assistant","content":null,"reasoning_content":"Hm","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
		{"role":"tool","content":"rain","tool_call_id":"c"}]}`)
	same(trace.ChatResponse(&s), `{"id":"r","model":"m-1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi"}}],
		"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`)
	if own := json.RawMessage(`{"own":1}`); string(trace.ChatRequest(&trace.Span{Payload: trace.Payload{Request: own}})) != string(own) {
		t.Error("a body that the sender gave is the sender's")
	}
	if got := trace.ChatRequest(&trace.Span{}); got != nil {
		t.Errorf("of nothing: %s", got)
	}
}
