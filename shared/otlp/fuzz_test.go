package otlp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/trace"
)

// seeds adds the smaller captures of a signal to a fuzz target's corpus.
func seeds(f *testing.F, signal string) {
	f.Helper()
	const small = 6 << 10
	families := map[string]int{}
	for _, s := range corpus(f) {
		for _, r := range s.Requests {
			if r.Signal == signal && len(r.Body) <= small && families[s.Family] < 2 {
				families[s.Family]++
				f.Add(r.Body, r.JSON())
			}
		}
	}
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"), false)
	f.Add([]byte(`{"resourceSpans":[null,{"scopeSpans":[{"spans":[5,null,{"spanId":"\ud800"}]}]}],"resourceLogs":[{}]}`), true)
}

func encoding(isJSON bool) otlp.Encoding {
	if isJSON {
		return otlp.JSON
	}
	return otlp.Protobuf
}

// checkMapped holds a span of whatever origin to what stores and readers count
// on.
func checkMapped(t *testing.T, s *trace.Span) {
	t.Helper()
	if issues := s.Check(); len(issues) > 0 {
		t.Fatalf("a span that cannot be stored: %v", issues)
	}
	p := &s.Payload
	for name, raw := range map[string]json.RawMessage{
		"request": p.Request, "response": p.Response, "toolInput": p.ToolInput, "toolResponse": p.ToolResponse, "error": p.Error,
		"metadata": p.Metadata, "inputMessages": p.InputMessages, "outputMessages": p.OutputMessages, "parameters": p.Parameters,
		"tools": p.Tools, "attributes": p.Attributes, "resource": p.Resource, "events": p.Events, "links": p.Links,
	} {
		if raw != nil && !json.Valid(raw) {
			t.Fatalf("%s is no JSON: %s", name, raw)
		}
	}
	for _, raw := range []json.RawMessage{p.InputMessages, p.OutputMessages} {
		var messages []trace.Message
		if raw != nil {
			if err := json.Unmarshal(raw, &messages); err != nil || len(messages) == 0 {
				t.Fatalf("%d messages, %v: %s", len(messages), err, raw)
			}
		}
	}
	if u := s.Usage; u != nil && min(u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite1h, u.AudioInput, u.ImageInput, u.Output, u.Reasoning, u.AudioOutput, u.ImageOutput) < 0 {
		t.Fatalf("negative usage %+v", u)
	}
	again, err := otlp.Remap(p.Raw, s.Start)
	if err != nil {
		t.Fatalf("remap: %v", err)
	}
	if diff := diff(*s, again); diff != "" {
		t.Fatalf("remapped (-first +second):\n%s", diff)
	}
	rawJSON, err := otlp.RawJSON(p.Raw)
	if err != nil || !json.Valid(rawJSON) {
		t.Fatalf("raw JSON: %v: %s", err, rawJSON)
	}
}

// checkRequest packs decoded spans into a request again and compares.
func checkRequest(t *testing.T, spans []otlp.Span) {
	t.Helper()
	request := otlp.AppendRequest([]byte("before"), spans)[len("before"):]
	if size := otlp.RequestBytes(spans); len(request) > size {
		t.Fatalf("a request of %d bytes was to have %d at most", len(request), size)
	}
	again, err := otlp.DecodeTraces(request, otlp.Protobuf)
	if err != nil || again.Rejected > 0 || len(again.Spans) != len(spans) {
		t.Fatalf("%d spans became %d, %d rejected, %v", len(spans), len(again.Spans), again.Rejected, err)
	}
	for i := range spans {
		if !bytes.Equal(spans[i].Raw(), again.Spans[i].Raw()) {
			t.Fatalf("span %d became another", i)
		}
	}
}

func FuzzDecodeTraces(f *testing.F) {
	seeds(f, "traces")
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		traces, err := otlp.DecodeTraces(body, encoding(isJSON))
		if err != nil {
			return
		}
		ids := make(map[trace.TraceID]bool, len(traces.Spans))
		for _, s := range traces.Spans {
			ids[s.TraceID()] = true
			_, refused := s.Map(now)
			if checked := s.Check(now); fmt.Sprint(checked) != fmt.Sprint(refused) {
				t.Fatalf("a check says %v, mapping %v", checked, refused)
			}
		}
		checkRequest(t, traces.Spans)
		spans := traces.Map(now)
		for i := range spans {
			if !ids[spans[i].TraceID] {
				t.Fatalf("trace %q is not what TraceID said", spans[i].TraceID)
			}
			checkMapped(t, &spans[i])
		}
		for _, st := range trace.Resolve(spans) {
			if st.For >= len(spans) {
				t.Fatalf("standing %+v of %d spans", st, len(spans))
			}
		}
	})
}

func FuzzDecodeLogs(f *testing.F) {
	seeds(f, "logs")
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		logs, err := otlp.DecodeLogs(body, encoding(isJSON))
		if err != nil {
			return
		}
		spans := logs.Map(now)
		if len(spans)+logs.Rejected < len(logs.Records) {
			t.Fatalf("%d records: %d spans, %d rejected", len(logs.Records), len(spans), logs.Rejected)
		}
		for i := range spans {
			checkMapped(t, &spans[i])
		}
	})
}

func FuzzCountPoints(f *testing.F) {
	for _, s := range corpus(f) {
		for _, r := range s.Requests {
			if r.Signal == "metrics" {
				f.Add(r.Body, r.JSON())
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		if n, err := otlp.CountPoints(body, encoding(isJSON)); err == nil && n < 0 {
			t.Fatalf("%d points", n)
		}
	})
}

func FuzzRawJSON(f *testing.F) {
	for _, s := range corpus(f) {
		if s.Requests[0].Signal == "traces" && !s.Requests[0].JSON() && len(s.Requests[0].Body) < 4<<10 {
			f.Add(s.Requests[0].Body)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if out, err := otlp.RawJSON(raw); err == nil && !json.Valid(out) {
			t.Fatalf("no JSON: %s", out)
		}
		if s, err := otlp.Remap(raw, now); err == nil {
			if issues := s.Check(); len(issues) > 0 && !s.Patch {
				t.Fatalf("a span that cannot be stored: %v", issues)
			}
		}
	})
}
