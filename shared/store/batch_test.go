package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

func ptr[T any](v T) *T { return &v }

// spansForTest has one span with every field set, one with none, and enough
// content for several chunks.
func spansForTest() []trace.Span {
	start := time.Date(2026, 1, 25, 6, 30, 0, 123456000, time.UTC)
	full := trace.Span{
		ID: "s1", TraceID: "t1", ParentID: "p", SessionID: "日本", Form: trace.FormSpan, Start: start,
		Source: trace.SourceCodex, Kind: trace.KindToolUse, EventType: "post_tool_use", Status: trace.StatusError,
		DurationMS: ptr(12.5), TimeToFirstTokenMS: ptr(0.25), Service: ptr(""), ToolUseID: ptr("u"), ToolName: ptr("Edit"),
		IsInterrupt: ptr(false), CWD: ptr("/x"), Model: ptr("m"), AgentName: ptr("a"), Provider: ptr("p"), ModelUsed: ptr("mu"),
		InputTokens: ptr(int64(0)), OutputTokens: ptr(int64(trace.MaxTokens)), CostNanoUSD: ptr(int64(7)),
		FinishReason: ptr("stop"), ProviderRequestID: ptr("r"), EditedFile: ptr("/f"),
		Payload: trace.Payload{
			Request: json.RawMessage(`{"z":1,"a":12345678901234567890}`), Response: json.RawMessage(`{}`),
			ToolInput: json.RawMessage(`5`), ToolResponse: json.RawMessage(`"x"`), Error: json.RawMessage(`[]`),
			Metadata: json.RawMessage(`{"k":null}`), OutputText: ptr(""),
		},
	}
	spans := []trace.Span{full, {ID: "s2", Form: trace.FormTrace, TraceID: "s2", Start: start, IsInterrupt: ptr(true)}}
	for i := range 10 {
		spans = append(spans, trace.Span{
			ID: trace.SpanID(fmt.Sprint("c", i)), Start: start,
			Payload: trace.Payload{OutputText: ptr(strings.Repeat(fmt.Sprint(i), 20_000))},
		})
	}
	return spans
}

func TestBatchRoundTrip(t *testing.T) {
	want := spansForTest()
	b := Pack("project", time.Now(), spansForTest())
	if len(b.Chunks) < 3 {
		t.Fatalf("%d chunks for 200 kB of content", len(b.Chunks))
	}
	got, err := UnmarshalBatch(AppendBatch(nil, &b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, got); diff != "" {
		t.Fatal(diff)
	}
	for i := range got.Spans {
		if ref := got.Refs[i]; ref.Chunk >= 0 {
			payloads, err := UnpackChunk(got.Chunks[ref.Chunk].Data)
			if err != nil {
				t.Fatal(err)
			}
			got.Spans[i].Payload = payloads[ref.Index]
		}
	}
	if diff := cmp.Diff(want, got.Spans); diff != "" {
		t.Fatal(diff)
	}
}

func FuzzUnmarshalBatch(f *testing.F) {
	b := Pack("project", time.Now(), spansForTest())
	f.Add(AppendBatch(nil, &b))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := UnmarshalBatch(data)
		if err != nil {
			return
		}
		for _, c := range b.Chunks {
			_, _ = UnpackChunk(c.Data)
		}
	})
}

func FuzzUnpackChunk(f *testing.F) {
	b := Pack("project", time.Now(), spansForTest())
	raw, err := decompress(b.Chunks[0].Data)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = UnpackChunk(compress(raw))
	})
}
