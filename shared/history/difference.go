package history

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pulse-traces/pulse/shared/trace"
)

// Difference is what a rewrite changed in one field.
type Difference struct {
	Field    string // by its name on the wire, or as near to it as it has one
	Spans    int64
	Examples []trace.SpanID // the first few
}

// maxExamples is how many spans a Difference names.
const maxExamples = 3

// differences count changed fields, by name.
type differences map[string]*Difference

// add notes in which fields two versions of a span differ.
func (d differences) add(before, after *trace.Span) {
	d.compare(before.ID, spanFields, reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem())
	d.compare(before.ID, payloadFields, reflect.ValueOf(&before.Payload).Elem(), reflect.ValueOf(&after.Payload).Elem())
}

func (d differences) compare(id trace.SpanID, names []string, before, after reflect.Value) {
	for i, name := range names {
		if name == "" || equal(before.Field(i), after.Field(i)) {
			continue
		}
		if d[name] == nil {
			d[name] = &Difference{Field: name}
		}
		if d[name].Spans++; len(d[name].Examples) < maxExamples {
			d[name].Examples = append(d[name].Examples, id)
		}
	}
}

// equal compares two values of a field; an empty list is none.
func equal(x, y reflect.Value) bool {
	switch {
	case x.Kind() == reflect.Pointer && !x.IsNil() && !y.IsNil():
		return equal(x.Elem(), y.Elem())
	case x.Kind() != reflect.Slice:
		return x.Equal(y)
	case x.Len() != y.Len():
		return false
	case x.Type().Elem().Kind() == reflect.Uint8:
		return bytes.Equal(x.Bytes(), y.Bytes())
	}
	for i := range x.Len() {
		if !equal(x.Index(i), y.Index(i)) {
			return false
		}
	}
	return true
}

// merge adds those of a step that has been made.
func (d differences) merge(step differences) {
	for name, s := range step {
		if d[name] == nil {
			d[name] = &Difference{Field: name}
		}
		d[name].Spans += s.Spans
		d[name].Examples = append(d[name].Examples, s.Examples[:min(len(s.Examples), maxExamples-len(d[name].Examples))]...)
	}
}

// list gives them, those of most spans first.
func (d differences) list() []Difference {
	var list []Difference
	for _, name := range slices.Sorted(maps.Keys(d)) {
		list = append(list, *d[name])
	}
	slices.SortStableFunc(list, func(a, b Difference) int { return int(b.Spans - a.Spans) })
	return list
}

// The names of fields on the wire, by their number; "" where others stand for one.
var (
	spanFields    = fieldNames(reflect.TypeFor[trace.Span]())
	payloadFields = fieldNames(reflect.TypeFor[trace.Payload]())
)

func fieldNames(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		if name := t.Field(i).Name; name != "Payload" {
			names[i] = wireName(name)
		}
	}
	return names
}

// renamed are fields that rows call something else.
var renamed = map[string]string{"Model": "modelRequested", "ToolUseID": "toolCallId", "ParentID": "parentSpanId", "Start": "startTime"}

// wireName writes a field's name as JSON has it: costNanoUsd.
func wireName(field string) string {
	if name := renamed[field]; name != "" {
		return name
	}
	field = strings.NewReplacer("USD", "Usd", "MS", "Ms", "ID", "Id", "CWD", "Cwd").Replace(field)
	return strings.ToLower(field[:1]) + field[1:]
}
