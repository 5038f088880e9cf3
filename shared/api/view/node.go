package view

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Node is a span's row in a trace's tree, in the terms of OpenTelemetry. Fields
// that a narrow row leaves out are omitted, and null when they hold nothing.
type Node struct {
	SpanID             trace.SpanID     `json:"spanId"`
	ParentSpanID       *trace.SpanID    `json:"parentSpanId"`
	Depth              int              `json:"depth"` // 0 for a root
	Name               *string          `json:"name"`
	Kind               trace.Kind       `json:"kind"`
	Operation          *string          `json:"operation"`
	Provider           *string          `json:"provider"`
	ModelRequested     *string          `json:"modelRequested"`
	ModelUsed          *string          `json:"modelUsed"`
	StartTime          string           `json:"startTime"` // RFC 3339, microseconds
	EndTime            *string          `json:"endTime"`
	DurationMS         *float64         `json:"durationMs"`
	TimeToFirstTokenMS *float64         `json:"timeToFirstTokenMs"`
	Status             trace.Status     `json:"status"`
	SessionID          *trace.SessionID `json:"sessionId"`
	UserID             *string          `json:"userId"`
	Tags               []string         `json:"tags"`
	Environment        *string          `json:"environment"`
	Release            *string          `json:"release"`
	APIKeyID           *string          `json:"apiKeyId"` // that sent it; the key may be deleted
	Service            *string          `json:"service"`
	Scope              *Scope           `json:"scope"`
	AgentName          *string          `json:"agentName"`
	ToolName           *string          `json:"toolName"`
	ToolCallID         *string          `json:"toolCallId"`
	FinishReason       *string          `json:"finishReason"`
	ProviderRequestID  *string          `json:"providerRequestId"`
	Usage              *Usage           `json:"usage"`
	CostNanoUSD        *int64           `json:"costNanoUsd"`
	CostSource         *string          `json:"costSource"` // client or prices
	// Counted is false where the span repeats a call that another span stands
	// for: its tokens and its cost are in no sum.
	Counted        bool `json:"counted"`
	MappingVersion *int `json:"mappingVersion"` // null for spans of another form

	StatusMessage  any            `json:"statusMessage,omitzero"` // a *string
	Error          jsontext.Value `json:"error,omitzero"`
	InputMessages  jsontext.Value `json:"inputMessages,omitzero"`
	OutputMessages jsontext.Value `json:"outputMessages,omitzero"`
	Parameters     jsontext.Value `json:"parameters,omitzero"`
	Tools          jsontext.Value `json:"tools,omitzero"`
	ToolInput      jsontext.Value `json:"toolInput,omitzero"`
	ToolResponse   jsontext.Value `json:"toolResponse,omitzero"`
	Metadata       jsontext.Value `json:"metadata,omitzero"`
	Attributes     jsontext.Value `json:"attributes,omitzero"`
	Resource       jsontext.Value `json:"resource,omitzero"`
	Events         jsontext.Value `json:"events,omitzero"`
	Links          jsontext.Value `json:"links,omitzero"`
	// PayloadsTruncated says that this row's payload did not fit the answer: ask
	// for fewer rows.
	PayloadsTruncated bool `json:"payloadsTruncated,omitzero"`
}

// Scope is the instrumentation that made a span.
type Scope struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Usage is what a call was metered in: all that went in and came out, and the
// buckets that add up to it, which are left out where only the sums are known.
type Usage struct {
	InputTokens  *int64 `json:"inputTokens"`
	OutputTokens *int64 `json:"outputTokens"`
	*trace.Usage
}

// exactly writes a time as exactly as it is kept.
const exactly = "2006-01-02T15:04:05.000000Z"

// Node makes the row of a span in a tree.
func (r *Rows) Node(t *store.TreeSpan) Node {
	s := &t.Span
	whole := r.Narrow || r.take(s)
	n := Node{
		SpanID: s.ID, ParentSpanID: optional(s.ParentID), Depth: t.Depth, Name: optional(s.Name), Kind: s.Kind, Operation: optional(s.Operation),
		Provider: s.Provider, ModelRequested: s.Model, ModelUsed: s.ModelUsed, StartTime: s.Start.UTC().Format(exactly),
		DurationMS: s.DurationMS, TimeToFirstTokenMS: s.TimeToFirstTokenMS, Status: s.Status, SessionID: optional(s.SessionID), UserID: s.UserID,
		Tags: s.Tags, Environment: s.Environment, Release: s.Release, APIKeyID: s.APIKey, Service: s.Service, AgentName: s.AgentName, ToolName: s.ToolName,
		ToolCallID: s.ToolUseID, FinishReason: s.FinishReason, ProviderRequestID: s.ProviderRequestID, CostNanoUSD: s.CostNanoUSD, CostSource: CostSource(s),
		Counted: !s.Repeat, PayloadsTruncated: !whole,
	}
	if s.DurationMS != nil {
		end := s.End().UTC().Format(exactly)
		n.EndTime = &end
	}
	if s.Scope != (trace.Scope{}) {
		n.Scope = &Scope{s.Scope.Name, s.Scope.Version}
	}
	if s.Usage != nil || s.InputTokens != nil || s.OutputTokens != nil {
		n.Usage = &Usage{s.InputTokens, s.OutputTokens, s.Usage}
	}
	if s.MappingVersion > 0 {
		n.MappingVersion = &s.MappingVersion
	}
	if whole && !r.Narrow {
		p := &s.Payload
		n.StatusMessage, n.Error, n.InputMessages, n.OutputMessages = p.StatusMessage, raw(p.Error), raw(p.InputMessages), raw(p.OutputMessages)
		n.Parameters, n.Tools, n.ToolInput, n.ToolResponse = raw(p.Parameters), raw(p.Tools), raw(p.ToolInput), raw(p.ToolResponse)
		n.Metadata, n.Attributes, n.Resource, n.Events, n.Links = raw(p.Metadata), raw(p.Attributes), raw(p.Resource), raw(p.Events), raw(p.Links)
	}
	return n
}

// CostSource says who computed the cost of s, nil if it has none. In forms older
// than OpenTelemetry's the sender gives it and nothing says so.
func CostSource(s *trace.Span) *string {
	source := s.CostSource
	if s.CostNanoUSD != nil && source == trace.CostUnknown {
		source = trace.CostOfSender
	}
	return optional(string(source))
}
