package otlp

import (
	"bytes"
	"slices"
	"strconv"
)

// Some instrumentations take their messages apart: llm.input_messages.0.message
// .role. unflatten puts them together again as a tree of objects and lists.

// maxSearches bounds the work for names that come in no order.
const maxSearches = 2_000_000

type unflattener struct {
	t        *tree
	last     []int32 // the last child of each node
	searches int
}

// unflatten makes a tree of the values under path names. Names that contradict
// each other (a value that is also an object) keep the first.
func (r *reading) unflatten(hits []hit) *tree {
	u := unflattener{t: &tree{python: true, nodes: make([]node, 2, 2+4*len(hits))}, last: make([]int32, 2, 2+4*len(hits))}
	u.t.nodes[1] = node{kind: kindObject}
	for _, h := range hits {
		at := int32(1)
		rest := h.name
		for len(rest) > 0 && at != 0 {
			var part []byte
			part, rest, _ = bytes.Cut(rest, []byte{'.'})
			at = u.child(at, part)
		}
		if at > 1 && u.t.nodes[at].kind == 0 {
			u.set(at, r.attributes[h.at].value)
		}
	}
	u.settle(1)
	return u.t
}

// child gives the child of a node by its name, made if there is none; 0 if the
// node cannot have children, or the tree is full.
func (u *unflattener) child(parent int32, name []byte) int32 {
	n := &u.t.nodes[parent]
	if n.kind == 0 {
		n.kind = kindObject
	}
	if n.kind != kindObject {
		return 0
	}
	if last := u.last[parent]; last != 0 && u.t.nodes[last].key == string(name) {
		return last
	}
	for i := n.child; i != 0; i = u.t.nodes[i].next {
		if u.t.nodes[i].key == string(name) {
			return i
		}
		if u.searches++; u.searches > maxSearches {
			return 0
		}
	}
	if len(u.t.nodes) > maxNodes {
		return 0
	}
	i := int32(len(u.t.nodes))
	u.t.nodes = append(u.t.nodes, node{key: payloadText(name)})
	u.last = append(u.last, 0)
	if last := u.last[parent]; last == 0 {
		u.t.nodes[parent].child = i
	} else {
		u.t.nodes[last].next = i
	}
	u.last[parent] = i
	return i
}

// set gives a node its value.
func (u *unflattener) set(i int32, v value) {
	n := &u.t.nodes[i]
	switch v.kind {
	case valueString:
		n.kind, n.text = kindText, payloadText(v.data)
	case valueBool:
		if n.kind = kindFalse; v.bool() {
			n.kind = kindTrue
		}
	case valueInt:
		n.kind, n.text = kindNumber, strconv.FormatInt(v.int(), 10)
	case valueAbsent:
		n.kind = kindNull
	default:
		n.kind, n.text = kindText, string(appendJSON(nil, v))
	}
}

// settle makes lists of the objects whose names are all numbers, in the order of
// the numbers.
func (u *unflattener) settle(i int32) {
	type element struct{ index, at int }
	var elements []element
	numbers := u.t.nodes[i].child != 0
	for c := u.t.nodes[i].child; c != 0; c = u.t.nodes[c].next {
		if u.t.nodes[c].kind == 0 {
			u.t.nodes[c].kind = kindNull
		}
		n, err := strconv.Atoi(u.t.nodes[c].key)
		numbers = numbers && err == nil
		elements = append(elements, element{n, int(c)})
		u.settle(c)
	}
	if !numbers {
		return
	}
	slices.SortStableFunc(elements, func(a, b element) int { return a.index - b.index })
	u.t.nodes[i].kind = kindList
	at := &u.t.nodes[i].child
	for _, e := range elements {
		*at = int32(e.at)
		at = &u.t.nodes[e.at].next
	}
	*at = 0
}
