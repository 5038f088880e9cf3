package view

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// object is a stored JSON object, its members in order; nil for anything else.
// Values are the client's own bytes.
type object []member

type member struct {
	name  string
	quote jsontext.Value // the name as it was written
	value jsontext.Value
}

var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// parseObject reads the members of a stored object.
func parseObject(data []byte) object {
	if len(data) == 0 {
		return nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(data), lenient...)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil
	}
	var o object
	for d.PeekKind() == '"' {
		name, err := d.ReadValue()
		if err != nil {
			return nil
		}
		m := member{quote: name.Clone()}
		text, err := jsontext.AppendUnquote(nil, m.quote)
		if err != nil && len(text) == 0 {
			return nil
		}
		m.name = string(text)
		value, err := d.ReadValue()
		if err != nil {
			return nil
		}
		m.value = value.Clone()
		o = append(o, m)
	}
	return o
}

// value gives the first of the named members that is there and not null. Of a
// repeated name the last counts.
func (o object) value(names ...string) []byte {
	for _, name := range names {
		for i := len(o) - 1; i >= 0; i-- {
			if o[i].name == name {
				if o[i].value.Kind() != 'n' {
					return o[i].value
				}
				break
			}
		}
	}
	return nil
}

// text gives the first of the named members that is a string with content.
func (o object) text(names ...string) (string, bool) {
	for _, name := range names {
		v := jsontext.Value(o.value(name))
		if v.Kind() != '"' {
			continue
		}
		if s, err := jsontext.AppendUnquote(nil, v); err == nil && len(s) > 0 {
			return string(s), true
		}
	}
	return "", false
}

// with gives o as JSON with one number set, in place of a member of that name.
func (o object) with(name string, n int) jsontext.Value {
	out := []byte{'{'}
	for _, m := range o {
		if m.name != name {
			out = append(append(append(append(out, m.quote...), ':'), m.value...), ',')
		}
	}
	out, _ = jsontext.AppendQuote(out, name) // names are constants: valid UTF-8
	return append(strconv.AppendInt(append(out, ':'), int64(n), 10), '}')
}

// truthy reports whether JavaScript takes a stored value for true: clients of
// the earlier service show an error by that rule.
func truthy(data []byte) bool {
	v := jsontext.Value(bytes.TrimSpace(data))
	switch v.Kind() {
	case 'n', 'f', jsontext.KindInvalid:
		return false
	case '"':
		return len(v) > len(`""`)
	case '0':
		f, err := strconv.ParseFloat(string(v), 64)
		return f != 0 || err != nil
	}
	return true
}
