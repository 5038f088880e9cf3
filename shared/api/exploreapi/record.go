package exploreapi

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/api/view"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/trace"
)

// line is a trace in an export, or a part of one. Each member is what a route
// takes to store it again: /v1/traces/batch, /v1/spans/batch, /v1/traces and
// /v1/logs.
type line struct {
	TraceID       trace.TraceID    `json:"traceId"`
	StartTime     *string          `json:"startTime"`
	Traces        []callRecord     `json:"traces,omitzero"`
	Spans         []spanRecord     `json:"spans,omitzero"`
	ResourceSpans []jsontext.Value `json:"resourceSpans,omitzero"`
	ResourceLogs  []jsontext.Value `json:"resourceLogs,omitzero"`
	Omitted       []omission       `json:"omitted,omitzero"`
	More          bool             `json:"more,omitzero"` // the next line goes on with the trace
}

// omission is a span that is in no line.
type omission struct {
	SpanID trace.SpanID `json:"spanId"`
	Reason string       `json:"reason"`
}

// Why a span is left out.
const (
	omittedTooLarge = "too_large" // for one answer of this host
	omittedNoRaw    = "no_payload"
)

// callRecord is a model call as /v1/traces/batch takes it.
type callRecord struct {
	TraceID            trace.TraceID   `json:"trace_id"`
	Timestamp          string          `json:"timestamp"`
	Provider           *string         `json:"provider,omitzero"`
	ModelRequested     *string         `json:"model_requested,omitzero"`
	ModelUsed          *string         `json:"model_used,omitzero"`
	Status             trace.Status    `json:"status"`
	LatencyMS          *float64        `json:"latency_ms,omitzero"`
	TimeToFirstTokenMS *float64        `json:"time_to_first_token_ms,omitzero"`
	SessionID          trace.SessionID `json:"session_id,omitzero"`
	InputTokens        *int64          `json:"input_tokens,omitzero"`
	OutputTokens       *int64          `json:"output_tokens,omitzero"`
	CostCents          *float64        `json:"cost_cents,omitzero"`
	FinishReason       *string         `json:"finish_reason,omitzero"`
	ProviderRequestID  *string         `json:"provider_request_id,omitzero"`
	OutputText         *string         `json:"output_text,omitzero"`
	RequestBody        jsontext.Value  `json:"request_body,omitzero"`
	ResponseBody       jsontext.Value  `json:"response_body,omitzero"`
	Error              jsontext.Value  `json:"error,omitzero"`
	Metadata           jsontext.Value  `json:"metadata,omitzero"`
}

// spanRecord is a span as /v1/spans/batch takes it.
type spanRecord struct {
	SpanID             trace.SpanID    `json:"span_id"`
	TraceID            trace.TraceID   `json:"trace_id,omitzero"`
	ParentSpanID       trace.SpanID    `json:"parent_span_id,omitzero"`
	SessionID          trace.SessionID `json:"session_id"`
	Timestamp          string          `json:"timestamp"`
	DurationMS         *float64        `json:"duration_ms,omitzero"`
	TimeToFirstTokenMS *float64        `json:"time_to_first_token_ms,omitzero"`
	Source             trace.Source    `json:"source"`
	Service            *string         `json:"service,omitzero"`
	Kind               trace.Kind      `json:"kind"`
	EventType          string          `json:"event_type"`
	Status             trace.Status    `json:"status"`
	ToolUseID          *string         `json:"tool_use_id,omitzero"`
	ToolName           *string         `json:"tool_name,omitzero"`
	IsInterrupt        *bool           `json:"is_interrupt,omitzero"`
	CWD                *string         `json:"cwd,omitzero"`
	Model              *string         `json:"model,omitzero"`
	AgentName          *string         `json:"agent_name,omitzero"`
	Provider           *string         `json:"provider,omitzero"`
	ModelUsed          *string         `json:"model_used,omitzero"`
	InputTokens        *int64          `json:"input_tokens,omitzero"`
	OutputTokens       *int64          `json:"output_tokens,omitzero"`
	CostCents          *float64        `json:"cost_cents,omitzero"`
	FinishReason       *string         `json:"finish_reason,omitzero"`
	ProviderRequestID  *string         `json:"provider_request_id,omitzero"`
	OutputText         *string         `json:"output_text,omitzero"`
	ToolInput          jsontext.Value  `json:"tool_input,omitzero"`
	ToolResponse       jsontext.Value  `json:"tool_response,omitzero"`
	Error              jsontext.Value  `json:"error,omitzero"`
	Metadata           jsontext.Value  `json:"metadata,omitzero"`
}

// sentCost is a cost that the sender gave; what was made from prices is made
// again where the span is stored again.
func sentCost(s *trace.Span) *float64 {
	if s.CostNanoUSD == nil || s.CostSource == trace.CostOfPrices {
		return nil
	}
	cents := trace.Cents(*s.CostNanoUSD)
	return &cents
}

// add adds a span as it was sent.
func (l *line) add(s *trace.Span) {
	p := &s.Payload
	switch {
	case s.Mapped():
		l.addRaw(s)
	case s.Form == trace.FormTrace:
		l.Traces = append(l.Traces, callRecord{
			TraceID: trace.TraceID(s.ID), Timestamp: view.Exactly(s.Start), Provider: s.Provider, ModelRequested: s.Model, ModelUsed: s.ModelUsed,
			Status: s.Status, LatencyMS: s.DurationMS, TimeToFirstTokenMS: s.TimeToFirstTokenMS, SessionID: s.SessionID, InputTokens: s.InputTokens,
			OutputTokens: s.OutputTokens, CostCents: sentCost(s), FinishReason: s.FinishReason, ProviderRequestID: s.ProviderRequestID, OutputText: p.OutputText,
			RequestBody: objectOf(p.Request), ResponseBody: jsontext.Value(p.Response), Error: jsontext.Value(p.Error), Metadata: jsontext.Value(p.Metadata),
		})
	default:
		l.Spans = append(l.Spans, spanRecord{
			SpanID: s.ID, TraceID: s.TraceID, ParentSpanID: s.ParentID, SessionID: s.SessionID, Timestamp: view.Exactly(s.Start), DurationMS: s.DurationMS,
			TimeToFirstTokenMS: s.TimeToFirstTokenMS, Source: s.Source, Service: s.Service, Kind: s.Kind, EventType: s.EventType, Status: s.Status,
			ToolUseID: s.ToolUseID, ToolName: s.ToolName, IsInterrupt: s.IsInterrupt, CWD: s.CWD, Model: s.Model, AgentName: s.AgentName, Provider: s.Provider,
			ModelUsed: s.ModelUsed, InputTokens: s.InputTokens, OutputTokens: s.OutputTokens, CostCents: sentCost(s), FinishReason: s.FinishReason,
			ProviderRequestID: s.ProviderRequestID, OutputText: p.OutputText, ToolInput: jsontext.Value(p.ToolInput), ToolResponse: jsontext.Value(p.ToolResponse),
			Error: jsontext.Value(p.Error), Metadata: jsontext.Value(p.Metadata),
		})
	}
}

// objectOf gives the request of a call, which the route insists on; retention
// may have deleted it.
func objectOf(raw []byte) jsontext.Value {
	if len(raw) == 0 {
		return jsontext.Value("{}")
	}
	return raw
}

// addRaw adds what an exporter of OpenTelemetry sent.
func (l *line) addRaw(s *trace.Span) {
	var sent struct {
		ResourceSpans []jsontext.Value `json:"resourceSpans"`
		ResourceLogs  []jsontext.Value `json:"resourceLogs"`
	}
	raw, err := otlp.RawJSON(s.Payload.Raw)
	if err == nil {
		err = json.Unmarshal(raw, &sent, api.DecodeOptions)
	}
	if err != nil || len(sent.ResourceSpans)+len(sent.ResourceLogs) == 0 {
		l.omit(s, omittedNoRaw)
		return
	}
	l.ResourceSpans = append(l.ResourceSpans, sent.ResourceSpans...)
	l.ResourceLogs = append(l.ResourceLogs, sent.ResourceLogs...)
}

func (l *line) omit(s *trace.Span, reason string) {
	l.Omitted = append(l.Omitted, omission{s.ID, reason})
}
