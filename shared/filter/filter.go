// Package filter is the language in which traces are asked for:
//
//	status:error model:gpt-4o* -env:test cost>0.01 ttft:1s..5s "refund"
//
// Terms are ANDed, the values of one term ORed. Parse and String are a round
// trip. testdata/filter.json says what every parser of the language, also the
// dashboard's, makes of an input. The package knows neither storage nor
// transport.
package filter

import (
	"slices"
	"strings"
)

// Limits of a filter. They bound the conditions of one query.
const (
	MaxBytes  = 4096 // of the input, in UTF-8
	MaxTerms  = 32
	MaxValues = 32 // of one term
)

// Filter is what all of its terms say; without terms it selects everything.
type Filter struct {
	Terms []Term `json:"terms"`
}

// Term is one condition.
type Term struct {
	Not    bool    `json:"not,omitempty"`
	Field  Field   `json:"field"`
	Op     Op      `json:"op"`
	Values []Value `json:"values"` // one; two of OpRange; one or more of OpIs
}

// Op compares a field with values.
type Op string

// The operators. All but OpIs are for numbers.
const (
	OpIs      Op = "is"    // field:value, equal to any of the values
	OpRange   Op = "range" // field:low..high, both included
	OpMore    Op = ">"
	OpAtLeast Op = ">="
	OpLess    Op = "<"
	OpAtMost  Op = "<="
)

// Value is a text, a pattern or a number.
type Value struct {
	Text string `json:"text"` // as written, without quotes
	// Glob says that each * of Text stands for any text, of any length.
	Glob bool `json:"glob,omitempty"`
	// Number is Text as a whole number of the field's unit: microseconds,
	// nano-dollars, or ones. 0 for fields that are no numbers.
	Number int64 `json:"number,omitempty"`
}

// Field names what a term is about.
type Field string

// The fields. All are of a trace; see Meta for the open ones.
const (
	FieldText     Field = ""         // what quotes alone hold: in any text of the trace
	FieldStatus   Field = "status"   // error if any span failed, else success
	FieldName     Field = "name"     // of the root span
	FieldKind     Field = "kind"     // of any span
	FieldProvider Field = "provider" // as lists show it
	FieldModel    Field = "model"    // likewise
	FieldTool     Field = "tool"     // of any span
	FieldSource   Field = "source"   // of any span
	FieldService  Field = "service"  // of any span
	FieldSession  Field = "session"
	FieldUser     Field = "user"
	FieldEnv      Field = "env"
	FieldRelease  Field = "release" // of any span
	FieldTag      Field = "tag"     // of any span
	FieldKey      Field = "key"     // the id of the API key that sent any span
	FieldTrace    Field = "trace"   // the id
	FieldError    Field = "error"   // in the error of any span, in whatever case
	FieldHas      Field = "has"     // the values are fields that are known
	FieldLatency  Field = "latency" // from the first start to the last end
	FieldTTFT     Field = "ttft"    // of the main span
	FieldCost     Field = "cost"    // in dollars
	FieldTokens   Field = "tokens"  // in and out
	FieldIn       Field = "in"
	FieldOut      Field = "out"
	FieldSpans    Field = "spans"
)

// metaPrefix begins the fields that senders name themselves.
const metaPrefix = "meta."

// MetaField gives the field of a member of the metadata.
func MetaField(key string) Field { return Field(metaPrefix + key) }

// Meta gives the member of the metadata that f is about, if it is about one.
func (f Field) Meta() (key string, ok bool) { return strings.CutPrefix(string(f), metaPrefix) }

// OfPayloads reports whether f is about what only payloads say: texts, errors and
// metadata.
func (f Field) OfPayloads() bool {
	_, meta := f.Meta()
	return meta || f == FieldText || f == FieldError
}

// kind is how a field's values are written.
type kind int

const (
	kindText kind = iota
	kindEnum
	kindDuration // microseconds
	kindMoney    // nano-dollars
	kindCount
)

type spec struct {
	field   Field
	kind    kind
	options []string // of kindEnum
}

// fields are all but text and meta, in the order that people read them in.
var fields = []spec{
	{FieldStatus, kindEnum, []string{"error", "success"}},
	{FieldName, kindText, nil},
	{FieldKind, kindEnum, []string{
		"agent_run", "chain", "embedding", "evaluator", "event", "generic", "guardrail", "llm_call", "llm_response", "notification",
		"rerank", "retrieval", "session", "tool_use", "user_prompt",
	}},
	{FieldProvider, kindText, nil},
	{FieldModel, kindText, nil},
	{FieldTool, kindText, nil},
	{FieldSource, kindEnum, []string{"claude_code", "codex", "openclaw", "opencode", "sdk"}},
	{FieldService, kindText, nil},
	{FieldSession, kindText, nil},
	{FieldUser, kindText, nil},
	{FieldEnv, kindText, nil},
	{FieldRelease, kindText, nil},
	{FieldTag, kindText, nil},
	{FieldKey, kindText, nil},
	{FieldTrace, kindText, nil},
	{FieldError, kindText, nil},
	{FieldHas, kindEnum, []string{
		"cost", "env", "error", "key", "model", "name", "provider", "release", "service", "session", "tag", "tokens", "tool", "ttft", "user",
	}},
	{FieldLatency, kindDuration, nil},
	{FieldTTFT, kindDuration, nil},
	{FieldCost, kindMoney, nil},
	{FieldTokens, kindCount, nil},
	{FieldIn, kindCount, nil},
	{FieldOut, kindCount, nil},
	{FieldSpans, kindCount, nil},
}

// aliases are other spellings of options, which String does not keep.
var aliases = map[string]string{"ok": "success"}

func specOf(f Field) (spec, bool) {
	if key, ok := f.Meta(); ok {
		return spec{field: f}, key != ""
	}
	i := slices.IndexFunc(fields, func(s spec) bool { return s.field == f })
	if i < 0 {
		return spec{}, false
	}
	return fields[i], true
}

// Fields lists every field but text and meta.
func Fields() []Field {
	out := make([]Field, len(fields))
	for i, s := range fields {
		out[i] = s.field
	}
	return out
}

// Options lists what a field can be, nil if that is open.
func (f Field) Options() []string {
	s, _ := specOf(f)
	return slices.Clone(s.options)
}

// Type names how values of f are written: text, enum, duration, money or count.
func (f Field) Type() string {
	s, _ := specOf(f)
	return [...]string{kindText: "text", kindEnum: "enum", kindDuration: "duration", kindMoney: "money", kindCount: "count"}[s.kind]
}

// Numeric reports whether f is compared as a number.
func (f Field) Numeric() bool {
	s, _ := specOf(f)
	return s.kind >= kindDuration
}

// String writes the filter so that Parse reads the same.
func (f Filter) String() string {
	var b strings.Builder
	for i := range f.Terms {
		if i > 0 {
			b.WriteByte(' ')
		}
		f.Terms[i].write(&b)
	}
	return b.String()
}

func (t *Term) write(b *strings.Builder) {
	if t.Not {
		b.WriteByte('-')
	}
	if t.Field == FieldText {
		b.WriteString(quote(t.Values[0].Text))
		return
	}
	b.WriteString(string(t.Field))
	switch t.Op {
	case OpIs:
		b.WriteByte(':')
		for i, v := range t.Values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(v.String())
		}
	case OpRange:
		b.WriteString(":" + t.Values[0].Text + ".." + t.Values[1].Text)
	default:
		b.WriteString(string(t.Op) + t.Values[0].Text)
	}
}

// String writes the value, quoted where it would read as something else.
func (v Value) String() string {
	if v.Text == "" || strings.ContainsFunc(v.Text, func(r rune) bool { return isSpace(r) || r == ',' || r == '"' }) ||
		!v.Glob && strings.ContainsRune(v.Text, '*') {
		return quote(v.Text)
	}
	return v.Text
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Match reports whether a text is what v says.
func (v Value) Match(s string) bool {
	if !v.Glob {
		return s == v.Text
	}
	parts := strings.Split(v.Text, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}
