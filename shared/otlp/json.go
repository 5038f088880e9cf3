package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/fault"
)

// signal is what differs between the JSON of spans and of log records. Each
// name also comes in snake_case.
type signal struct {
	resources, scopes, items string // names of the arrays
	missing                  string // the fault's text where resources is not there
	item                     func(*encoder) error
}

var (
	spanSignal = &signal{"resourceSpans", "scopeSpans", "spans", "Missing resourceSpans", (*encoder).span}
	logSignal  = &signal{"resourceLogs", "scopeLogs", "logRecords", "Missing resourceLogs", (*encoder).logRecord}
)

var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// encoder rewrites OTLP JSON as protobuf, in one pass and without a tree, so
// that there is one reader of spans. What it writes is checked as what came as
// protobuf is.
type encoder struct {
	dec    *jsontext.Decoder
	out    []byte // the message that is written
	text   []byte // scratch: an unquoted string
	signal *signal
	depth  int // of AnyValue messages
}

func decodeJSON(body []byte, sig *signal, add func(*group, []byte) error, null func()) error {
	e := &encoder{dec: jsontext.NewDecoder(bytes.NewBuffer(body), lenient...), signal: sig}
	found := false
	var taken error
	err := func() error {
		if e.dec.PeekKind() != '{' {
			return e.dec.SkipValue()
		}
		return e.object(func(name string) error {
			if name != sig.resources || e.dec.PeekKind() != '[' {
				return e.dec.SkipValue()
			}
			found = true
			return e.array(func() error {
				taken = e.resource(add, null)
				return taken
			})
		})
	}()
	switch {
	case fault.CodeOf(taken) == fault.TooLarge:
		return taken
	case err != nil:
		return fault.Wrap(fault.Invalid, "Invalid JSON body", err)
	case e.dec.PeekKind() != 0 || len(bytes.TrimSpace(body[e.dec.InputOffset():])) > 0:
		return fault.New(fault.Invalid, "Invalid JSON body")
	case !found:
		return fault.New(fault.Invalid, sig.missing)
	}
	return nil
}

// resource reads one entry of the outer array. Its spans are kept until their
// resource is known, for the members of an object come in any order.
func (e *encoder) resource(add func(*group, []byte) error, null func()) error {
	if e.dec.PeekKind() != '{' {
		return e.dec.SkipValue()
	}
	var (
		resource, schema []byte
		groups           []*group
		items            []Span
	)
	err := e.object(func(name string) error {
		switch name {
		case "resource":
			return e.part(&resource, (*encoder).resourceBody)
		case "schemaUrl":
			return e.part(&schema, (*encoder).string)
		case e.signal.scopes:
			return e.array(func() error {
				g, err := e.scope(&items, null)
				if g != nil {
					groups = append(groups, g)
				}
				return err
			})
		}
		return e.dec.SkipValue()
	})
	if err != nil {
		return err
	}
	if err := checkGroup(resource, fieldResourceAttributes); err != nil {
		return err
	}
	for _, g := range groups {
		g.resource, g.resourceSchema = resource, schema
	}
	for _, item := range items {
		if err := add(item.group, item.data); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) scope(items *[]Span, null func()) (*group, error) {
	if e.dec.PeekKind() != '{' {
		return nil, e.dec.SkipValue()
	}
	g := &group{}
	err := e.object(func(name string) error {
		switch name {
		case "scope":
			return e.part(&g.scope, (*encoder).scopeBody)
		case "schemaUrl":
			return e.part(&g.scopeSchema, (*encoder).string)
		case e.signal.items:
			return e.array(func() error {
				if e.dec.PeekKind() == 'n' {
					null()
					return e.dec.SkipValue()
				}
				if len(*items) > MaxSpans {
					return fault.Newf(fault.TooLarge, "Export exceeds %d spans", MaxSpans)
				}
				item := Span{group: g, data: []byte{}}
				err := e.part(&item.data, e.signal.item)
				*items = append(*items, item)
				return err
			})
		}
		return e.dec.SkipValue()
	})
	if err == nil {
		err = checkGroup(g.scope, fieldScopeAttributes)
	}
	return g, err
}

// part writes one message of its own into dst: at the end of out, which has grown
// to the largest of those before, and from there into a slice of its size.
func (e *encoder) part(dst *[]byte, write func(*encoder) error) error {
	start := len(e.out)
	err := write(e)
	*dst = slices.Clip(append([]byte(nil), e.out[start:]...))
	e.out = e.out[:start]
	return err
}

// object calls member for each member of an object with its name in
// lowerCamelCase; anything else than an object is skipped.
func (e *encoder) object(member func(name string) error) error {
	if e.dec.PeekKind() != '{' {
		return e.dec.SkipValue()
	}
	if _, err := e.dec.ReadToken(); err != nil {
		return err
	}
	for e.dec.PeekKind() != '}' {
		quoted, err := e.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := member(memberName(quoted)); err != nil {
			return err
		}
	}
	_, err := e.dec.ReadToken()
	return err
}

// array calls element for each element of an array; anything else than an
// array is skipped.
func (e *encoder) array(element func() error) error {
	if e.dec.PeekKind() != '[' {
		return e.dec.SkipValue()
	}
	if _, err := e.dec.ReadToken(); err != nil {
		return err
	}
	for e.dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := e.dec.ReadToken()
	return err
}

// memberNames are the names that are read, in both spellings, so that reading
// one makes no garbage.
var memberNames = func() map[string]string {
	names := map[string]string{}
	for _, name := range []string{
		"resourceSpans", "resourceLogs", "resource", "schemaUrl", "scopeSpans", "scopeLogs", "scope", "spans", "logRecords", "attributes",
		"name", "version", "traceId", "spanId", "parentSpanId", "traceState", "flags", "kind", "startTimeUnixNano", "endTimeUnixNano",
		"droppedAttributesCount", "events", "droppedEventsCount", "links", "droppedLinksCount", "status", "timeUnixNano", "message", "code",
		"key", "value", "stringValue", "intValue", "doubleValue", "boolValue", "arrayValue", "kvlistValue", "bytesValue", "values",
		"observedTimeUnixNano", "severityNumber", "severityText", "body", "eventName",
		"resourceMetrics", "scopeMetrics", "metrics", "gauge", "sum", "histogram", "exponentialHistogram", "summary", "dataPoints",
	} {
		names[name] = name
		var snake strings.Builder
		for _, c := range name {
			if c >= 'A' && c <= 'Z' {
				snake.WriteByte('_')
				c += 'a' - 'A'
			}
			snake.WriteRune(c)
		}
		names[snake.String()] = name
	}
	return names
}()

func memberName(quoted jsontext.Value) string {
	inner := quoted[1 : len(quoted)-1]
	if name, ok := memberNames[string(inner)]; ok {
		return name
	}
	if bytes.IndexByte(inner, '\\') < 0 {
		return ""
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // the decoder checked it
	return memberNames[string(text)]
}

// Writing of fields.

func (e *encoder) varint(num protowire.Number, v uint64) {
	e.out = protowire.AppendVarint(protowire.AppendTag(e.out, num, protowire.VarintType), v)
}

func (e *encoder) fixed64(num protowire.Number, v uint64) {
	e.out = protowire.AppendFixed64(protowire.AppendTag(e.out, num, protowire.Fixed64Type), v)
}

func (e *encoder) data(num protowire.Number, b []byte) {
	e.out = protowire.AppendBytes(protowire.AppendTag(e.out, num, protowire.BytesType), b)
}

// message writes a field whose length is known only when it has been written.
func (e *encoder) message(num protowire.Number, write func() error) error {
	e.out = protowire.AppendTag(e.out, num, protowire.BytesType)
	start := len(e.out)
	e.out = append(e.out, 0) // the length of most
	if err := write(); err != nil {
		return err
	}
	n := len(e.out) - start - 1
	if more := protowire.SizeVarint(uint64(n)) - 1; more > 0 {
		e.out = append(e.out, make([]byte, more)...)
		copy(e.out[start+1+more:], e.out[start+1:start+1+n])
	}
	protowire.AppendVarint(e.out[start:start], uint64(n))
	return nil
}

// Reading of scalars. Each reads one value, whatever it is.

// stringValue gives a string's content, valid until the next read; false for
// anything else.
func (e *encoder) stringValue() ([]byte, bool, error) {
	kind := e.dec.PeekKind()
	v, err := e.dec.ReadValue()
	if err != nil || kind != '"' {
		return nil, false, err
	}
	if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner, true, nil
	}
	e.text, _ = jsontext.AppendUnquote(e.text[:0], v) // replaces what is not UTF-8
	return e.text, true, nil
}

// string writes a string's content alone.
func (e *encoder) string() error {
	s, _, err := e.stringValue()
	e.out = append(e.out, s...)
	return err
}

func (e *encoder) stringField(num protowire.Number) error {
	s, ok, err := e.stringValue()
	if ok && len(s) > 0 {
		e.data(num, s)
	}
	return err
}

// scalar gives a number or a string's content as text.
func (e *encoder) scalar() (text string, isString bool, err error) {
	kind := e.dec.PeekKind()
	switch kind {
	case '"':
		s, _, err := e.stringValue()
		return string(s), true, err
	case '0':
		v, err := e.dec.ReadValue()
		return string(v), false, err
	}
	return "", false, e.dec.SkipValue()
}

// uintField writes a number that may come as text.
func (e *encoder) uintField(num protowire.Number, write func(protowire.Number, uint64)) error {
	text, _, err := e.scalar()
	if n, perr := strconv.ParseUint(text, 10, 64); perr == nil {
		write(num, n)
	}
	return err
}

// timeField writes a time in nanoseconds. Text without content counts as 0, and
// what is no integer as absent.
func (e *encoder) timeField(num protowire.Number) error {
	text, isString, err := e.scalar()
	if n, ok := parseUint(text); ok {
		e.fixed64(num, n)
	} else if isString && text == "" {
		e.fixed64(num, 0)
	}
	return err
}

// parseUint also reads a number that a sender wrote with an exponent.
func parseUint(text string) (uint64, bool) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 || f >= 1<<64 || f != math.Trunc(f) {
		return 0, false
	}
	return uint64(f), true
}

// enumField writes an enumeration's number, which may come as its name.
func (e *encoder) enumField(num protowire.Number, values map[string]uint64) error {
	text, _, err := e.scalar()
	n, ok := values[text]
	if !ok {
		n, ok = parseUint(text)
	}
	if ok && n <= math.MaxInt32 {
		e.varint(num, n)
	}
	return err
}

var (
	statusCodes = map[string]uint64{"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": statusError}
	spanKinds   = map[string]uint64{
		"SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5,
	}
	severities = func() map[string]uint64 {
		m := map[string]uint64{}
		for i, name := range []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"} {
			for j, suffix := range []string{"", "2", "3", "4"} {
				m["SEVERITY_NUMBER_"+name+suffix] = uint64(4*i + j + 1)
			}
		}
		return m
	}()
)

// idField writes an id: OTLP's own as bytes, anything else as text in a field
// of ours, so that a client's own ids come back as they were given.
func (e *encoder) idField(num, textNum protowire.Number, size int) error {
	s, ok, err := e.stringValue()
	if !ok || len(s) == 0 {
		return err
	}
	var id [16]byte
	if len(s) == 2*size {
		if _, herr := hex.Decode(id[:], s); herr == nil {
			e.data(num, id[:size])
			return err
		}
	}
	e.data(textNum, s)
	return err
}

// Messages.

func (e *encoder) resourceBody() error {
	return e.object(func(name string) error {
		switch name {
		case "attributes":
			return e.attributes(fieldResourceAttributes)
		case "droppedAttributesCount":
			return e.uintField(fieldResourceDropped, e.varint)
		}
		return e.dec.SkipValue()
	})
}

func (e *encoder) scopeBody() error {
	return e.object(func(name string) error {
		switch name {
		case "name":
			return e.stringField(fieldScopeName)
		case "version":
			return e.stringField(fieldScopeVersion)
		case "attributes":
			return e.attributes(fieldScopeAttributes)
		case "droppedAttributesCount":
			return e.uintField(fieldScopeDropped, e.varint)
		}
		return e.dec.SkipValue()
	})
}

const (
	traceIDSize = 16
	spanIDSize  = 8
)

func (e *encoder) span() error {
	return e.object(func(name string) error {
		switch name {
		case "traceId":
			return e.idField(fieldTraceID, fieldTextTraceID, traceIDSize)
		case "spanId":
			return e.idField(fieldSpanID, fieldTextSpanID, spanIDSize)
		case "parentSpanId":
			return e.idField(fieldParentID, fieldTextParentID, spanIDSize)
		case "traceState":
			return e.stringField(fieldTraceState)
		case "name":
			return e.stringField(fieldName)
		case "kind":
			return e.enumField(fieldSpanKind, spanKinds)
		case "startTimeUnixNano":
			return e.timeField(fieldStart)
		case "endTimeUnixNano":
			return e.timeField(fieldEnd)
		case "attributes":
			return e.attributes(fieldAttributes)
		case "droppedAttributesCount":
			return e.uintField(fieldDropped, e.varint)
		case "events":
			return e.objects(fieldEvents, e.event)
		case "droppedEventsCount":
			return e.uintField(fieldDroppedEvents, e.varint)
		case "links":
			return e.objects(fieldLinks, e.link)
		case "droppedLinksCount":
			return e.uintField(fieldDroppedLinks, e.varint)
		case "status":
			return e.message(fieldStatus, e.status)
		case "flags":
			return e.uintField(fieldFlags, e.fixed32)
		}
		return e.dec.SkipValue()
	})
}

func (e *encoder) fixed32(num protowire.Number, v uint64) {
	e.out = protowire.AppendFixed32(protowire.AppendTag(e.out, num, protowire.Fixed32Type), uint32(v))
}

func (e *encoder) event() error {
	return e.object(func(name string) error {
		switch name {
		case "timeUnixNano":
			return e.timeField(fieldEventTime)
		case "name":
			return e.stringField(fieldEventName)
		case "attributes":
			return e.attributes(fieldEventAttributes)
		case "droppedAttributesCount":
			return e.uintField(fieldEventDropped, e.varint)
		}
		return e.dec.SkipValue()
	})
}

func (e *encoder) link() error {
	return e.object(func(name string) error {
		switch name {
		case "traceId":
			return e.idField(fieldLinkTraceID, fieldTextLinkTrace, traceIDSize)
		case "spanId":
			return e.idField(fieldLinkSpanID, fieldTextLinkSpan, spanIDSize)
		case "traceState":
			return e.stringField(fieldLinkState)
		case "attributes":
			return e.attributes(fieldLinkAttributes)
		case "droppedAttributesCount":
			return e.uintField(fieldLinkDropped, e.varint)
		case "flags":
			return e.uintField(fieldLinkFlags, e.fixed32)
		}
		return e.dec.SkipValue()
	})
}

func (e *encoder) status() error {
	return e.object(func(name string) error {
		switch name {
		case "message":
			return e.stringField(fieldStatusMessage)
		case "code":
			return e.enumField(fieldStatusCode, statusCodes)
		}
		return e.dec.SkipValue()
	})
}

func (e *encoder) logRecord() error {
	return e.object(func(name string) error {
		switch name {
		case "timeUnixNano":
			return e.timeField(fieldLogTime)
		case "observedTimeUnixNano":
			return e.timeField(fieldLogObserved)
		case "severityNumber":
			return e.enumField(fieldLogSeverity, severities)
		case "severityText":
			return e.stringField(fieldLogSeverityTx)
		case "body":
			return e.message(fieldLogBody, e.anyValue)
		case "attributes":
			return e.attributes(fieldLogAttributes)
		case "droppedAttributesCount":
			return e.uintField(fieldLogDropped, e.varint)
		case "flags":
			return e.uintField(fieldLogFlags, e.fixed32)
		case "traceId":
			return e.idField(fieldLogTraceID, fieldTextLogTraceID, traceIDSize)
		case "spanId":
			return e.idField(fieldLogSpanID, fieldTextLogSpanID, spanIDSize)
		case "eventName":
			return e.stringField(fieldLogEventName)
		}
		return e.dec.SkipValue()
	})
}

func (e *encoder) attributes(num protowire.Number) error { return e.objects(num, e.keyValue) }

// objects writes a message for each object of a list.
func (e *encoder) objects(num protowire.Number, one func() error) error {
	return e.array(func() error {
		if e.dec.PeekKind() != '{' {
			return e.dec.SkipValue()
		}
		return e.message(num, one)
	})
}

func (e *encoder) keyValue() error {
	return e.object(func(name string) error {
		switch name {
		case "key":
			return e.stringField(fieldKey)
		case "value":
			return e.message(fieldValue, e.anyValue)
		}
		return e.dec.SkipValue()
	})
}

// anyValueOrder says which member of an AnyValue counts where a sender gave
// several.
var anyValueOrder = map[string]int{
	"stringValue": 7, "intValue": 6, "doubleValue": 5, "boolValue": 4, "arrayValue": 3, "kvlistValue": 2, "bytesValue": 1,
}

func (e *encoder) anyValue() error {
	e.depth++
	defer func() { e.depth-- }()
	start, best := len(e.out), 0
	write := func(rank int, one func() error) error {
		if rank < best || e.depth > maxDepth+1 { // one level more than is taken: the check then says so
			return e.dec.SkipValue()
		}
		end := len(e.out)
		if err := one(); err != nil {
			return err
		}
		if len(e.out) > end { // it was a value of its kind
			e.out, best = append(e.out[:start], e.out[end:]...), rank
		}
		return nil
	}
	switch e.dec.PeekKind() {
	case '{':
	case '"':
		return e.stringKind()
	case '0':
		return e.number(true)
	case 't', 'f':
		return e.boolKind()
	default:
		return e.dec.SkipValue()
	}
	return e.object(func(name string) error {
		rank := anyValueOrder[name]
		switch name {
		case "stringValue":
			return write(rank, e.stringKind)
		case "intValue":
			return write(rank, func() error { return e.number(true) })
		case "doubleValue":
			return write(rank, func() error { return e.number(false) })
		case "boolValue":
			return write(rank, e.boolKind)
		case "arrayValue":
			return write(rank, func() error {
				return e.list(fieldArray, func() error { return e.message(fieldValues, e.anyValue) })
			})
		case "kvlistValue":
			return write(rank, func() error {
				return e.list(fieldKVList, func() error {
					if e.dec.PeekKind() != '{' {
						return e.dec.SkipValue()
					}
					return e.message(fieldValues, e.keyValue)
				})
			})
		case "bytesValue":
			return write(rank, e.bytesKind)
		}
		return e.dec.SkipValue()
	})
}

// list writes an array or key-value list, which holds its elements in a member
// of their own.
func (e *encoder) list(num protowire.Number, element func() error) error {
	if e.dec.PeekKind() != '{' {
		return e.dec.SkipValue()
	}
	return e.message(num, func() error {
		return e.object(func(name string) error {
			if name == "values" {
				return e.array(element)
			}
			return e.dec.SkipValue()
		})
	})
}

func (e *encoder) stringKind() error {
	s, ok, err := e.stringValue()
	if ok {
		e.data(fieldString, s)
	}
	return err
}

func (e *encoder) boolKind() error {
	v, err := e.dec.ReadValue()
	switch v.Kind() {
	case 't':
		e.varint(fieldBool, 1)
	case 'f':
		e.varint(fieldBool, 0)
	}
	return err
}

// number writes an integer that fits as such if whole is set, and any other
// number as a double.
func (e *encoder) number(whole bool) error {
	text, _, err := e.scalar()
	if err != nil || text == "" {
		return err
	}
	if n, perr := strconv.ParseInt(text, 10, 64); whole && perr == nil {
		e.varint(fieldInt, uint64(n))
	} else if f, perr := strconv.ParseFloat(text, 64); perr == nil || math.IsInf(f, 0) {
		e.fixed64(fieldDouble, math.Float64bits(f))
	}
	return nil
}

func (e *encoder) bytesKind() error {
	s, ok, err := e.stringValue()
	if !ok {
		return err
	}
	text := strings.TrimRight(string(s), "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, derr := enc.DecodeString(text); derr == nil {
			e.data(fieldBytes, b)
			break
		}
	}
	return err
}
