package storetest

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func maintenance(t *testing.T, open OpenFunc) {
	cases(t, open, map[string]func(t *testing.T, s store.Store){
		"Ping": func(t *testing.T, s store.Store) { ok(t, s.Ping(t.Context())) },
		"MigrateAgainChangesNothing": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			spans := randomSpans(rand.New(rand.NewPCG(10, 1)), 50)
			write(t, s, p, spans...)
			ok(t, s.Migrate(t.Context(), func(line string) { t.Errorf("did something: %s", line) }))
			m := model{}
			m.add(spans...)
			m.check(t, s, p)
		},
		"RetainDeletesWholeDaysBeforeCutoff": func(t *testing.T, s store.Store) {
			p, q := newProject(t, s, "a"), newProject(t, s, "b")
			spans := randomSpans(rand.New(rand.NewPCG(11, 1)), 400)
			write(t, s, p, spans...)
			write(t, s, q, spans[:10]...)
			day := start.AddDate(0, 0, 1)
			want, deleted := map[string]model{}, int64(0)
			for name, part := range map[string][]trace.Span{"p": spans, "q": spans[:10]} {
				want[name] = model{}
				for _, sp := range part {
					if sp.Start.Before(day) {
						deleted++
					} else {
						// All arrived on the first day: their payloads go with it.
						sp.Payload = trace.Payload{}
						want[name].add(sp)
					}
				}
			}
			got := must[int64](t)(s.Retain(t.Context(), day.Add(13*time.Hour)))
			if got != deleted || deleted == 0 {
				t.Fatalf("%d spans deleted, want %d", got, deleted)
			}
			want["p"].check(t, s, p)
			want["q"].check(t, s, q)
			if again := must[int64](t)(s.Retain(t.Context(), day.Add(13*time.Hour))); again != 0 {
				t.Fatalf("%d spans deleted again", again)
			}
			// What was deleted is new when it comes again; what stayed is not.
			write(t, s, p, spans...)
			m := want["p"]
			for _, sp := range spans {
				if _, stayed := m[sp.ID]; !stayed {
					m.add(sp)
				}
			}
			m.check(t, s, p)
		},
		"RetainDeletesPayloadsThatArrivedBefore": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			kept := span("kept", start.AddDate(0, 0, 9))
			kept.Payload.OutputText = ptr("text")
			batch := store.Pack(p, start, []trace.Span{kept})
			must[[]store.Outcome](t)(s.WriteBatches(t.Context(), []store.Batch{batch}))
			must[int64](t)(s.Retain(t.Context(), start))
			if got := must[trace.Span](t)(s.Span(t.Context(), p, "kept")); got.Payload.OutputText == nil {
				t.Fatal("a payload of the cutoff's day is gone")
			}
			must[int64](t)(s.Retain(t.Context(), start.AddDate(0, 0, 1)))
			if got := must[trace.Span](t)(s.Span(t.Context(), p, "kept")); !got.Payload.Empty() {
				t.Fatal("a payload of the day before the cutoff is there")
			}
		},
		"EndedContextIsAnError": func(t *testing.T, s store.Store) {
			p := newProject(t, s, "a")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.WriteBatches(ctx, []store.Batch{pack(p, []trace.Span{span("s", start)})}); err == nil {
				t.Fatal("written under an ended context")
			}
			model{}.check(t, s, p)
			write(t, s, p, span("s", start)) // the store serves on
		},
	})
}

// ExerciseUpgrade checks that a filled database of schema version 2, which has
// no spans from OpenTelemetry, is brought up to date. downgrade makes such a one
// of an open store.
func ExerciseUpgrade(t *testing.T, open OpenFunc, downgrade func(t *testing.T, s store.Store)) {
	s := open(t)
	p := newProject(t, s, "a")
	spans := randomSpans(rand.New(rand.NewPCG(13, 1)), 200)
	m := model{}
	var later []trace.Span
	for _, sp := range spans {
		if sp.Mapped() {
			later = append(later, sp)
			continue
		}
		sp.APIKey = nil // it was not kept
		write(t, s, p, sp)
		m.add(sp)
	}
	downgrade(t, s)
	applied := 0
	ok(t, s.Migrate(t.Context(), func(string) { applied++ }))
	if applied == 0 {
		t.Fatal("nothing was brought up to date")
	}
	m.check(t, s, p)
	write(t, s, p, later...)
	m.add(later...)
	m.check(t, s, p)
}

// ExerciseTokensUpgrade checks that a filled database of schema version 10 is
// brought up to date: its traces have the tokens of model calls alone, and what
// follows from them. downgrade makes such a one of an open store.
func ExerciseTokensUpgrade(t *testing.T, open OpenFunc, downgrade func(t *testing.T, s store.Store)) {
	s := open(t)
	p := newProject(t, s, "a")
	spans := randomSpans(rand.New(rand.NewPCG(14, 1)), 200)
	write(t, s, p, spans...)
	m := model{}
	m.add(spans...)
	m.check(t, s, p)
	downgrade(t, s)
	ok(t, s.Migrate(t.Context(), nil))
	m.check(t, s, p)
}

// ExerciseRecount checks that Recount finds and repairs damage. damage runs SQL
// of the engine on an open store that holds one project's random spans; each
// call must change at least one row of traces, sessions or roll-ups.
func ExerciseRecount(t *testing.T, open OpenFunc, damage map[string]func(t *testing.T, s store.Store)) {
	for name, hurt := range damage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			p := newProject(t, s, "a")
			spans := randomSpans(rand.New(rand.NewPCG(12, 1)), 150)
			write(t, s, p, spans...)
			m := model{}
			m.add(spans...)
			m.check(t, s, p)
			hurt(t, s)
			found := must[int64](t)(s.Recount(t.Context(), p, false))
			if found == 0 {
				t.Fatal("the damage was not found")
			}
			if fixed := must[int64](t)(s.Recount(t.Context(), p, true)); fixed != found {
				t.Fatalf("%d rows fixed of %d", fixed, found)
			}
			m.check(t, s, p)
		})
	}
}
