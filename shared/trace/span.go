// Package trace is the domain: spans, the traces and sessions they add up to,
// their enumerations, limits and identifiers. A span is the canonical record;
// everything else is a sum over spans. The package knows no storage, no
// transport and no provider's JSON.
package trace

import (
	"encoding/json"
	"log/slog"
	"time"
)

// SpanID names a span within a project. Any non-empty text up to MaxIDBytes.
type SpanID string

// TraceID names a trace within a project. Empty means: belongs to no trace.
type TraceID string

// SessionID names a session within a project. Free text; empty means none.
type SessionID string

// Form says which wire form a span came in.
type Form string

const (
	// FormSpan is the span form: /v1/spans and OTLP.
	FormSpan Form = "span"
	// FormTrace is one model call of POST /v1/traces/batch and /async, stored as
	// a trace with one span of KindLLMCall whose SpanID equals its TraceID. Such
	// spans are traces to the span routes: GET /v1/spans and the span analytics
	// leave them out, as the earlier service did.
	FormTrace Form = "trace"
)

// Span is one operation: a model call, a tool call, an agent's event. Pointers
// are nil where the sender said nothing; "" and 0 are values.
type Span struct {
	ID        SpanID
	TraceID   TraceID // "" for events that belong to no trace
	ParentID  SpanID  // "" for roots
	SessionID SessionID
	Form      Form
	Start     time.Time // UTC, whole microseconds
	Source    Source
	Kind      Kind
	EventType string
	Status    Status

	DurationMS         *float64 // as the client sent it, fractions kept
	TimeToFirstTokenMS *float64
	Service            *string
	ToolUseID          *string
	ToolName           *string
	IsInterrupt        *bool
	CWD                *string
	Model              *string // the model asked for
	AgentName          *string
	Provider           *string
	ModelUsed          *string // the model that answered
	InputTokens        *int64
	OutputTokens       *int64
	CostNanoUSD        *int64  // nil: unknown, never 0 for unknown
	ServiceTier        *string // the class of service that the call was billed as: default, flex, priority, batch, …
	FinishReason       *string
	ProviderRequestID  *string
	EditedFile         *string // tool_input.file_path of a file-editing tool (see EditsFiles)

	// What OpenTelemetry adds.
	Name        string // of the operation; "" where the wire form has none
	Operation   string // gen_ai.operation.name or what stands for it: chat, embeddings, execute_tool, …
	UserID      *string
	Tags        []string // in the sender's order, without repeats
	Environment *string
	Release     *string
	// APIKey is the id of the API key that it was sent with (account.KeyID); nil
	// where none was, and of what came before that was kept.
	APIKey     *string
	Scope      Scope
	Usage      *Usage     // nil: the sender gave no counts
	CostSource CostSource // of CostNanoUSD
	// MappingVersion is the version of package otlp's reading that made the
	// span from its raw bytes; 0 for spans that came in another form.
	MappingVersion int

	// What tells a call from the spans that repeat it: see Resolve.
	Role    Role
	CallKey string // what the spans that tell of one call have in common, whatever trace they are in; "" if unknown
	Tells   Tells  // what is in Payload, for those who have only the narrow row
	// Repeat says that other spans stand for what this one tells of, which
	// therefore adds nothing to counts of calls, tokens and cost. The store decides
	// it from the spans that it has; nobody else sets it.
	Repeat bool
	// Patch says that only something about the span of this id has come so far
	// (log records do that), not yet the span: see Merge. It counts as a span, not
	// as a call.
	Patch bool

	Payload Payload
}

// Role says how a span takes part in the telling of calls.
type Role string

// The roles.
const (
	RoleNone    Role = ""        // the span's kind says all
	RoleWrapper Role = "wrapper" // stands around the calls below it, and for them only if there are none
	RoleReport  Role = "report"  // tells of a call for which, as a rule, another span stands: a log record, an SDK's own span
	RolePart    Role = "part"    // holds facts of a call, and never stands for one
)

// Tells is a set of contents.
type Tells int64

// The contents.
const (
	TellsInput Tells = 1 << iota
	TellsOutput
)

// Scope is the instrumentation that made a span.
type Scope struct{ Name, Version string }

// CostSource says who computed a cost.
type CostSource string

// The sources of costs.
const (
	CostUnknown  CostSource = ""       // there is no cost, or it came in an older form, where the sender gives it
	CostOfSender CostSource = "client" // the sender gave it
	CostOfPrices CostSource = "prices" // made from a price table
)

// Payload is what is stored compressed beside the narrow row. Raw values are
// the client's own bytes of JSON, so that key order and big numbers survive;
// nil where absent. A JSON null counts as absent.
type Payload struct {
	Request      json.RawMessage
	Response     json.RawMessage
	ToolInput    json.RawMessage
	ToolResponse json.RawMessage
	Error        json.RawMessage
	Metadata     json.RawMessage
	OutputText   *string

	// What OpenTelemetry adds.
	InputMessages  json.RawMessage // []Message
	OutputMessages json.RawMessage // []Message
	Parameters     json.RawMessage // of the model call, an object
	Tools          json.RawMessage // definitions that were offered, an array
	Attributes     json.RawMessage // an object: the span's own, as OTLP had them, that no field stands for
	Resource       json.RawMessage // an object: the resource's and the scope's
	Events         json.RawMessage // []{name, time, attributes}
	Links          json.RawMessage // []{traceId, spanId, attributes}
	StatusMessage  *string
	// Raw is the span as it was sent: an OTLP TracesData message (protobuf) of
	// this one span with its resource and scope.
	Raw []byte
}

// Empty reports whether nothing is in p.
func (p *Payload) Empty() bool {
	return p.Request == nil && p.Response == nil && p.ToolInput == nil && p.ToolResponse == nil &&
		p.Error == nil && p.Metadata == nil && p.OutputText == nil &&
		p.InputMessages == nil && p.OutputMessages == nil && p.Parameters == nil && p.Tools == nil && p.Attributes == nil &&
		p.Resource == nil && p.Events == nil && p.Links == nil && p.StatusMessage == nil && p.Raw == nil
}

// Bytes is the size of p's content.
func (p *Payload) Bytes() int {
	n := len(p.Request) + len(p.Response) + len(p.ToolInput) + len(p.ToolResponse) + len(p.Error) + len(p.Metadata) +
		len(p.InputMessages) + len(p.OutputMessages) + len(p.Parameters) + len(p.Tools) + len(p.Attributes) +
		len(p.Resource) + len(p.Events) + len(p.Links) + len(p.Raw)
	if p.OutputText != nil {
		n += len(*p.OutputText)
	}
	if p.StatusMessage != nil {
		n += len(*p.StatusMessage)
	}
	return n
}

// LogValue keeps prompts and answers out of logs: only the size is shown.
func (p Payload) LogValue() slog.Value { return slog.IntValue(p.Bytes()) }

// LogValue shows a span's identity, never its content.
func (s Span) LogValue() slog.Value {
	return slog.GroupValue(slog.String("span_id", string(s.ID)), slog.String("kind", string(s.Kind)),
		slog.Any("payload_bytes", s.Payload))
}

// End is Start plus the duration; Start if that is unknown.
func (s *Span) End() time.Time {
	if s.DurationMS == nil {
		return s.Start
	}
	return s.Start.Add(time.Duration(s.DurationUS()) * time.Microsecond)
}

// DurationUS is the duration in whole microseconds, 0 if unknown and at most
// maxSummedUS: what sums use.
func (s *Span) DurationUS() int64 {
	if s.DurationMS == nil {
		return 0
	}
	return int64(min(*s.DurationMS*1000+0.5, maxSummedUS))
}

// IsLifecycle reports whether s only marks the begin or end of an agent's
// session. Such spans are left out of trace lists.
func (s *Span) IsLifecycle() bool {
	return s.EventType == "session_start" || s.EventType == "session_end"
}

// Mapped reports whether s was made from OpenTelemetry.
func (s *Span) Mapped() bool { return s.MappingVersion > 0 }

// Reports reports whether s only tells of a call, or holds a part of it.
func (s *Span) Reports() bool { return s.Role == RoleReport || s.Role == RolePart }

// Counted reports whether s is a model call that counts as one.
func (s *Span) Counted() bool { return s.Kind == KindLLMCall && s.Counts() }

// Counts reports whether s adds to sums of tokens, money and calls.
func (s *Span) Counts() bool { return !s.Repeat && !s.Patch }

// ToolCall reports whether s counts as a call of a tool: one that repeats another
// does not, unless what it repeats is only what calls below it used.
func (s *Span) ToolCall() bool {
	return s.Kind == KindToolUse && (!s.Repeat || s.Usage != nil || s.CostNanoUSD != nil)
}

// ModelCall reports whether s is a call of a model of any sort, of which sums
// keep the provider and the model, and which counts as one.
func (s *Span) ModelCall() bool {
	switch s.Kind {
	case KindLLMCall, KindEmbedding, KindRerank:
		return s.Counts()
	}
	return false
}

// spending is what a span adds to sums of tokens and money; nil where it says
// nothing.
type spending struct {
	input, output *int64 // of language models
	embedded      *int64 // that were turned into numbers
	cost          *int64
}

// spent gives what s adds. What one span repeats of another is not spent again,
// nor what only a log record told. Of spans made from
// OpenTelemetry, those that turn text into numbers or sort it cost money but
// have no share in a language model's tokens.
func (s *Span) spent() spending {
	switch {
	case !s.Counts():
		return spending{}
	case s.Mapped() && s.Kind == KindEmbedding:
		return spending{embedded: s.InputTokens, cost: s.CostNanoUSD}
	case s.Mapped() && (s.Kind == KindRerank || s.Kind == KindRetrieval):
		return spending{cost: s.CostNanoUSD}
	}
	return spending{input: s.InputTokens, output: s.OutputTokens, cost: s.CostNanoUSD}
}
