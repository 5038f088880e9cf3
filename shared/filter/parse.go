package filter

import (
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Error is one thing that is wrong with an input.
type Error struct {
	// Pos and End bound the place, in UTF-16 code units, which is how browsers
	// count.
	Pos     int    `json:"pos"`
	End     int    `json:"end"`
	Code    string `json:"code"`            // too_long, too_many, character, unclosed, empty, bare, field, operator, value, number
	Field   string `json:"field,omitempty"` // that the term is about, as far as it was read
	Message string `json:"message"`         // what is wrong and what would be right; quotes nothing
}

// Errors are all faults of an input, in its order.
type Errors []Error

// Error gives the first fault.
func (e Errors) Error() string { return e[0].Message }

// Parse reads a filter. The error is Errors.
func Parse(s string) (Filter, error) {
	p := parser{src: s}
	if len(s) > MaxBytes {
		p.fail(0, len(s), "too_long", "", "A filter has at most 4096 bytes")
		return Filter{}, p.errors
	}
	f := Filter{Terms: []Term{}}
	for p.skipSpace(); p.at < len(s); p.skipSpace() {
		start := p.at
		t, ok := p.term()
		if !ok {
			p.skipTerm(start)
			continue
		}
		if f.Terms = append(f.Terms, t); len(f.Terms) > MaxTerms {
			p.fail(start, p.at, "too_many", string(t.Field), "A filter has at most 32 terms: drop this one")
			break
		}
	}
	if len(p.errors) > 0 {
		return Filter{}, p.errors
	}
	return f, nil
}

type parser struct {
	src    string
	at     int
	errors Errors
}

// fail notes a fault of the bytes from and to.
func (p *parser) fail(from, to int, code, field, message string) {
	p.errors = append(p.errors, Error{units(p.src[:from]), units(p.src[:to]), code, field, message})
}

// units counts UTF-16 code units.
func units(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}

func isSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\r', '\u00A0', '\u3000':
		return true
	}
	return false
}

// refused reports whether a character is in no filter.
func refused(r rune, size int) bool {
	return r == utf8.RuneError && size <= 1 || (r < ' ' || r == 0x7F) && !isSpace(r)
}

func (p *parser) peek() (rune, int) { return utf8.DecodeRuneInString(p.src[p.at:]) }

func (p *parser) skipSpace() {
	for p.at < len(p.src) {
		r, n := p.peek()
		if !isSpace(r) {
			return
		}
		p.at += n
	}
}

// skipTerm goes to the end of a term that begins at start and is not valid: the
// next blank that is in no quotes.
func (p *parser) skipTerm(start int) {
	quoted := false
	for p.at = start; p.at < len(p.src); {
		r, n := p.peek()
		switch {
		case r == '"':
			quoted = !quoted
		case quoted && r == '\\' && p.at+n < len(p.src):
			p.at += n
			_, n = p.peek()
		case !quoted && isSpace(r):
			return
		}
		p.at += n
	}
}

func (p *parser) term() (t Term, ok bool) {
	start := p.at
	if p.src[p.at] == '-' {
		t.Not = true
		p.at++
	}
	if p.at < len(p.src) && p.src[p.at] == '"' {
		return p.text(t, start)
	}
	nameAt := p.at
	for p.at < len(p.src) {
		r, n := p.peek()
		if refused(r, n) {
			p.fail(p.at, p.at+n, "character", "", "A filter holds no control characters: remove this one")
			return t, false
		}
		if isSpace(r) || strings.ContainsRune(`:<>=",`, r) {
			break
		}
		p.at += n
	}
	name := p.src[nameAt:p.at]
	if p.at == len(p.src) || !strings.ContainsRune(":<>=", rune(p.src[p.at])) {
		p.skipTerm(start)
		p.fail(start, p.at, "bare", "", "Put free text in quotes, or a field and a colon before it, as in name:chat")
		return t, false
	}
	s, ok := specOf(Field(name))
	if !ok {
		p.fail(nameAt, p.at, "field", "", "There is no such field: use meta. and a name, or one of "+fieldList())
		return t, false
	}
	t.Field = s.field
	return p.compare(t, s)
}

func fieldList() string {
	var names []string
	for _, s := range fields {
		names = append(names, string(s.field))
	}
	return strings.Join(names, ", ")
}

// text reads free text.
func (p *parser) text(t Term, start int) (Term, bool) {
	if t.Not {
		p.skipTerm(start)
		p.fail(start, p.at, "operator", "", "Free text cannot be negated: drop the minus")
		return t, false
	}
	v, ok := p.quoted("")
	if !ok {
		return t, false
	}
	if strings.TrimFunc(v, isSpace) == "" {
		p.fail(start, p.at, "empty", "", "Write something between the quotes")
		return t, false
	}
	if !p.ended("") {
		return t, false
	}
	t.Op, t.Values = OpIs, []Value{{Text: v}}
	return t, true
}

// ended checks that a blank follows.
func (p *parser) ended(field string) bool {
	if p.at == len(p.src) {
		return true
	}
	if r, n := p.peek(); !isSpace(r) {
		p.fail(p.at, p.at+n, "value", field, "A blank must follow the closing quote, or a comma and another value")
		return false
	}
	return true
}

// quoted reads what stands in quotes.
func (p *parser) quoted(field string) (string, bool) {
	start := p.at
	var b strings.Builder
	for p.at++; p.at < len(p.src); {
		r, n := p.peek()
		switch {
		case refused(r, n):
			p.fail(p.at, p.at+n, "character", field, "A filter holds no control characters: remove this one")
			return "", false
		case r == '"':
			p.at++
			return b.String(), true
		case r == '\\' && p.at+1 < len(p.src):
			p.at++
			if r, n = p.peek(); r != '"' && r != '\\' {
				p.fail(p.at-1, p.at+n, "value", field, `Behind a backslash in quotes stands " or \`)
				return "", false
			}
		}
		b.WriteString(p.src[p.at : p.at+n])
		p.at += n
	}
	p.fail(start, len(p.src), "unclosed", field, "A quote is missing at the end")
	return "", false
}

// compare reads the operator and the values.
func (p *parser) compare(t Term, s spec) (Term, bool) {
	opAt, field := p.at, string(s.field)
	op := p.src[p.at : p.at+1]
	if p.at++; (op == ">" || op == "<") && p.at < len(p.src) && p.src[p.at] == '=' {
		op += "="
		p.at++
	}
	switch {
	case op == "=":
		p.fail(opAt, p.at, "operator", field, "Write a colon instead of =")
		return t, false
	case op == ":":
		return p.is(t, s)
	case s.kind < kindDuration:
		p.fail(opAt, p.at, "operator", field, "Only numbers are compared so: write a colon")
		return t, false
	}
	t.Op = Op(op)
	at := p.at
	text, ok := p.bare(field)
	if !ok {
		return t, false
	}
	if p.at < len(p.src) && p.src[p.at] == ',' {
		p.fail(p.at, p.at+1, "operator", field, "One number follows a comparison: several need a colon")
		return t, false
	}
	v, ok := p.number(s, text, at)
	t.Values = []Value{v}
	return t, ok
}

// bare reads a value without quotes; it may be empty.
func (p *parser) bare(field string) (string, bool) {
	start := p.at
	for p.at < len(p.src) {
		r, n := p.peek()
		switch {
		case refused(r, n):
			p.fail(p.at, p.at+n, "character", field, "A filter holds no control characters: remove this one")
			return "", false
		case r == '"':
			p.fail(p.at, p.at+n, "value", field, "Quotes hold a value whole: move the first one to its begin")
			return "", false
		case isSpace(r) || r == ',':
			return p.src[start:p.at], true
		}
		p.at += n
	}
	return p.src[start:p.at], true
}

// is reads what follows a colon.
func (p *parser) is(t Term, s spec) (Term, bool) {
	t.Op = OpIs
	field := string(s.field)
	for {
		at := p.at
		v, ok := p.value(s)
		if !ok {
			return t, false
		}
		if low, high, ok := strings.Cut(v.Text, ".."); ok && s.kind >= kindDuration {
			return p.between(t, s, low, high, at)
		}
		if s.kind >= kindDuration {
			if v, ok = p.number(s, v.Text, at); !ok {
				return t, false
			}
		}
		if t.Values = append(t.Values, v); len(t.Values) > MaxValues {
			p.fail(at, p.at, "too_many", field, "A term has at most 32 values: drop this one")
			return t, false
		}
		if p.at == len(p.src) || p.src[p.at] != ',' {
			return t, true
		}
		p.at++
	}
}

// value reads one value of a list.
func (p *parser) value(s spec) (Value, bool) {
	at, field := p.at, string(s.field)
	var v Value
	var ok bool
	if p.at < len(p.src) && p.src[p.at] == '"' {
		if v.Text, ok = p.quoted(field); !ok {
			return v, false
		}
		if p.at < len(p.src) && p.src[p.at] != ',' && !p.ended(field) {
			return v, false
		}
	} else {
		if v.Text, ok = p.bare(field); !ok {
			return v, false
		}
		v.Glob = s.kind == kindText && strings.ContainsRune(v.Text, '*')
	}
	if v.Text == "" {
		p.fail(at, p.at, "empty", field, "Write a value behind the colon, and behind each comma")
		return v, false
	}
	if s.kind == kindEnum {
		if other, ok := aliases[v.Text]; ok && slices.Contains(s.options, other) {
			v.Text = other
		}
		if !slices.Contains(s.options, v.Text) {
			p.fail(at, p.at, "value", field, "It is one of "+strings.Join(s.options, ", "))
			return v, false
		}
	}
	return v, true
}

// between reads the two ends of a range.
func (p *parser) between(t Term, s spec, low, high string, at int) (Term, bool) {
	field := string(s.field)
	if len(t.Values) > 0 || p.at < len(p.src) && p.src[p.at] == ',' {
		p.fail(at, p.at, "value", field, "A range stands alone: make it a term of its own")
		return t, false
	}
	from, ok := p.number(s, low, at)
	if !ok {
		return t, false
	}
	to, ok := p.number(s, high, at)
	if !ok {
		return t, false
	}
	if from.Number > to.Number {
		p.fail(at, p.at, "value", field, "The smaller number comes first")
		return t, false
	}
	t.Op, t.Values = OpRange, []Value{from, to}
	return t, true
}

// maxNumber is what every reader of JSON holds exactly, and somewhat less.
const maxNumber = 9_000_000_000_000_000

// units of numbers, and what each is of its kind's own.
var unitsOf = map[kind]map[string]int64{
	kindDuration: {"": 1000, "us": 1, "ms": 1000, "s": 1e6, "m": 60e6, "h": 3600e6},
	kindMoney:    {"": 1e9},
	kindCount:    {"": 1, "k": 1e3, "m": 1e6, "b": 1e9},
}

var numberHelp = map[kind]string{
	kindDuration: "It is a number of milliseconds, or one with a unit: us, ms, s, m or h, as in 2.5s",
	kindMoney:    "It is a number of dollars, as in 0.01",
	kindCount:    "It is a number, as in 1200, 10k or 1.5m",
}

// number reads a number in the unit of its field. Less than a unit is cut off.
func (p *parser) number(s spec, text string, at int) (Value, bool) {
	const maxDigits = 18
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit, known := unitsOf[s.kind][strings.ToLower(text[len(digits):])]
	whole, fraction, point := strings.Cut(digits, ".")
	if !known || whole == "" || point && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" || len(whole)+len(fraction) > maxDigits {
		p.fail(at, p.at, "number", string(s.field), numberHelp[s.kind])
		return Value{}, false
	}
	n, _ := new(big.Int).SetString(whole+fraction, 10)
	n.Mul(n, big.NewInt(unit))
	n.Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil))
	if !n.IsInt64() || n.Int64() > maxNumber {
		p.fail(at, p.at, "number", string(s.field), "The number is too large")
		return Value{}, false
	}
	return Value{Text: text, Number: n.Int64()}, true
}
