package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// deleteAll takes all steps of a deletion and adds up what they did.
func deleteAll(t *testing.T, s store.Store, p account.ProjectID, between func(store.Deleted), ids ...trace.TraceID) store.Deleted {
	t.Helper()
	var sum store.Deleted
	for n := 0; ; n++ {
		got := must[store.Deleted](t)(s.DeleteTraces(t.Context(), p, ids))
		sum.Traces, sum.Spans = sum.Traces+got.Traces, sum.Spans+got.Spans
		if between != nil {
			between(got)
		}
		if len(got.Rest) == 0 {
			return sum
		}
		if got.Spans == 0 || n > 100 {
			t.Fatalf("a step did nothing: %+v", got)
		}
		ids = got.Rest
	}
}

func deletions(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"WhateverGoesSumsFollow": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			rng := rand.New(rand.NewPCG(31, 1))
			spans := randomSpans(rng, 400)
			write(t, s, p, spans...)
			write(t, s, other, spans...)
			m, theirs := model{}, model{}
			m.add(spans...)
			theirs.add(spans...)
			for round := range 4 {
				var ids []trace.TraceID
				var want store.Deleted
				for _, tr := range m.traces() {
					if rng.IntN(4) > 0 {
						continue
					}
					ids = append(ids, tr.ID)
					want.Traces, want.Spans = want.Traces+1, want.Spans+tr.SpanCount
					for _, sp := range tr.Spans {
						delete(m, sp.ID)
					}
				}
				rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
				same(t, fmt.Sprint("round ", round), want, deleteAll(t, s, p, nil, append(ids, ids[0], "nobody")...))
				m.check(t, s, p)
				// Part of them comes again, and is new.
				for _, sp := range spans {
					if _, stayed := m[sp.ID]; !stayed && rng.IntN(3) == 0 {
						if fresh := write(t, s, p, sp); !fresh[0] {
							t.Fatalf("%s was there", sp.ID)
						}
						m.add(sp)
					}
				}
				m.check(t, s, p)
			}
			theirs.check(t, s, other)
		},
		"NeighboursInTheHourAndTheSessionStay": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			var spans []trace.Span
			for n := range 12 {
				sp := llmTrace(numbered("t", n), minute(n/4))
				sp.SessionID, sp.DurationMS, sp.InputTokens, sp.CostNanoUSD = "x", ptr(float64(100*n+1)), ptr(int64(n)), ptr(int64(n))
				sp.Payload.OutputText = ptr(fmt.Sprint("text ", n))
				spans = append(spans, sp)
			}
			write(t, s, p, spans...)
			m := model{}
			var ids []trace.TraceID
			for n, sp := range spans { // the first and the last of each bucket among them
				if n%4 == 1 {
					m.add(sp)
				} else {
					ids = append(ids, sp.TraceID)
				}
			}
			same(t, "deleted", store.Deleted{Traces: 9, Spans: 9}, deleteAll(t, s, p, nil, ids...))
			m.check(t, s, p)
			for _, sp := range spans {
				delete(m, sp.ID)
			}
			deleteAll(t, s, p, nil, spans[1].TraceID, spans[5].TraceID, spans[9].TraceID)
			m.check(t, s, p)
			write(t, s, p, spans...)
			m.add(spans...)
			m.check(t, s, p)
		},
		"CallsAreGivenBack": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			call := of(called("x", "", start, 0), func(sp *trace.Span) { sp.TraceID, sp.CallKey, sp.Scope.Name = "t1", "answer", "one" })
			twin := of(called("y", "", start, 5), func(sp *trace.Span) {
				sp.TraceID, sp.CallKey, sp.Role, sp.Scope.Name = "t2", "answer", trace.RoleReport, "two"
			})
			write(t, s, p, call, twin)
			same(t, "before", totals{1, 5, 50}, totalsOf(t, s, "a", true))
			deleteAll(t, s, p, nil, "t1")
			m := model{}
			m.add(twin)
			m.check(t, s, p)
			same(t, "after", totals{1, 5, 50}, totalsOf(t, s, "a", true))
		},
		"LargeTraceInSteps": func(t *testing.T, s store.Store) {
			p, other := newProject(t, s, "a"), newProject(t, s, "b")
			const n = 10_500
			var spans []trace.Span
			for i := range n {
				sp := called(numbered("s", i), "", start.Add(time.Duration(i)*time.Millisecond), 1)
				sp.TraceID, sp.SessionID, sp.Payload = "large", "x", trace.Payload{}
				if i > 0 {
					sp.ParentID = trace.SpanID(numbered("s", i/8))
				}
				if i%500 == 0 {
					sp.Payload.OutputText = ptr("text")
				}
				spans = append(spans, sp)
			}
			small := span("small", start)
			small.TraceID, small.SessionID = "small", "x"
			for part := range slices.Chunk(spans, 3000) {
				write(t, s, p, part...)
			}
			write(t, s, p, small)
			write(t, s, other, spans[0], small)
			steps := 0
			sum := deleteAll(t, s, p, func(step store.Deleted) {
				steps++
				if step.Spans > 7000 {
					t.Errorf("a step deletes %d spans", step.Spans)
				}
				if differing := must[int64](t)(s.Recount(t.Context(), p, false)); differing != 0 {
					t.Errorf("%d rows differ from a recount after step %d", differing, steps)
				}
			}, "large", "nobody")
			same(t, "deleted", store.Deleted{Traces: 1, Spans: n}, sum)
			if steps < 2 {
				t.Errorf("%d steps", steps)
			}
			m, theirs := model{}, model{}
			m.add(small)
			m.check(t, s, p)
			theirs.add(spans[0], small)
			theirs.check(t, s, other)
		},
		"NothingOfNobody": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			same(t, "an empty project", store.Deleted{}, must[store.Deleted](t)(s.DeleteTraces(t.Context(), p, []trace.TraceID{"t", ""})))
			same(t, "no project", store.Deleted{}, must[store.Deleted](t)(s.DeleteTraces(t.Context(), "nobody", []trace.TraceID{"t"})))
			same(t, "no ids", store.Deleted{}, must[store.Deleted](t)(s.DeleteTraces(t.Context(), p, nil)))
		},
	})
}

// ExerciseErasure checks that payloads go with their traces. chunks gives what
// is stored of payloads.
func ExerciseErasure(t *testing.T, open OpenFunc, chunks func(t *testing.T, s store.Store) [][]byte) {
	s := open(t)
	p := newProject(t, s, "a")
	secrets := func() string {
		var all strings.Builder
		for _, data := range chunks(t, s) {
			for _, payload := range must[[]trace.Payload](t)(store.UnpackChunk(data)) {
				if payload.OutputText != nil {
					all.WriteString(*payload.OutputText + " ")
				}
			}
		}
		return all.String()
	}
	var spans []trace.Span
	for n := range 3 { // which share a chunk
		sp := llmTrace(numbered("t", n), start)
		sp.Payload.OutputText = ptr(numbered("secret", n))
		spans = append(spans, sp)
	}
	write(t, s, p, spans...)
	same(t, "before", "secret00000 secret00001 secret00002 ", secrets())
	deleteAll(t, s, p, nil, "t00001")
	same(t, "of those that stay", "secret00000 secret00002 ", secrets())
	if got := must[trace.Trace](t)(s.Trace(t.Context(), p, "t00002")); *got.Spans[0].Payload.OutputText != "secret00002" {
		t.Errorf("another trace: %+v", got.Spans[0].Payload)
	}
	deleteAll(t, s, p, nil, "t00000", "t00002")
	if left := chunks(t, s); len(left) > 0 {
		t.Errorf("%d chunks of nothing", len(left))
	}
}
