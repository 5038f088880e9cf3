package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

	// Of spans made from OpenTelemetry; see newSpanRow and scanSpan.
	name, operation, costSource *string // NULL for ""
	role, callKey               *string // likewise
	tells                       int16   // trace.Tells
	scopeName, scopeVersion     *string
	tags                        *string
	usage                       []byte
	content                     *int64
	toldBy                      *string
	own                         []byte

	// What a row that was read has to say of others.
	said *trace.Span    // what the span says itself, nil where that is all it shows
	from []trace.SpanID // who completes it
}

// peer gives r as the counting of calls sees it.
func (r *spanRow) peer() fold.Peer {
	shown := r.Span
	shown.Payload = trace.Payload{}
	own := r.Says()
	own.Payload = trace.Payload{}
	return fold.Peer{Shown: &shown, Own: own, From: r.from}
}

// Says gives what r says itself, with its payload.
func (r *spanRow) Says() *trace.Span {
	own := r.Span
	if r.said != nil {
		own = *r.said
	}
	own.Repeat, own.Payload = false, r.Payload
	return &own
}

// newSpanRow gives the row of a span without payload. own is what the span says
// itself where that is not what s shows, else nil; from are the spans that
// complete it.
func newSpanRow(s *trace.Span, content uint64, own *trace.Span, from []trace.SpanID) *spanRow {
	r := &spanRow{Span: *s, toldBy: fold.EncodeList(from)}
	if own != nil {
		r.own = store.EncodeSpan(own)
	}
	r.name, r.operation, r.costSource = orNull(s.Name), orNull(s.Operation), orNull(string(s.CostSource))
	r.role, r.callKey, r.tells = orNull(string(s.Role)), orNull(fold.KeyOf(s)), int16(s.Tells)
	r.scopeName, r.scopeVersion = orNull(s.Scope.Name), orNull(s.Scope.Version)
	if s.Usage != nil {
		r.usage = store.AppendUsage([]byte{}, s.Usage)
	}
	if content != 0 {
		bits := int64(content)
		r.content = &bits
	}
	r.tags = fold.EncodeList(s.Tags)
	return r
}

// scanSpan reads a row of spanTable.
func scanSpan(row pgx.CollectableRow) (*spanRow, error) {
	r, err := spanTable.scan(row)
	if err != nil {
		return nil, err
	}
	r.Name, r.Operation, r.CostSource = orEmpty[string](r.name), orEmpty[string](r.operation), orEmpty[trace.CostSource](r.costSource)
	r.Role, r.CallKey, r.Tells = orEmpty[trace.Role](r.role), fold.CallKeyOf(orEmpty[string](r.callKey)), trace.Tells(r.tells)
	r.Scope = trace.Scope{Name: orEmpty[string](r.scopeName), Version: orEmpty[string](r.scopeVersion)}
	if r.usage != nil {
		if r.Usage, err = store.ParseUsage(r.usage); err != nil {
			return nil, fmt.Errorf("read usage: %w", err)
		}
	}
	if r.own != nil {
		own, err := store.DecodeSpan(r.own)
		if err != nil {
			return nil, fmt.Errorf("read what a span says: %w", err)
		}
		r.said = &own
	}
	if r.from, err = fold.DecodeList[trace.SpanID](r.toldBy); err != nil {
		return nil, err
	}
	r.Tags, err = fold.DecodeList[string](r.tags)
	return r, err
}

// contentOf is store.PayloadRef.Content.
func (r *spanRow) contentOf() uint64 {
	if r.content == nil {
		return 0
	}
	return uint64(*r.content)
}

// put makes the payload that of an item, whose chunk it has stored.
func (r *spanRow) put(b *store.Batch, ref store.PayloadRef) {
	day, index := dayOf(b.Arrived), int64(ref.Index)
	r.payloadDay, r.payloadChunk, r.payloadIndex = &day, b.Chunks[ref.Chunk].ID[:], &index
}

// keep makes the payload that of another row.
func (r *spanRow) keep(o *spanRow) {
	r.payloadDay, r.payloadChunk, r.payloadIndex = o.payloadDay, o.payloadChunk, o.payloadIndex
}

// Shown implements fold.RewriteRow.
func (r *spanRow) Shown() *trace.Span { return &r.Span }

// At says where the payload is.
func (r *spanRow) At() fold.PayloadAt {
	if r.payloadIndex == nil || len(r.payloadChunk) != len(uuid.UUID{}) {
		return fold.PayloadAt{}
	}
	return fold.PayloadAt{Chunk: uuid.UUID(r.payloadChunk), Index: int(*r.payloadIndex)}
}

// plainSpanTable has the columns of every span. Spans of the older forms are
// written with these alone.
var plainSpanTable = newTable("spans", 1,
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
	col("cost_source", "text", func(r *spanRow) **string { return &r.costSource }),
	col("finish_reason", "text", func(r *spanRow) **string { return &r.FinishReason }),
	col("provider_request_id", "text", func(r *spanRow) **string { return &r.ProviderRequestID }),
	col("edited_file", "text", func(r *spanRow) **string { return &r.EditedFile }),
	col("payload_day", "date", func(r *spanRow) **time.Time { return &r.payloadDay }),
	col("payload_chunk", "bytea", func(r *spanRow) *[]byte { return &r.payloadChunk }),
	col("payload_index", "bigint", func(r *spanRow) **int64 { return &r.payloadIndex }),
	col("api_key", "text", func(r *spanRow) **string { return &r.APIKey }),
)

// spanTable has all columns.
var spanTable = newTable("spans", 1, slices.Concat(plainSpanTable.columns, []column[spanRow]{
	col("name", "text", func(r *spanRow) **string { return &r.name }),
	col("operation", "text", func(r *spanRow) **string { return &r.operation }),
	col("user_id", "text", func(r *spanRow) **string { return &r.UserID }),
	col("tags", "text", func(r *spanRow) **string { return &r.tags }),
	col("environment", "text", func(r *spanRow) **string { return &r.Environment }),
	col("release", "text", func(r *spanRow) **string { return &r.Release }),
	col("service_tier", "text", func(r *spanRow) **string { return &r.ServiceTier }),
	col("scope_name", "text", func(r *spanRow) **string { return &r.scopeName }),
	col("scope_version", "text", func(r *spanRow) **string { return &r.scopeVersion }),
	col("usage", "bytea", func(r *spanRow) *[]byte { return &r.usage }),
	col("mapping_version", "integer", func(r *spanRow) *int { return &r.MappingVersion }),
	col("content", "bigint", func(r *spanRow) **int64 { return &r.content }),
	col("patch", "boolean", func(r *spanRow) *bool { return &r.Patch }),
	col("role", "text", func(r *spanRow) **string { return &r.role }),
	col("call_key", "text", func(r *spanRow) **string { return &r.callKey }),
	col("tells", "smallint", func(r *spanRow) *int16 { return &r.tells }),
	col("repeats", "boolean", func(r *spanRow) *bool { return &r.Repeat }),
	col("told_by", "text", func(r *spanRow) **string { return &r.toldBy }),
	col("own", "bytea", func(r *spanRow) *[]byte { return &r.own }),
})...)

// chunkRow is a row of payload_chunks.
type chunkRow struct {
	day      time.Time
	id, data []byte
	storedAt *time.Time
}

var chunkTable = newTable("payload_chunks", 2,
	col("day", "date", func(r *chunkRow) *time.Time { return &r.day }),
	col("chunk_id", "bytea", func(r *chunkRow) *[]byte { return &r.id }),
	col("data", "bytea", func(r *chunkRow) *[]byte { return &r.data }),
	col("stored_at", "timestamptz", func(r *chunkRow) **time.Time { return &r.storedAt }),
)

// traceRow is a row of traces.
type traceRow struct {
	trace.Trace

	// Of traces with spans made from OpenTelemetry; see newTraceRow and scanTrace.
	mainSession, anySession *string
	rootStart, failedStart  *time.Time
	rootOrphan, reports     *bool
	root, name              *string
	failed, failedService   *string
	services, tags          *string
}

func newTraceRow(t *trace.Trace) *traceRow {
	r := &traceRow{Trace: *t}
	if t.Root.SpanID == "" {
		return r
	}
	r.mainSession, r.anySession = (*string)(&r.Main.SessionID), (*string)(&r.AnySession)
	r.root, r.rootStart, r.rootOrphan, r.name = (*string)(&r.Root.SpanID), &r.Root.Start, &r.Root.Orphan, &r.Root.Name
	if t.Failure.SpanID != "" {
		r.failed, r.failedStart, r.failedService = (*string)(&r.Failure.SpanID), &r.Failure.Start, &r.Failure.Service
	}
	r.reports = &r.Reports
	r.services, r.tags = fold.EncodeList(t.Services), fold.EncodeList(t.Tags)
	return r
}

// scanTrace reads a row of traceTable.
func scanTrace(row pgx.CollectableRow) (*trace.Trace, error) {
	r, err := traceTable.scan(row)
	if err != nil {
		return nil, err
	}
	if r.root == nil {
		r.Main.SessionID = r.SessionID
		return &r.Trace, nil
	}
	r.Main.SessionID, r.AnySession = orEmpty[trace.SessionID](r.mainSession), orEmpty[trace.SessionID](r.anySession)
	r.Root.SpanID, r.Root.Name = trace.SpanID(*r.root), orEmpty[string](r.name)
	r.Failure.SpanID, r.Failure.Service = orEmpty[trace.SpanID](r.failed), orEmpty[string](r.failedService)
	if r.rootStart != nil && r.rootOrphan != nil {
		r.Root.Start, r.Root.Orphan = *r.rootStart, *r.rootOrphan
	}
	r.Reports = r.reports != nil && *r.reports
	if r.failedStart != nil {
		r.Failure.Start = *r.failedStart
	}
	if r.Services, err = fold.DecodeList[string](r.services); err != nil {
		return nil, err
	}
	r.Tags, err = fold.DecodeList[string](r.tags)
	return &r.Trace, err
}

// orNull gives s, nil for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty undoes orNull.
func orEmpty[T ~string](s *string) T {
	if s == nil {
		return ""
	}
	return T(*s)
}

// plainTraceTable has the columns of every trace.
var plainTraceTable = newTable("traces", 1,
	col("trace_id", "text", func(t *traceRow) *string { return (*string)(&t.ID) }),
	col("session_id", "text", func(t *traceRow) *string { return (*string)(&t.SessionID) }),
	col("form", "text", func(t *traceRow) *string { return (*string)(&t.Form) }),
	col("start_time", "timestamptz", func(t *traceRow) **time.Time { return &t.Start }),
	col("end_time", "timestamptz", func(t *traceRow) *time.Time { return &t.End }),
	col("main_span_id", "text", func(t *traceRow) *string { return (*string)(&t.Main.SpanID) }),
	col("main_start", "timestamptz", func(t *traceRow) *time.Time { return &t.Main.Start }),
	col("main_llm", "boolean", func(t *traceRow) *bool { return &t.Main.LLMCall }),
	col("span_count", "bigint", func(t *traceRow) *int64 { return &t.SpanCount }),
	col("llm_count", "bigint", func(t *traceRow) *int64 { return &t.LLMCount }),
	col("error_count", "bigint", func(t *traceRow) *int64 { return &t.ErrorCount }),
	col("duration_us", "bigint", func(t *traceRow) *int64 { return &t.DurationUS }),
	col("sources", "bigint", func(t *traceRow) *int64 { return (*int64)(&t.Sources) }),
	col("input_tokens", "bigint", func(t *traceRow) **int64 { return &t.InputTokens }),
	col("output_tokens", "bigint", func(t *traceRow) **int64 { return &t.OutputTokens }),
	col("cost_nano_usd", "bigint", func(t *traceRow) **int64 { return &t.CostNanoUSD }),
	col("provider_key", "text", func(t *traceRow) *string { return &t.ProviderKey }),
	col("model_key", "text", func(t *traceRow) *string { return &t.ModelKey }),
	col("first_token_ms", "double precision", func(t *traceRow) **float64 { return &t.Main.FirstTokenMS }),
)

// traceTable has all columns.
var traceTable = newTable("traces", 1, slices.Concat(plainTraceTable.columns, []column[traceRow]{
	col("main_session", "text", func(t *traceRow) **string { return &t.mainSession }),
	col("any_session", "text", func(t *traceRow) **string { return &t.anySession }),
	col("root_span_id", "text", func(t *traceRow) **string { return &t.root }),
	col("root_start", "timestamptz", func(t *traceRow) **time.Time { return &t.rootStart }),
	col("root_orphan", "boolean", func(t *traceRow) **bool { return &t.rootOrphan }),
	col("name", "text", func(t *traceRow) **string { return &t.name }),
	col("failed_span_id", "text", func(t *traceRow) **string { return &t.failed }),
	col("failed_start", "timestamptz", func(t *traceRow) **time.Time { return &t.failedStart }),
	col("failed_service", "text", func(t *traceRow) **string { return &t.failedService }),
	col("services", "text", func(t *traceRow) **string { return &t.services }),
	col("tags", "text", func(t *traceRow) **string { return &t.tags }),
	col("environment", "text", func(t *traceRow) **string { return &t.Environment }),
	col("user_id", "text", func(t *traceRow) **string { return &t.UserID }),
	col("reports", "boolean", func(t *traceRow) **bool { return &t.reports }),
	col("embedding_tokens", "bigint", func(t *traceRow) **int64 { return &t.EmbeddingTokens }),
})...)

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
	col("turn_spans", "bigint", func(s *trace.Session) *int64 { return &s.Turns.Spans }),
	col("turn_errors", "bigint", func(s *trace.Session) *int64 { return &s.Turns.Errors }),
	col("turn_input_tokens", "bigint", func(s *trace.Session) *int64 { return &s.Turns.InputTokens }),
	col("turn_output_tokens", "bigint", func(s *trace.Session) *int64 { return &s.Turns.OutputTokens }),
	col("turn_cost_nano_usd", "bigint", func(s *trace.Session) *int64 { return &s.Turns.CostNanoUSD }),
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
	bucket              time.Time
	sums                fold.TraceSums // without sketches
	latency, firstToken []byte
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
	col("count", "bigint", func(r *traceCountRow) *int64 { return &r.sums.Count }),
	col("input_tokens", "bigint", func(r *traceCountRow) *int64 { return &r.sums.InputTokens }),
	col("output_tokens", "bigint", func(r *traceCountRow) *int64 { return &r.sums.OutputTokens }),
	col("cost_nano_usd", "bigint", func(r *traceCountRow) *int64 { return &r.sums.CostNanoUSD }),
	col("latency", "bytea", func(r *traceCountRow) *[]byte { return &r.latency }),
	col("first_token", "bytea", func(r *traceCountRow) *[]byte { return &r.firstToken }),
)

func newTraceCountRow(k fold.TraceCountKey, s *fold.TraceSums) (*traceCountRow, error) {
	r := &traceCountRow{TraceCountKey: k, bucket: micros(k.Bucket), sums: *s}
	var err error
	if r.latency, err = s.Latency.AppendBinary([]byte{}); err != nil {
		return nil, err
	}
	r.firstToken, err = s.FirstToken.AppendBinary([]byte{})
	r.sums.Latency, r.sums.FirstToken = sketch.Latency{}, sketch.Latency{}
	return r, err
}

func (r *traceCountRow) decode() (fold.TraceCountKey, *fold.TraceSums, error) {
	k, s := r.TraceCountKey, r.sums
	k.Bucket = r.bucket.UnixMicro()
	if err := s.Latency.UnmarshalBinary(r.latency); err != nil {
		return k, nil, fmt.Errorf("read trace counts: %w", err)
	}
	if err := s.FirstToken.UnmarshalBinary(r.firstToken); err != nil {
		return k, nil, fmt.Errorf("read trace counts: %w", err)
	}
	return k, &s, nil
}

// traceCountArrays gives the columns of keys' rows.
func traceCountArrays(keys []fold.TraceCountKey) []any {
	rows := make([]*traceCountRow, len(keys))
	for i, k := range keys {
		rows[i] = &traceCountRow{TraceCountKey: k, bucket: micros(k.Bucket)}
	}
	var args []any
	for _, c := range traceCountTable.columns[:traceCountKeys] {
		args = append(args, c.slice(rows))
	}
	return args
}

// inTraceCountKeys is the condition for rows of traceCountArrays, behind the project.
const inTraceCountKeys = `(grain, bucket, provider, model, status, sources) IN
	(SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::bigint[]))`

// micros turns fold's times into the database's.
func micros(us int64) time.Time { return time.UnixMicro(us).UTC() }
