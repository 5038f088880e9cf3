package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// plainColumns are the columns of every span, in the order of appendSpan.
// Spans of the older forms are written with these alone.
var plainColumns = []string{
	"project", "span_id", "trace_id", "parent_id", "session_id", "form", "start_time", "source", "kind", "event_type", "status",
	"duration_ms", "first_token_ms", "service", "tool_use_id", "tool_name", "is_interrupt", "cwd", "model", "agent_name", "provider",
	"model_used", "input_tokens", "output_tokens", "cost_nano_usd", "cost_source", "finish_reason", "provider_request_id", "edited_file",
	"payload_day", "payload_chunk", "payload_index", "api_key",
}

// mappedColumns are what spans made from OpenTelemetry have beside, in the order
// of appendMapped.
var mappedColumns = []string{
	"name", "operation", "user_id", "tags", "environment", "release", "service_tier", "scope_name", "scope_version", "usage",
	"mapping_version", "patch", "role", "call_key", "tells", "repeats", "content", "told_by", "own",
}

// spanColumns are all columns, in the order of scanSpan after the project.
var spanColumns = slices.Concat(plainColumns, mappedColumns)

var selectSpan = `SELECT ` + strings.Replace(`"`+strings.Join(spanColumns[1:], `", "`)+`"`, `"api_key"`, keyID, 1) + ` FROM spans `

// keyID gives the API key of a row of spans.
const keyID = `(SELECT key_id FROM api_key_numbers WHERE number = api_key)`

// place says where a payload is.
type place struct {
	day int64
	fold.PayloadAt
}

// dayOf numbers the UTC day of t, from 1970.
func dayOf(t time.Time) int64 { return t.Unix() / int64(24*time.Hour/time.Second) }

// appendSpan appends a row of plainColumns; at is nil without payload.
func (w *writing) appendSpan(ctx context.Context, args []any, s *trace.Span, at *place) ([]any, error) {
	key, err := w.keyNumber(ctx, s.APIKey)
	if err != nil {
		return nil, err
	}
	args = append(args, int64(w.project), string(s.ID), string(s.TraceID), string(s.ParentID), string(s.SessionID), string(s.Form),
		s.Start.UnixMicro(), string(s.Source), string(s.Kind), s.EventType, string(s.Status),
		orNull(s.DurationMS), orNull(s.TimeToFirstTokenMS), orNull(s.Service), orNull(s.ToolUseID), orNull(s.ToolName),
		orNull(s.IsInterrupt), orNull(s.CWD), orNull(s.Model), orNull(s.AgentName), orNull(s.Provider), orNull(s.ModelUsed),
		orNull(s.InputTokens), orNull(s.OutputTokens), orNull(s.CostNanoUSD), notEmpty(string(s.CostSource)), orNull(s.FinishReason), orNull(s.ProviderRequestID),
		orNull(s.EditedFile))
	if at == nil {
		return append(args, nil, nil, nil, key), nil
	}
	return append(args, at.day, at.Chunk[:], int64(at.Index), key), nil
}

// keyNumber gives an API key its number, with its first span; nil of nil.
func (w *writing) keyNumber(ctx context.Context, id *string) (any, error) {
	if id == nil {
		return nil, nil
	}
	if n, ok := w.keys[*id]; ok {
		return n, nil
	}
	var n int64
	err := w.tx.QueryRowContext(ctx, `SELECT number FROM api_key_numbers WHERE project = ? AND key_id = ?`, int64(w.project), *id).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = w.tx.QueryRowContext(ctx, `INSERT INTO api_key_numbers (project, key_id) VALUES (?, ?) RETURNING number`, int64(w.project), *id).Scan(&n)
	}
	if err != nil {
		return nil, toFault("number api key", err)
	}
	w.keys[*id] = n
	return n, nil
}

// appendMapped appends a row of mappedColumns. own is what the span says itself
// where that is not what s shows, else nil; from are the spans that complete it.
func appendMapped(args []any, s *trace.Span, content uint64, own *trace.Span, from []trace.SpanID) []any {
	var usage, contentOrNull, ownOrNull any
	if s.Usage != nil {
		usage = store.AppendUsage([]byte{}, s.Usage)
	}
	if content != 0 {
		contentOrNull = int64(content)
	}
	if own != nil {
		ownOrNull = store.EncodeSpan(own)
	}
	return append(args, notEmpty(s.Name), notEmpty(s.Operation), orNull(s.UserID), orNull(fold.EncodeList(s.Tags)), orNull(s.Environment),
		orNull(s.Release), orNull(s.ServiceTier), notEmpty(s.Scope.Name), notEmpty(s.Scope.Version), usage, int64(s.MappingVersion), s.Patch,
		notEmpty(string(s.Role)), notEmpty(fold.KeyOf(s)), int64(s.Tells), s.Repeat,
		contentOrNull, orNull(fold.EncodeList(from)), ownOrNull)
}

// notEmpty gives s, or NULL for "".
func notEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// orNull gives the value of p or nil: what the driver takes without reflection.
func orNull[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// storedSpan is a row of spans.
type storedSpan struct {
	trace.Span
	at      place
	content uint64
	own     *trace.Span    // what it says itself, nil where that is all it shows
	from    []trace.SpanID // who completes it
}

// peer gives s as the counting of calls sees it.
func (s *storedSpan) peer() fold.Peer {
	shown := s.Span
	shown.Payload = trace.Payload{}
	own := s.Says()
	own.Payload = trace.Payload{}
	return fold.Peer{Shown: &shown, Own: own, From: s.from}
}

// Says gives what s says itself, with its payload.
func (s *storedSpan) Says() *trace.Span {
	said := s.Span
	if s.own != nil {
		said = *s.own
	}
	said.Repeat, said.Payload = false, s.Payload
	return &said
}

// Shown implements fold.RewriteRow.
func (s *storedSpan) Shown() *trace.Span { return &s.Span }

// At implements fold.RewriteRow.
func (s *storedSpan) At() fold.PayloadAt { return s.at.PayloadAt }

// payloadAt gives the place of the payload, nil if there is none.
func (s *storedSpan) payloadAt() *place {
	if s.at.Chunk == uuid.Nil {
		return nil
	}
	return &s.at
}

// scanSpan reads a row of selectSpan.
func scanSpan(rows *sql.Rows) (storedSpan, error) {
	var s storedSpan
	var start int64
	var day, index, content sql.NullInt64
	var name, operation, scopeName, scopeVersion, costSource, role, callKey sql.NullString
	var tags, from *string
	var chunk []byte
	var own sql.RawBytes
	var usage any // empty bytes are counts of nothing, which RawBytes does not tell from NULL
	err := rows.Scan(&s.ID, &s.TraceID, &s.ParentID, &s.SessionID, &s.Form, &start, &s.Source, &s.Kind, &s.EventType, &s.Status,
		&s.DurationMS, &s.TimeToFirstTokenMS, &s.Service, &s.ToolUseID, &s.ToolName, &s.IsInterrupt, &s.CWD, &s.Model, &s.AgentName,
		&s.Provider, &s.ModelUsed, &s.InputTokens, &s.OutputTokens, &s.CostNanoUSD, &costSource, &s.FinishReason, &s.ProviderRequestID, &s.EditedFile,
		&day, &chunk, &index, &s.APIKey,
		&name, &operation, &s.UserID, &tags, &s.Environment, &s.Release, &s.ServiceTier, &scopeName, &scopeVersion, &usage,
		&s.MappingVersion, &s.Patch, &role, &callKey, &s.Tells, &s.Repeat, &content, &from, &own)
	if err != nil {
		return s, err
	}
	s.Start = time.UnixMicro(start).UTC()
	s.content = uint64(content.Int64)
	if chunk != nil {
		s.at.day, s.at.Index = day.Int64, int(index.Int64)
		if s.at.Chunk, err = uuid.FromBytes(chunk); err != nil {
			return s, err
		}
	}
	s.Name, s.Operation, s.CostSource = name.String, operation.String, trace.CostSource(costSource.String)
	s.Role, s.CallKey = trace.Role(role.String), fold.CallKeyOf(callKey.String)
	s.Scope = trace.Scope{Name: scopeName.String, Version: scopeVersion.String}
	if counts, ok := usage.([]byte); ok {
		if s.Usage, err = store.ParseUsage(counts); err != nil {
			return s, err
		}
	}
	if own != nil {
		said, err := store.DecodeSpan(own)
		if err != nil {
			return s, err
		}
		s.own = &said
	}
	if s.from, err = fold.DecodeList[trace.SpanID](from); err != nil {
		return s, err
	}
	s.Tags, err = fold.DecodeList[string](tags)
	return s, err
}
