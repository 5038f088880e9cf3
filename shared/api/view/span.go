package view

import (
	"cmp"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Span is a span's row. Fields that a narrow row leaves out are omitted when
// they are nil and null when they hold one.
type Span struct {
	SpanID             trace.SpanID      `json:"spanId"`
	TraceID            *trace.TraceID    `json:"traceId"`
	ProjectID          account.ProjectID `json:"projectId"`
	SessionID          *trace.SessionID  `json:"sessionId"`
	ParentSpanID       *trace.SpanID     `json:"parentSpanId"`
	Timestamp          string            `json:"timestamp"`
	DurationMS         *float64          `json:"durationMs"`
	Source             trace.Source      `json:"source"`
	Service            *string           `json:"service"`
	Kind               trace.Kind        `json:"kind"`
	EventType          string            `json:"eventType"`
	Status             trace.Status      `json:"status"`
	ToolUseID          *string           `json:"toolUseId"`
	ToolName           *string           `json:"toolName"`
	ToolInput          jsontext.Value    `json:"toolInput,omitzero"`
	ToolResponse       jsontext.Value    `json:"toolResponse,omitzero"`
	Error              jsontext.Value    `json:"error,omitzero"`
	IsInterrupt        *bool             `json:"isInterrupt"`
	CWD                *string           `json:"cwd"`
	Model              *string           `json:"model"`
	AgentName          *string           `json:"agentName"`
	Provider           *string           `json:"provider"`
	ModelUsed          *string           `json:"modelUsed"`
	InputTokens        *int64            `json:"inputTokens"`
	OutputTokens       *int64            `json:"outputTokens"`
	CostCents          *float64          `json:"costCents"`
	FinishReason       *string           `json:"finishReason"`
	OutputText         any               `json:"outputText,omitzero"` // a *string
	ProviderRequestID  *string           `json:"providerRequestId"`
	Metadata           jsontext.Value    `json:"metadata,omitzero"`
	TimeToFirstTokenMS *float64          `json:"timeToFirstTokenMs"`

	// Label names the span in a trace's tree: its tool, else its event. Omitted
	// outside a trace.
	Label string `json:"label,omitzero"`
	// PayloadsTruncated says that this row's payload did not fit the answer;
	// GET of the span alone brings it.
	PayloadsTruncated bool `json:"payloadsTruncated,omitzero"`
}

// Span makes a span's row.
func (r *Rows) Span(s *trace.Span) Span { return r.span(s, r.Narrow || r.take(s)) }

// span makes the row of a span whose payload take let through, if whole.
func (r *Rows) span(s *trace.Span, whole bool) Span {
	row := Span{
		SpanID: s.ID, TraceID: optional(s.TraceID), ProjectID: r.Project, SessionID: optional(s.SessionID),
		ParentSpanID: optional(s.ParentID), Timestamp: Timestamp(s.Start), DurationMS: s.DurationMS, Source: s.Source,
		Service: s.Service, Kind: s.Kind, EventType: s.EventType, Status: s.Status, ToolUseID: s.ToolUseID,
		ToolName: s.ToolName, IsInterrupt: s.IsInterrupt, CWD: s.CWD, Model: s.Model, AgentName: s.AgentName,
		Provider: s.Provider, ModelUsed: s.ModelUsed, InputTokens: s.InputTokens, OutputTokens: s.OutputTokens,
		CostCents: cents(s.CostNanoUSD), FinishReason: s.FinishReason, ProviderRequestID: s.ProviderRequestID,
		TimeToFirstTokenMS: s.TimeToFirstTokenMS, PayloadsTruncated: !whole,
	}
	if whole && !r.Narrow {
		p := &s.Payload
		row.ToolInput, row.ToolResponse, row.Error = raw(p.ToolInput), raw(p.ToolResponse), raw(p.Error)
		row.Metadata, row.OutputText = raw(p.Metadata), p.OutputText
	}
	return row
}

func label(s *trace.Span) string {
	if s.ToolName != nil {
		return cmp.Or(*s.ToolName, s.EventType)
	}
	return s.EventType
}
