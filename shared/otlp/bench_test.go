package otlp_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/pulse-traces/pulse/shared/otlp"
)

// exported is a request of n model calls of about 2 KB each, as the conventions
// have them.
func exported(n int) ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	for k, v := range map[string]string{
		"service.name": "shop", "service.version": "1.4.2", "deployment.environment.name": "staging", "telemetry.sdk.language": "python",
		"telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.45.2",
	} {
		rs.Resource().Attributes().PutStr(k, v)
	}
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("opentelemetry.instrumentation.openai_v2")
	for i := range n {
		s := ss.Spans().AppendEmpty()
		s.SetName("chat gpt-4o-mini")
		s.SetKind(ptrace.SpanKindClient)
		s.SetTraceID([16]byte{1, byte(i), byte(i >> 8)})
		s.SetSpanID([8]byte{1, byte(i), byte(i >> 8)})
		s.SetStartTimestamp(1795421002290270162)
		s.SetEndTimestamp(1795421002390270162)
		a := s.Attributes()
		a.PutStr("gen_ai.operation.name", "chat")
		a.PutStr("gen_ai.provider.name", "openai")
		a.PutStr("gen_ai.request.model", "gpt-4o-mini")
		a.PutStr("gen_ai.response.model", "gpt-4o-mini-2024-07-18")
		a.PutStr("gen_ai.response.id", "chatcmpl-f9497816d6af818e5391")
		a.PutEmptySlice("gen_ai.response.finish_reasons").AppendEmpty().SetStr("stop")
		a.PutInt("gen_ai.usage.input_tokens", 100)
		a.PutInt("gen_ai.usage.output_tokens", 100)
		a.PutDouble("gen_ai.request.temperature", 0.2)
		a.PutInt("gen_ai.request.max_tokens", 200)
		a.PutStr("server.address", "api.openai.com")
		a.PutStr("gen_ai.input.messages", `[{"role":"system","parts":[{"type":"text","content":"You are a concise assistant."}]},`+
			`{"role":"user","parts":[{"type":"text","content":"`+strings.Repeat("How is the weather? ", 40)+`"}]}]`)
		a.PutStr("gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"`+
			strings.Repeat("It is sunny today. ", 22)+`"}],"finish_reason":"stop"}]`)
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

const benchSpans = 100

func bodies(b *testing.B) (proto, json []byte) {
	b.Helper()
	req := exported(benchSpans)
	proto, err := req.MarshalProto()
	if err != nil {
		b.Fatal(err)
	}
	if json, err = req.MarshalJSON(); err != nil {
		b.Fatal(err)
	}
	return proto, json
}

func perSpan(b *testing.B, body []byte, one func() error) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := one(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchSpans/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkPdata is the bare decoding that the others are measured against.
func BenchmarkPdata(b *testing.B) {
	proto, json := bodies(b)
	b.Run("Protobuf", func(b *testing.B) {
		perSpan(b, proto, func() error { return ptraceotlp.NewExportRequest().UnmarshalProto(proto) })
	})
	b.Run("JSON", func(b *testing.B) {
		perSpan(b, json, func() error { return ptraceotlp.NewExportRequest().UnmarshalJSON(json) })
	})
}

func BenchmarkDecode(b *testing.B) {
	proto, json := bodies(b)
	b.Run("Protobuf", func(b *testing.B) {
		perSpan(b, proto, func() error { _, err := otlp.DecodeTraces(proto, otlp.Protobuf); return err })
	})
	b.Run("JSON", func(b *testing.B) {
		perSpan(b, json, func() error { _, err := otlp.DecodeTraces(json, otlp.JSON); return err })
	})
}

func BenchmarkDecodeAndMap(b *testing.B) {
	proto, json := bodies(b)
	for _, c := range []struct {
		name string
		body []byte
		enc  otlp.Encoding
	}{{"Protobuf", proto, otlp.Protobuf}, {"JSON", json, otlp.JSON}} {
		b.Run(c.name, func(b *testing.B) {
			perSpan(b, c.body, func() error {
				t, err := otlp.DecodeTraces(c.body, c.enc)
				if err == nil {
					t.Map(now)
				}
				return err
			})
		})
	}
}

func BenchmarkRemap(b *testing.B) {
	proto, _ := bodies(b)
	t, err := otlp.DecodeTraces(proto, otlp.Protobuf)
	if err != nil {
		b.Fatal(err)
	}
	raws := make([][]byte, len(t.Spans))
	for i, s := range t.Spans {
		raws[i] = s.Raw()
	}
	perSpan(b, proto, func() error {
		for _, raw := range raws {
			if _, err := otlp.Remap(raw, now); err != nil {
				return err
			}
		}
		return nil
	})
}
