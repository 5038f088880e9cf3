package otlp

import (
	"encoding/binary"
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/fault"
)

// The numbers of the fields of OTLP's messages that are read. Traces, logs and
// metrics share their outer shape.
const (
	// ExportTraceServiceRequest, TracesData and their like.
	fieldResourceSpans = 1
	// ResourceSpans, ResourceLogs.
	fieldResource       = 1
	fieldScopeSpans     = 2
	fieldResourceSchema = 3
	// ScopeSpans, ScopeLogs.
	fieldScope       = 1
	fieldSpans       = 2
	fieldScopeSchema = 3
	// Resource.
	fieldResourceAttributes = 1
	fieldResourceDropped    = 2
	// InstrumentationScope.
	fieldScopeName       = 1
	fieldScopeVersion    = 2
	fieldScopeAttributes = 3
	fieldScopeDropped    = 4
	// Span.
	fieldTraceID        = 1
	fieldSpanID         = 2
	fieldTraceState     = 3
	fieldParentID       = 4
	fieldName           = 5
	fieldSpanKind       = 6
	fieldStart          = 7
	fieldEnd            = 8
	fieldAttributes     = 9
	fieldDropped        = 10
	fieldEvents         = 11
	fieldDroppedEvents  = 12
	fieldLinks          = 13
	fieldDroppedLinks   = 14
	fieldStatus         = 15
	fieldFlags          = 16
	fieldTextTraceID    = 20001 // ours: see putID
	fieldTextSpanID     = 20002
	fieldTextParentID   = 20003
	fieldTextLinkTrace  = 20004
	fieldTextLinkSpan   = 20005
	fieldTextLogTraceID = 20006
	fieldTextLogSpanID  = 20007
	// Span.Event.
	fieldEventTime       = 1
	fieldEventName       = 2
	fieldEventAttributes = 3
	fieldEventDropped    = 4
	// Span.Link.
	fieldLinkTraceID    = 1
	fieldLinkSpanID     = 2
	fieldLinkState      = 3
	fieldLinkAttributes = 4
	fieldLinkDropped    = 5
	fieldLinkFlags      = 6
	// Status.
	fieldStatusMessage = 2
	fieldStatusCode    = 3
	// LogRecord.
	fieldLogTime       = 1
	fieldLogSeverity   = 2
	fieldLogSeverityTx = 3
	fieldLogBody       = 5
	fieldLogAttributes = 6
	fieldLogDropped    = 7
	fieldLogFlags      = 8
	fieldLogTraceID    = 9
	fieldLogSpanID     = 10
	fieldLogObserved   = 11
	fieldLogEventName  = 12
	// KeyValue.
	fieldKey   = 1
	fieldValue = 2
	// AnyValue.
	fieldString = 1
	fieldBool   = 2
	fieldInt    = 3
	fieldDouble = 4
	fieldArray  = 5
	fieldKVList = 6
	fieldBytes  = 7
	// ArrayValue, KeyValueList.
	fieldValues = 1
)

// statusError is Status.StatusCode.STATUS_CODE_ERROR.
const statusError = 2

// field is one field of a message: a number for varint and fixed types, bytes
// for the rest.
type field struct {
	num  protowire.Number
	typ  protowire.Type
	n    uint64
	data []byte
}

// bytes gives the content of a length-delimited field; nil and false for a
// field of another type, which a newer or broken sender may have put there.
func (f *field) bytes() ([]byte, bool) { return f.data, f.typ == protowire.BytesType }

var errMalformed = errors.New("malformed message")

// next cuts the first field off a message.
func next(b []byte) (f field, rest []byte, err error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return f, nil, errMalformed
	}
	b = b[n:]
	f.num, f.typ = num, typ
	switch typ {
	case protowire.VarintType:
		f.n, n = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		if n = 8; len(b) < n {
			return f, nil, errMalformed
		}
		f.n = binary.LittleEndian.Uint64(b)
	case protowire.Fixed32Type:
		if n = 4; len(b) < n {
			return f, nil, errMalformed
		}
		f.n = uint64(binary.LittleEndian.Uint32(b))
	case protowire.BytesType:
		f.data, n = protowire.ConsumeBytes(b)
	default: // groups, which OTLP has none of
		return f, nil, errMalformed
	}
	if n < 0 {
		return f, nil, errMalformed
	}
	return f, b[n:], nil
}

// walkProto calls add for every span (or log record) of a request.
func walkProto(body []byte, add func(*group, []byte) error) error {
	for len(body) > 0 {
		f, rest, err := next(body)
		if err != nil {
			return invalidProto(err)
		}
		body = rest
		if data, ok := f.bytes(); ok && f.num == fieldResourceSpans {
			if err := walkResource(data, add); err != nil {
				return err
			}
		}
	}
	return nil
}

func walkResource(msg []byte, add func(*group, []byte) error) error {
	var (
		resource joined
		schema   []byte
		scopes   int
	)
	for b := msg; len(b) > 0; { // the resource may come behind its spans
		f, rest, err := next(b)
		if err != nil {
			return invalidProto(err)
		}
		b = rest
		if data, ok := f.bytes(); ok {
			switch f.num {
			case fieldResource:
				resource.add(data)
			case fieldResourceSchema:
				schema = data
			case fieldScopeSpans:
				scopes++
			}
		}
	}
	if err := checkGroup(resource.data, fieldResourceAttributes); err != nil {
		return invalidProto(err)
	}
	for b := msg; scopes > 0; {
		f, rest, _ := next(b) // checked above
		b = rest
		data, ok := f.bytes()
		if !ok || f.num != fieldScopeSpans {
			continue
		}
		scopes--
		if err := walkScope(data, &group{resource: resource.data, resourceSchema: schema}, add); err != nil {
			return err
		}
	}
	return nil
}

func walkScope(msg []byte, g *group, add func(*group, []byte) error) error {
	var (
		scope joined
		spans int
	)
	for b := msg; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			return invalidProto(err)
		}
		b = rest
		if data, ok := f.bytes(); ok {
			switch f.num {
			case fieldScope:
				scope.add(data)
			case fieldScopeSchema:
				g.scopeSchema = data
			case fieldSpans:
				spans++
			}
		}
	}
	g.scope = scope.data
	if err := checkGroup(g.scope, fieldScopeAttributes); err != nil {
		return invalidProto(err)
	}
	for b := msg; spans > 0; {
		f, rest, _ := next(b)
		b = rest
		if data, ok := f.bytes(); ok && f.num == fieldSpans {
			spans--
			if err := add(g, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// joined is a message that came in parts, as protobuf lets a field that holds
// a message come. The usual one part is not copied.
type joined struct {
	data []byte
	mine bool // data is a copy
}

func (j *joined) add(part []byte) {
	if j.data != nil && !j.mine {
		j.data, j.mine = append(make([]byte, 0, 2*(len(j.data)+len(part))), j.data...), true
	}
	if j.mine {
		j.data = append(j.data, part...)
	} else {
		j.data = part
	}
}

// A budget bounds what one span may make a reader do.
type budget struct{ attributes, fields int }

func newBudget() budget { return budget{attributes: maxAttributes, fields: 2 * maxAttributes} }

var (
	errTooDeep        = fault.New(fault.Invalid, "Invalid span: a value is nested too deeply")
	errTooMany        = fault.New(fault.Invalid, "Invalid span: too many attributes")
	errMalformedSpan  = fault.New(fault.Invalid, "Invalid span: malformed message")
	errMalformedGroup = errors.New("malformed resource or scope")
)

// checkSpan walks a whole span, so that reading it later needs no errors.
func checkSpan(b []byte) error {
	left := newBudget()
	for len(b) > 0 {
		f, rest, err := left.next(b)
		if err != nil {
			return err
		}
		b = rest
		if f.typ != protowire.BytesType {
			continue
		}
		switch f.num {
		case fieldAttributes:
			err = left.keyValue(f.data, 0)
		case fieldEvents:
			err = left.attributesOf(f.data, fieldEventAttributes)
		case fieldLinks:
			err = left.attributesOf(f.data, fieldLinkAttributes)
		case fieldStatus:
			err = left.attributesOf(f.data, 0)
		case fieldTextTraceID, fieldTextSpanID, fieldTextParentID, fieldTraceID, fieldSpanID, fieldParentID:
			if len(f.data) > maxIDText {
				err = errIDTooLong
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var errIDTooLong = fault.New(fault.Invalid, "Invalid span: an id is too long")

// checkLogRecord is checkSpan for a log record.
func checkLogRecord(b []byte) error {
	left := newBudget()
	for len(b) > 0 {
		f, rest, err := left.next(b)
		if err != nil {
			return err
		}
		b = rest
		if f.typ != protowire.BytesType {
			continue
		}
		switch f.num {
		case fieldLogAttributes:
			err = left.keyValue(f.data, 0)
		case fieldLogBody:
			err = left.anyValue(f.data, 0)
		case fieldLogTraceID, fieldLogSpanID, fieldTextLogTraceID, fieldTextLogSpanID:
			if len(f.data) > maxIDText {
				err = errIDTooLong
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkGroup walks a resource or scope.
func checkGroup(b []byte, attributes protowire.Number) error {
	left := newBudget()
	if left.attributesOf(b, attributes) != nil {
		return errMalformedGroup
	}
	return nil
}

// next is next within the budget.
func (left *budget) next(b []byte) (field, []byte, error) {
	f, rest, err := next(b)
	if err != nil {
		return f, nil, errMalformedSpan
	}
	if left.fields--; left.fields < 0 {
		return f, nil, errTooMany
	}
	return f, rest, nil
}

// attributesOf walks a message that has attributes in one of its fields.
func (left *budget) attributesOf(b []byte, attributes protowire.Number) error {
	for len(b) > 0 {
		f, rest, err := left.next(b)
		if err != nil {
			return err
		}
		b = rest
		if f.num == attributes && f.typ == protowire.BytesType {
			if err := left.keyValue(f.data, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func (left *budget) keyValue(b []byte, depth int) error {
	if left.attributes--; left.attributes < 0 {
		return errTooMany
	}
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return errMalformedSpan
		}
		b = rest
		if f.num == fieldValue && f.typ == protowire.BytesType {
			if err := left.anyValue(f.data, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (left *budget) anyValue(b []byte, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return errMalformedSpan
		}
		b = rest
		if f.typ != protowire.BytesType || f.num != fieldArray && f.num != fieldKVList {
			continue
		}
		for data := f.data; len(data) > 0; {
			e, rest, err := next(data)
			if err != nil {
				return errMalformedSpan
			}
			data = rest
			if e.num != fieldValues || e.typ != protowire.BytesType {
				continue
			}
			if f.num == fieldKVList {
				err = left.keyValue(e.data, depth+1)
			} else {
				err = left.anyValue(e.data, depth+1)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// valueKind says what an AnyValue holds.
type valueKind uint8

const (
	valueAbsent valueKind = iota
	valueString
	valueBool
	valueInt
	valueDouble
	valueArray // of AnyValue messages
	valueKVs   // of KeyValue messages
	valueBytes
)

// value is an AnyValue that was not copied: data refers to the message.
type value struct {
	kind valueKind
	num  uint64
	data []byte
}

func (v value) int() int64      { return int64(v.num) }
func (v value) double() float64 { return math.Float64frombits(v.num) }
func (v value) bool() bool      { return v.num != 0 }

// parseValue reads a checked AnyValue. Of several the last counts, as protobuf
// has it.
func parseValue(b []byte) (v value) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return v
		}
		b = rest
		kind := valueAbsent
		switch {
		case f.num == fieldString && f.typ == protowire.BytesType:
			kind = valueString
		case f.num == fieldBool && f.typ == protowire.VarintType:
			kind = valueBool
		case f.num == fieldInt && f.typ == protowire.VarintType:
			kind = valueInt
		case f.num == fieldDouble && f.typ == protowire.Fixed64Type:
			kind = valueDouble
		case f.num == fieldArray && f.typ == protowire.BytesType:
			kind = valueArray
		case f.num == fieldKVList && f.typ == protowire.BytesType:
			kind = valueKVs
		case f.num == fieldBytes && f.typ == protowire.BytesType:
			kind = valueBytes
		}
		if kind != valueAbsent {
			v = value{kind: kind, num: f.n, data: f.data}
		}
	}
	return v
}

// attribute is a KeyValue that was not copied.
type attribute struct {
	key   []byte
	value value
}

// parseKeyValue reads a checked KeyValue.
func parseKeyValue(b []byte) (a attribute) {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return a
		}
		b = rest
		if data, ok := f.bytes(); ok {
			switch f.num {
			case fieldKey:
				a.key = data
			case fieldValue:
				a.value = parseValue(data)
			}
		}
	}
	return a
}

// each calls yield for every element of an array or key-value list.
func (v value) each(yield func([]byte)) {
	for b := v.data; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			return
		}
		b = rest
		if data, ok := f.bytes(); ok && f.num == fieldValues {
			yield(data)
		}
	}
}
