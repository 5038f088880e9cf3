package store

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
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
	spans := []trace.Span{full, {ID: "s2", Form: trace.FormTrace, TraceID: "s2", Start: start, IsInterrupt: ptr(true)}, mappedSpan(start)}
	for i := range 10 {
		spans = append(spans, trace.Span{
			ID: trace.SpanID(fmt.Sprint("c", i)), Start: start,
			Payload: trace.Payload{OutputText: ptr(strings.Repeat(fmt.Sprint(i), 20_000))},
		})
	}
	return spans
}

// mappedSpan has every field set that spans made from OpenTelemetry have beside.
func mappedSpan(start time.Time) trace.Span {
	return trace.Span{
		ID: "s4", TraceID: "t1", Form: trace.FormSpan, Start: start, Kind: trace.KindLLMCall, Source: trace.SourceSDK,
		Name: "chat gpt", Operation: "chat", UserID: ptr(""), Tags: []string{"b", "", "a"}, Environment: ptr("prod"), Release: ptr("1.2"), ServiceTier: ptr("flex"), APIKey: ptr("k2"),
		Scope:      trace.Scope{Name: "instrumentation", Version: "0.1"},
		Usage:      &trace.Usage{Input: 1, CacheRead: 2, CacheWrite5m: 3, CacheWrite1h: 4, AudioInput: 5, ImageInput: 6, Output: 7, Reasoning: 8, AudioOutput: 9, ImageOutput: trace.MaxTokens},
		CostSource: trace.CostOfPrices, MappingVersion: 3, Patch: true, Role: trace.RoleReport, CallKey: "msg_1", Tells: trace.TellsInput | trace.TellsOutput,
		Payload: trace.Payload{
			Request: json.RawMessage(`1`), OutputText: ptr("x"), InputMessages: json.RawMessage(`[]`), OutputMessages: json.RawMessage(`[{}]`),
			Parameters: json.RawMessage(`{"t":0}`), Tools: json.RawMessage(`[1]`), Attributes: json.RawMessage(`{"a":1}`), Resource: json.RawMessage(`{"r":1}`),
			Events: json.RawMessage(`[2]`), Links: json.RawMessage(`[3]`), StatusMessage: ptr(""), Raw: []byte{0, 1, 2},
		},
	}
}

// TestBatchOfVersion1 reads a record that was written before spans were made
// from OpenTelemetry: what waits in a log during an update.
func TestBatchOfVersion1(t *testing.T) {
	data, err := os.ReadFile("testdata/batch-v1.bin")
	if err != nil {
		t.Fatal(err)
	}
	b, err := UnmarshalBatch(data)
	if err != nil {
		t.Fatal(err)
	}
	payloads, err := UnpackChunk(b.Chunks[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	b.Spans[0].Payload = payloads[b.Refs[0].Index]
	if diff := cmp.Diff(spansForTest()[:2], b.Spans); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]PayloadRef{{}, {Chunk: -1}}, b.Refs); diff != "" {
		t.Fatal(diff)
	}
}

// TestBatchOfVersion2 reads a record that was written before it said with which
// API key it was sent.
func TestBatchOfVersion2(t *testing.T) {
	data, err := os.ReadFile("testdata/batch-v2.bin")
	if err != nil {
		t.Fatal(err)
	}
	b, err := UnmarshalBatch(data)
	if err != nil {
		t.Fatal(err)
	}
	if b.Project != "project" || b.APIKey != "" || len(b.Spans) != 3 {
		t.Fatalf("%+v", b)
	}
	payloads, err := UnpackChunk(b.Chunks[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Spans {
		if ref := b.Refs[i]; ref.Chunk >= 0 {
			b.Spans[i].Payload = payloads[ref.Index]
		}
	}
	want := spansForTest()[:3]
	want[2].APIKey = nil
	if diff := cmp.Diff(want, b.Spans); diff != "" {
		t.Error(diff)
	}
}

func TestUsageRoundTrip(t *testing.T) {
	for _, u := range []trace.Usage{{}, {Input: 1}, {Output: trace.MaxTokens}, *mappedSpan(time.Time{}).Usage} {
		got, err := ParseUsage(AppendUsage(nil, &u))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(u, *got); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := ParseUsage([]byte{0x80}); err == nil {
		t.Error("half a number was taken")
	}
}

// TestContent says which deliveries are the same.
func TestContent(t *testing.T) {
	s := mappedSpan(time.Now())
	same, other, narrow := s, s, s
	same.APIKey = ptr("another")
	same.Name, same.CostNanoUSD, same.MappingVersion = "read by a newer mapping", ptr(int64(1)), 4
	other.Payload.Raw = []byte{0, 1, 3}
	narrow.Payload.Raw = nil
	renamed := narrow
	renamed.Name = "other"
	resent := narrow
	if resent.APIKey = nil; ContentOf(&resent) != ContentOf(&narrow) {
		t.Error("what was sent again with another key is another content")
	}
	if ContentOf(&s) != ContentOf(&same) {
		t.Error("the same bytes, read otherwise, are another content")
	}
	distinct := map[uint64]bool{}
	for _, v := range []*trace.Span{&s, &other, &narrow, &renamed} {
		distinct[ContentOf(v)] = true
	}
	if len(distinct) != 4 || distinct[0] {
		t.Errorf("four contents became %v", distinct)
	}
	if old := spansForTest()[0]; ContentOf(&old) != 0 {
		t.Error("a span of an older form has a content")
	}
}

func TestBatchRoundTrip(t *testing.T) {
	want := spansForTest()
	b := Pack("project", time.Now(), spansForTest())
	b.APIKey = "k1"
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
		if ref, content := got.Refs[i], ContentOf(&got.Spans[i]); ref.Content != content {
			t.Errorf("span %s has content %x, the record says %x", got.Spans[i].ID, content, ref.Content)
		}
	}
	if diff := cmp.Diff(want, got.Spans); diff != "" {
		t.Fatal(diff)
	}
}

// TestSame: spans that differ in any one field are not the same.
func TestSame(t *testing.T) {
	full := func() *trace.Span {
		s := spansForTest()[0]
		m := mappedSpan(s.Start)
		copyUnset(reflect.ValueOf(&s).Elem(), reflect.ValueOf(m))
		s.Repeat = true
		return &s
	}
	if !Same(full(), full()) || !Same(&trace.Span{}, &trace.Span{Tags: []string{}}) {
		t.Fatal("equal spans are not the same")
	}
	differ := func(name string, change func(field reflect.Value), path func(*trace.Span) reflect.Value) {
		s := full()
		change(path(s))
		if Same(s, full()) || Same(full(), s) {
			t.Errorf("a change of %s goes unnoticed", name)
		}
	}
	var each func(name string, path func(*trace.Span) reflect.Value)
	each = func(name string, path func(*trace.Span) reflect.Value) {
		v := path(full())
		if v.IsZero() {
			t.Fatalf("%s is not set", name)
		}
		switch isTime := v.Type() == reflect.TypeFor[time.Time](); {
		case isTime:
			differ(name, func(f reflect.Value) { f.Set(reflect.ValueOf(f.Interface().(time.Time).Add(time.Microsecond))) }, path)
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				each(name+"."+v.Type().Field(i).Name, func(s *trace.Span) reflect.Value { return path(s).Field(i) })
			}
		case v.Kind() == reflect.Pointer:
			differ(name, reflect.Value.SetZero, path)
			if v.Elem().Kind() == reflect.Struct {
				each(name, func(s *trace.Span) reflect.Value { return path(s).Elem() })
			} else {
				differ(name+"'s value", func(f reflect.Value) { f.Set(reflect.New(f.Type().Elem())); other(f.Elem(), v.Elem()) }, path)
			}
		default:
			differ(name, reflect.Value.SetZero, path)
			differ(name+"'s value", func(f reflect.Value) { other(f, v) }, path)
		}
	}
	each("Span", func(s *trace.Span) reflect.Value { return reflect.ValueOf(s).Elem() })
}

// copyUnset sets what is zero in a struct to what another has.
func copyUnset(to, from reflect.Value) {
	for i := range to.NumField() {
		if f := to.Field(i); f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]() {
			copyUnset(f, from.Field(i))
		} else if f.IsZero() {
			f.Set(from.Field(i))
		}
	}
}

// other sets a value to one that is not was.
func other(v, was reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(was.String() + "x")
	case reflect.Bool:
		v.SetBool(!was.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(was.Int() + 1)
	case reflect.Float64:
		v.SetFloat(was.Float() + 1)
	case reflect.Slice:
		v.Set(reflect.AppendSlice(was.Slice3(0, was.Len(), was.Len()), was.Slice(0, 1)))
	default:
		panic(v.Kind())
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
	raw, err := Decompress(b.Chunks[0].Data)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = UnpackChunk(Compress(raw))
	})
}
