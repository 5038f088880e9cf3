package fold

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func TestDepthFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spans string // "id<parent", by start
		want  string
	}{
		"Empty":         {"", ""},
		"Tree":          {"a< b<a c<b d<a e<", "a0 b1 c2 d1 e0"},
		"ParentLater":   {"c<b b<a a<", "a0 b1 c2"},
		"Orphan":        {"a< x<gone y<x b<a", "a0 b1 x0 y1"},
		"Circle":        {"a<b b<a c<b d<", "d0 a0 b1 c2"},
		"OwnParent":     {"a<a b<a", "a0 b1"},
		"BesideACircle": {"r< a<c b<a c<b r2<", "r0 r20 a0 b1 c2"},
	} {
		var spans []Branch
		for _, part := range strings.Fields(c.spans) {
			id, parent, _ := strings.Cut(part, "<")
			spans = append(spans, Branch{trace.SpanID(id), trace.SpanID(parent)})
		}
		var words []string
		tree := DepthFirst(spans)
		for _, p := range tree {
			words = append(words, fmt.Sprint(p.ID, p.Depth))
			if p.Depth == 0 != (p.Parent < 0) || p.Parent >= 0 && (tree[p.Parent].Depth != p.Depth-1 || !slices.Contains(spans, Branch{p.ID, tree[p.Parent].ID})) {
				t.Errorf("%s: %s has the parent %d", name, p.ID, p.Parent)
			}
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestDepthFirstPlacesEachOnce tries shapes that recursion would not survive.
func TestDepthFirstPlacesEachOnce(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 1))
	const n = 100_000
	for name, parent := range map[string]func(i int) int{
		"Chain": func(i int) int { return i - 1 }, "Flat": func(int) int { return 0 }, "Backwards": func(i int) int { return i + 1 },
		"Random": func(int) int { return rng.IntN(n) },
	} {
		spans := make([]Branch, n)
		for i := range spans {
			spans[i] = Branch{trace.SpanID(fmt.Sprint(i)), trace.SpanID(fmt.Sprint(parent(i)))}
		}
		seen := map[trace.SpanID]bool{}
		for _, p := range DepthFirst(spans) {
			seen[p.ID] = true
		}
		if len(seen) != n {
			t.Errorf("%s: %d of %d spans placed", name, len(seen), n)
		}
	}
}

func TestTreePage(t *testing.T) {
	t.Parallel()
	tree := []Placed{{"a", 0, -1}, {"b", 1, 0}, {"c", 1, 0}, {"d", 0, -1}, {"e", 0, -1}}
	page, first, next, err := TreePage(tree, store.Page{Limit: 2, Offset: 1})
	if err != nil || first != 1 || cmp.Diff(tree[1:3], page) != "" {
		t.Fatal(page, err)
	}
	for name, c := range map[string]struct {
		tree []Placed
		want []Placed
	}{
		"Same":       {tree, tree[3:]},
		"MoreBefore": {append([]Placed{{"0", 0, -1}, {"1", 0, -1}}, tree...), tree[3:]},
		"LastIsGone": {append(tree[:2:2], tree[3:]...), tree[4:]},
		"AllGone":    {nil, nil},
	} {
		page, _, after, err := TreePage(c.tree, store.Page{Limit: 9, Offset: 3, Cursor: next})
		if err != nil || after != "" || !slices.Equal(c.want, page) {
			t.Errorf("%s: %v, %q, %v; want %v", name, page, after, err, c.want)
		}
	}
}

func FuzzTreeCursor(f *testing.F) {
	_, _, next, _ := TreePage([]Placed{{"a", 0, -1}, {"b", 0, -1}}, store.Page{Limit: 1})
	f.Add(next)
	f.Add(Cursor{Start: 1, ID: "a"}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if _, _, _, err := TreePage([]Placed{{"a", 0, -1}, {"b", 0, -1}}, store.Page{Limit: 1, Cursor: s}); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
	})
}
