// Package otlp turns what OpenTelemetry exporters send into spans: it decodes
// requests (protobuf and JSON), keeps each span's own bytes, and reads them
// with the dialects of the instrumentation libraries, which are tables. The
// same bytes can be read again when the tables have improved.
//
// The package knows no transport, no storage and no clock: where a sender gave
// no time, the caller's is used.
package otlp

import (
	"fmt"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

// MappingVersion is the version of the reading of spans, kept with each span
// that was mapped. It grows with every change of the dialects that changes what
// spans show, so that stored spans can be told that are worth reading again.
const MappingVersion = 1

// Encoding is a form that OTLP requests are sent in.
type Encoding int

// The encodings.
const (
	Protobuf Encoding = iota + 1 // application/x-protobuf, and gRPC's messages
	JSON                         // application/json
)

// Limits of what is taken from one request and one span. They bound memory: a
// request's own bytes are bounded by whoever read its body.
const (
	MaxSpans      = 100_000                   // spans or log records of one request
	maxAttributes = 20_000                    // attributes of one span, those of its events and links included
	maxDepth      = trace.MaxNestingDepth / 2 // of values within values
	// maxIDText bounds ids that are not OTLP's own. A store takes ids of up to
	// trace.MaxIDBytes.
	maxIDText = trace.MaxIDBytes
)

// Traces is a decoded request of spans. It refers to the body that it was
// decoded from, which must stay unchanged while it is in use.
type Traces struct {
	Spans []Span
	// Rejected counts the spans that were left out, and Reason says why the
	// first of them was, for the answer's partial success.
	Rejected int
	Reason   string
}

// reject leaves a span out.
func (t *Traces) reject(reason string) {
	if t.Rejected == 0 {
		t.Reason = reason
	}
	t.Rejected++
}

// Span is one span of a request, checked but not yet read.
type Span struct {
	group *group
	data  []byte // a message opentelemetry.proto.trace.v1.Span
}

// group is what the spans of one scope in one resource have in common.
type group struct {
	resource       []byte // message Resource
	resourceSchema []byte
	scope          []byte // message InstrumentationScope
	scopeSchema    []byte

	common *common // what is read of it, made when first needed
}

// DecodeTraces decodes an ExportTraceServiceRequest. Spans that are malformed or
// pass a limit are rejected one by one; fault.Invalid means that the request as
// a whole cannot be read, fault.TooLarge that it has more spans than MaxSpans.
// No error quotes what was sent.
func DecodeTraces(body []byte, enc Encoding) (*Traces, error) {
	t := &Traces{}
	add := func(g *group, data []byte) error {
		if len(t.Spans) >= MaxSpans {
			return fault.Newf(fault.TooLarge, "Export exceeds %d spans", MaxSpans)
		}
		if err := checkSpan(data); err != nil {
			t.reject(err.Error())
			return nil
		}
		t.Spans = append(t.Spans, Span{group: g, data: data})
		return nil
	}
	if enc == JSON {
		if err := decodeJSON(body, spanSignal, add, func() { t.reject("Invalid span: expected object, received null") }); err != nil {
			return nil, err
		}
		return t, nil
	}
	if err := walkProto(body, add); err != nil {
		return nil, err
	}
	return t, nil
}

// Logs is a decoded request of log records, with the same rules as Traces.
type Logs struct {
	Records  []LogRecord
	Rejected int
	Reason   string
}

// LogRecord is one log record of a request, checked but not yet read.
type LogRecord struct {
	group *group
	data  []byte // a message opentelemetry.proto.logs.v1.LogRecord
}

func (l *Logs) reject(reason string) {
	if l.Rejected == 0 {
		l.Reason = reason
	}
	l.Rejected++
}

// DecodeLogs decodes an ExportLogsServiceRequest as DecodeTraces does spans.
func DecodeLogs(body []byte, enc Encoding) (*Logs, error) {
	l := &Logs{}
	add := func(g *group, data []byte) error {
		if len(l.Records) >= MaxSpans {
			return fault.Newf(fault.TooLarge, "Export exceeds %d log records", MaxSpans)
		}
		if err := checkLogRecord(data); err != nil {
			l.reject(err.Error())
			return nil
		}
		l.Records = append(l.Records, LogRecord{group: g, data: data})
		return nil
	}
	if enc == JSON {
		if err := decodeJSON(body, logSignal, add, func() { l.reject("Invalid log record: expected object, received null") }); err != nil {
			return nil, err
		}
		return l, nil
	}
	if err := walkProto(body, add); err != nil {
		return nil, err
	}
	return l, nil
}

// invalidProto is the fault of a protobuf body that cannot be read.
func invalidProto(err error) error {
	return fault.Wrap(fault.Invalid, "Invalid protobuf body", fmt.Errorf("decode OTLP: %w", err))
}
