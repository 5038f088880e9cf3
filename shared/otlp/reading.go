package otlp

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pulse-traces/pulse/shared/trace"
)

// common is what the spans of one group have in common.
type common struct {
	scope      trace.Scope
	texts      map[string]string // short texts that many spans have: see intern
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
		refs, name := t.find(a.key, c.mask)
		for _, ref := range refs {
			fact := ref.rule.fact
			guess := ref.dialect == len(t.dialects)-1 && fact > factRelease // which a resource gives no reason for
			if c.mask>>ref.dialect&1 != 0 && !guess && fact != factNone && fact != factMetadataEntry && fact != factParameter {
				c.hits = append(c.hits, hit{rule: ref.rule, rank: ref.rank | 1, at: int32(i), name: name})
			}
		}
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
	attributes []attribute // the span's, its events', the resource's
	own        int         // how many are the span's
	said       int         // and its events'
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
	kind            trace.Kind
	role            trace.Role
	exclusive       bool // input tokens do not include cached ones
	exclusiveOutput bool // output tokens do not include those of reasoning
	streamed        bool // the output is the messages of a stream's pieces
	callKey         string
	found           []hit // unsorted
	trees           []*tree
	nodes           [][]node // free, for trees
	treesBuffer     []*tree
	optionals       []string // texts of the span's optional fields
	response        ref      // that a dialect put together
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
	found := r.found[:0]
	for i := range r.said {
		refs, name := t.find(r.attributes[i].key, r.mask)
		for j := range refs {
			if ref := &refs[j]; r.mask>>ref.dialect&1 != 0 {
				found = append(found, hit{rule: ref.rule, rank: ref.rank, at: int32(i), name: name})
				r.active |= 1 << ref.dialect
			}
		}
	}
	for _, h := range r.common.hits {
		h.at += int32(r.said)
		found = append(found, h)
	}
	for i, d := range t.dialects {
		if d.scopes != nil && r.mask>>i&1 != 0 {
			r.active |= 1 << i
		}
	}
	r.found = found
	r.sort()
	r.index()
}

// sort puts what was found in the order of facts, then ranks.
func (r *reading) sort() {
	var places [factCount + 1]int32
	for i := range r.found {
		places[r.found[i].rule.fact+1]++
	}
	for f := range factCount {
		places[f+1] += places[f]
	}
	r.hits = slices.Grow(r.hits[:0], len(r.found))[:len(r.found)]
	first := places
	for _, h := range r.found {
		at := places[h.rule.fact]
		places[h.rule.fact]++
		for ; at > first[h.rule.fact] && r.hits[at-1].rank > h.rank; at-- {
			r.hits[at] = r.hits[at-1]
		}
		r.hits[at] = h
	}
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
	r.taken = slices.Grow(r.taken[:0], r.own)[:r.own]
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
			return r.intern(v.data), true
		}
	}
	return "", false
}

// Bounds of what intern keeps for one request.
const (
	maxInterned      = 256
	maxInternedBytes = 64
)

// intern is clean for texts that are likely to come again in the same request:
// names of models, services, operations.
func (c *common) intern(b []byte) string {
	if len(b) > maxInternedBytes {
		return clean(b)
	}
	if s, ok := c.texts[string(b)]; ok {
		return s
	}
	s := clean(b)
	if c.texts == nil {
		c.texts = map[string]string{}
	}
	if len(c.texts) < maxInterned {
		c.texts[string(b)] = s
	}
	return s
}

// name gives the first text as an optional field of at most a name's length.
func (r *reading) short(f fact) *string {
	s, ok := r.str(f)
	if !ok {
		return nil
	}
	return r.optional(cut(s, trace.MaxNameBytes))
}

// optional gives a text as an optional field. The fields of one span share a
// list.
func (r *reading) optional(s string) *string {
	if len(r.optionals) == cap(r.optionals) {
		r.optionals = make([]string, 0, 12)
	}
	r.optionals = append(r.optionals, s)
	return &r.optionals[len(r.optionals)-1]
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
// OTLP's own lists; nil if it is neither. The tree is the reading's, and ends
// with it.
func (r *reading) tree(at int32) *tree {
	if r.trees == nil {
		r.trees = slices.Grow(r.treesBuffer[:0], len(r.attributes))[:len(r.attributes)]
		r.treesBuffer = r.trees
		clear(r.trees)
	}
	if t := r.trees[at]; t != nil {
		if t == noTree {
			return nil
		}
		return t
	}
	var text string
	switch v := r.attributes[at].value; v.kind {
	case valueString:
		if !scrubbed(v.data) {
			text = string(v.data)
		}
	case valueArray, valueKVs:
		text = string(appendJSON(nil, v))
	}
	t := noTree
	if text != "" {
		var buffer []node
		if n := len(r.nodes); n > 0 {
			buffer, r.nodes = r.nodes[n-1], r.nodes[:n-1]
		}
		parsed := parseInto(text, buffer)
		if parsed != nil {
			t = parsed
		} else if buffer != nil {
			r.nodes = append(r.nodes, buffer)
		}
	}
	r.trees[at] = t
	if t == noTree {
		return nil
	}
	return t
}

// noTree stands for an attribute that was found to be none.
var noTree = &tree{}

// readings are used again: a span's attributes need a lot of small lists.
var readings = sync.Pool{New: func() any { return new(reading) }}

func newReading(c *common, data []byte) *reading {
	r, ok := readings.Get().(*reading)
	if !ok {
		r = new(reading)
	}
	r.common, r.data = c, data
	return r
}

// maxPooledNodes is the size of tree that is worth keeping.
const maxPooledNodes = 4096

// release ends a reading. Nothing that it gave may be in use but texts and what
// was written.
func (r *reading) release() {
	nodes := r.nodes
	for _, t := range r.trees {
		if t != nil && t != noTree && cap(t.nodes) <= maxPooledNodes && len(nodes) < 16 {
			clear(t.nodes) // they hold texts
			nodes = append(nodes, t.nodes[:0])
		}
	}
	clear(r.treesBuffer)
	clear(r.attributes)
	clear(r.events)
	*r = reading{
		attributes: r.attributes[:0], found: r.found[:0], hits: r.hits[:0], taken: r.taken[:0], events: r.events[:0], nodes: nodes,
		treesBuffer: r.treesBuffer[:0],
	}
	if cap(r.attributes) <= maxPooledNodes {
		readings.Put(r)
	}
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

// withoutPrefixes leaves out the texts that begin so; nil if none is left.
func withoutPrefixes(list []string, prefixes ...string) (kept []string) {
	for _, s := range list {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) }) {
			kept = append(kept, s)
		}
	}
	return kept
}
