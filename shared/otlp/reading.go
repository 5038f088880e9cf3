package otlp

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pulse-traces/pulse/shared/trace"
)

// common is what the spans of one group have in common.
type common struct {
	scope      trace.Scope
	scopeName  []byte
	mask       uint64 // the dialects that speak here
	attributes []attribute
	hits       []hit // of the resource's attributes
	resource   []byte
}

// read makes what a group's spans have in common.
func (g *group) read() *common {
	if g.common != nil {
		return g.common
	}
	c := &common{}
	var scopeAttributes []attribute
	for b := g.scope; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			break
		}
		b = rest
		if data, ok := f.bytes(); ok {
			switch f.num {
			case fieldScopeName:
				c.scopeName = data
				c.scope.Name = cut(clean(data), trace.MaxNameBytes)
			case fieldScopeVersion:
				c.scope.Version = cut(clean(data), trace.MaxNameBytes)
			case fieldScopeAttributes:
				scopeAttributes = append(scopeAttributes, parseKeyValue(data))
			}
		}
	}
	for b := g.resource; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil {
			break
		}
		b = rest
		if data, ok := f.bytes(); ok && f.num == fieldResourceAttributes {
			c.attributes = append(c.attributes, parseKeyValue(data))
		}
	}
	t := dialects()
	c.mask = t.speaks(c.scopeName)
	for i, a := range c.attributes {
		t.lookup(a.key, c.mask, func(ref ruleRef, name []byte) {
			if ref.dialect == len(t.dialects)-1 && ref.rule.fact > factRelease {
				return // a guess, which a resource gives no reason for
			}
			if ref.rule.fact != factNone && ref.rule.fact != factMetadataEntry && ref.rule.fact != factParameter {
				c.hits = append(c.hits, hit{rule: ref.rule, rank: ref.rank | 1, at: int32(i), name: name})
			}
		})
	}
	c.resource = c.resourceJSON(scopeAttributes)
	g.common = c
	return c
}

// resourceJSON writes the resource's attributes and, beside them, the scope's.
func (c *common) resourceJSON(scopeAttributes []attribute) []byte {
	if len(c.attributes) == 0 && len(scopeAttributes) == 0 {
		return nil
	}
	o := objectWriter{}
	for _, a := range c.attributes {
		o.attribute(a.key, a.value)
	}
	for _, a := range scopeAttributes {
		o.attribute(append([]byte("scope."), a.key...), a.value)
	}
	return o.end()
}

// objectWriter writes a JSON object of attributes. Of a repeated key the last
// counts.
type objectWriter struct {
	list []pair
}

type pair struct {
	key   []byte
	value value
	json  []byte // instead of value
}

func (o *objectWriter) attribute(key []byte, v value) {
	o.list = append(o.list, pair{key: key, value: v})
}

func (o *objectWriter) raw(key []byte, v []byte) {
	if v != nil {
		o.list = append(o.list, pair{key: key, json: v})
	}
}

// end gives the object; nil if nothing is in it.
func (o *objectWriter) end() []byte {
	if len(o.list) == 0 {
		return nil
	}
	repeated := o.repeated()
	out := append(make([]byte, 0, 64*len(o.list)), '{')
	for i := range o.list {
		p := &o.list[i]
		if repeated != nil && repeated[string(p.key)] != i {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendQuoted(out, p.key), ':')
		if p.json != nil {
			out = append(out, p.json...)
		} else {
			out = appendJSON(out, p.value)
		}
	}
	return append(out, '}')
}

// repeated gives the last place of each key if some key comes twice.
func (o *objectWriter) repeated() map[string]int {
	const few = 16
	if len(o.list) <= few {
		again := false
		for i := range o.list {
			for j := range i {
				again = again || bytes.Equal(o.list[i].key, o.list[j].key)
			}
		}
		if !again {
			return nil
		}
	}
	last := make(map[string]int, len(o.list))
	for i := range o.list {
		last[string(o.list[i].key)] = i
	}
	return last
}

// appendJSON appends an attribute's value as plain JSON: what it stands for, not
// OTLP's own form of it. Integers that a JSON reader would round stay whole.
func appendJSON(dst []byte, v value) []byte {
	switch v.kind {
	case valueString:
		return appendQuoted(dst, v.data)
	case valueBool:
		return strconv.AppendBool(dst, v.bool())
	case valueInt:
		return strconv.AppendInt(dst, v.int(), 10)
	case valueDouble:
		return appendFloat(dst, v.double())
	case valueBytes:
		return appendBase64(dst, v.data)
	case valueArray:
		dst = append(dst, '[')
		first := true
		v.each(func(b []byte) {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendJSON(dst, parseValue(b))
		})
		return append(dst, ']')
	case valueKVs:
		o := objectWriter{}
		v.each(func(b []byte) {
			a := parseKeyValue(b)
			o.attribute(a.key, a.value)
		})
		if out := o.end(); out != nil {
			return append(dst, out...)
		}
		return append(dst, "{}"...)
	}
	return append(dst, "null"...)
}

// reading is one span on its way from attributes to a trace.Span.
type reading struct {
	*common
	attributes []attribute // the span's, then the resource's
	own        int         // how many are the span's
	hits       []hit       // sorted by fact, then rank
	starts     [factCount + 1]int32
	taken      []bool // of the span's attributes: some fact tells it
	active     uint64 // dialects that have part in the span

	name       []byte
	start, end uint64
	hasStart   bool
	hasEnd     bool
	status     uint64
	message    []byte
	traceID    string
	spanID     string
	parentID   string
	events     []event
	links      []link
	data       []byte // the whole message

	// What dialects found that no attribute says alone.
	kind      trace.Kind
	role      trace.Role
	exclusive bool // input tokens do not include cached ones
	callKey   string
	trees     map[int32]*tree
	response  ref // that a dialect put together
	bodyFacts
	logFields
}

type event struct {
	time       uint64
	name       []byte
	attributes []attribute
}

type link struct {
	traceID, spanID string
	attributes      []attribute
}

// in reports whether the span is of a scope whose name begins with prefix.
func (r *reading) in(prefix string) bool { return bytes.HasPrefix(r.scopeName, []byte(prefix)) }

// collect finds the rules of all attributes.
func (r *reading) collect() {
	t := dialects()
	r.taken = make([]bool, r.own)
	hits := make([]hit, 0, len(r.attributes)+len(r.common.hits))
	for i := range r.own {
		key := r.attributes[i].key
		t.lookup(key, r.mask, func(ref ruleRef, name []byte) {
			hits = append(hits, hit{rule: ref.rule, rank: ref.rank, at: int32(i), name: name})
			r.active |= 1 << ref.dialect
		})
	}
	for _, h := range r.common.hits {
		h.at += int32(r.own)
		hits = append(hits, h)
	}
	for i, d := range t.dialects {
		if d.scopes != nil && r.mask>>i&1 != 0 {
			r.active |= 1 << i
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		if a.rule.fact != b.rule.fact {
			return int(a.rule.fact) - int(b.rule.fact)
		}
		return int(a.rank - b.rank)
	})
	r.hits = hits
	r.index()
}

// index finds where each fact's hits begin, and which attributes facts tell.
func (r *reading) index() {
	n := int32(0)
	for f := range factCount {
		r.starts[f] = n
		for int(n) < len(r.hits) && r.hits[n].rule.fact == f {
			n++
		}
	}
	r.starts[factCount] = n
	clear(r.taken)
	for i := range r.hits {
		if h := &r.hits[i]; int(h.at) < r.own && !h.rule.keep {
			r.taken[h.at] = true
		}
	}
}

// of gives the attributes that tell a fact, best first.
func (r *reading) of(f fact) []hit { return r.hits[r.starts[f]:r.starts[f+1]] }

func (r *reading) value(h hit) value { return r.attributes[h.at].value }

// scrubbed reports whether a text stands for one that was taken out before it
// was sent.
func scrubbed(s []byte) bool { return bytes.HasPrefix(s, []byte("[Scrubbed due to ")) }

// str gives the first text that is not empty.
func (r *reading) str(f fact) (string, bool) {
	for _, h := range r.of(f) {
		if v := r.value(h); v.kind == valueString && len(v.data) > 0 && !scrubbed(v.data) {
			if h.rule.quoted && v.data[0] == '"' {
				if s := r.tree(h.at).root().text(); s != "" {
					return clean([]byte(s)), true
				}
				continue
			}
			return clean(v.data), true
		}
	}
	return "", false
}

// name gives the first text as an optional field of at most a name's length.
func (r *reading) short(f fact) *string {
	s, ok := r.str(f)
	if !ok {
		return nil
	}
	s = cut(s, trace.MaxNameBytes)
	return &s
}

// has reports whether any attribute tells a fact.
func (r *reading) has(f fact) bool { return len(r.of(f)) > 0 }

// attr gives a span's attribute by name; the last of several.
func (r *reading) attr(key string) (v value) {
	for i := range r.own {
		if string(r.attributes[i].key) == key {
			v = r.attributes[i].value
		}
	}
	return v
}

// attrText is attr for texts.
func (r *reading) attrText(key string) string {
	if v := r.attr(key); v.kind == valueString {
		return clean(v.data)
	}
	return ""
}

// number reads a finite number, which may come as text.
func number(v value) (float64, bool) {
	var f float64
	switch v.kind {
	case valueInt:
		return float64(v.int()), true
	case valueDouble:
		f = v.double()
	case valueString:
		var err error
		if f, err = strconv.ParseFloat(strings.TrimSpace(string(v.data)), 64); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// num gives the first finite number.
func (r *reading) num(f fact) (n float64, scale float64, ok bool) {
	for _, h := range r.of(f) {
		if n, ok := number(r.value(h)); ok {
			return n, h.rule.scale, true
		}
	}
	return 0, 0, false
}

// tree parses an attribute that holds JSON or a Python literal, as text or as
// OTLP's own lists; nil if it is neither.
func (r *reading) tree(at int32) *tree {
	if t, ok := r.trees[at]; ok {
		return t
	}
	var t *tree
	switch v := r.attributes[at].value; v.kind {
	case valueString:
		if !scrubbed(v.data) {
			t = parseTree(string(v.data))
		}
	case valueArray, valueKVs:
		t = parseTree(string(appendJSON(nil, v)))
	}
	if r.trees == nil {
		r.trees = map[int32]*tree{}
	}
	r.trees[at] = t
	return t
}

// root gives an attribute's value as a tree: parsed, or the plain text as its
// only node.
func (r *reading) root(at int32) ref {
	if t := r.tree(at); t != nil {
		return t.root()
	}
	switch v := r.attributes[at].value; v.kind {
	case valueString:
		if len(v.data) == 0 || scrubbed(v.data) {
			return ref{}
		}
		return plainText(payloadText(v.data))
	case valueInt, valueDouble, valueBool:
		return parseTree(string(appendJSON(nil, v))).root()
	}
	return ref{}
}

// plainText is a tree of one text.
func plainText(s string) ref {
	return ref{&tree{python: true, nodes: []node{{}, {kind: kindText, text: s}}}, 1}
}

// json gives an attribute as JSON: text that is JSON as such, text that is a
// Python literal as JSON, any other text as a string. nil for null and nothing.
func (r *reading) json(at int32) []byte {
	v := r.attributes[at].value
	switch v.kind {
	case valueAbsent, valueBytes:
		return nil
	case valueString:
		if scrubbed(v.data) {
			return nil
		}
		if t := r.tree(at); t != nil {
			return t.root().json()
		}
		if len(v.data) == 0 {
			return nil
		}
		return appendQuoted(nil, v.data)
	}
	return appendJSON(nil, v)
}

// nanos turns OTLP's nanoseconds into a time.
func nanos(n uint64) time.Time { return time.Unix(0, int64(n)).UTC() }

// kindSaid is the kind that some dialect's attribute names; "" if none does.
func (r *reading) kindSaid() trace.Kind {
	if r.kind != "" {
		return r.kind
	}
	for _, h := range r.of(factKind) {
		if v := r.value(h); v.kind == valueString {
			text := string(v.data)
			if h.rule.quoted {
				text = strings.Trim(text, `"`)
			}
			if kind := h.rule.kinds[text]; kind != "" {
				return kind
			}
			if kind := h.rule.kinds[strings.ToLower(text)]; kind != "" {
				return kind
			}
		}
	}
	return ""
}

// namedAgent reports whether a name has the word agent in it: what some senders
// have no kind for.
func namedAgent(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return (c < 'a' || c > 'z') && c < utf8.RuneSelf })
	return slices.Contains(words, "agent")
}

// withoutPrefixes leaves out the texts that begin so.
func withoutPrefixes(list []string, prefixes ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
	})
}
