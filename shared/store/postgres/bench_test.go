package postgres

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// benchSpans makes n LLM traces with some 3.3 kB of payload each: prose whose
// words repeat as those of prompts do, and ids that come in no order.
func benchSpans(n int) []trace.Span {
	words := make([]string, 4000)
	for i := range words {
		b := make([]byte, 3+rand.N(8))
		for j := range b {
			b[j] = byte('a' + rand.N(26))
		}
		words[i] = string(b)
	}
	text := func(size int) string {
		var b strings.Builder
		for b.Len() < size {
			b.WriteString(words[int(float64(len(words))*rand.Float64()*rand.Float64())])
			b.WriteByte(' ')
		}
		return b.String()
	}
	spans := make([]trace.Span, n)
	for i := range spans {
		id := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
		spans[i] = trace.Span{
			ID: trace.SpanID(id), TraceID: trace.TraceID(id), SessionID: trace.SessionID(fmt.Sprint("session-", rand.N(500))), Form: trace.FormTrace,
			Start: testStart.Add(time.Duration(rand.N(86400)) * time.Second), Source: trace.SourceSDK, Kind: trace.KindLLMCall,
			EventType: "llm_call", Status: trace.StatusSuccess, DurationMS: ptr(rand.Float64() * 5000), Provider: ptr("openai"),
			Model: ptr(fmt.Sprint("model-", rand.N(5))), ModelUsed: ptr("model-used"), InputTokens: ptr(rand.N(int64(5000))),
			OutputTokens: ptr(rand.N(int64(2000))), CostNanoUSD: ptr(rand.N(int64(1e9))), FinishReason: ptr("stop"), ProviderRequestID: ptr("req-" + id),
			Payload: trace.Payload{
				Request:    []byte(`{"model":"m","messages":[{"role":"system","content":"` + text(800) + `"},{"role":"user","content":"` + text(1000) + `"}]}`),
				Response:   []byte(`{"choices":[{"message":{"role":"assistant","content":"` + text(1200) + `"}}]}`),
				OutputText: ptr(text(150)),
			},
		}
	}
	return spans
}

const (
	benchRecords = 40
	benchRecord  = 100 // spans, as in one request
)

// BenchmarkWriteBatches measures what the drain does with one connection:
// records of 100 LLM traces, 40 to a transaction.
func BenchmarkWriteBatches(b *testing.B) {
	db := setup(b)
	p := newProject(b, db, "p")
	for b.Loop() {
		b.StopTimer()
		batches := make([]store.Batch, benchRecords)
		for i := range batches {
			batches[i] = store.Pack(p, testStart, benchSpans(benchRecord))
		}
		b.StartTimer()
		if _, err := db.WriteBatches(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRecords*benchRecord/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkCopy is the limit that BenchmarkWriteBatches is held against: the
// same records by COPY into one table with JSONB columns and three indexes.
func BenchmarkCopy(b *testing.B) {
	db := setup(b)
	_, err := db.pool.Exec(b.Context(), `CREATE TABLE raw (project_id text NOT NULL, trace_id text NOT NULL, session_id text, start_time timestamptz NOT NULL,
		latency_ms double precision, provider text, model text, model_used text, request_id text, request jsonb, response jsonb, output_text text,
		input_tokens bigint, output_tokens bigint, cost bigint, finish_reason text, status text, PRIMARY KEY (project_id, trace_id));
		CREATE INDEX ON raw (project_id, start_time); CREATE INDEX ON raw (project_id, session_id)`)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		spans := benchSpans(benchRecords * benchRecord)
		b.StartTimer()
		_, err := db.pool.CopyFrom(b.Context(), pgx.Identifier{"raw"}, []string{
			"project_id", "trace_id", "session_id", "start_time", "latency_ms",
			"provider", "model", "model_used", "request_id", "request", "response", "output_text", "input_tokens", "output_tokens", "cost",
			"finish_reason", "status",
		},
			pgx.CopyFromSlice(len(spans), func(i int) ([]any, error) {
				s := &spans[i]
				return []any{
					"p", string(s.ID), string(s.SessionID), s.Start, s.DurationMS, s.Provider, s.Model, s.ModelUsed, s.ProviderRequestID,
					s.Payload.Request, s.Payload.Response, s.Payload.OutputText, s.InputTokens, s.OutputTokens, s.CostNanoUSD, s.FinishReason,
					string(s.Status),
				}, nil
			}))
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRecords*benchRecord/b.Elapsed().Seconds(), "spans/s")
}
