package fold

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Branch is what the order of a tree needs of a span.
type Branch struct{ ID, Parent trace.SpanID }

// Placed is a span's place in a tree.
type Placed struct {
	ID     trace.SpanID
	Depth  int
	Parent int // the place of its parent; -1 for none
}

// DepthFirst orders the spans of a trace, which come by start, then id, as
// store.TraceReader's TraceSpans gives them.
func DepthFirst(spans []Branch) []Placed {
	const none = int32(-1)
	at := make(map[trace.SpanID]int32, len(spans))
	for i, s := range spans {
		at[s.ID] = int32(i)
	}
	// Children as linked lists: first of each span, then the next of its parent.
	first, last, next := make([]int32, len(spans)), make([]int32, len(spans)), make([]int32, len(spans))
	for i := range spans {
		first[i], last[i], next[i] = none, none, none
	}
	root := make([]bool, len(spans))
	for i, s := range spans {
		p, ok := at[s.Parent]
		if !ok || p == int32(i) {
			root[i] = true
			continue
		}
		if last[p] == none {
			first[p] = int32(i)
		} else {
			next[last[p]] = int32(i)
		}
		last[p] = int32(i)
	}
	out := make([]Placed, 0, len(spans))
	placed := make([]bool, len(spans))
	var path []int32 // from a root to the span that was placed last
	var places []int // of those in out
	walk := func(i int32) {
		for path, places = path[:0], places[:0]; ; {
			placed[i] = true
			parent := -1
			if len(places) > 0 {
				parent = places[len(places)-1]
			}
			places = append(places, len(out))
			out = append(out, Placed{ID: spans[i].ID, Depth: len(path), Parent: parent})
			path = append(path, i)
			i = first[i]
			for i == none || placed[i] {
				if i == none {
					if len(path) == 1 { // the root's siblings are not its own tree's
						return
					}
					i = path[len(path)-1]
					path, places = path[:len(path)-1], places[:len(places)-1]
				}
				i = next[i]
			}
		}
	}
	for i := range spans {
		if root[i] {
			walk(int32(i))
		}
	}
	for i := range spans { // circles
		if !placed[i] {
			walk(int32(i))
		}
	}
	return out
}

const treeCursorVersion = 2 // the lists' cursors are 1

// TreePage cuts a page out of a tree and gives its place in there, and the cursor
// of the next one. A
// cursor tells the last span of the page and where it was: the next page begins
// behind the span, or at the place if the span is gone.
func TreePage(tree []Placed, p store.Page) (page []Placed, first int, next string, err error) {
	from := min(max(p.Offset, 0), len(tree))
	if p.Cursor != "" {
		place, id, err := parseTreeCursor(p.Cursor)
		if err != nil {
			return nil, 0, "", err
		}
		from = min(place, len(tree))
		if from == 0 || tree[from-1].ID != id {
			for i := range tree {
				if tree[i].ID == id {
					from = i + 1
					break
				}
			}
		}
	}
	to := min(from+p.Limit, len(tree))
	if to == len(tree) {
		return tree[from:to], from, "", nil
	}
	b := binary.AppendUvarint([]byte{treeCursorVersion}, uint64(to))
	return tree[from:to], from, base64.RawURLEncoding.EncodeToString(append(b, tree[to-1].ID...)), nil
}

func parseTreeCursor(s string) (place int, id trace.SpanID, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil && len(b) > 2 && b[0] == treeCursorVersion {
		n, size := binary.Uvarint(b[1:])
		if size > 0 && n > 0 && n < 1<<31 && len(b) > 1+size && len(b) <= 1+size+trace.MaxIDBytes {
			return int(n), trace.SpanID(b[1+size:]), nil
		}
	}
	return 0, "", errCursor()
}

func errCursor() error {
	return &fault.Error{Code: fault.Invalid, Message: "Invalid cursor", Issues: []fault.Issue{
		{Path: []any{"cursor"}, Code: "invalid_format", Message: "must be a nextCursor of an earlier answer"},
	}}
}
