package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// spanRow is a row of spans.
type spanRow struct {
	trace.Span
	payloadDay   *time.Time // nil without payload, as the other two
	payloadChunk []byte
	payloadIndex *int64
}

// payloadAt says where the payload is.
func (r *spanRow) payloadAt() fold.PayloadAt {
	if r.payloadIndex == nil || len(r.payloadChunk) != len(uuid.UUID{}) {
		return fold.PayloadAt{}
	}
	return fold.PayloadAt{Chunk: uuid.UUID(r.payloadChunk), Index: int(*r.payloadIndex)}
}

var spanTable = newTable("spans", 1,
	col("span_id", "text", func(r *spanRow) *string { return (*string)(&r.ID) }),
	col("trace_id", "text", func(r *spanRow) *string { return (*string)(&r.TraceID) }),
	col("parent_id", "text", func(r *spanRow) *string { return (*string)(&r.ParentID) }),
	col("session_id", "text", func(r *spanRow) *string { return (*string)(&r.SessionID) }),
	col("form", "text", func(r *spanRow) *string { return (*string)(&r.Form) }),
	col("start_time", "timestamptz", func(r *spanRow) *time.Time { return &r.Start }),
	col("source", "text", func(r *spanRow) *string { return (*string)(&r.Source) }),
	col("kind", "text", func(r *spanRow) *string { return (*string)(&r.Kind) }),
	col("event_type", "text", func(r *spanRow) *string { return &r.EventType }),
	col("status", "text", func(r *spanRow) *string { return (*string)(&r.Status) }),
	col("duration_ms", "double precision", func(r *spanRow) **float64 { return &r.DurationMS }),
	col("first_token_ms", "double precision", func(r *spanRow) **float64 { return &r.TimeToFirstTokenMS }),
	col("service", "text", func(r *spanRow) **string { return &r.Service }),
	col("tool_use_id", "text", func(r *spanRow) **string { return &r.ToolUseID }),
	col("tool_name", "text", func(r *spanRow) **string { return &r.ToolName }),
	col("is_interrupt", "boolean", func(r *spanRow) **bool { return &r.IsInterrupt }),
	col("cwd", "text", func(r *spanRow) **string { return &r.CWD }),
	col("model", "text", func(r *spanRow) **string { return &r.Model }),
	col("agent_name", "text", func(r *spanRow) **string { return &r.AgentName }),
	col("provider", "text", func(r *spanRow) **string { return &r.Provider }),
	col("model_used", "text", func(r *spanRow) **string { return &r.ModelUsed }),
	col("input_tokens", "bigint", func(r *spanRow) **int64 { return &r.InputTokens }),
	col("output_tokens", "bigint", func(r *spanRow) **int64 { return &r.OutputTokens }),
	col("cost_nano_usd", "bigint", func(r *spanRow) **int64 { return &r.CostNanoUSD }),
	col("finish_reason", "text", func(r *spanRow) **string { return &r.FinishReason }),
	col("provider_request_id", "text", func(r *spanRow) **string { return &r.ProviderRequestID }),
	col("edited_file", "text", func(r *spanRow) **string { return &r.EditedFile }),
	col("payload_day", "date", func(r *spanRow) **time.Time { return &r.payloadDay }),
	col("payload_chunk", "bytea", func(r *spanRow) *[]byte { return &r.payloadChunk }),
	col("payload_index", "bigint", func(r *spanRow) **int64 { return &r.payloadIndex }),
)

// chunkRow is a row of payload_chunks.
type chunkRow struct {
	day      time.Time
	id, data []byte
}

var chunkTable = newTable("payload_chunks", 2,
	col("day", "date", func(r *chunkRow) *time.Time { return &r.day }),
	col("chunk_id", "bytea", func(r *chunkRow) *[]byte { return &r.id }),
	col("data", "bytea", func(r *chunkRow) *[]byte { return &r.data }),
)

var traceTable = newTable("traces", 1,
	col("trace_id", "text", func(t *trace.Trace) *string { return (*string)(&t.ID) }),
	col("session_id", "text", func(t *trace.Trace) *string { return (*string)(&t.SessionID) }),
	col("form", "text", func(t *trace.Trace) *string { return (*string)(&t.Form) }),
	col("start_time", "timestamptz", func(t *trace.Trace) **time.Time { return &t.Start }),
	col("end_time", "timestamptz", func(t *trace.Trace) *time.Time { return &t.End }),
	col("main_span_id", "text", func(t *trace.Trace) *string { return (*string)(&t.Main.SpanID) }),
	col("main_start", "timestamptz", func(t *trace.Trace) *time.Time { return &t.Main.Start }),
	col("main_llm", "boolean", func(t *trace.Trace) *bool { return &t.Main.LLMCall }),
	col("span_count", "bigint", func(t *trace.Trace) *int64 { return &t.SpanCount }),
	col("llm_count", "bigint", func(t *trace.Trace) *int64 { return &t.LLMCount }),
	col("error_count", "bigint", func(t *trace.Trace) *int64 { return &t.ErrorCount }),
	col("duration_us", "bigint", func(t *trace.Trace) *int64 { return &t.DurationUS }),
	col("sources", "bigint", func(t *trace.Trace) *int64 { return (*int64)(&t.Sources) }),
	col("input_tokens", "bigint", func(t *trace.Trace) **int64 { return &t.InputTokens }),
	col("output_tokens", "bigint", func(t *trace.Trace) **int64 { return &t.OutputTokens }),
	col("cost_nano_usd", "bigint", func(t *trace.Trace) **int64 { return &t.CostNanoUSD }),
	col("provider_key", "text", func(t *trace.Trace) *string { return &t.ProviderKey }),
	col("model_key", "text", func(t *trace.Trace) *string { return &t.ModelKey }),
)

var sessionTable = newTable("sessions", 1,
	col("session_id", "text", func(s *trace.Session) *string { return (*string)(&s.ID) }),
	col("first_time", "timestamptz", func(s *trace.Session) *time.Time { return &s.First }),
	col("last_time", "timestamptz", func(s *trace.Session) *time.Time { return &s.Last }),
	col("span_count", "bigint", func(s *trace.Session) *int64 { return &s.SpanCount }),
	col("traced_count", "bigint", func(s *trace.Session) *int64 { return &s.TracedCount }),
	col("error_count", "bigint", func(s *trace.Session) *int64 { return &s.ErrorCount }),
	col("agent_runs", "bigint", func(s *trace.Session) *int64 { return &s.AgentRuns }),
	col("sources", "bigint", func(s *trace.Session) *int64 { return (*int64)(&s.Sources) }),
	col("input_tokens", "bigint", func(s *trace.Session) *int64 { return &s.InputTokens }),
	col("output_tokens", "bigint", func(s *trace.Session) *int64 { return &s.OutputTokens }),
	col("cost_nano_usd", "bigint", func(s *trace.Session) *int64 { return &s.CostNanoUSD }),
	col("end_duration_ms", "double precision", func(s *trace.Session) **float64 { return &s.EndDurationMS }),
	col("cwd", "text", func(s *trace.Session) **string { return &s.CWD }),
	col("model", "text", func(s *trace.Session) **string { return &s.Model }),
	col("agent_name", "text", func(s *trace.Session) **string { return &s.AgentName }),
)

// rollupRow is a row of rollups.
type rollupRow struct {
	store.Rollup
	grain               fold.Grain
	bucket              time.Time
	digest              []byte
	sums                fold.Sums // without MinStart, MaxStart and sketches
	minStart, maxStart  time.Time
	latency, firstToken []byte
}

var rollupTable = newTable("rollups", 3,
	col("grain", "text", func(r *rollupRow) *string { return (*string)(&r.grain) }),
	col("bucket", "timestamptz", func(r *rollupRow) *time.Time { return &r.bucket }),
	col("digest", "bytea", func(r *rollupRow) *[]byte { return &r.digest }),
	col("form", "text", func(r *rollupRow) *string { return (*string)(&r.Form) }),
	col("kind", "text", func(r *rollupRow) *string { return (*string)(&r.Kind) }),
	col("source", "text", func(r *rollupRow) *string { return (*string)(&r.Source) }),
	col("status", "text", func(r *rollupRow) *string { return (*string)(&r.Status) }),
	col("provider", "text", func(r *rollupRow) *string { return &r.Provider }),
	col("model", "text", func(r *rollupRow) *string { return &r.Model }),
	col("tool_name", "text", func(r *rollupRow) *string { return &r.ToolName }),
	col("count", "bigint", func(r *rollupRow) *int64 { return &r.sums.Count }),
	col("timed", "bigint", func(r *rollupRow) *int64 { return &r.sums.Timed }),
	col("duration_us", "bigint", func(r *rollupRow) *int64 { return &r.sums.DurationUS }),
	col("input_tokens", "bigint", func(r *rollupRow) *int64 { return &r.sums.InputTokens }),
	col("output_tokens", "bigint", func(r *rollupRow) *int64 { return &r.sums.OutputTokens }),
	col("cost_nano_usd", "bigint", func(r *rollupRow) *int64 { return &r.sums.CostNanoUSD }),
	col("min_start", "timestamptz", func(r *rollupRow) *time.Time { return &r.minStart }),
	col("max_start", "timestamptz", func(r *rollupRow) *time.Time { return &r.maxStart }),
	col("latency", "bytea", func(r *rollupRow) *[]byte { return &r.latency }),
	col("first_token", "bytea", func(r *rollupRow) *[]byte { return &r.firstToken }),
)

// digestBytes is enough that two roll-ups never share a digest.
const digestBytes = 16

// digestOf stands for a roll-up in the key. It is stored: never change it.
func digestOf(k *store.Rollup) []byte {
	var buf []byte
	for _, s := range []string{string(k.Form), string(k.Kind), string(k.Source), string(k.Status), k.Provider, k.Model, k.ToolName} {
		buf = append(binary.AppendUvarint(buf, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(buf)
	return sum[:digestBytes]
}

func newRollupRow(k fold.RollupKey, s *fold.Sums) (*rollupRow, error) {
	r := &rollupRow{
		Rollup: k.Rollup, grain: k.Grain, bucket: micros(k.Bucket), digest: digestOf(&k.Rollup), sums: *s,
		minStart: micros(s.MinStart), maxStart: micros(s.MaxStart),
	}
	var err error
	if r.latency, err = s.Latency.AppendBinary([]byte{}); err != nil {
		return nil, err
	}
	if r.firstToken, err = s.FirstToken.AppendBinary([]byte{}); err != nil {
		return nil, err
	}
	r.sums.MinStart, r.sums.MaxStart, r.sums.Latency, r.sums.FirstToken = 0, 0, sketch.Latency{}, sketch.Latency{}
	return r, nil
}

func (r *rollupRow) decode() (fold.RollupKey, *fold.Sums, error) {
	s := r.sums
	s.MinStart, s.MaxStart = r.minStart.UnixMicro(), r.maxStart.UnixMicro()
	if err := s.Latency.UnmarshalBinary(r.latency); err != nil {
		return fold.RollupKey{}, nil, fmt.Errorf("read roll-up: %w", err)
	}
	if err := s.FirstToken.UnmarshalBinary(r.firstToken); err != nil {
		return fold.RollupKey{}, nil, fmt.Errorf("read roll-up: %w", err)
	}
	return fold.RollupKey{Grain: r.grain, Bucket: r.bucket.UnixMicro(), Rollup: r.Rollup}, &s, nil
}

// distinctRow is a row of rollup_sessions.
type distinctRow struct {
	grain    fold.Grain
	bucket   time.Time
	sessions []byte
}

var distinctTable = newTable("rollup_sessions", 2,
	col("grain", "text", func(r *distinctRow) *string { return (*string)(&r.grain) }),
	col("bucket", "timestamptz", func(r *distinctRow) *time.Time { return &r.bucket }),
	col("data", "bytea", func(r *distinctRow) *[]byte { return &r.sessions }),
)

func newDistinctRow(k fold.BucketKey, d *sketch.Distinct) (*distinctRow, error) {
	b, err := d.AppendBinary([]byte{})
	return &distinctRow{grain: k.Grain, bucket: micros(k.Bucket), sessions: b}, err
}

func (r *distinctRow) decode() (fold.BucketKey, *sketch.Distinct, error) {
	d := new(sketch.Distinct)
	if err := d.UnmarshalBinary(r.sessions); err != nil {
		return fold.BucketKey{}, nil, fmt.Errorf("read distinct sessions: %w", err)
	}
	return fold.BucketKey{Grain: r.grain, Bucket: r.bucket.UnixMicro()}, d, nil
}

// traceCountRow is a row of trace_counts.
type traceCountRow struct {
	fold.TraceCountKey
	bucket time.Time
	count  int64
}

// traceCountKeys is how many columns are the key, beside project_id.
const traceCountKeys = 6

var traceCountTable = newTable("trace_counts", traceCountKeys,
	col("grain", "text", func(r *traceCountRow) *string { return (*string)(&r.Grain) }),
	col("bucket", "timestamptz", func(r *traceCountRow) *time.Time { return &r.bucket }),
	col("provider", "text", func(r *traceCountRow) *string { return &r.Provider }),
	col("model", "text", func(r *traceCountRow) *string { return &r.Model }),
	col("status", "text", func(r *traceCountRow) *string { return (*string)(&r.Status) }),
	col("sources", "bigint", func(r *traceCountRow) *int64 { return (*int64)(&r.Sources) }),
	col("count", "bigint", func(r *traceCountRow) *int64 { return &r.count }),
)

func newTraceCountRow(k fold.TraceCountKey, n int64) *traceCountRow {
	return &traceCountRow{TraceCountKey: k, bucket: micros(k.Bucket), count: n}
}

// micros turns fold's times into the database's.
func micros(us int64) time.Time { return time.UnixMicro(us).UTC() }
