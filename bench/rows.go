package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/trace"
)

// batchSize is the number of traces in a request, the most that is allowed.
const batchSize = 100

var (
	models = []struct{ provider, model string }{
		{"openai", "gpt-4o"},
		{"openai", "gpt-4o-mini"},
		{"anthropic", "claude-sonnet-4-5"},
		{"anthropic", "claude-haiku-4-5"},
		{"google", "gemini-2.5-flash"},
		{"openrouter", "qwen/qwen3-235b"},
	}
	words = strings.Fields(`the of model answers question context please summarise document invoice customer order refund
		because there is an error in line of the report and we should check whether total equals sum over all items 2026 EUR
		table column value user assistant tool weather city temperature search result source citation paragraph JSON schema
		function returns null when missing retry later token budget latency cost stream chunk final message system prompt be
		concise helpful accurate und die der nicht mit für über también según données modèle réponse 日本語 テキスト`)
)

// generator makes LLM traces of about 3.3 KB of JSON each, as a chat
// application sends them: a system prompt that many share, a conversation, an
// answer. The same seed makes the same traces, but for their ids.
type generator struct {
	rng    *rand.Rand
	system []string
	start  time.Time
	span   time.Duration // traces start within [start, start+span)
	made   int
}

func newGenerator(seed uint64, start time.Time, span time.Duration) *generator {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 1)), start: start, span: span}
	for range 8 {
		g.system = append(g.system, g.text(95))
	}
	return g
}

func (g *generator) text(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		if g.rng.IntN(12) == 0 { // what makes texts differ: names, numbers, ids
			fmt.Fprintf(&b, "%x", g.rng.Uint64()>>(8*g.rng.IntN(6)))
			continue
		}
		b.WriteString(words[g.rng.IntN(len(words))])
	}
	return b.String()
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// record is the wire form of a trace.
type record struct {
	TraceID        string         `json:"trace_id"`
	Timestamp      string         `json:"timestamp"`
	Provider       string         `json:"provider"`
	ModelRequested string         `json:"model_requested"`
	ModelUsed      string         `json:"model_used"`
	RequestBody    map[string]any `json:"request_body"`
	ResponseBody   map[string]any `json:"response_body"`
	InputTokens    int            `json:"input_tokens"`
	OutputTokens   int            `json:"output_tokens"`
	OutputText     string         `json:"output_text"`
	FinishReason   string         `json:"finish_reason"`
	Status         string         `json:"status"`
	LatencyMS      int            `json:"latency_ms"`
	CostCents      float64        `json:"cost_cents"`
	SessionID      string         `json:"session_id"`
	Metadata       map[string]any `json:"metadata"`
}

func (g *generator) record() record {
	m := models[g.rng.IntN(len(models))]
	answer := g.text(72)
	status := "success"
	if g.rng.IntN(20) == 0 {
		status = "error"
	}
	at := g.start.Add(time.Duration(g.rng.Int64N(int64(g.span))))
	return record{
		TraceID: uuid.NewString(), Timestamp: at.UTC().Format("2006-01-02T15:04:05.000Z"),
		Provider: m.provider, ModelRequested: m.model, ModelUsed: m.model + "-2026-01-01",
		RequestBody: map[string]any{"model": m.model, "temperature": 0.2, "messages": []message{
			{"system", g.system[g.rng.IntN(len(g.system))]}, {"user", g.text(88)}, {"assistant", g.text(30)}, {"user", g.text(24)},
		}},
		ResponseBody: map[string]any{"id": "chatcmpl-" + uuid.NewString(), "choices": []any{map[string]any{"index": 0, "message": message{"assistant", answer}}}},
		InputTokens:  200 + g.rng.IntN(3000), OutputTokens: 20 + g.rng.IntN(800), OutputText: answer, FinishReason: "stop", Status: status,
		LatencyMS: 80 + int(g.rng.ExpFloat64()*900), CostCents: float64(1+g.rng.IntN(90_000)) / 100_000,
		SessionID: g.session(), Metadata: map[string]any{"user": fmt.Sprintf("u%d", g.rng.IntN(5000)), "feature": "chat"},
	}
}

// session gives conversations of five calls.
func (g *generator) session() string {
	g.made++
	return fmt.Sprintf("session-%d", g.made/5)
}

// body makes a request of n traces.
func (g *generator) body(n int) []byte {
	records := make([]record, n)
	for i := range records {
		records[i] = g.record()
	}
	b, err := json.Marshal(records)
	if err != nil {
		panic(err) // plain values always encode
	}
	return b
}

// ids makes ids that are new in this run and cost nothing.
var ids atomic.Uint64

func idBytes(n uint64) []byte {
	// The low bits go first, so that ids come in no order, as random ones do.
	return binary.BigEndian.AppendUint64(nil, bits.Reverse64(n))[:6]
}

// renew gives every trace of a body a new id, in place.
func renew(body []byte) {
	const key = `"trace_id":"`
	for at := 0; ; {
		i := bytes.Index(body[at:], []byte(key))
		if i < 0 {
			return
		}
		at += i + len(key)
		hex.Encode(body[at+24:], idBytes(ids.Add(1)))
		at += 36
	}
}

// span is the record as the store takes it, for measurements below HTTP.
func (r *record) span() trace.Span {
	raw := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return b
	}
	start, _ := trace.ParseTime(r.Timestamp)
	latency, in, out, cost := float64(r.LatencyMS), int64(r.InputTokens), int64(r.OutputTokens), trace.NanoUSD(r.CostCents)
	return trace.Span{
		ID: trace.SpanID(r.TraceID), TraceID: trace.TraceID(r.TraceID), SessionID: trace.SessionID(r.SessionID), Form: trace.FormTrace,
		Start: start, Source: trace.SourceSDK, Kind: trace.KindLLMCall, EventType: "provider_call", Status: trace.Status(r.Status),
		DurationMS: &latency, Model: &r.ModelRequested, Provider: &r.Provider, ModelUsed: &r.ModelUsed, InputTokens: &in, OutputTokens: &out,
		CostNanoUSD: &cost, FinishReason: &r.FinishReason,
		Payload: trace.Payload{Request: raw(r.RequestBody), Response: raw(r.ResponseBody), Metadata: raw(r.Metadata), OutputText: &r.OutputText},
	}
}

// narrow gives a trace with the texts of r and new values for all else, that
// starts in the part of the generator's time that done of all stands for: old
// data came in the order of its time, give or take a minute.
func (g *generator) narrow(r record, done, all int) record {
	at := g.start.Add(time.Duration(float64(g.span) * float64(done) / float64(all))).Add(time.Duration(g.rng.Int64N(int64(time.Minute))))
	r.TraceID, r.Timestamp = uuid.NewString(), at.UTC().Format("2006-01-02T15:04:05.000Z")
	r.LatencyMS, r.InputTokens, r.OutputTokens = 80+int(g.rng.ExpFloat64()*900), 200+g.rng.IntN(3000), 20+g.rng.IntN(800)
	r.SessionID = g.session()
	return r
}
