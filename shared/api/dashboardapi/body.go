package dashboardapi

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pulse-traces/pulse/shared/api"
	"github.com/pulse-traces/pulse/shared/betterauth"
	"github.com/pulse-traces/pulse/shared/fault"
)

// Limits of what is kept of a text, in characters. Names are shown in lists;
// the e-mail's limit leaves it room in an index.
const (
	maxNameChars  = 200
	maxEmailChars = 1000
	maxURLChars   = 2048
	// maxPasswordChars only bounds the work; betterauth has the real limit and
	// its wording.
	maxPasswordChars = 10_000
)

// body is a JSON object whose members were not looked at yet: which of them may
// be missing, null or of another type differs from route to route. JSON that is
// no object has no members.
type body map[string]jsontext.Value

// errEmptyBody is the cause in InvalidJSON for a body that is not there.
var errEmptyBody = errors.New("empty body")

// readBody reads a request's body; "Invalid JSON body" for none.
func readBody(r *http.Request) (body, error) {
	raw, err := api.ReadBody(r)
	if err != nil {
		return nil, err
	}
	return parseBody(raw)
}

func parseBody(raw []byte) (body, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, api.InvalidJSON(errEmptyBody)
	}
	var value jsontext.Value
	if err := api.UnmarshalJSON(raw, &value); err != nil {
		return nil, err
	}
	if value.Kind() != '{' {
		return nil, nil
	}
	var b body
	if err := json.Unmarshal(value, &b, api.DecodeOptions); err != nil {
		return nil, api.InvalidJSON(err)
	}
	return b, nil
}

// text gives a member that must be a string of at most limit characters without
// NUL, which Postgres cannot hold. Missing and null give "".
func (b body) text(name string, limit int) (string, error) {
	raw, ok := b[name]
	if !ok || raw.Kind() == 'n' {
		return "", nil
	}
	if raw.Kind() != '"' {
		return "", invalid(name, "invalid_type", "Invalid input: expected string, received "+kindName(raw.Kind()))
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil { // strict: half a surrogate pair has no place in a name
		return "", api.InvalidJSON(err)
	}
	return s, checkText(name, s, limit)
}

// trimmed is text without blanks around it.
func (b body) trimmed(name string, limit int) (string, error) {
	s, err := b.text(name, limit)
	return strings.TrimSpace(s), err
}

// flag gives a member that must be true or false; false if it is not there.
func (b body) flag(name string) (bool, error) {
	switch raw := b[name]; raw.Kind() {
	case 't':
		return true, nil
	case 'f', 'n', jsontext.KindInvalid:
		return false, nil
	default:
		return false, invalid(name, "invalid_type", "Invalid input: expected boolean, received "+kindName(raw.Kind()))
	}
}

// whole gives a member that must be a whole number of a range; absent if it is
// null or not there.
func (b body) whole(name string, absent, least, most int) (int, error) {
	raw := b[name]
	if raw.Kind() == 'n' || raw.Kind() == jsontext.KindInvalid {
		return absent, nil
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < least || n > most {
		return 0, fieldFault(name, "invalid_value", "Invalid input: expected a whole number from %d to %d", least, most)
	}
	return n, nil
}

// choice gives a member that must be one of some strings.
func (b body) choice(name string, of ...string) (string, error) {
	s, err := b.text(name, maxNameChars)
	if err != nil {
		return "", err
	}
	if !slices.Contains(of, s) {
		return "", invalid(name, "invalid_value", "Invalid input: expected one of "+strings.Join(of, ", "))
	}
	return s, nil
}

// projectName gives the member that is a project's name.
func (b body) projectName() (string, error) {
	if b.noText("name") {
		return "", fault.New(fault.Invalid, "Missing required field: name")
	}
	name, err := b.trimmed("name", maxNameChars)
	if err == nil && name == "" {
		err = fault.New(fault.Invalid, "Project name cannot be empty")
	}
	return name, err
}

// noText reports whether a member is anything but a string of some length.
func (b body) noText(name string) bool { return b[name].Kind() != '"' || len(b[name]) == len(`""`) }

func checkText(name, s string, limit int) error {
	switch {
	case strings.ContainsRune(s, 0):
		return invalid(name, "invalid_format", "Invalid input: NUL characters are not allowed")
	case utf8.RuneCountInString(s) > limit:
		return fieldFault(name, "too_big", "Too big: expected at most %d characters", limit)
	}
	return nil
}

func invalid(name, code, message string) error { return fieldFault(name, code, "%s", message) }

// fieldFault is what is wrong with one member, worded as Better Auth does.
func fieldFault(name, code, format string, args ...any) error {
	e := fault.Newf(fault.Invalid, "[body."+name+"] "+format, args...)
	e.Issues = []fault.Issue{{Path: []any{name}, Code: code, Message: strings.TrimPrefix(e.Message, "[body."+name+"] ")}}
	return e
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '0':
		return "number"
	case 't', 'f':
		return "boolean"
	case '[':
		return "array"
	}
	return "object"
}

// checkAccount are the rules of a new account, in the library's order.
func checkAccount(email, password string) error {
	if !betterauth.ValidEmail(email) {
		return invalid("email", "invalid_format", "Invalid email address")
	}
	return betterauth.CheckNewPassword(password)
}
