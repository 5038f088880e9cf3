package storetest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// sent reads all pages of a trace and counts them.
func sent(t *testing.T, s store.Store, p account.ProjectID, id trace.TraceID, maxBytes int) (spans []trace.Span, pages int) {
	t.Helper()
	page := store.SentPage{MaxBytes: maxBytes}
	for {
		got := must[store.SentSpans](t)(s.SentSpans(t.Context(), p, id, page))
		spans, pages = append(spans, got.Spans...), pages+1
		if got.Next == "" {
			return spans, pages
		}
		if page.Cursor = got.Next; pages > 10_000 {
			t.Fatal("no end")
		}
	}
}

func exports(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"AsTheyWereSent": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			spans := randomSpans(rand.New(rand.NewPCG(32, 1)), 300)
			write(t, s, p, spans...)
			m := model{}
			m.add(spans...)
			for _, tr := range m.traces() {
				var want []trace.Span
				for _, sp := range tr.Spans {
					want = append(want, m[sp.ID])
				}
				slices.SortStableFunc(want, func(a, b trace.Span) int { return -cmp.Compare(a.Form, b.Form) })
				for _, maxBytes := range []int{0, 1000, 1 << 20} {
					got, pages := sent(t, s, p, tr.ID, maxBytes)
					same(t, "spans", want, got)
					if maxBytes == 0 && pages != len(want) {
						t.Errorf("%d pages of %d spans", pages, len(want))
					}
				}
				if got, _ := sent(t, s, other, tr.ID, 0); len(got) > 0 {
					t.Fatalf("another project sees %d spans", len(got))
				}
			}
		},
		"LentContentsAreLeftOut": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			call := of(called("x", "", start, 0), func(sp *trace.Span) { sp.TraceID, sp.CallKey = "t", "k" })
			report := of(called("y", "", start, 5), func(sp *trace.Span) {
				sp.TraceID, sp.Role, sp.CallKey, sp.Scope.Name = "t", trace.RoleReport, "k", "other"
			})
			write(t, s, p, call, report)
			got, _ := sent(t, s, p, "t", 1<<20)
			same(t, "spans", []trace.Span{call, report}, got)
		},
		"MalformedCursorIsInvalid": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			for _, cursor := range []string{"x", "AQ", "🎉", strings.Repeat("A", 2000)} {
				_, err := s.SentSpans(t.Context(), p, "t", store.SentPage{Cursor: cursor})
				wantCode(t, err, fault.Invalid)
			}
		},
		"SearchGoesOnBehindATraceThatIsGone": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			for n := range 6 {
				write(t, s, p, llmTrace(numbered("t", n), minute(n/2)))
			}
			page := store.SearchPage{Sort: store.SortStart, Limit: 10, Behind: &store.TracePlace{Start: minute(1), ID: "t00003"}}
			deleteAll(t, s, p, nil, "t00003")
			got := must[store.TraceHits](t)(s.SearchTraces(t.Context(), p, store.TraceQuery{}, page))
			same(t, "ids", []string{"t00002", "t00001", "t00000"}, idsOf(got.Hits))
			page.Sort = store.SortCost
			_, err := s.SearchTraces(t.Context(), p, store.TraceQuery{}, page)
			wantCode(t, err, fault.Invalid)
		},
	})
}
