package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// tree gives a trace's spans depth first, as recursion does; circles last.
func (m model) tree(id trace.TraceID) []store.TreeSpan {
	spans := m.spans(func(s *trace.Span) bool { return s.TraceID == id })
	known := map[trace.SpanID]bool{}
	for _, s := range spans {
		known[s.ID] = true
	}
	var out []store.TreeSpan
	placed := map[trace.SpanID]bool{}
	var place func(s trace.Span, depth, parent int)
	place = func(s trace.Span, depth, parent int) {
		at := len(out)
		placed[s.ID] = true
		out = append(out, store.TreeSpan{Span: s, Depth: depth, Parent: parent})
		for _, c := range spans {
			if c.ParentID == s.ID && !placed[c.ID] {
				place(c, depth+1, at)
			}
		}
	}
	for _, s := range spans {
		if !known[s.ParentID] || s.ParentID == s.ID {
			place(s, 0, -1)
		}
	}
	for _, s := range spans {
		if !placed[s.ID] {
			place(s, 0, -1)
		}
	}
	return out
}

// wholeTree reads a tree page by page.
func wholeTree(t *testing.T, s store.Store, p account.ProjectID, id trace.TraceID, page store.Page, between func()) ([]store.TreeSpan, int64) {
	t.Helper()
	var out []store.TreeSpan
	for {
		got := must[store.Tree](t)(s.TraceSpans(t.Context(), p, id, page))
		if got.First < len(out) { // more where spans arrived before it
			t.Fatalf("a page begins at %d, behind %d spans", got.First, len(out))
		}
		out = append(out, got.Spans...)
		if got.Next == "" {
			return out, got.Total
		}
		if len(got.Spans) != page.Limit {
			t.Fatalf("a page of %d spans says that there are more", len(got.Spans))
		}
		page.Cursor = got.Next
		between()
	}
}

// outlines keeps what store.Outline promises.
func outlines(spans []store.TreeSpan) []store.TreeSpan {
	out := make([]store.TreeSpan, len(spans))
	for i := range spans {
		s := &spans[i]
		out[i] = store.TreeSpan{Depth: s.Depth, Parent: s.Parent, Span: trace.Span{
			ID: s.ID, ParentID: s.ParentID, Kind: s.Kind, Name: s.Name, ToolName: s.ToolName, AgentName: s.AgentName, Model: s.Model, EventType: s.EventType,
			Start: s.Start, DurationMS: s.DurationMS, TimeToFirstTokenMS: s.TimeToFirstTokenMS, Status: s.Status, ModelUsed: s.ModelUsed,
			InputTokens: s.InputTokens, OutputTokens: s.OutputTokens, CostNanoUSD: s.CostNanoUSD, Patch: s.Patch, Repeat: s.Repeat,
		}}
	}
	return out
}

func trees(t *testing.T, open OpenFunc) {
	nothing := func() {}
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"RandomTreesEqualRecursion": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			rng := rand.New(rand.NewPCG(21, 1))
			spans := randomSpans(rng, 150)
			for i := range spans { // any parent of the trace, later ones and itself too
				if n := 5*rng.IntN(30) + i%5; rng.IntN(2) == 0 && spans[i].Form == trace.FormSpan {
					spans[i].ParentID = trace.SpanID(numbered("r", n))
				}
			}
			write(t, s, p, spans...)
			m := model{}
			m.add(spans...)
			for _, tr := range m.traces() {
				want := m.tree(tr.ID)
				for _, limit := range []int{1, 7, 1000} {
					got, total := wholeTree(t, s, p, tr.ID, store.Page{Limit: limit, Detail: store.Full}, nothing)
					same(t, fmt.Sprintf("tree of %s by %d", tr.ID, limit), want, got)
					same(t, "total", int64(len(want)), total)
					got, total = wholeTree(t, s, p, tr.ID, store.Page{Limit: limit, Detail: store.Outline}, nothing)
					same(t, fmt.Sprintf("outline of %s by %d", tr.ID, limit), outlines(want), outlines(got))
					same(t, "total", int64(len(want)), total)
				}
				got := must[store.Tree](t)(s.TraceSpans(t.Context(), p, tr.ID, store.Page{Limit: 5, Offset: 2}))
				if want := want[min(2, len(want)):min(7, len(want))]; len(got.Spans) != len(want) {
					t.Fatalf("%d spans behind an offset, want %d", len(got.Spans), len(want))
				}
				for _, sp := range got.Spans {
					if !sp.Payload.Empty() {
						t.Fatal("a summary has a payload")
					}
				}
			}
		},
		"CursorsGoOnBehindTheLastSpan": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			write(t, s, p, called("root", "", minute(0), 0))
			for i := range 40 {
				write(t, s, p, called(numbered("s", i), "root", minute(i+1), 0))
			}
			arrived := 0
			got, _ := wholeTree(t, s, p, "t", store.Page{Limit: 7}, func() { // before all that was read
				arrived++
				write(t, s, p, called(numbered("x", arrived), "root", minute(0), 0))
			})
			var ids []string
			for _, sp := range got {
				ids = append(ids, string(sp.ID))
			}
			want := []string{"root"}
			for i := range 40 {
				want = append(want, numbered("s", i))
			}
			same(t, "spans", want, ids)
		},
		"LongTraceIsReadPageByPage": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			const n = 6000
			spans := make([]trace.Span, n)
			for i := range spans {
				sp := called(numbered("s", i), "root", start.Add(time.Duration(i)*time.Second), 0)
				if sp.Kind = trace.KindChain; i%3 == 0 {
					sp = called(numbered("s", i), "root", start.Add(time.Duration(i)*time.Second), 2)
				}
				sp.CallKey = "the same" // as test doubles answer
				spans[i] = sp
			}
			root := called("root", "", start.Add(-time.Second), 5)
			root.Kind, root.DurationMS = trace.KindAgentRun, ptr(1e7)
			for part := range slices.Chunk(spans, 512) {
				write(t, s, p, part...)
			}
			write(t, s, p, root)
			tr := must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: 1})).Traces[0]
			if tr.SpanCount != n+1 || tr.LLMCount != n/3 || *tr.InputTokens != 2*n/3 || tr.Root.SpanID != "root" || !tr.SpansTruncated {
				t.Fatalf("%d spans, %d calls, %d tokens, root %+v", tr.SpanCount, tr.LLMCount, *tr.InputTokens, tr.Root)
			}
			got, total := wholeTree(t, s, p, "t", store.Page{Limit: 1000}, nothing)
			if total != n+1 || len(got) != n+1 || got[0].ID != "root" || got[0].Depth != 0 {
				t.Fatalf("%d spans of %d", len(got), total)
			}
			for i, sp := range got[1:] {
				if sp.ID != spans[i].ID || sp.Depth != 1 {
					t.Fatalf("span %d is %s at depth %d", i+1, sp.ID, sp.Depth)
				}
			}
			if differing := must[int64](t)(s.Recount(t.Context(), p, false)); differing != 0 {
				t.Fatalf("%d rows differ from a recount", differing)
			}
		},
		"UnknownAndOthersAreNotFound": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			write(t, s, p, called("1", "", start, 0))
			for _, id := range []trace.TraceID{"t", "absent", ""} {
				_, err := s.TraceSpans(t.Context(), other, id, store.Page{Limit: 1})
				wantCode(t, err, fault.NotFound)
			}
		},
		"MalformedCursorIsInvalid": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			write(t, s, p, llmTrace("1", start), llmTrace("2", start), called("3", "", start, 0))
			list := must[store.TraceList](t)(s.ListTraces(t.Context(), p, store.TraceFilter{}, store.Page{Limit: 1})).Next
			for _, cursor := range []string{"x", list} {
				_, err := s.TraceSpans(t.Context(), p, "t", store.Page{Limit: 1, Cursor: cursor})
				wantCode(t, err, fault.Invalid)
			}
		},
	})
}
