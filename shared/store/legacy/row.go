package legacy

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Type is what a column holds, and so the form in which an engine selects it.
type Type int

// The types, each with the Go type of its place in Row.Fields.
const (
	Text    Type = iota // *string
	JSON                // []byte, the text of the value; jsonb as Postgres writes it
	Number              // *float64; SQLite holds fractions in INTEGER columns too
	Time                // *float64, milliseconds since 1970
	Boolean             // *bool
)

// Column is a column of a table of the earlier service.
type Column struct {
	Name string
	Type Type
}

// Columns lists the columns of a table that are moved. Those that a database
// does not have read as NULL.
func Columns(t Table) []Column {
	if t == Traces {
		return traceColumns
	}
	return spanColumns
}

var traceColumns = []Column{
	{"trace_id", Text},
	{"project_id", Text},
	{"session_id", Text},
	{"timestamp", Time},
	{"latency_ms", Number},
	{"provider", Text},
	{"model_requested", Text},
	{"model_used", Text},
	{"provider_request_id", Text},
	{"request_body", JSON},
	{"response_body", JSON},
	{"input_tokens", Number},
	{"output_tokens", Number},
	{"output_text", Text},
	{"finish_reason", Text},
	{"status", Text},
	{"error", JSON},
	{"cost_cents", Number},
	{"metadata", JSON},
}

var spanColumns = []Column{
	{"span_id", Text},
	{"project_id", Text},
	{"session_id", Text},
	{"parent_span_id", Text},
	{"timestamp", Time},
	{"duration_ms", Number},
	{"source", Text},
	{"kind", Text},
	{"event_type", Text},
	{"status", Text},
	{"tool_use_id", Text},
	{"tool_name", Text},
	{"tool_input", JSON},
	{"tool_response", JSON},
	{"error", JSON},
	{"is_interrupt", Boolean},
	{"cwd", Text},
	{"model", Text},
	{"agent_name", Text},
	{"metadata", JSON},
	// G2 only
	{"trace_id", Text},
	{"service", Text},
	{"provider", Text},
	{"model_used", Text},
	{"input_tokens", Number},
	{"output_tokens", Number},
	{"cost_cents", Number},
	{"finish_reason", Text},
	{"output_text", Text},
	{"provider_request_id", Text},
}

// Row is a row of either table: what Columns lists, nil where NULL.
type Row struct {
	id, project, session, parent, trace          *string
	source, kind, eventType, status              *string
	service, toolUseID, toolName, cwd, agentName *string
	provider, model, modelUsed                   *string
	requestID, finishReason, outputText          *string
	request, response, toolInput, toolResponse   []byte
	failure, metadata                            []byte
	timeMS, durationMS, costCents                *float64
	inputTokens, outputTokens                    *float64
	isInterrupt                                  *bool
}

// Fields gives the places for the columns of t, in the order of Columns, to
// scan into.
func (r *Row) Fields(t Table) []any {
	if t == Traces {
		return []any{
			&r.id, &r.project, &r.session, &r.timeMS, &r.durationMS,
			&r.provider, &r.model, &r.modelUsed, &r.requestID,
			&r.request, &r.response, &r.inputTokens, &r.outputTokens,
			&r.outputText, &r.finishReason, &r.status, &r.failure, &r.costCents,
			&r.metadata,
		}
	}
	return []any{
		&r.id, &r.project, &r.session, &r.parent, &r.timeMS,
		&r.durationMS, &r.source, &r.kind, &r.eventType, &r.status,
		&r.toolUseID, &r.toolName, &r.toolInput, &r.toolResponse, &r.failure,
		&r.isInterrupt, &r.cwd, &r.model, &r.agentName, &r.metadata,
		&r.trace, &r.service, &r.provider, &r.modelUsed, &r.inputTokens,
		&r.outputTokens, &r.costCents, &r.finishReason, &r.outputText,
		&r.requestID,
	}
}

// Bytes is about the size of a row's large fields, for Limits.
func (r *Row) Bytes() int {
	return len(r.request) + len(r.response) + len(r.toolInput) + len(r.toolResponse) + len(r.failure) + len(r.metadata) +
		len(value(r.outputText))
}

// span gives the span that a row of t stands for, and the columns whose values
// had to be changed to fit.
func (r *Row) span(t Table) (trace.Span, []string) {
	c := changer{}
	s := trace.Span{
		ID:                trace.SpanID(c.text("id", value(r.id), trace.MaxIDBytes)),
		SessionID:         trace.SessionID(c.text("session_id", value(r.session), trace.MaxIDBytes)),
		Start:             c.time(r.timeMS),
		Status:            trace.Status(value(r.status)),
		DurationMS:        c.number("duration", r.durationMS, trace.MaxDurationMS),
		Model:             c.name("model", r.model),
		Provider:          c.name("provider", r.provider),
		ModelUsed:         c.name("model_used", r.modelUsed),
		InputTokens:       c.tokens("input_tokens", r.inputTokens),
		OutputTokens:      c.tokens("output_tokens", r.outputTokens),
		FinishReason:      c.name("finish_reason", r.finishReason),
		ProviderRequestID: c.name("provider_request_id", r.requestID),
		Payload: trace.Payload{
			Request: c.json("request_body", r.request), Response: c.json("response_body", r.response),
			ToolInput: c.json("tool_input", r.toolInput), ToolResponse: c.json("tool_response", r.toolResponse),
			Error: c.json("error", r.failure), Metadata: c.json("metadata", r.metadata), OutputText: r.outputText,
		},
	}
	if cents := c.number("cost_cents", r.costCents, trace.MaxCostCents); cents != nil {
		nano := trace.NanoUSD(*cents)
		s.CostNanoUSD = &nano
	}
	if t == Traces { // as POST /v1/traces/batch maps them
		s.Form, s.TraceID = trace.FormTrace, trace.TraceID(s.ID)
		s.Source, s.Kind, s.EventType = trace.SourceSDK, trace.KindLLMCall, "provider_call"
		return s, c.changed
	}
	s.Form = trace.FormSpan
	s.TraceID = trace.TraceID(c.text("trace_id", value(r.trace), trace.MaxIDBytes))
	s.ParentID = trace.SpanID(c.text("parent_span_id", value(r.parent), trace.MaxIDBytes))
	s.Source, s.Kind = trace.Source(value(r.source)), trace.Kind(value(r.kind))
	s.EventType = c.text("event_type", value(r.eventType), trace.MaxNameBytes)
	s.Service, s.ToolName, s.AgentName = c.name("service", r.service), c.name("tool_name", r.toolName), c.name("agent_name", r.agentName)
	s.ToolUseID = c.optional("tool_use_id", r.toolUseID, trace.MaxIDBytes)
	s.CWD = c.optional("cwd", r.cwd, trace.MaxPathBytes)
	s.IsInterrupt = r.isInterrupt
	if s.ToolName != nil && trace.EditsFiles(*s.ToolName) {
		s.EditedFile = editedFile(s.Payload.ToolInput)
	}
	return s, c.changed
}

func (r *Row) projectID() account.ProjectID { return account.ProjectID(value(r.project)) }

func value(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// changer makes values fit today's limits and notes which ones it changed.
type changer struct{ changed []string }

func (c *changer) note(column string) { c.changed = append(c.changed, column) }

// text cuts v at the limit, between characters, and replaces what is no text.
func (c *changer) text(column, v string, limit int) string {
	fit := strings.ReplaceAll(strings.ToValidUTF8(v, "\uFFFD"), "\x00", "\uFFFD")
	if len(fit) > limit {
		fit = strings.ToValidUTF8(fit[:limit], "") // valid before: only the cut character goes
	}
	if fit != v {
		c.note(column)
	}
	return fit
}

func (c *changer) optional(column string, v *string, limit int) *string {
	if v == nil {
		return nil
	}
	fit := c.text(column, *v, limit)
	return &fit
}

func (c *changer) name(column string, v *string) *string {
	return c.optional(column, v, trace.MaxNameBytes)
}

// time moves a time outside today's range to its nearest end.
func (c *changer) time(ms *float64) time.Time {
	lowest, highest := float64(trace.MinTime.UnixMilli()), float64(trace.MaxTime.UnixMilli())
	switch {
	case ms != nil && *ms >= lowest && *ms < highest:
		return time.UnixMicro(int64(math.Round(*ms * 1000))).UTC()
	case ms != nil && *ms >= highest:
		c.note("timestamp")
		return trace.MaxTime.Add(-time.Microsecond)
	}
	c.note("timestamp")
	return trace.MinTime
}

// number moves a number outside 0 to limit to the nearest end.
func (c *changer) number(column string, v *float64, limit float64) *float64 {
	if v == nil || (*v >= 0 && *v <= limit) {
		return v
	}
	c.note(column)
	if math.IsNaN(*v) { // a double precision of Postgres
		return nil
	}
	fit := max(0, min(*v, limit))
	return &fit
}

// tokens is number for counts, which are whole.
func (c *changer) tokens(column string, v *float64) *int64 {
	fit := c.number(column, v, trace.MaxTokens)
	if fit == nil {
		return nil
	}
	n := int64(*fit)
	if float64(n) != *fit {
		c.note(column)
	}
	return &n
}

// lenient is how stored JSON is read: what the earlier service wrote may repeat
// names and hold halves of surrogate pairs.
var lenient = jsontext.AllowDuplicateNames(true)

// json gives a stored value as it is, nil for null. What is no JSON becomes a
// string, since it would spoil every answer that it is part of.
func (c *changer) json(column string, v []byte) []byte {
	if v == nil || string(bytes.TrimSpace(v)) == "null" {
		return nil
	}
	if answerable(v) {
		return v
	}
	c.note(column)
	quoted, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(string(v), "\uFFFD")) // fails only on invalid UTF-8
	return quoted
}

// A value is part of an answer only within some levels of objects and arrays,
// and no encoder nests without end.
const answerLevels = 16

var opening, closing = bytes.Repeat([]byte("["), answerLevels), bytes.Repeat([]byte("]"), answerLevels)

// answerable reports whether v can be written as part of an answer.
func answerable(v []byte) bool {
	const surelyShallow = 1000
	if bytes.Count(v, []byte("["))+bytes.Count(v, []byte("{")) > surelyShallow {
		v = slices.Concat(opening, v, closing)
	}
	return jsontext.Value(v).IsValid(lenient, jsontext.AllowInvalidUTF8(true))
}

// editedFile gives the file_path of a tool's input, nil if there is none.
func editedFile(input []byte) *string {
	var fields struct {
		Path jsontext.Value `json:"file_path"`
	}
	var path string
	if json.Unmarshal(input, &fields, lenient, jsontext.AllowInvalidUTF8(true)) != nil || fields.Path.Kind() != '"' ||
		json.Unmarshal(fields.Path, &path) != nil {
		return nil
	}
	if path == "" || len(path) > trace.MaxPathBytes || strings.IndexByte(path, 0) >= 0 {
		return nil
	}
	return &path
}
