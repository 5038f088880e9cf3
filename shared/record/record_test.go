package record_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/record"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

const project = account.ProjectID("p1")

var arrived = time.Date(2026, 11, 24, 12, 0, 0, 123_000, time.UTC)

// sent is n spans of two services, two scopes and n traces.
func sent(t testing.TB, n int) *record.Sent {
	t.Helper()
	var resources []string
	for i := range n {
		resources = append(resources, fmt.Sprintf(`{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"service-%d"}}]},
			"schemaUrl":"https://example.com/r","scopeSpans":[{"scope":{"name":"scope-%d","version":"1"},"schemaUrl":"https://example.com/s","spans":[
			{"traceId":"%032x","spanId":"%016x","name":"chat","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
			{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o-mini"}},
			{"key":"gen_ai.prompt","value":{"stringValue":"%s"}}]}]}]}`, i%2, i%2, i+1, i+1, strings.Repeat("again ", 50)))
	}
	all, err := otlp.DecodeTraces([]byte(`{"resourceSpans":[`+strings.Join(resources, ",")+`]}`), otlp.JSON)
	if err != nil || all.Rejected > 0 {
		t.Fatal(err, all)
	}
	return &record.Sent{ID: uuid.Must(uuid.NewV7()), Project: project, APIKey: "k1", Arrived: arrived, Spans: all.Spans}
}

// TestSentComesBack as the batch that it would have been at once, plain and
// compressed.
func TestSentComesBack(t *testing.T) {
	t.Parallel()
	s := sent(t, 20)
	want, err := s.Batch()
	if err != nil || want.APIKey != "k1" || len(want.Spans) != 20 || want.Spans[0].Start != arrived || want.Spans[0].Kind != trace.KindLLMCall {
		t.Fatalf("%d spans, %v: %+v", len(want.Spans), err, want.Spans)
	}
	plain, small := s.Append([]byte("before"), 1<<20), s.Append(nil, 10)
	if !bytes.HasPrefix(plain, []byte("before")) || len(small) > len(plain)/2 {
		t.Errorf("%d bytes plain, %d compressed", len(plain), len(small))
	}
	if inflated := record.Size(small); inflated < len(plain)/2 || inflated > len(plain) {
		t.Errorf("%d bytes inflated, %d plain", inflated, len(plain))
	}
	for name, data := range map[string][]byte{"plain": plain[len("before"):], "compressed": small} {
		got, err := record.Decode(data)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-at once +later):\n%s", name, diff)
		}
	}
}

// TestSentWithoutKey reads records of before they said with which API key they
// were sent: what waits in a log during an update.
func TestSentWithoutKey(t *testing.T) {
	t.Parallel()
	s := sent(t, 2)
	s.ID, s.APIKey = uuid.MustParse("019ac7b5-1c00-7000-8000-000000000001"), ""
	want, err := s.Batch()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sent-v64.bin", "sent-v64-compressed.bin"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := record.Decode(data)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestBatchComesBack: records of the other kind, which all hosts wrote before.
func TestBatchComesBack(t *testing.T) {
	t.Parallel()
	text := "answer"
	want := store.Pack(project, arrived, []trace.Span{{ID: "a", TraceID: "t", Form: trace.FormTrace, Start: arrived, Payload: trace.Payload{OutputText: &text}}})
	got, err := record.Decode(store.AppendBatch(nil, &want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	s := sent(t, 2)
	for _, limit := range []int{10, 1 << 20} {
		data := s.Append(nil, limit)
		for n := range len(data) - 1 {
			b, err := record.Decode(data[:n])
			if err == nil && len(b.Spans) > 1 {
				t.Fatalf("%d of %d bytes: %d spans and no error", n, len(data), len(b.Spans))
			}
		}
	}
	unknown := s.Append(nil, 1<<20)
	unknown[bytes.Index(unknown, []byte{0, 0x0a})] = 9
	if _, err := record.Decode(unknown); err == nil {
		t.Error("an unknown form is read")
	}
}

func FuzzDecode(f *testing.F) {
	s := sent(f, 3)
	f.Add(s.Append(nil, 10))
	f.Add(s.Append(nil, 1<<20))
	b, err := s.Batch()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(store.AppendBatch(nil, &b))
	f.Fuzz(func(t *testing.T, data []byte) {
		if size := record.Size(data); size < 0 {
			t.Fatalf("size %d", size)
		}
		b, err := record.Decode(data)
		if len(b.Refs) != len(b.Spans) {
			t.Fatalf("%d spans with %d payloads, %v", len(b.Spans), len(b.Refs), err)
		}
	})
}
