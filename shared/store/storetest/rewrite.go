package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// rewrite takes all steps and adds up what they did.
func rewrite(t *testing.T, s store.Store, p account.ProjectID, r store.Rewrite, between func(cursor string)) store.Rewritten {
	t.Helper()
	var sum store.Rewritten
	for {
		step := must[store.Rewritten](t)(s.RewriteSpans(t.Context(), p, r))
		sum.Read, sum.Changed = sum.Read+step.Read, sum.Changed+step.Changed
		if step.Next == "" {
			return sum
		}
		r.Cursor = step.Next
		if between != nil {
			between(step.Next)
		}
	}
}

// each makes a Change of what is done to one span.
func each(change func(*trace.Span) bool) func([]trace.Span) []bool {
	return func(spans []trace.Span) []bool {
		changed := make([]bool, len(spans))
		for i := range spans {
			changed[i] = change(&spans[i])
		}
		return changed
	}
}

func rewrites(t *testing.T, open OpenFunc) {
	filled := func(t *testing.T, s store.Store, n int) (account.ProjectID, model) {
		p, other := newProject(t, s, "a"), newProject(t, s, "b")
		rng := rand.New(rand.NewPCG(22, 1))
		spans := randomSpans(rng, n)
		write(t, s, p, spans...)
		write(t, s, other, randomSpans(rng, 20)...)
		m := model{}
		m.add(spans...)
		return p, m
	}
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"WhateverChangesSumsFollow": func(t *testing.T, s store.Store) {
			p, m := filled(t, s, 250)
			for round := range 3 {
				change := func(sp *trace.Span) bool { // the same each time that it is asked about a span
					rng := rand.New(rand.NewPCG(uint64(round), xxhash.Sum64String(string(sp.ID))))
					if rng.IntN(3) == 0 {
						return false
					}
					now := randomSpan(rng, string(sp.ID))
					switch rng.IntN(5) {
					case 0: // prices changed
						sp.CostNanoUSD, sp.CostSource = ptr(rng.Int64N(1e9)), trace.CostOfPrices
					case 1: // the mapping got wiser
						sp.MappingVersion, sp.Kind, sp.Model, sp.InputTokens, sp.Status = 3, now.Kind, now.Model, now.InputTokens, now.Status
						if m[sp.ID].MappingVersion == 0 {
							sp.MappingVersion = 0
						}
					case 2:
						sp.SessionID, sp.Tags, sp.Service = now.SessionID, now.Tags, now.Service
					case 3:
						sp.Start, sp.DurationMS = now.Start, now.DurationMS
					case 4:
						sp.Payload.OutputText = ptr(fmt.Sprint("text ", round))
					}
					if sp.Form == trace.FormTrace { // stays an LLM trace
						sp.Kind = trace.KindLLMCall
					}
					return true
				}
				changed, told := map[trace.SpanID]bool{}, int64(0)
				did := rewrite(t, s, p, store.Rewrite{Limit: 30, Detail: store.Full, Change: each(func(sp *trace.Span) bool {
					before := *sp
					if !change(sp) {
						return false
					}
					changed[sp.ID] = true
					now := *sp
					if before.Payload.Empty() {
						now.Payload = trace.Payload{}
					}
					m[sp.ID] = now
					return true
				}), Changed: func(before, after *trace.Span) {
					if told++; before.ID != after.ID || !changed[after.ID] {
						t.Errorf("told of %s that becomes %s", before.ID, after.ID)
					}
				}}, nil)
				// One that begins later now comes again.
				if len(changed) == 0 || did.Changed < int64(len(changed)) || told != did.Changed {
					t.Fatalf("%d spans changed, it says %d and told of %d", len(changed), did.Changed, told)
				}
				m.check(t, s, p)
			}
		},
		"VersionsAloneAreSet": func(t *testing.T, s store.Store) {
			p, m := filled(t, s, 250)
			for version := 4; version < 6; version++ {
				for id, sp := range m {
					if sp.Mapped() {
						sp.MappingVersion = version
						m[id] = sp
					}
				}
				told := int64(0)
				did := rewrite(t, s, p, store.Rewrite{Limit: 90, Mapped: true, Detail: store.Full, Change: each(func(sp *trace.Span) bool {
					changed := sp.MappingVersion != version
					sp.MappingVersion = version
					return changed
				}), Changed: func(_, _ *trace.Span) { told++ }}, nil)
				if did.Changed == 0 || told != did.Changed {
					t.Errorf("%d spans changed, told of %d", did.Changed, told)
				}
				m.check(t, s, p)
			}
		},
		"WhatIsWrittenMeanwhileHolds": func(t *testing.T, s store.Store) {
			for i, change := range []func(*trace.Span){
				func(sp *trace.Span) { sp.MappingVersion = 2 },                        // a number in the row as it was found
				func(sp *trace.Span) { sp.MappingVersion, sp.UserID = 2, ptr("ann") }, // all that follows from it
			} {
				p := newProject(t, s, numbered("p", i))
				begun := of(called("x", "", start, 0), func(sp *trace.Span) { sp.DurationMS, sp.Payload.Raw = nil, rawBytes("begun") })
				ended, other := called("x", "", start, 7), called("y", "", start, 5)
				write(t, s, p, begun, other)
				wrote := false
				rewrite(t, s, p, store.Rewrite{Limit: 10, Mapped: true, Detail: store.Full, Change: func(spans []trace.Span) []bool {
					if !wrote {
						wrote = true
						write(t, s, p, ended)
					}
					return each(func(sp *trace.Span) bool { change(sp); return true })(spans)
				}}, nil)
				m := model{}
				m.add(begun, ended, other)
				for _, id := range []trace.SpanID{"x", "y"} {
					if sp := m[id]; i == 1 || id == "y" { // x is no longer the one whose version was to be set
						change(&sp)
						m[id] = sp
					}
				}
				m.check(t, s, p)
			}
		},
		"DryRunCountsAndStoresNothing": func(t *testing.T, s store.Store) {
			p, m := filled(t, s, 120)
			calls := 0
			r := store.Rewrite{Limit: 25, DryRun: true, Change: each(func(sp *trace.Span) bool {
				calls++
				sp.CostNanoUSD = ptr(int64(1))
				return calls%2 == 0
			})}
			got := rewrite(t, s, p, r, nil)
			if got.Read != 120 || got.Changed != 60 {
				t.Fatalf("%+v", got)
			}
			m.check(t, s, p)
		},
		"ChangesNothingWhereNothingChanges": func(t *testing.T, s store.Store) {
			p, m := filled(t, s, 120)
			for _, says := range []bool{false, true} {
				rewrite(t, s, p, store.Rewrite{Limit: 50, Detail: store.Full, Change: each(func(*trace.Span) bool { return says })}, nil)
				m.check(t, s, p)
			}
		},
		"EachOnceInOrderAndResumable": func(t *testing.T, s store.Store) {
			p, m := filled(t, s, 120)
			from, to := start.Add(10*time.Hour), start.Add(60*time.Hour)
			for _, mapped := range []bool{false, true} {
				var seen []trace.Span
				r := store.Rewrite{Time: store.TimeRange{From: &from, To: &to}, Mapped: mapped, Limit: 7, Change: each(func(sp *trace.Span) bool {
					seen = append(seen, *sp)
					return false
				})}
				var cursors []string
				rewrite(t, s, p, r, func(cursor string) { cursors = append(cursors, cursor) })
				var want []string
				for _, form := range []trace.Form{trace.FormTrace, trace.FormSpan} {
					for _, sp := range m.spans(func(sp *trace.Span) bool {
						return sp.Form == form && inRange(sp.Start, r.Time) && (sp.Mapped() || !mapped)
					}) {
						want = append(want, string(sp.ID))
					}
				}
				ids := func() (out []string) {
					for _, sp := range seen {
						out = append(out, string(sp.ID))
					}
					return out
				}
				same(t, "spans", want, ids())
				seen = nil
				r.Cursor = cursors[1]
				rewrite(t, s, p, r, nil)
				same(t, "spans from a cursor on", want[len(want)-len(seen):], ids())
			}
		},
		"PayloadsOfManyChunks": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			want, got := map[trace.SpanID]string{}, map[trace.SpanID]string{}
			for i := range 70 { // a chunk each, of spans that began far from each other
				one, other := called(numbered("x", i), "", minute(i), 1), called(numbered("y", i), "", minute(500-i), 1)
				write(t, s, p, one, other)
				want[one.ID], want[other.ID] = string(one.Payload.Raw), string(other.Payload.Raw)
			}
			did := rewrite(t, s, p, store.Rewrite{Limit: 100, Mapped: true, Detail: store.Full, Change: each(func(sp *trace.Span) bool {
				if _, again := got[sp.ID]; again {
					t.Errorf("span %s comes again", sp.ID)
				}
				got[sp.ID] = string(sp.Payload.Raw)
				return false
			})}, nil)
			same(t, "rewritten", store.Rewritten{Read: 140}, did)
			same(t, "payloads", want, got)
		},
		"SpansComeAsTheyWereSent": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			call := of(called("x", "", start, 0), func(sp *trace.Span) { sp.CallKey = "k" })
			report := of(called("y", "", start, 5), func(sp *trace.Span) { sp.Role, sp.CallKey, sp.Scope.Name = trace.RoleReport, "k", "other" })
			write(t, s, p, call, report)
			got := map[trace.SpanID]trace.Span{}
			rewrite(t, s, p, store.Rewrite{Limit: 10, Mapped: true, Detail: store.Full, Change: each(func(sp *trace.Span) bool {
				got[sp.ID] = *sp
				return false
			})}, nil)
			same(t, "what is lent is left out", map[trace.SpanID]trace.Span{"x": call, "y": report}, got)
		},
		"AnotherSpanIsInvalid": func(t *testing.T, s store.Store) {
			p, m := filled(t, s, 10)
			_, err := s.RewriteSpans(t.Context(), p, store.Rewrite{Limit: 10, Change: each(func(sp *trace.Span) bool {
				sp.ID = "other"
				return true
			})})
			wantCode(t, err, fault.Invalid)
			m.check(t, s, p)
		},
		"MalformedCursorIsInvalid": func(t *testing.T, s store.Store) {
			p, _ := filled(t, s, 10)
			for _, cursor := range []string{"x", "AQ", "🎉"} {
				_, err := s.RewriteSpans(t.Context(), p, store.Rewrite{Limit: 10, Cursor: cursor, Change: each(func(*trace.Span) bool { return false })})
				wantCode(t, err, fault.Invalid)
			}
		},
		"UnknownProjectHasNoSpans": func(t *testing.T, s store.Store) {
			got := must[store.Rewritten](t)(s.RewriteSpans(t.Context(), "nobody", store.Rewrite{Limit: 10, Mapped: true, Change: each(func(*trace.Span) bool { return true })}))
			same(t, "rewritten", store.Rewritten{}, got)
		},
		"ProjectsAreListed": func(t *testing.T, s store.Store) {
			same(t, "none", []account.ProjectID{}, must[[]account.ProjectID](t)(s.Projects(t.Context())))
			b, a := newProject(t, s, "b"), newProject(t, s, "a")
			same(t, "ascending", []account.ProjectID{a, b}, must[[]account.ProjectID](t)(s.Projects(t.Context())))
		},
	})
}
