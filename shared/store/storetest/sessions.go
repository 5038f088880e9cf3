package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func sessionSearches(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"RandomFiltersEqualBruteForce": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(61, 1))
			spans := randomSpans(rng, 400)
			write(t, s, p, spans...)
			write(t, s, other, randomSpans(rng, 50)...)
			m := model{}
			m.add(spans...)
			traces := m.listTraces(store.TraceFilter{})
			for range 100 {
				text := randomFilter(rng)
				q := store.TraceQuery{Time: randomRange(rng), Filter: parsed(t, text)}
				if q.Time.From != nil && q.Time.To != nil && !q.Time.From.Before(*q.Time.To) {
					q.Time = store.TimeRange{}
				}
				sort := pick(rng, store.SessionSorts()...)
				want := slices.DeleteFunc(m.listSessions(store.SessionFilter{Time: q.Time}), func(se trace.Session) bool {
					return text != "" && !slices.ContainsFunc(traces, func(t trace.Trace) bool { return t.SessionID == se.ID && meets(q.Filter, &t) })
				})
				for i := range want {
					want[i].End = want[i].Last
					for _, t := range traces {
						if t.SessionID == want[i].ID && t.End.After(want[i].End) {
							want[i].End = t.End
						}
					}
				}
				key := func(s *trace.Session) float64 {
					switch sort {
					case store.SortOldest:
						return -float64(s.First.UnixMicro())
					case store.SortDuration:
						if s.EndDurationMS != nil {
							return float64(int64(*s.EndDurationMS * 1000))
						}
						return float64(s.End.Sub(s.First).Microseconds())
					case store.SortErrors:
						return float64(s.Total().Errors)
					case store.SortVolume:
						return float64(s.Total().Spans)
					case store.SortSpending:
						return float64(s.Total().CostNanoUSD)
					}
					return 0
				}
				slices.SortFunc(want, func(a, b trace.Session) int {
					return cmp.Or(cmp.Compare(key(&b), key(&a)), b.Last.Compare(a.Last), cmp.Compare(b.ID, a.ID))
				})
				what := fmt.Sprintf("%q from %v to %v by %s", text, q.Time.From, q.Time.To, sort)
				var got []trace.Session
				for page := (store.SessionPage{Sort: sort, Limit: 4}); ; {
					hits := must[store.SessionHits](t)(s.SearchSessions(t.Context(), p, q, page))
					if page.Cursor == "" && (hits.Total != int64(len(want)) || !hits.Exact || hits.ScannedTo != nil) {
						t.Fatalf("%s: %d, exact %v, want %d", what, hits.Total, hits.Exact, len(want))
					}
					for _, h := range hits.Hits {
						got = append(got, h.Session)
						first := slices.IndexFunc(traces, func(t trace.Trace) bool { return t.SessionID == h.ID })
						for i := range traces { // the last in the list is the oldest
							if traces[i].SessionID == h.ID {
								first = i
							}
						}
						if (h.First != nil) != (first >= 0) || h.First != nil && h.First.ID != traces[first].ID {
							t.Fatalf("%s: first trace of %s is %+v", what, h.ID, h.First)
						}
					}
					if page.Cursor = hits.Next; hits.Next == "" {
						break
					}
				}
				same(t, what, want, got)
			}
		},
		"BoundsAreTold": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			for i := range 20 {
				sp := called(numbered("s", i), "", minute(i), 0)
				sp.TraceID, sp.SessionID = trace.TraceID(numbered("t", i)), trace.SessionID(numbered("x", i))
				write(t, s, p, sp)
			}
			got := must[store.SessionHits](t)(s.SearchSessions(t.Context(), p, store.TraceQuery{Bound: 5}, store.SessionPage{Sort: store.SortOldest, Limit: 3}))
			if got.Total != 5 || got.Exact || !got.ScannedTo.Equal(minute(15)) || got.Hits[0].ID != "x00015" {
				t.Fatalf("%+v", got)
			}
			_, err := s.SearchSessions(t.Context(), p, store.TraceQuery{Filter: parsed(t, `"x"`)}, store.SessionPage{Sort: store.SortRecent, Limit: 3})
			wantCode(t, err, fault.Invalid)
			for _, cursor := range []string{"x", got.Next} {
				_, err = s.SearchSessions(t.Context(), p, store.TraceQuery{}, store.SessionPage{Sort: store.SortRecent, Limit: 3, Cursor: cursor})
				wantCode(t, err, fault.Invalid)
			}
		},
		"RootAloneNamesTheSession": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			root := called("root", "", minute(0), 0)
			root.SessionID, root.Kind, root.CostNanoUSD = "x", trace.KindAgentRun, nil
			call := called("call", "root", minute(1), 5)
			call.SessionID, call.Status = "", trace.StatusError
			call.InputTokens, call.OutputTokens, call.CostNanoUSD = ptr[int64](7), ptr[int64](3), ptr[int64](11)
			total := func() trace.Turns {
				t.Helper()
				if n := must[int64](t)(s.Recount(t.Context(), p, false)); n != 0 {
					t.Fatalf("%d rows differ from a recount", n)
				}
				hits := must[store.SessionHits](t)(s.SearchSessions(t.Context(), p, store.TraceQuery{}, store.SessionPage{Sort: store.SortSpending, Limit: 3})).Hits
				if len(hits) != 1 || hits[0].ID != "x" {
					t.Fatalf("%+v", hits)
				}
				return hits[0].Total()
			}
			write(t, s, p, call) // before its trace has a session
			write(t, s, p, root)
			same(t, "the call came first", trace.Turns{Spans: 2, Errors: 1, InputTokens: 7, OutputTokens: 3, CostNanoUSD: 11}, total())
			late := call
			late.ID, late.Status = "late", trace.StatusSuccess
			write(t, s, p, late) // whose session is in no span of the batch
			same(t, "a late call", trace.Turns{Spans: 3, Errors: 1, InputTokens: 14, OutputTokens: 6, CostNanoUSD: 22}, total())
			must[store.Deleted](t)(s.DeleteTraces(t.Context(), p, []trace.TraceID{"t"}))
			if hits := must[store.SessionHits](t)(s.SearchSessions(t.Context(), p, store.TraceQuery{}, store.SessionPage{Sort: store.SortSpending, Limit: 3})).Hits; len(hits) != 0 {
				t.Fatalf("%+v", hits)
			}
		},
		"LastsUntilItsLastTraceEnds": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			root := called("root", "", minute(0), 0)
			root.SessionID, root.DurationMS = "long", ptr(120_000.0)
			brief := llmTrace("brief", minute(1))
			brief.SessionID, brief.DurationMS = "brief", ptr(50.0)
			again := llmTrace("again", minute(1).Add(time.Second))
			again.SessionID = "brief"
			write(t, s, p, root, brief, again)
			hits := must[store.SessionHits](t)(s.SearchSessions(t.Context(), p, store.TraceQuery{}, store.SessionPage{Sort: store.SortDuration, Limit: 3})).Hits
			if len(hits) != 2 || hits[0].ID != "long" || !hits[0].End.Equal(minute(2)) || hits[0].ElapsedUS() != 120e6 || hits[0].DurationMS() != 0 {
				t.Fatalf("%+v", hits)
			}
			if turns := must[store.Turns](t)(s.SessionTurns(t.Context(), p, "long", store.SearchPage{Limit: 3})); !turns.Session.End.Equal(minute(2)) {
				t.Fatalf("%+v", turns.Session)
			}
		},
		"Turns": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			add := func(id string, n int) {
				sp := called("s"+id, "", minute(n), 3)
				sp.TraceID, sp.SessionID, sp.Payload.OutputText = trace.TraceID(id), "x", ptr("said "+id)
				write(t, s, p, sp)
			}
			for i := range 10 {
				add(numbered("t", i), i/2)
			}
			var ids []string
			for page := (store.SearchPage{Limit: 3}); ; {
				got := must[store.Turns](t)(s.SessionTurns(t.Context(), p, "x", page))
				for _, h := range got.Hits {
					ids = append(ids, string(h.ID))
					if *h.MainSpan.Payload.OutputText != "said "+string(h.ID) {
						t.Fatalf("%+v", h)
					}
				}
				if got.Session.ID != "x" || got.Total < 10 || got.Session.TraceCount != got.Total {
					t.Fatalf("%+v", got)
				}
				if page.Cursor = got.Next; got.Next == "" {
					break
				}
				add("before"+got.Next[:1]+fmt.Sprint(len(ids)), -1) // what comes late does not move the others
			}
			var want []string
			for i := range 10 {
				want = append(want, numbered("t", i))
			}
			same(t, "turns", want, ids)
			_, err := s.SessionTurns(t.Context(), p, "x", store.SearchPage{Limit: 3, Cursor: "x"})
			wantCode(t, err, fault.Invalid)
			_, err = s.SessionTurns(t.Context(), other, "x", store.SearchPage{Limit: 3})
			wantCode(t, err, fault.NotFound)
			_, err = s.SessionTurns(t.Context(), p, "", store.SearchPage{Limit: 3})
			wantCode(t, err, fault.NotFound)
			if got := must[store.SessionHits](t)(s.SearchSessions(t.Context(), other, store.TraceQuery{}, store.SessionPage{Sort: store.SortRecent, Limit: 3})); len(got.Hits) > 0 || got.Total > 0 {
				t.Fatalf("%+v", got)
			}
			tool := func(id, use string, status trace.Status) trace.Span {
				sp := called(id, "", minute(20), 1)
				sp.TraceID, sp.SessionID, sp.Kind, sp.Status = trace.TraceID(want[0]), "x", trace.KindToolUse, status
				if use != "" {
					sp.ToolUseID = &use
				}
				return sp
			}
			write(t, s, p, tool("u1", "a", trace.StatusSuccess), tool("u2", "a", trace.StatusError), tool("u3", "", trace.StatusSuccess))
			write(t, s, other, tool("u4", "b", trace.StatusError))
			tools := must[store.Turns](t)(s.SessionTurns(t.Context(), p, "x", store.SearchPage{Limit: 100})).Tools
			same(t, "tools", map[trace.TraceID]store.ToolCounts{trace.TraceID(want[0]): {Calls: 2, Failed: 1}}, tools)
		},
		"SayWhatWasSaidLast": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			said := func(id, of string, kind trace.Kind, n int) trace.Span {
				sp := called(id, "", minute(n), 1)
				sp.TraceID, sp.SessionID, sp.Kind, sp.Payload.OutputText = trace.TraceID(of), "x", kind, ptr("said "+id)
				return sp
			}
			write(t, s, p,
				said("a1", "agent", trace.KindLLMCall, 1), said("a2", "agent", trace.KindLLMCall, 3), said("a3", "agent", trace.KindLLMCall, 3), said("a4", "agent", trace.KindToolUse, 4),
				said("h1", "hooks", trace.KindUserPrompt, 5), said("h2", "hooks", trace.KindLLMResponse, 6), said("h3", "hooks", trace.KindNotification, 7),
				said("t1", "tools", trace.KindToolUse, 8), said("t2", "tools", trace.KindToolUse, 9),
			)
			write(t, s, other, said("b1", "agent", trace.KindLLMCall, 5))
			got := map[trace.TraceID]string{}
			for id, span := range must[store.Turns](t)(s.SessionTurns(t.Context(), p, "x", store.SearchPage{Limit: 100})).Answers {
				got[id] = *span.Payload.OutputText
			}
			same(t, "answers", map[trace.TraceID]string{"agent": "said a3", "hooks": "said h2"}, got)
		},
	})
}
