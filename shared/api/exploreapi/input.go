package exploreapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// maxTextChars bounds what is looked for in payloads, and names in bodies.
const maxTextChars = 1000

// input reads the members of a body and collects every fault, in the order they
// are asked for. Absent and null are the same, and unknown ones are ignored.
type input struct {
	members map[string]jsontext.Value
	path    []any // of the object
	issues  []fault.Issue
	// noPayloads refuses filters that payloads have to be read for.
	noPayloads bool
}

// readInput reads a body, which is an object.
func (g *Group) readInput(r *http.Request) (*input, error) {
	var value jsontext.Value
	if err := api.ReadJSON(r, &value); err != nil {
		return nil, err
	}
	in := &input{noPayloads: g.NoPayloadSearch}
	if !in.object(value) {
		in.fault("", "invalid_type", "Invalid input: expected object")
		return nil, in.err()
	}
	return in, nil
}

func (in *input) object(v jsontext.Value) bool {
	return v.Kind() == '{' && json.Unmarshal(v, &in.members, api.DecodeOptions) == nil
}

// fault notes a fault of a member, or with "" of the object.
func (in *input) fault(name, code, message string) {
	path := slices.Clone(in.path)
	if name != "" {
		path = append(path, name)
	}
	in.issues = append(in.issues, fault.Issue{Path: path, Code: code, Message: message})
}

// err gives all faults found.
func (in *input) err() error {
	if len(in.issues) == 0 {
		return nil
	}
	e := fault.New(fault.Invalid, "Invalid query")
	e.Issues = in.issues
	return e
}

// member gives a member that is neither absent nor null.
func (in *input) member(name string) (jsontext.Value, bool) {
	v, ok := in.members[name]
	return v, ok && v.Kind() != 'n'
}

// text reads a text; "" if absent.
func (in *input) text(name string, maxChars int) string {
	v, ok := in.member(name)
	if !ok {
		return ""
	}
	var s string
	switch {
	case v.Kind() != '"':
		in.fault(name, "invalid_type", "Invalid input: expected string")
	case json.Unmarshal(v, &s) != nil || strings.ContainsRune(s, 0):
		in.fault(name, "invalid_format", "Invalid string: remove the NUL character (U+0000) and halves of surrogate pairs")
	case utf8.RuneCountInString(s) > maxChars:
		in.fault(name, "too_big", fmt.Sprintf("Too big: expected at most %d characters", maxChars))
	default:
		return s
	}
	return ""
}

// enum reads one of options.
func enum[T ~string](in *input, name string, options []T, absent T) T {
	return option(in, name, options, absent, func(T) bool { return false })
}

// option is enum where some other values are taken too.
func option[T ~string](in *input, name string, options []T, absent T, also func(T) bool) T {
	if _, ok := in.member(name); !ok {
		return absent
	}
	faults := len(in.issues)
	v := T(in.text(name, maxTextChars))
	if len(in.issues) == faults && !slices.Contains(options, v) && !also(v) {
		quoted := make([]string, len(options))
		for i, o := range options {
			quoted[i] = `"` + string(o) + `"`
		}
		in.fault(name, "invalid_value", "Invalid option: expected one of "+strings.Join(quoted, "|"))
	}
	return v
}

// groupField reads a field that traces can be counted by; "" if it is absent.
func groupField(in *input, name string) filter.Field {
	return option(in, name, store.GroupFields(), "", func(f filter.Field) bool {
		key, ok := f.Meta()
		return ok && key != "" && len(key) <= store.MaxMetaBytes
	})
}

// integer reads a whole number from low to high.
func (in *input) integer(name string, low, high, absent int) int {
	v, ok := in.member(name)
	if !ok {
		return absent
	}
	var n int64
	switch {
	case v.Kind() != '0' || json.Unmarshal(v, &n) != nil:
		in.fault(name, "invalid_type", "Invalid input: expected a whole number")
	case n < int64(low):
		in.fault(name, "too_small", fmt.Sprintf("Too small: expected number to be >=%d", low))
	case n > int64(high):
		in.fault(name, "too_big", fmt.Sprintf("Too big: expected number to be <=%d", high))
	default:
		return int(n)
	}
	return absent
}

// time reads a time; nil if absent.
func (in *input) time(name string) *time.Time {
	if _, ok := in.member(name); !ok {
		return nil
	}
	faults := len(in.issues)
	t, ok := trace.ParseTime(in.text(name, maxTextChars))
	if !ok && len(in.issues) == faults {
		in.fault(name, "invalid_format", "Invalid ISO datetime: expected an RFC 3339 time with its zone")
	}
	return &t
}

// query reads what selects traces: q, text, from and to.
func (in *input) query() store.TraceQuery {
	q := store.TraceQuery{Filter: in.filter(in.text("q", filter.MaxBytes))}
	if text := strings.TrimSpace(in.text("text", maxTextChars)); text != "" {
		q.Filter.Terms = append(q.Filter.Terms, filter.Term{Op: filter.OpIs, Values: []filter.Value{{Text: text}}})
		if in.noPayloads {
			in.fault("text", "invalid_value", payloadSearchOff)
		}
	}
	q.Time = store.TimeRange{From: in.time("from"), To: in.time("to")}
	return q
}

// filter parses a filter. Of a fault the path is "q" and the place in it.
func (in *input) filter(text string) filter.Filter {
	f, err := filter.Parse(text)
	faults, _ := errors.AsType[filter.Errors](err)
	for _, e := range faults {
		message := e.Message
		if e.Field != "" {
			message = e.Field + ": " + message
		}
		in.issues = append(in.issues, fault.Issue{Path: append(slices.Clone(in.path), "q", e.Pos), Code: "invalid_format", Message: message})
	}
	if in.noPayloads && slices.ContainsFunc(f.Terms, func(t filter.Term) bool { return t.Field.OfPayloads() }) {
		in.fault("q", "invalid_value", payloadSearchOff)
	}
	return f
}

// payloadSearchOff is the fault of a filter by texts, errors or metadata where the
// host has PAYLOAD_SEARCH=off.
const payloadSearchOff = "Texts, errors and metadata are not searched on this server: PAYLOAD_SEARCH is off"
