package sqlite_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/trace"
)

// The benchmarks write what the drain writes: transactions of 20 records of
// 100 LLM traces with 3.3 kB of payload each.
const (
	benchBatches = 20
	benchSpans   = 100
	benchProject = account.ProjectID("e13e27dc-3b50-4d9b-80a2-d15fbc8808b4")
)

var benchStart = time.Date(2026, 1, 25, 0, 0, 0, 0, time.UTC)

func openBench(b *testing.B) *sqlite.DB {
	b.Helper()
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "pulse.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	err = db.CreateUser(b.Context(), store.NewUser{
		User: account.User{ID: "u", Email: "u@example.com"}, CredentialID: "c",
		Project: &store.NewProject{
			Project: account.Project{ID: benchProject, Name: "bench", CreatedAt: now},
			Key:     account.APIKey{ID: "k", ProjectID: benchProject, Hash: "h", CreatedAt: now},
			Member:  account.Membership{ID: "m", UserID: "u", ProjectID: benchProject, Role: account.RoleAdmin, CreatedAt: now},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// benchTransaction makes the n-th transaction; 100,000 traces begin per hour.
func benchTransaction(rng *rand.Rand, n int) []store.Batch {
	words := benchWords(rng)
	batches := make([]store.Batch, benchBatches)
	for i := range batches {
		spans := make([]trace.Span, benchSpans)
		for j := range spans {
			rng.Shuffle(len(words), func(a, b int) { words[a], words[b] = words[b], words[a] })
			provider, model := "openai", fmt.Sprint("gpt-", rng.IntN(5))
			latency, in, out, cost := rng.ExpFloat64()*800, rng.Int64N(4000), rng.Int64N(1000), rng.Int64N(50_000_000)
			text := strings.Join(words[300:], " ")
			id := uuid.NewString()
			spans[j] = trace.Span{
				ID: trace.SpanID(id), TraceID: trace.TraceID(id), SessionID: trace.SessionID(fmt.Sprint("session-", rng.IntN(500))),
				Form: trace.FormTrace, Start: benchStart.Add(time.Duration(n*benchBatches+i) * 3600 * time.Millisecond).Add(time.Duration(j) * 36 * time.Millisecond),
				Source: trace.SourceSDK, Kind: trace.KindLLMCall, EventType: "llm_call", Status: trace.StatusSuccess,
				DurationMS: &latency, Provider: &provider, Model: &model, ModelUsed: &model, InputTokens: &in, OutputTokens: &out, CostNanoUSD: &cost,
				FinishReason: &provider, ProviderRequestID: &id,
				Payload: trace.Payload{
					Request:  json.RawMessage(`{"messages":[{"role":"user","content":"` + strings.Join(words[:300], " ") + `"}]}`),
					Response: json.RawMessage(`{"content":"` + text + `"}`),
				},
			}
		}
		batches[i] = store.Pack(benchProject, benchStart, spans)
	}
	return batches
}

func benchWords(rng *rand.Rand) []string {
	words := make([]string, 400)
	for k := range words {
		words[k] = fmt.Sprintf("word%03d", rng.IntN(1000))
	}
	return words
}

func BenchmarkWriteBatches(b *testing.B) {
	db := openBench(b)
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		batches := benchTransaction(rng, n)
		b.StartTimer()
		if _, err := db.WriteBatches(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*benchBatches*benchSpans)/b.Elapsed().Seconds(), "spans/s")
}

// mappedTransaction makes the n-th transaction of as many spans as OpenTelemetry
// sends: traces of an agent's run with three model calls, each with its
// instrumentation's and its SDK's span, and a tool. Each span has 2 kB of raw
// bytes, and what was read from them.
func mappedTransaction(rng *rand.Rand, n int) []store.Batch {
	words := benchWords(rng)
	hex := func(size int) string { return uuid.NewString()[:size] }
	batches := make([]store.Batch, benchBatches)
	for i := range batches {
		spans := make([]trace.Span, 0, benchSpans)
		for len(spans) < benchSpans {
			traceID := trace.TraceID(hex(16) + hex(16))
			start := benchStart.Add(time.Duration(n*benchBatches+i) * 3600 * time.Millisecond).Add(time.Duration(len(spans)) * 36 * time.Millisecond)
			var root, call trace.SpanID
			for j := range 8 {
				rng.Shuffle(len(words), func(a, b int) { words[a], words[b] = words[b], words[a] })
				text := strings.Join(words[:120], " ")
				id := trace.SpanID(hex(16))
				latency := rng.ExpFloat64() * 800
				s := trace.Span{
					ID: id, TraceID: traceID, ParentID: root, SessionID: trace.SessionID(fmt.Sprint("session-", rng.IntN(500))), Form: trace.FormSpan,
					Start: start.Add(time.Duration(j) * time.Millisecond), Source: trace.SourceSDK, Kind: trace.KindAgentRun, EventType: "agent_run",
					Status: trace.StatusSuccess, DurationMS: &latency, Name: "invoke_agent", Operation: "invoke_agent",
					Scope: trace.Scope{Name: "openinference.instrumentation.openai", Version: "0.1.66"}, MappingVersion: 1,
					Payload: trace.Payload{
						Raw:           []byte(strings.Join(words[:250], " ")),
						InputMessages: json.RawMessage(`[{"role":"user","parts":[{"type":"text","text":"` + text + `"}]}]`),
						Attributes:    json.RawMessage(`{"server.address":"api.openai.com","llm.request.type":"chat"}`),
						Resource:      json.RawMessage(`{"service.name":"assistant","telemetry.sdk.language":"python","telemetry.sdk.version":"1.36"}`),
					},
				}
				service := "assistant"
				s.Service = &service
				switch j {
				case 0:
					root = id
				case 1, 3, 5:
					call = id
					provider, model, in, out, cost := "openai", fmt.Sprint("gpt-", rng.IntN(5)), rng.Int64N(4000), rng.Int64N(1000), rng.Int64N(50_000_000)
					key := "chatcmpl-" + hex(20)
					s.Kind, s.Operation, s.Name, s.Provider, s.Model, s.ModelUsed = trace.KindLLMCall, "chat", "ChatCompletion", &provider, &model, &model
					s.InputTokens, s.OutputTokens, s.CostNanoUSD, s.CostSource = &in, &out, &cost, trace.CostOfPrices
					s.Usage, s.CallKey, s.ProviderRequestID = &trace.Usage{Input: in, Output: out}, key, &key
					s.Payload.OutputMessages = json.RawMessage(`[{"role":"assistant","parts":[{"type":"text","text":"` + text[:400] + `"}]}]`)
				case 2, 4, 6:
					s.Kind, s.ParentID, s.Name = trace.KindChain, call, "POST"
				default:
					tool := "get_weather"
					s.Kind, s.ToolName, s.Name = trace.KindToolUse, &tool, tool
				}
				spans = append(spans, s)
			}
		}
		batches[i] = store.Pack(benchProject, benchStart, spans[:benchSpans])
	}
	return batches
}

// BenchmarkWriteMapped is BenchmarkWriteBatches for spans from OpenTelemetry.
func BenchmarkWriteMapped(b *testing.B) {
	db := openBench(b)
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		batches := mappedTransaction(rng, n)
		b.StartTimer()
		if _, err := db.WriteBatches(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*benchBatches*benchSpans)/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkWritePieces writes as many spans, ten at a time of each of 200 long
// traces, whose agents go on as their exporters send what has ended.
func BenchmarkWritePieces(b *testing.B) {
	db := openBench(b)
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		batches := mappedTransaction(rng, n)
		for i := range batches {
			for j := range batches[i].Spans {
				s := &batches[i].Spans[j]
				number := (i*benchSpans + j) / 10
				s.TraceID = trace.TraceID(fmt.Sprintf("%032x", number))
				if s.ParentID == "" {
					s.ParentID = trace.SpanID(fmt.Sprintf("%016x", number)) // the agent's, which has not ended
				}
			}
		}
		b.StartTimer()
		if _, err := db.WriteBatches(b.Context(), batches); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*benchBatches*benchSpans)/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkRead measures the two heaviest queries over 100,000 traces, all of
// one hour.
func BenchmarkRead(b *testing.B) {
	db := openBench(b)
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 50 {
		if _, err := db.WriteBatches(b.Context(), benchTransaction(rng, n)); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("List", func(b *testing.B) {
		for b.Loop() {
			list, err := db.ListTraces(b.Context(), benchProject, store.TraceFilter{}, store.Page{Limit: 50, Detail: store.Full})
			if err != nil || len(list.Traces) != 50 {
				b.Fatal(len(list.Traces), err)
			}
		}
	})
	analytics := func(from, to time.Time) func(b *testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if _, err := db.CallAnalytics(b.Context(), benchProject, store.TimeRange{From: &from, To: &to}, store.PeriodDay); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("Analytics", analytics(benchStart, benchStart.Add(25*time.Hour)))
	// The dearest range: it cuts an hour of 100,000 calls near its begin.
	b.Run("AnalyticsCutHour", analytics(benchStart.Add(time.Minute), benchStart.Add(25*time.Hour)))
}
