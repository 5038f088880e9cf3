package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Raw bytes are a message TracesData with one ResourceSpans for each time that
// the span was sent. What log records brought of the span is beside it, in a
// field that TracesData does not have and its readers skip: ResourceLogs.
// Joining two such messages is appending one to the other.
const fieldRawLogs = 20010

// raw makes the raw bytes of one span or log record: num is the field of the
// outer message.
func (g *group) raw(num protowire.Number, data []byte) []byte {
	return g.appendItems(nil, num, [][]byte{data})
}

// appendItems appends spans or log records with their scope and resource, as
// field num of an outer message.
func (g *group) appendItems(dst []byte, num protowire.Number, items [][]byte) []byte {
	sized := func(num protowire.Number, b []byte) int {
		if len(b) == 0 {
			return 0
		}
		return protowire.SizeTag(num) + protowire.SizeBytes(len(b))
	}
	scope := sized(fieldScope, g.scope) + sized(fieldScopeSchema, g.scopeSchema)
	for _, data := range items {
		scope += protowire.SizeTag(fieldSpans) + protowire.SizeBytes(len(data))
	}
	resource := sized(fieldResource, g.resource) + protowire.SizeTag(fieldScopeSpans) + protowire.SizeBytes(scope) +
		sized(fieldResourceSchema, g.resourceSchema)

	dst = slices.Grow(dst, protowire.SizeTag(num)+protowire.SizeBytes(resource))
	put := func(num protowire.Number, b []byte) {
		if len(b) > 0 {
			dst = protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), b)
		}
	}
	dst = protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.BytesType), uint64(resource))
	put(fieldResource, g.resource)
	dst = protowire.AppendVarint(protowire.AppendTag(dst, fieldScopeSpans, protowire.BytesType), uint64(scope))
	put(fieldScope, g.scope)
	for _, data := range items {
		dst = protowire.AppendBytes(protowire.AppendTag(dst, fieldSpans, protowire.BytesType), data)
	}
	put(fieldScopeSchema, g.scopeSchema)
	put(fieldResourceSchema, g.resourceSchema)
	return dst
}

// walkRaw calls span and log for what raw bytes hold.
func walkRaw(raw []byte, span, log func(*group, []byte) error) error {
	for b := raw; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			return invalidProto(err)
		}
		b = rest
		data, ok := f.bytes()
		if !ok {
			continue
		}
		switch f.num {
		case fieldResourceSpans:
			err = walkResource(data, span)
		case fieldRawLogs:
			err = walkResource(data, log)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// RawJSON gives a span's raw bytes as OTLP JSON: a TracesData object with what
// was sent as spans, and beside it, where there are any, the log records that
// told of the span. Ids are in hex (a client's own as it gave them), 64-bit
// integers are strings, enumerations numbers. fault.Invalid if raw is damaged.
func RawJSON(raw []byte) ([]byte, error) {
	out := append(make([]byte, 0, 3*len(raw)), `{"resourceSpans":[`...)
	var logs []byte
	err := func() error {
		for b := raw; len(b) > 0; {
			f, rest, err := next(b)
			if err != nil {
				return err
			}
			b = rest
			data, ok := f.bytes()
			if !ok {
				continue
			}
			switch f.num {
			case fieldResourceSpans:
				out, err = appendObject(elements(out), data, jsonResourceSpans, maxShapeDepth)
			case fieldRawLogs:
				logs, err = appendObject(elements(logs), data, jsonResourceLogs, maxShapeDepth)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "The raw bytes of the span are damaged", err)
	}
	out = append(out, ']')
	if logs != nil {
		out = append(append(append(out, `,"resourceLogs":[`...), logs...), ']')
	}
	return append(out, '}'), nil
}

// elements puts the comma that parts what is in dst from what comes.
func elements(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] == '}' {
		return append(dst, ',')
	}
	return dst
}

// A shape says how the fields of a message are written as JSON, in the order of
// the object's members.
type shape []member

type member struct {
	num  protowire.Number
	name string
	writer
	sub  func() shape // of a message, which has no writer
	list bool
}

// A writer writes a scalar field of one of its types.
type writer struct {
	types []protowire.Type
	as    func(dst []byte, f *field) []byte
}

var (
	jsonResourceSpans = shape{
		{num: fieldResource, name: "resource", sub: of(jsonResource)},
		{num: fieldScopeSpans, name: "scopeSpans", list: true, sub: of(jsonScopeSpans)},
		{num: fieldResourceSchema, name: "schemaUrl", writer: asText},
	}
	jsonResourceLogs = shape{
		{num: fieldResource, name: "resource", sub: of(jsonResource)},
		{num: fieldScopeSpans, name: "scopeLogs", list: true, sub: of(jsonScopeLogs)},
		{num: fieldResourceSchema, name: "schemaUrl", writer: asText},
	}
	jsonResource = shape{
		{num: fieldResourceAttributes, name: "attributes", list: true, sub: keyValueShape},
		{num: fieldResourceDropped, name: "droppedAttributesCount", writer: asNumber},
	}
	jsonScopeSpans = shape{
		{num: fieldScope, name: "scope", sub: of(jsonScope)},
		{num: fieldSpans, name: "spans", list: true, sub: of(jsonSpan)},
		{num: fieldScopeSchema, name: "schemaUrl", writer: asText},
	}
	jsonScopeLogs = shape{
		{num: fieldScope, name: "scope", sub: of(jsonScope)},
		{num: fieldSpans, name: "logRecords", list: true, sub: of(jsonLogRecord)},
		{num: fieldScopeSchema, name: "schemaUrl", writer: asText},
	}
	jsonScope = shape{
		{num: fieldScopeName, name: "name", writer: asText},
		{num: fieldScopeVersion, name: "version", writer: asText},
		{num: fieldScopeAttributes, name: "attributes", list: true, sub: keyValueShape},
		{num: fieldScopeDropped, name: "droppedAttributesCount", writer: asNumber},
	}
	jsonSpan = shape{
		{num: fieldTraceID, name: "traceId", writer: asHex},
		{num: fieldTextTraceID, name: "traceId", writer: asText},
		{num: fieldSpanID, name: "spanId", writer: asHex},
		{num: fieldTextSpanID, name: "spanId", writer: asText},
		{num: fieldTraceState, name: "traceState", writer: asText},
		{num: fieldParentID, name: "parentSpanId", writer: asHex},
		{num: fieldTextParentID, name: "parentSpanId", writer: asText},
		{num: fieldFlags, name: "flags", writer: asNumber},
		{num: fieldName, name: "name", writer: asText},
		{num: fieldSpanKind, name: "kind", writer: asNumber},
		{num: fieldStart, name: "startTimeUnixNano", writer: asLong},
		{num: fieldEnd, name: "endTimeUnixNano", writer: asLong},
		{num: fieldAttributes, name: "attributes", list: true, sub: keyValueShape},
		{num: fieldDropped, name: "droppedAttributesCount", writer: asNumber},
		{num: fieldEvents, name: "events", list: true, sub: of(jsonEvent)},
		{num: fieldDroppedEvents, name: "droppedEventsCount", writer: asNumber},
		{num: fieldLinks, name: "links", list: true, sub: of(jsonLink)},
		{num: fieldDroppedLinks, name: "droppedLinksCount", writer: asNumber},
		{num: fieldStatus, name: "status", sub: of(jsonStatus)},
	}
	jsonEvent = shape{
		{num: fieldEventTime, name: "timeUnixNano", writer: asLong},
		{num: fieldEventName, name: "name", writer: asText},
		{num: fieldEventAttributes, name: "attributes", list: true, sub: keyValueShape},
		{num: fieldEventDropped, name: "droppedAttributesCount", writer: asNumber},
	}
	jsonLink = shape{
		{num: fieldLinkTraceID, name: "traceId", writer: asHex},
		{num: fieldTextLinkTrace, name: "traceId", writer: asText},
		{num: fieldLinkSpanID, name: "spanId", writer: asHex},
		{num: fieldTextLinkSpan, name: "spanId", writer: asText},
		{num: fieldLinkState, name: "traceState", writer: asText},
		{num: fieldLinkAttributes, name: "attributes", list: true, sub: keyValueShape},
		{num: fieldLinkDropped, name: "droppedAttributesCount", writer: asNumber},
		{num: fieldLinkFlags, name: "flags", writer: asNumber},
	}
	jsonStatus = shape{
		{num: fieldStatusMessage, name: "message", writer: asText},
		{num: fieldStatusCode, name: "code", writer: asNumber},
	}
	jsonLogRecord = shape{
		{num: fieldLogTime, name: "timeUnixNano", writer: asLong},
		{num: fieldLogObserved, name: "observedTimeUnixNano", writer: asLong},
		{num: fieldLogSeverity, name: "severityNumber", writer: asNumber},
		{num: fieldLogSeverityTx, name: "severityText", writer: asText},
		{num: fieldLogEventName, name: "eventName", writer: asText},
		{num: fieldLogBody, name: "body", sub: anyValueShape},
		{num: fieldLogAttributes, name: "attributes", list: true, sub: keyValueShape},
		{num: fieldLogDropped, name: "droppedAttributesCount", writer: asNumber},
		{num: fieldLogFlags, name: "flags", writer: asNumber},
		{num: fieldLogTraceID, name: "traceId", writer: asHex},
		{num: fieldTextLogTraceID, name: "traceId", writer: asText},
		{num: fieldLogSpanID, name: "spanId", writer: asHex},
		{num: fieldTextLogSpanID, name: "spanId", writer: asText},
	}
)

// The shapes that hold themselves.

func keyValueShape() shape {
	return shape{
		{num: fieldKey, name: "key", writer: asText},
		{num: fieldValue, name: "value", sub: anyValueShape},
	}
}

func anyValueShape() shape {
	return shape{
		{num: fieldString, name: "stringValue", writer: asText},
		{num: fieldBool, name: "boolValue", writer: asBool},
		{num: fieldInt, name: "intValue", writer: asInt},
		{num: fieldDouble, name: "doubleValue", writer: asDouble},
		{num: fieldArray, name: "arrayValue", sub: func() shape {
			return shape{{num: fieldValues, name: "values", list: true, sub: anyValueShape}}
		}},
		{num: fieldKVList, name: "kvlistValue", sub: func() shape {
			return shape{{num: fieldValues, name: "values", list: true, sub: keyValueShape}}
		}},
		{num: fieldBytes, name: "bytesValue", writer: asBase64},
	}
}

func of(s shape) func() shape { return func() shape { return s } }

var (
	asText = writer{[]protowire.Type{protowire.BytesType}, func(dst []byte, f *field) []byte {
		return appendQuoted(dst, f.data)
	}}
	asHex = writer{[]protowire.Type{protowire.BytesType}, func(dst []byte, f *field) []byte {
		return append(hex.AppendEncode(append(dst, '"'), f.data), '"')
	}}
	asBase64 = writer{[]protowire.Type{protowire.BytesType}, func(dst []byte, f *field) []byte {
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), f.data), '"')
	}}
	asNumber = writer{[]protowire.Type{protowire.VarintType, protowire.Fixed32Type}, func(dst []byte, f *field) []byte {
		return strconv.AppendUint(dst, f.n, 10)
	}}
	asLong = writer{[]protowire.Type{protowire.Fixed64Type}, func(dst []byte, f *field) []byte {
		return append(strconv.AppendUint(append(dst, '"'), f.n, 10), '"')
	}}
	asInt = writer{[]protowire.Type{protowire.VarintType}, func(dst []byte, f *field) []byte {
		return append(strconv.AppendInt(append(dst, '"'), int64(f.n), 10), '"')
	}}
	asBool = writer{[]protowire.Type{protowire.VarintType}, func(dst []byte, f *field) []byte {
		return strconv.AppendBool(dst, f.n != 0)
	}}
	asDouble = writer{[]protowire.Type{protowire.Fixed64Type}, func(dst []byte, f *field) []byte {
		return appendFloat(dst, math.Float64frombits(f.n))
	}}
)

// maxShapeDepth bounds the objects within objects of a span's JSON: a value
// within a list of pairs is three of them.
const maxShapeDepth = 3*maxDepth + 10

// appendObject writes a message as a JSON object. Fields without a member are
// left out.
func appendObject(dst, msg []byte, s shape, depth int) ([]byte, error) {
	if depth < 0 {
		return nil, errTooDeep
	}
	fields := make([]field, 0, len(s))
	for b := msg; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		b = rest
		fields = append(fields, f)
	}
	dst = append(dst, '{')
	for i := range s {
		m := &s[i]
		last := -1
		for j := range fields {
			if f := &fields[j]; f.num != m.num || !m.takes(f.typ) {
				continue
			}
			if last < 0 && m.list {
				dst = append(m.begin(dst), '[')
			}
			if m.list {
				var err error
				if dst, err = m.append(elements(dst), &fields[j], depth); err != nil {
					return nil, err
				}
			}
			last = j
		}
		switch {
		case last < 0:
		case m.list:
			dst = append(dst, ']')
		default: // of a repeated field that is no list the last counts
			var err error
			if dst, err = m.append(m.begin(dst), &fields[last], depth); err != nil {
				return nil, err
			}
		}
	}
	return append(dst, '}'), nil
}

// takes reports whether a field of this type can be written as m.
func (m *member) takes(typ protowire.Type) bool {
	if m.sub != nil {
		return typ == protowire.BytesType
	}
	return slices.Contains(m.types, typ)
}

// begin writes the member's name.
func (m *member) begin(dst []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(append(append(dst, '"'), m.name...), '"', ':')
}

func (m *member) append(dst []byte, f *field, depth int) ([]byte, error) {
	if m.sub != nil {
		return appendObject(dst, f.data, m.sub(), depth-1)
	}
	return m.as(dst, f), nil
}

// Identifiers.

// id gives an id of OTLP's as hex, or a client's own as it was given; "" if
// there is neither.
func id(own, text []byte) string {
	if len(text) > 0 {
		return clean(text)
	}
	for _, c := range own { // all zero stands for none
		if c != 0 {
			return cut(hex.EncodeToString(own), trace.MaxIDBytes)
		}
	}
	return ""
}
