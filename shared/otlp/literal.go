package otlp

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Values that instrumentations send as text are JSON, or what Python prints for
// its own values: {'a': None, 'b': (True, 1.5)}. Both are read into a tree.

// node is one value of a tree. Its children are those between first and last in
// the tree's list, linked by next.
type node struct {
	kind       nodeKind
	key        string // in an object
	text       string // of a string, decoded; of a number, as written
	start, end int    // in the tree's source
	child      int32  // the first; 0 for none
	next       int32  // sibling; 0 for none
}

type nodeKind uint8

const (
	kindNull nodeKind = iota + 1
	kindFalse
	kindTrue
	kindNumber
	kindText
	kindList
	kindObject
)

// tree is a parsed text. Node 0 is not used, the root is node 1.
type tree struct {
	src    string // "" of one that was put together of attributes
	nodes  []node
	python bool // src is not JSON
}

const (
	maxNodes = 200_000
	// maxTreeDepth leaves room for what is put around a tree in a payload.
	maxTreeDepth = 150
)

// parseTree reads JSON or a Python literal; nil for anything else, and for what
// is too large or too deep to be looked into.
func parseTree(s string) *tree { return parseInto(s, nil) }

// parseInto is parseTree with a list to put the nodes into.
func parseInto(s string, nodes []node) *tree {
	s = strings.Trim(s, " \t\r\n") // the spaces of JSON
	if s == "" || !beginsValue[s[0]] {
		return nil
	}
	if nodes == nil {
		nodes = make([]node, 0, 4+len(s)/48)
	}
	for _, python := range [...]bool{false, true} {
		if python && (s[0] != '{' && s[0] != '[' && s[0] != '(') {
			return nil
		}
		t := &tree{src: s, python: python, nodes: append(nodes[:0], node{})}
		p := parser{tree: t}
		if _, ok := p.value(0); !ok {
			continue
		}
		p.space()
		if p.pos == len(s) {
			return t
		}
	}
	return nil
}

// beginsValue are the bytes that JSON and Python literals begin with, so that
// plain text costs nothing.
var beginsValue = func() (t [256]bool) {
	for _, c := range []byte(`{[("-0123456789tfn`) {
		t[c] = true
	}
	return t
}()

// parser reads a tree's source. A fault ends it at once: what is half read is of
// no use.
type parser struct {
	*tree
	pos int
}

func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\n', '\r', '\t':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) add(n node) (int32, bool) {
	if len(p.nodes) > maxNodes {
		return 0, false
	}
	p.nodes = append(p.nodes, n)
	return int32(len(p.nodes) - 1), true
}

func (p *parser) value(depth int) (int32, bool) {
	p.space()
	if p.pos >= len(p.src) || depth > maxTreeDepth {
		return 0, false
	}
	start := p.pos
	switch c := p.src[p.pos]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.list(depth, ']')
	case c == '(' && p.python:
		return p.list(depth, ')')
	case c == '"' || (c == '\'' && p.python):
		text, ok := p.string()
		if !ok {
			return 0, false
		}
		return p.add(node{kind: kindText, text: text, start: start, end: p.pos})
	case c == 'b' && p.python && p.pos+1 < len(p.src) && (p.src[p.pos+1] == '\'' || p.src[p.pos+1] == '"'):
		p.pos++
		text, ok := p.string()
		if !ok {
			return 0, false
		}
		return p.add(node{kind: kindText, text: text, start: start, end: p.pos})
	case c == '-' || (c >= '0' && c <= '9'):
		return p.number()
	case c == '<' && p.python:
		return p.angled(depth)
	}
	return p.word(depth)
}

var jsonWords = map[string]nodeKind{"null": kindNull, "true": kindTrue, "false": kindFalse}

var pythonWords = map[string]nodeKind{
	"None": kindNull, "True": kindTrue, "False": kindFalse, "null": kindNull, "true": kindTrue, "false": kindFalse,
	"nan": kindNull, "NaN": kindNull, "inf": kindNull, "Infinity": kindNull, "undefined": kindNull, "Ellipsis": kindNull,
}

// name reads a word: of letters, and in Python of what its names have.
func (p *parser) name() string {
	start := p.pos
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (!p.python || c != '_' && c != '.' && (c < '0' || c > '9')) {
			break
		}
		p.pos++
	}
	return p.src[start:p.pos]
}

func (p *parser) word(depth int) (int32, bool) {
	start := p.pos
	name := p.name()
	words := jsonWords
	if p.python {
		words = pythonWords
	}
	if kind, ok := words[name]; ok {
		return p.add(node{kind: kind, start: start, end: p.pos})
	}
	if p.python && name != "" && p.pos < len(p.src) && p.src[p.pos] == '(' {
		return p.call(name, depth)
	}
	return 0, false
}

// call reads an object as Python prints those of classes: Name(key=value, …). It
// becomes an object of its keys, and keeps the name of the class.
func (p *parser) call(class string, depth int) (int32, bool) {
	parent, ok := p.add(node{kind: kindObject, text: class, start: p.pos})
	position := 0
	return parent, ok && p.elements(parent, ')', func() (int32, bool) {
		start := p.pos
		key := p.name()
		if p.pos >= len(p.src) || p.src[p.pos] != '=' || key == "" {
			p.pos, key = start, strconv.Itoa(position)
			position++
		} else {
			p.pos++
		}
		i, ok := p.value(depth + 1)
		if ok {
			p.nodes[i].key = key
		}
		return i, ok
	})
}

// angled reads what Python prints of a value of an enumeration, <Role.USER:
// 'user'>, as that value, and of anything else, <object at 0x7f>, as text.
func (p *parser) angled(depth int) (int32, bool) {
	start := p.pos
	end := strings.IndexByte(p.src[start:], '>')
	if end < 0 {
		return 0, false
	}
	if colon := strings.Index(p.src[start:start+end], ": "); colon > 0 {
		p.pos = start + colon + 2
		nodes := len(p.nodes)
		if i, ok := p.value(depth + 1); ok && p.pos < len(p.src) && p.src[p.pos] == '>' {
			p.pos++
			return i, true
		}
		p.nodes = p.nodes[:nodes]
	}
	p.pos = start + end + 1
	return p.add(node{kind: kindText, text: p.src[start:p.pos], start: start, end: p.pos})
}

// parseObject reads an object as Python prints it; nil if the text is none.
func parseObject(s string) *tree {
	open := strings.IndexByte(s, '(')
	if open <= 0 || s[0] < 'A' || s[0] > 'Z' || !strings.HasSuffix(s, ")") {
		return nil
	}
	t := &tree{src: s, python: true, nodes: make([]node, 1, 1+len(s)/24)}
	p := parser{tree: t}
	if _, ok := p.value(0); !ok || p.pos != len(s) {
		return nil
	}
	return t
}

func (p *parser) number() (int32, bool) {
	start := p.pos
	if p.src[p.pos] == '-' {
		p.pos++
		if p.python && strings.HasPrefix(p.src[p.pos:], "inf") {
			p.pos += len("inf")
			return p.add(node{kind: kindNull, start: start, end: p.pos})
		}
	}
	digits := func() int {
		from := p.pos
		for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			p.pos++
		}
		return p.pos - from
	}
	whole := p.pos
	if n := digits(); n == 0 || (n > 1 && p.src[whole] == '0') {
		return 0, false
	}
	if p.pos < len(p.src) && p.src[p.pos] == '.' {
		p.pos++
		if digits() == 0 {
			return 0, false
		}
	}
	if p.pos < len(p.src) && p.src[p.pos]|0x20 == 'e' {
		p.pos++
		if p.pos < len(p.src) && (p.src[p.pos] == '+' || p.src[p.pos] == '-') {
			p.pos++
		}
		if digits() == 0 {
			return 0, false
		}
	}
	return p.add(node{kind: kindNumber, text: p.src[start:p.pos], start: start, end: p.pos})
}

// elements reads what is between brackets: one for each element, which it links.
func (p *parser) elements(parent int32, closer byte, one func() (int32, bool)) bool {
	p.pos++
	last := int32(0)
	for first := true; ; first = false {
		p.space()
		if p.pos >= len(p.src) {
			return false
		}
		if p.src[p.pos] == closer && (first || p.python) {
			break
		}
		i, ok := one()
		if !ok {
			return false
		}
		if last == 0 {
			p.nodes[parent].child = i
		} else {
			p.nodes[last].next = i
		}
		last = i
		p.space()
		if p.pos >= len(p.src) {
			return false
		}
		if p.src[p.pos] == closer {
			break
		}
		if p.src[p.pos] != ',' {
			return false
		}
		p.pos++
		if !p.python {
			p.space()
			if p.pos < len(p.src) && p.src[p.pos] == closer {
				return false
			}
		}
	}
	p.pos++
	p.nodes[parent].end = p.pos
	return true
}

func (p *parser) list(depth int, closer byte) (int32, bool) {
	parent, ok := p.add(node{kind: kindList, start: p.pos})
	return parent, ok && p.elements(parent, closer, func() (int32, bool) { return p.value(depth + 1) })
}

func (p *parser) object(depth int) (int32, bool) {
	parent, ok := p.add(node{kind: kindObject, start: p.pos})
	return parent, ok && p.elements(parent, '}', func() (int32, bool) {
		key, ok := p.key()
		if !ok {
			return 0, false
		}
		p.space()
		if p.pos >= len(p.src) || p.src[p.pos] != ':' {
			return 0, false
		}
		p.pos++
		i, ok := p.value(depth + 1)
		if ok {
			p.nodes[i].key = key
		}
		return i, ok
	})
}

// key reads an object's name; Python also has numbers and words there.
func (p *parser) key() (string, bool) {
	if c := p.src[p.pos]; c == '"' || (c == '\'' && p.python) {
		return p.string()
	}
	if !p.python {
		return "", false
	}
	start := p.pos
	i, ok := p.value(maxTreeDepth)
	if !ok || p.nodes[i].kind >= kindText {
		return "", false
	}
	p.nodes = p.nodes[:i]
	return p.src[start:p.pos], true
}

// string reads a quoted text. Text without escapes is not copied.
func (p *parser) string() (string, bool) {
	quote := p.src[p.pos]
	p.pos++
	start := p.pos
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == quote:
			s := p.src[start:p.pos]
			p.pos++
			return s, true
		case c == '\\':
			return p.escaped(start, quote)
		case c < ' ' && !p.python:
			return "", false
		}
		p.pos++
	}
	return "", false
}

func (p *parser) escaped(start int, quote byte) (string, bool) {
	b := append(make([]byte, 0, p.pos-start+64), p.src[start:p.pos]...)
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == quote:
			p.pos++
			return string(b), true
		case c != '\\':
			if c < ' ' && !p.python {
				return "", false
			}
			end := p.pos + 1
			for end < len(p.src) && p.src[end] != '\\' && p.src[end] != quote && (p.src[end] >= ' ' || p.python) {
				end++
			}
			b = append(b, p.src[p.pos:end]...)
			p.pos = end
			continue
		}
		p.pos++
		if p.pos >= len(p.src) {
			return "", false
		}
		c = p.src[p.pos]
		p.pos++
		switch c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, ok := p.hex(4)
			if !ok {
				return "", false
			}
			if utf16.IsSurrogate(r) {
				r = p.surrogate(r)
			}
			b = utf8.AppendRune(b, r)
		default:
			if !p.python {
				return "", false
			}
			var ok bool
			if b, ok = p.pythonEscape(b, c); !ok {
				return "", false
			}
		}
	}
	return "", false
}

func (p *parser) pythonEscape(b []byte, c byte) ([]byte, bool) {
	switch c {
	case '\'':
		return append(b, c), true
	case 'a':
		return append(b, '\a'), true
	case 'v':
		return append(b, '\v'), true
	case '0':
		return append(b, 0), true
	case 'x':
		r, ok := p.hex(2)
		return utf8.AppendRune(b, r), ok
	case 'U':
		r, ok := p.hex(8)
		return utf8.AppendRune(b, r), ok
	}
	return append(b, '\\', c), true
}

func (p *parser) hex(n int) (rune, bool) {
	if p.pos+n > len(p.src) {
		return 0, false
	}
	v, err := strconv.ParseUint(p.src[p.pos:p.pos+n], 16, 32)
	p.pos += n
	return rune(v), err == nil
}

// surrogate reads the second half of a pair; U+FFFD for half a pair.
func (p *parser) surrogate(first rune) rune {
	if !strings.HasPrefix(p.src[p.pos:], `\u`) {
		return utf8.RuneError
	}
	pos := p.pos
	p.pos += len(`\u`)
	if second, ok := p.hex(4); ok {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r
		}
	}
	p.pos = pos // it stands for itself
	return utf8.RuneError
}

// ref is a node of a tree; the zero ref is no value at all, and all that can be
// asked of it is no value either.
type ref struct {
	t *tree
	i int32
}

func (t *tree) root() ref {
	if t == nil {
		return ref{}
	}
	return ref{t, 1}
}

func (r ref) node() *node {
	if r.t == nil {
		return &node{}
	}
	return &r.t.nodes[r.i]
}

func (r ref) kind() nodeKind { return r.node().kind }

// there reports whether r is a value that is not null.
func (r ref) there() bool { return r.kind() > kindNull }

// get gives the first of an object's members of these names that is not null.
func (r ref) get(names ...string) ref {
	if r.kind() != kindObject {
		return ref{}
	}
	for _, name := range names {
		for i := r.node().child; i != 0; i = r.t.nodes[i].next {
			if r.t.nodes[i].key == name && r.t.nodes[i].kind != kindNull {
				return ref{r.t, i}
			}
		}
	}
	return ref{}
}

// has reports whether an object has a member, null or not.
func (r ref) has(name string) bool {
	if r.kind() == kindObject {
		for i := r.node().child; i != 0; i = r.t.nodes[i].next {
			if r.t.nodes[i].key == name {
				return true
			}
		}
	}
	return false
}

// each gives the elements of a list or the members of an object in order.
func (r ref) each(yield func(ref) bool) {
	if r.kind() != kindList && r.kind() != kindObject {
		return
	}
	for i := r.node().child; i != 0; i = r.t.nodes[i].next {
		if !yield(ref{r.t, i}) {
			return
		}
	}
}

// count is the number of elements or members.
func (r ref) count() (n int) {
	r.each(func(ref) bool { n++; return true })
	return n
}

// first gives the first element of a list.
func (r ref) first() (found ref) {
	if r.kind() == kindList {
		r.each(func(e ref) bool {
			found = e
			return false
		})
	}
	return found
}

// text gives a string's content; "" for anything else.
func (r ref) text() string {
	if n := r.node(); n.kind == kindText {
		return n.text
	}
	return ""
}

// isText reports whether r is a string, if an empty one.
func (r ref) isText() bool { return r.kind() == kindText }

// number gives a number, which may come as text.
func (r ref) number() (float64, bool) {
	if k := r.kind(); k != kindNumber && k != kindText {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(r.node().text), 64)
	return f, err == nil
}

// append appends r as JSON: the sender's own bytes where they are JSON.
func (r ref) append(dst []byte) []byte {
	n := r.node()
	if r.t != nil && !r.t.python {
		if utf8.ValidString(r.t.src[n.start:n.end]) {
			return append(dst, r.t.src[n.start:n.end]...)
		}
	}
	switch n.kind {
	case kindFalse:
		return append(dst, "false"...)
	case kindTrue:
		return append(dst, "true"...)
	case kindNumber:
		return append(dst, n.text...)
	case kindText:
		return appendQuoted(dst, n.text)
	case kindList, kindObject:
		open, closer := byte('['), byte(']')
		if n.kind == kindObject {
			open, closer = '{', '}'
		}
		dst = append(dst, open)
		first := true
		r.each(func(e ref) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if n.kind == kindObject {
				dst = append(appendQuoted(dst, e.node().key), ':')
			}
			dst = e.append(dst)
			return true
		})
		return append(dst, closer)
	}
	return append(dst, "null"...)
}

// json gives r as JSON; nil for no value and for null.
func (r ref) json() []byte {
	if !r.there() {
		return nil
	}
	return r.append(nil)
}
