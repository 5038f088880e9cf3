package ingestapi

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

// maxIssues bounds how many faults one answer lists.
const maxIssues = 100

// decoder reads a JSON array of records in one pass. Payload fields are not
// parsed into values: their bytes are cut out of the body as they are, so they
// must stay unchanged while the spans are in use.
type decoder struct {
	body   []byte
	dec    *jsontext.Decoder
	issues []fault.Issue

	item  int // index of the record that is read
	field string
}

// decodeSpans reads the span form (contract.md section 10.2).
func decodeSpans(body []byte) ([]trace.Span, error) { return decode(body, (*decoder).span) }

// decodeTraces reads the trace form (contract.md section 8.1): each record
// becomes the one span of its trace.
func decodeTraces(body []byte) ([]trace.Span, error) { return decode(body, (*decoder).trace) }

func decode(body []byte, record func(*decoder, *trace.Span) error) ([]trace.Span, error) {
	body, err := api.CheckJSON(body)
	if err != nil {
		return nil, err
	}
	d := &decoder{body: body, dec: jsontext.NewDecoder(bytes.NewBuffer(body), api.DecodeOptions)}
	spans, err := d.array(record)
	if err != nil {
		return nil, api.InvalidJSON(err)
	}
	if len(d.issues) > 0 {
		return nil, &fault.Error{Code: fault.Invalid, Message: "Validation failed", Issues: d.issues}
	}
	return spans, nil
}

// array reads all records, and what follows the array, which must be nothing.
func (d *decoder) array(record func(*decoder, *trace.Span) error) ([]trace.Span, error) {
	if d.dec.PeekKind() != '[' {
		v, err := d.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		d.issues = append(d.issues, wrongType("array", v))
		return nil, d.end()
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, err
	}
	spans := make([]trace.Span, 0, trace.MaxBatch)
	for d.item = 0; d.dec.PeekKind() != ']'; d.item++ {
		if d.item >= trace.MaxBatch { // counted, no longer read
			if err := d.dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		if d.dec.PeekKind() != '{' {
			v, err := d.dec.ReadValue()
			if err != nil {
				return nil, err
			}
			i := wrongType("object", v)
			i.Path = []any{d.item}
			d.add(i)
			continue
		}
		spans = append(spans, trace.Span{})
		if err := record(d, &spans[len(spans)-1]); err != nil {
			return nil, err
		}
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return nil, err
	}
	if d.item > trace.MaxBatch {
		d.issues = append(d.issues, fault.Issue{
			Code:    "too_big",
			Message: fmt.Sprintf("Too big: expected array to have <=%d items", trace.MaxBatch),
		})
	}
	return spans, d.end()
}

// end checks that nothing follows the value.
func (d *decoder) end() error {
	if d.dec.PeekKind() == 0 && len(bytes.TrimSpace(d.body[d.dec.InputOffset():])) == 0 {
		return nil
	}
	_, err := d.dec.ReadToken()
	if err == nil {
		err = fmt.Errorf("text after the array")
	}
	return err
}

// fields calls set for every member of the record. Of members with one name the
// last counts, since it is set last; null makes a field absent.
func (d *decoder) fields(set func(name string, v jsontext.Value)) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for d.dec.PeekKind() != '}' {
		quoted, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		d.field = fieldName(quoted)
		v, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		end := d.dec.InputOffset() // the decoder's own copy is reused; the body stays
		set(d.field, jsontext.Value(d.body[end-int64(len(v)):end:end]))
	}
	_, err := d.dec.ReadToken()
	return err
}

// fieldName unquotes a member's name without copying the usual ones.
func fieldName(quoted jsontext.Value) string {
	inner := quoted[1 : len(quoted)-1]
	if name, ok := fieldNames[string(inner)]; ok {
		return name
	}
	name, _ := jsontext.AppendUnquote(nil, quoted) // the decoder checked it
	return string(name)
}

// fieldNames are the names of both forms, so that reading one makes no garbage.
var fieldNames = func() map[string]string {
	m := map[string]string{}
	for _, n := range []string{
		"trace_id", "span_id", "parent_span_id", "session_id", "timestamp", "provider", "model_requested",
		"model_used", "provider_request_id", "request_body", "response_body", "input_tokens", "output_tokens", "output_text",
		"finish_reason", "status", "error", "latency_ms", "time_to_first_token_ms", "cost_cents", "metadata", "duration_ms",
		"source", "service", "kind", "event_type", "tool_use_id", "tool_name", "tool_input", "tool_response", "is_interrupt",
		"cwd", "model", "agent_name",
	} {
		m[n] = n
	}
	return m
}()

func (d *decoder) trace(s *trace.Span) error {
	*s = trace.Span{Form: trace.FormTrace, Source: trace.SourceSDK, Kind: trace.KindLLMCall, EventType: "provider_call"}
	var id, model string
	err := d.fields(func(name string, v jsontext.Value) {
		switch name {
		case "trace_id":
			id = d.text(v)
		case "timestamp":
			s.Start = d.time(v)
		case "provider":
			s.Provider = d.textPtr(v)
		case "model_requested":
			model = d.text(v)
		case "request_body":
			s.Payload.Request = d.object(v)
		case "status":
			s.Status = trace.Status(d.text(v))
		case "latency_ms":
			s.DurationMS = d.number(v)
		case "time_to_first_token_ms":
			s.TimeToFirstTokenMS = d.number(v)
		case "model_used":
			s.ModelUsed = d.textPtr(v)
		case "provider_request_id":
			s.ProviderRequestID = d.textPtr(v)
		case "response_body":
			s.Payload.Response = d.object(v)
		case "input_tokens":
			s.InputTokens = d.integer(v)
		case "output_tokens":
			s.OutputTokens = d.integer(v)
		case "output_text":
			s.Payload.OutputText = d.textPtr(v)
		case "finish_reason":
			s.FinishReason = d.textPtr(v)
		case "error":
			s.Payload.Error = d.object(v)
		case "cost_cents":
			s.CostNanoUSD = d.cents(v)
		case "session_id":
			s.SessionID = trace.SessionID(d.nonEmpty(v))
		case "metadata":
			s.Payload.Metadata = d.object(v)
		}
	})
	if err != nil {
		return err
	}
	s.ID, s.TraceID, s.Model = trace.SpanID(id), trace.TraceID(id), &model
	d.require("trace_id", "a non-empty string", id != "")
	if id != "" && !isUUID(id) {
		d.issue("trace_id", "invalid_format", "Invalid UUID")
	}
	d.require("timestamp", "a non-empty string", !s.Start.IsZero())
	d.require("provider", "a non-empty string", s.Provider != nil && *s.Provider != "")
	d.require("model_requested", "a non-empty string", model != "")
	d.require("request_body", "an object", s.Payload.Request != nil)
	d.require("status", "a non-empty string", s.Status != "")
	d.require("latency_ms", "a number", s.DurationMS != nil)
	d.check(s, traceNames)
	return nil
}

func (d *decoder) span(s *trace.Span) error {
	*s = trace.Span{Form: trace.FormSpan}
	first := len(d.issues)
	err := d.fields(func(name string, v jsontext.Value) {
		switch name {
		case "span_id":
			s.ID = trace.SpanID(d.text(v))
		case "trace_id":
			s.TraceID = trace.TraceID(d.nonEmpty(v))
		case "parent_span_id":
			s.ParentID = trace.SpanID(d.nonEmpty(v))
		case "session_id":
			s.SessionID = trace.SessionID(d.text(v))
		case "timestamp":
			s.Start = d.time(v)
		case "duration_ms":
			s.DurationMS = d.number(v)
		case "time_to_first_token_ms":
			s.TimeToFirstTokenMS = d.number(v)
		case "source":
			s.Source = trace.Source(d.text(v))
		case "service":
			s.Service = d.textPtr(v)
		case "kind":
			s.Kind = trace.Kind(d.text(v))
		case "event_type":
			s.EventType = d.text(v)
		case "status":
			s.Status = trace.Status(d.text(v))
		case "tool_use_id":
			s.ToolUseID = d.textPtr(v)
		case "tool_name":
			s.ToolName = d.textPtr(v)
		case "tool_input":
			s.Payload.ToolInput = raw(v)
		case "tool_response":
			s.Payload.ToolResponse = raw(v)
		case "error":
			s.Payload.Error = raw(v)
		case "is_interrupt":
			s.IsInterrupt = d.boolean(v)
		case "cwd":
			s.CWD = d.textPtr(v)
		case "model":
			s.Model = d.textPtr(v)
		case "agent_name":
			s.AgentName = d.textPtr(v)
		case "provider":
			s.Provider = d.textPtr(v)
		case "model_used":
			s.ModelUsed = d.textPtr(v)
		case "finish_reason":
			s.FinishReason = d.textPtr(v)
		case "output_text":
			s.Payload.OutputText = d.textPtr(v)
		case "provider_request_id":
			s.ProviderRequestID = d.textPtr(v)
		case "input_tokens":
			s.InputTokens = d.integer(v)
		case "output_tokens":
			s.OutputTokens = d.integer(v)
		case "cost_cents":
			s.CostNanoUSD = d.cents(v)
		case "metadata":
			s.Payload.Metadata = d.object(v)
		}
	})
	if err != nil {
		return err
	}
	d.require("span_id", "a non-empty string", s.ID != "")
	d.require("session_id", "a non-empty string", s.SessionID != "")
	d.require("timestamp", "a non-empty string", !s.Start.IsZero())
	d.require("event_type", "a non-empty string", s.EventType != "")
	d.check(s, nil)
	if len(d.issues) == first && s.ToolName != nil && s.Payload.ToolInput != nil && trace.EditsFiles(*s.ToolName) {
		s.EditedFile = editedFile(s.Payload.ToolInput)
	}
	return nil
}

// traceNames maps the span form's names to the trace form's, where they differ.
var traceNames = map[string]string{"span_id": "trace_id", "duration_ms": "latency_ms", "model": "model_requested"}

// check adds what the values' own rules say, under the form's names.
func (d *decoder) check(s *trace.Span, names map[string]string) {
	for _, i := range s.Check() {
		name := i.Path[0].(string)
		if n, ok := names[name]; ok {
			name = n
		}
		d.issue(name, i.Code, i.Message)
	}
}

func (d *decoder) require(field, want string, ok bool) {
	if !ok {
		d.issue(field, "invalid_type", "Required: expected "+want)
	}
}

// issue notes what is wrong with a field of the current record: the first fault
// counts, since a value of the wrong type also looks like a missing one.
func (d *decoder) issue(field, code, message string) {
	for k := len(d.issues) - 1; k >= 0 && d.issues[k].Path[0] == d.item; k-- {
		if p := d.issues[k].Path; len(p) == 2 && p[1] == field {
			return
		}
	}
	d.add(fault.Issue{Path: []any{d.item, field}, Code: code, Message: message})
}

func (d *decoder) add(i fault.Issue) {
	if len(d.issues) < maxIssues {
		d.issues = append(d.issues, i)
	}
}

// wrong notes that the value of the current field has another type; null is
// none, but absent.
func (d *decoder) wrong(want string, v jsontext.Value) {
	if isNull(v) {
		return
	}
	i := wrongType(want, v)
	d.issue(d.field, i.Code, i.Message)
}

func wrongType(want string, v jsontext.Value) fault.Issue {
	got := map[jsontext.Kind]string{'n': "null", 't': "boolean", 'f': "boolean", '"': "string", '0': "number", '{': "object", '[': "array"}[v.Kind()]
	return fault.Issue{Code: "invalid_type", Message: "Invalid input: expected " + want + ", received " + got}
}

// The readers of values below give the zero value for null, which is absent,
// and, with an issue noted, for a value of another type.

func isNull(v jsontext.Value) bool { return v.Kind() == 'n' }

// raw gives a value of any type as it was sent.
func raw(v jsontext.Value) []byte {
	if isNull(v) {
		return nil
	}
	return v
}

func (d *decoder) text(v jsontext.Value) string {
	if v.Kind() != '"' {
		d.wrong("string", v)
		return ""
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	out, _ := jsontext.AppendUnquote(make([]byte, 0, len(inner)), v) // half a surrogate pair becomes U+FFFD
	return string(out)
}

func (d *decoder) textPtr(v jsontext.Value) *string {
	if isNull(v) {
		return nil
	}
	s := d.text(v)
	return &s
}

// nonEmpty is text that must have a character if it is there at all.
func (d *decoder) nonEmpty(v jsontext.Value) string {
	s := d.text(v)
	if s == "" && v.Kind() == '"' {
		d.issue(d.field, "too_small", "Too small: expected string to have >=1 characters")
	}
	return s
}

func (d *decoder) time(v jsontext.Value) time.Time {
	s := d.text(v)
	t, ok := trace.ParseTime(s)
	if !ok && v.Kind() == '"' {
		d.issue(d.field, "invalid_format", "Invalid ISO datetime: expected for example 2026-01-25T12:00:00.123Z")
	}
	if ok && t.IsZero() { // which means absent; as early, and out of range too
		t = t.Add(1)
	}
	return t
}

func (d *decoder) number(v jsontext.Value) *float64 {
	if v.Kind() != '0' {
		d.wrong("number", v)
		return nil
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.IsInf(f, 0) {
		d.issue(d.field, "too_big", "Too big: the number does not fit a double")
		return nil
	}
	return &f
}

// integer takes 10, 10.0 and 1e1.
func (d *decoder) integer(v jsontext.Value) *int64 {
	if v.Kind() == '0' {
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return &n
		}
	}
	f := d.number(v)
	if f == nil {
		return nil
	}
	if *f != math.Trunc(*f) {
		d.issue(d.field, "invalid_type", "Invalid input: expected int, received number")
		return nil
	}
	n := int64(math.MaxInt64) // a limit refuses it by name
	if *f < trace.MaxTokens {
		n = int64(max(*f, -1))
	}
	return &n
}

func (d *decoder) cents(v jsontext.Value) *int64 {
	f := d.number(v)
	switch {
	case f == nil:
		return nil
	case *f < 0:
		d.issue(d.field, "too_small", "Too small: expected number to be >=0")
		return nil
	case *f > trace.MaxCostCents:
		d.issue(d.field, "too_big", fmt.Sprintf("Too big: expected number to be <=%g", trace.MaxCostCents))
		return nil
	}
	n := trace.NanoUSD(*f)
	return &n
}

func (d *decoder) boolean(v jsontext.Value) *bool {
	if k := v.Kind(); k != 't' && k != 'f' {
		d.wrong("boolean", v)
		return nil
	}
	b := v.Kind() == 't'
	return &b
}

func (d *decoder) object(v jsontext.Value) []byte {
	if v.Kind() != '{' {
		d.wrong("object", v)
		return nil
	}
	return v
}

// editedFile gives the file_path of a tool's input, nil if there is none.
func editedFile(input []byte) *string {
	d := &decoder{body: input, dec: jsontext.NewDecoder(bytes.NewBuffer(input), api.DecodeOptions)}
	if d.dec.PeekKind() != '{' {
		return nil
	}
	var path *string
	err := d.fields(func(name string, v jsontext.Value) {
		if name == "file_path" {
			path = d.textPtr(v)
		}
	})
	if err != nil || path == nil || *path == "" || len(*path) > trace.MaxPathBytes || bytes.IndexByte([]byte(*path), 0) >= 0 {
		return nil
	}
	return path
}

// isUUID reports whether s is a UUID as the contract takes one: version 1 to 8
// and the RFC variant, or nil, or max in lower case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if strings.IndexByte("0123456789abcdefABCDEF", c) < 0 {
				return false
			}
		}
	}
	if s == "00000000-0000-0000-0000-000000000000" || s == "ffffffff-ffff-ffff-ffff-ffffffffffff" {
		return true
	}
	variant := s[19] | 0x20
	return s[14] >= '1' && s[14] <= '8' && (s[19] == '8' || s[19] == '9' || variant == 'a' || variant == 'b')
}
