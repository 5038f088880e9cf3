package sqlite

import (
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// spanColumns are the narrow columns of spans, in the order of scanSpan.
var spanColumns = []string{
	"span_id", "trace_id", "parent_id", "session_id", "form", "start_time", "source", "kind", "event_type", "status",
	"duration_ms", "first_token_ms", "service", "tool_use_id", "tool_name", "is_interrupt", "cwd", "model", "agent_name", "provider",
	"model_used", "input_tokens", "output_tokens", "cost_nano_usd", "finish_reason", "provider_request_id", "edited_file",
	"payload_day", "payload_chunk", "payload_index",
}

// storedSpanColumns are all columns, in the order of appendSpan.
var storedSpanColumns = append([]string{"project"}, spanColumns...)

var selectSpan = "SELECT " + strings.Join(spanColumns, ", ") + " FROM spans "

// place says where a payload is.
type place struct {
	day int64
	fold.PayloadAt
}

// dayOf numbers the UTC day of t, from 1970.
func dayOf(t time.Time) int64 { return t.Unix() / int64(24*time.Hour/time.Second) }

// appendSpan appends a row of storedSpanColumns; at is nil without payload.
func appendSpan(args []any, project projectNumber, s *trace.Span, at *place) []any {
	args = append(args, int64(project), string(s.ID), string(s.TraceID), string(s.ParentID), string(s.SessionID), string(s.Form),
		s.Start.UnixMicro(), string(s.Source), string(s.Kind), s.EventType, string(s.Status),
		orNull(s.DurationMS), orNull(s.TimeToFirstTokenMS), orNull(s.Service), orNull(s.ToolUseID), orNull(s.ToolName),
		orNull(s.IsInterrupt), orNull(s.CWD), orNull(s.Model), orNull(s.AgentName), orNull(s.Provider), orNull(s.ModelUsed),
		orNull(s.InputTokens), orNull(s.OutputTokens), orNull(s.CostNanoUSD), orNull(s.FinishReason), orNull(s.ProviderRequestID),
		orNull(s.EditedFile))
	if at == nil {
		return append(args, nil, nil, nil)
	}
	return append(args, at.day, at.Chunk[:], int64(at.Index))
}

// orNull gives the value of p or nil: what the driver takes without reflection.
func orNull[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// scanSpan reads a row of selectSpan.
func scanSpan(rows *sql.Rows) (trace.Span, place, error) {
	var s trace.Span
	var at place
	var start int64
	var day, index sql.NullInt64
	var chunk []byte
	err := rows.Scan(&s.ID, &s.TraceID, &s.ParentID, &s.SessionID, &s.Form, &start, &s.Source, &s.Kind, &s.EventType, &s.Status,
		&s.DurationMS, &s.TimeToFirstTokenMS, &s.Service, &s.ToolUseID, &s.ToolName, &s.IsInterrupt, &s.CWD, &s.Model, &s.AgentName,
		&s.Provider, &s.ModelUsed, &s.InputTokens, &s.OutputTokens, &s.CostNanoUSD, &s.FinishReason, &s.ProviderRequestID, &s.EditedFile,
		&day, &chunk, &index)
	if err != nil {
		return s, at, err
	}
	s.Start = time.UnixMicro(start).UTC()
	if chunk != nil {
		at.day, at.Index = day.Int64, int(index.Int64)
		at.Chunk, err = uuid.FromBytes(chunk)
	}
	return s, at, err
}
