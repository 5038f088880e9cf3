package betterauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/pulse-traces/pulse/shared/fault"
)

// Kinds of a value, as the library's messages name them.
const (
	kindUndefined = "undefined"
	kindNull      = "null"
	kindString    = "string"
	kindNumber    = "number"
	kindBoolean   = "boolean"
	kindArray     = "array"
	kindObject    = "object"
	kindRecord    = "record" // an object of any members, where one is expected
)

// Body is a request's body, decoded but not yet checked. The zero value is a
// request without one.
type Body struct {
	kind    string // "" for none
	members map[string]json.RawMessage
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// DecodeBody reads a body of the given Content-Type: JSON, or a form where the
// route takes forms. No bytes at all are no body, whatever the type.
// Unsupported and Invalid errors carry the library's wording.
func DecodeBody(contentType string, raw []byte, formAllowed bool) (Body, error) {
	if len(raw) == 0 {
		return Body{}, nil
	}
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	switch {
	case media == jsonType:
		return decodeJSON(raw)
	case media == formType && formAllowed:
		return decodeForm(raw)
	}
	allowed := jsonType
	if formAllowed {
		allowed = formType + ", " + jsonType
	}
	message := "Content-Type is required. Allowed types: " + allowed
	if contentType != "" {
		message = fmt.Sprintf(`Content-Type "%s" is not allowed. Allowed types: %s`, contentType, allowed)
	}
	return Body{}, NewError(fault.Unsupported, "UNSUPPORTED_MEDIA_TYPE", message)
}

var errInvalidJSON = NewError(fault.Invalid, "BAD_REQUEST", "Invalid JSON in request body")

func decodeJSON(raw []byte) (Body, error) {
	raw = bytes.TrimSpace(raw)
	if !json.Valid(raw) {
		return Body{}, errInvalidJSON
	}
	b := Body{kind: kindOf(raw)}
	if b.kind == kindObject {
		if err := json.Unmarshal(raw, &b.members); err != nil {
			return Body{}, errInvalidJSON
		}
	}
	return b, nil
}

func decodeForm(raw []byte) (Body, error) {
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return Body{}, NewError(fault.Invalid, "BAD_REQUEST", "Invalid form in request body")
	}
	b := Body{kind: kindObject, members: make(map[string]json.RawMessage, len(values))}
	for name, all := range values {
		text, err := json.Marshal(all[len(all)-1]) // the last of several wins
		if err != nil {
			return Body{}, fmt.Errorf("encode form value: %w", err)
		}
		b.members[name] = text
	}
	return b, nil
}

// kindOf names the kind of a valid JSON value; none is undefined.
func kindOf(raw json.RawMessage) string {
	if len(raw) == 0 {
		return kindUndefined
	}
	switch raw[0] {
	case '"':
		return kindString
	case '{':
		return kindObject
	case '[':
		return kindArray
	case 't', 'f':
		return kindBoolean
	case 'n':
		return kindNull
	}
	return kindNumber
}

// Field is what a route wants of one member.
type Field struct {
	Name     string
	Boolean  bool // a boolean; else a string
	Optional bool // may be absent, but not null
	Nullable bool // may be null
	Stored   bool // goes into a text column: no NUL character
	NonEmpty bool // a string of at least one character
	Email    bool // a string that ValidEmail takes
}

// Object checks that the body is an object with fields of the right kinds, and
// reports every fault at once in the library's words. Other members are taken.
func (b Body) Object(fields ...Field) error {
	if b.kind != kindObject {
		return b.wrongKind(kindObject)
	}
	return validate("body", fields, func(name string) json.RawMessage { return b.members[name] })
}

// OptionalObject is Object for routes that need no body.
func (b Body) OptionalObject(fields ...Field) error {
	if b.kind == "" {
		return nil
	}
	return b.Object(fields...)
}

// Record checks that the body is an object, of whatever members.
func (b Body) Record() error {
	if b.kind != kindObject {
		return b.wrongKind(kindRecord)
	}
	return nil
}

func (b Body) wrongKind(want string) error {
	got := b.kind
	if got == "" {
		got = kindUndefined
	}
	return invalid("[body] Invalid input: expected " + want + ", received " + got)
}

// ValidateQuery checks query parameters as Object checks members.
func ValidateQuery(q url.Values, fields ...Field) error {
	return validate("query", fields, func(name string) json.RawMessage {
		if !q.Has(name) {
			return nil
		}
		text, err := json.Marshal(q.Get(name))
		if err != nil {
			return nil
		}
		return text
	})
}

func validate(place string, fields []Field, member func(string) json.RawMessage) error {
	var faults []string
	for _, f := range fields {
		raw := member(f.Name)
		got, want := kindOf(raw), kindString
		if f.Boolean {
			want = kindBoolean
		}
		problem := ""
		switch {
		case got == kindUndefined && f.Optional, got == kindNull && f.Nullable:
		case got != want:
			problem = "Invalid input: expected " + want + ", received " + got
		case f.Email && !ValidEmail(textOf(raw)):
			problem = "Invalid email address"
		case f.NonEmpty && textOf(raw) == "":
			problem = "Too small: expected string to have >=1 characters"
		case f.Stored && strings.Contains(textOf(raw), "\x00"):
			problem = "Invalid input: expected string without NUL characters"
		}
		if problem != "" {
			faults = append(faults, "["+place+"."+f.Name+"] "+problem)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return invalid(strings.Join(faults, "; "))
}

// invalid makes a validation error.
func invalid(message string) *Error { return NewError(fault.Invalid, "VALIDATION_ERROR", message) }

// textOf decodes a JSON string; lone surrogates become U+FFFD, as in the hash.
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// String gives a string member, "" if it is absent or of another kind.
func (b Body) String(name string) string {
	s, _ := b.text(name)
	return s
}

// Has reports whether a member is present, null included.
func (b Body) Has(name string) bool {
	_, ok := b.members[name]
	return ok
}

// False reports whether a member is the literal false.
func (b Body) False(name string) bool { return string(b.members[name]) == "false" }

// True reports whether a member is the literal true.
func (b Body) True(name string) bool { return string(b.members[name]) == "true" }

func (b Body) text(name string) (string, string) {
	raw := b.members[name]
	if kindOf(raw) != kindString {
		return "", kindOf(raw)
	}
	return textOf(raw), kindString
}

// Truthy reports whether a member is a value that counts in JavaScript: not
// absent, null, false, 0 or "".
func (b Body) Truthy(name string) bool {
	raw := b.members[name]
	switch kindOf(raw) {
	case kindUndefined, kindNull:
		return false
	case kindBoolean:
		return string(raw) == "true"
	case kindNumber:
		var n json.Number
		f, err := 0.0, json.Unmarshal(raw, &n)
		if err == nil {
			f, err = n.Float64()
		}
		return err != nil || f != 0
	case kindString:
		return textOf(raw) != ""
	}
	return true
}

// NullableString gives a string member, nil if it is null, absent or of another
// kind.
func (b Body) NullableString(name string) *string {
	if s, kind := b.text(name); kind == kindString {
		return &s
	}
	return nil
}
