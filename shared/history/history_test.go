package history_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/history"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/otlp/otlptest"
	"github.com/pulse-traces/pulse/shared/pricebook"
	"github.com/pulse-traces/pulse/shared/pricing"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/trace"
)

const project = account.ProjectID("p1")

// engines opens an empty store of each kind, with the project.
var engines = map[string]func(t *testing.T) store.Store{
	"SQLite": func(t *testing.T) store.Store {
		db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "pulse.db"))
		if err != nil {
			t.Fatal(err)
		}
		return db
	},
	"Postgres": func(t *testing.T) store.Store {
		db, err := postgres.Open(t.Context(), testkit.Postgres(t), postgres.Options{MaxConns: 2})
		if err != nil {
			t.Fatal(err)
		}
		return db
	},
}

func open(t *testing.T, engine string) store.Store {
	t.Helper()
	st := engines[engine](t)
	t.Cleanup(func() { _ = st.Close() })
	if err := st.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)
	user := account.User{ID: "u1", Name: "Ann", Email: "ann@example.com", CreatedAt: at, UpdatedAt: at}
	if err := st.CreateUser(t.Context(), store.NewUser{User: user, CredentialID: "c1", PasswordHash: "h", Project: &store.NewProject{
		Project: account.Project{ID: project, Name: "P", CreatedAt: at},
		Key:     account.APIKey{ID: "k1", ProjectID: project, Hash: "h1", Name: "K", CreatedAt: at},
		Member:  account.Membership{ID: "m1", UserID: "u1", ProjectID: project, Role: account.RoleAdmin, CreatedAt: at},
	}}); err != nil {
		t.Fatal(err)
	}
	return st
}

// captured reads the spans of one family's captures.
func captured(t *testing.T, family string) []trace.Span {
	t.Helper()
	all, err := otlptest.Load()
	if err != nil {
		t.Fatal(err)
	}
	var spans []trace.Span
	seen := map[trace.SpanID]bool{}
	for _, s := range all {
		if s.Family != family {
			continue
		}
		for _, r := range s.Requests {
			enc := otlp.Protobuf
			if r.JSON() {
				enc = otlp.JSON
			}
			traces, err := otlp.DecodeTraces(r.Body, enc)
			if err != nil {
				t.Fatal(err)
			}
			for _, span := range traces.Map(time.Now()) {
				if !seen[span.ID] {
					seen[span.ID] = true
					pricing.Price(&span, pricing.Default())
					spans = append(spans, span)
				}
			}
		}
	}
	if len(spans) < 10 {
		t.Fatalf("%s has %d spans only", family, len(spans))
	}
	return spans
}

func write(t *testing.T, st store.Store, spans []trace.Span) {
	t.Helper()
	b := store.Pack(project, time.Now(), spans)
	b.APIKey = "k1"
	if _, err := st.WriteBatches(t.Context(), []store.Batch{b}); err != nil {
		t.Fatal(err)
	}
}

func wantResult(t *testing.T, r history.Result, err error, read, changed int) {
	t.Helper()
	if err != nil || r.Read != int64(read) || r.Changed != int64(changed) || r.Damaged != 0 {
		t.Fatalf("%+v, %v; want %d read and %d changed", r, err, read, changed)
	}
}

func recounted(t *testing.T, st store.Store) {
	t.Helper()
	if n, err := st.Recount(t.Context(), project, false); err != nil || n != 0 {
		t.Fatalf("%d sums differ from a recount, %v", n, err)
	}
}

// TestRemap stores spans as a poorer mapping would have read them.
func TestRemap(t *testing.T) {
	t.Parallel()
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			st := open(t, engine)
			spans := captured(t, "openinference-openai")
			total, old := len(spans), 0
			var id trace.SpanID
			var model string
			for i := range spans {
				s := &spans[i]
				if s.Kind != trace.KindLLMCall || s.Model == nil || s.InputTokens == nil || i%2 == 0 {
					continue
				}
				id, model = s.ID, *s.Model
				s.Kind, s.Name, s.Model, s.Usage, s.InputTokens, s.OutputTokens = trace.KindGeneric, "", nil, nil, nil, nil
				s.CostNanoUSD, s.CostSource, s.Payload.InputMessages = nil, trace.CostUnknown, nil
				old++
			}
			if old < 3 {
				t.Fatalf("%d spans are read poorly only", old)
			}
			write(t, st, spans)
			r, err := history.Remap(t.Context(), st, history.Options{Prices: pricebook.New(st, pricebook.Options{}), DryRun: true})
			wantResult(t, r, err, total, old)
			if s, err := st.Span(t.Context(), project, id); err != nil || s.Kind != trace.KindGeneric {
				t.Fatalf("a dry run changed the span: %s, %v", s.Kind, err)
			}
			r, err = history.Remap(t.Context(), st, history.Options{Prices: pricebook.New(st, pricebook.Options{}), Project: project})
			wantResult(t, r, err, total, old)
			s, err := st.Span(t.Context(), project, id)
			if err != nil || s.APIKey == nil || *s.APIKey != "k1" || s.Kind != trace.KindLLMCall || s.Model == nil || *s.Model != model || s.InputTokens == nil || s.Payload.InputMessages == nil {
				t.Fatalf("after a remap: %+v, %v", s, err)
			}
			recounted(t, st)
			r, err = history.Remap(t.Context(), st, history.Options{Prices: pricebook.New(st, pricebook.Options{})})
			wantResult(t, r, err, total, 0)
		})
	}
}

// TestReprice stores spans with costs of other prices.
func TestReprice(t *testing.T) {
	t.Parallel()
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			st := open(t, engine)
			spans := captured(t, "openinference-openai")
			total, priced := len(spans), 0
			right := map[trace.SpanID]int64{}
			for i := range spans {
				if s := &spans[i]; s.CostSource == trace.CostOfPrices {
					right[s.ID] = *s.CostNanoUSD
					wrong := *s.CostNanoUSD + 1000
					s.CostNanoUSD = &wrong
					priced++
				}
			}
			if priced < 3 {
				t.Fatalf("%d spans are priced only", priced)
			}
			write(t, st, spans)
			r, err := history.Reprice(t.Context(), st, history.Options{Prices: pricebook.New(st, pricebook.Options{}), DryRun: true})
			wantResult(t, r, err, total, priced)
			r, err = history.Reprice(t.Context(), st, history.Options{Prices: pricebook.New(st, pricebook.Options{})})
			wantResult(t, r, err, total, priced)
			for id, cost := range right {
				if s, err := st.Span(t.Context(), project, id); err != nil || s.CostNanoUSD == nil || *s.CostNanoUSD != cost {
					t.Errorf("span %s costs %v, %v; want %d", id, s.CostNanoUSD, err, cost)
				}
			}
			recounted(t, st)
			r, err = history.Reprice(t.Context(), st, history.Options{Prices: pricebook.New(st, pricebook.Options{})})
			wantResult(t, r, err, total, 0)
		})
	}
}

// TestResume stops a rewrite after its first step, goes on, and finds all done
// once.
func TestResume(t *testing.T) {
	t.Parallel()
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			st := open(t, engine)
			const n = 1200
			spans := make([]trace.Span, n)
			model, provider, tokens := "gpt-4o-mini", "openai", int64(1_000_000)
			for i := range spans {
				id := trace.SpanID(fmt.Sprintf("span-%04d", i))
				spans[i] = trace.Span{
					ID: id, TraceID: trace.TraceID(id), Form: trace.FormTrace, Source: trace.SourceSDK, Kind: trace.KindLLMCall, Status: trace.StatusSuccess,
					Start: time.Date(2026, 2, 1, 12, 0, i, 0, time.UTC), Model: &model, Provider: &provider, InputTokens: &tokens, OutputTokens: new(int64),
				}
			}
			write(t, st, spans)
			prices := pricebook.New(st, pricebook.Options{})
			for _, dry := range []bool{true, false} {
				ctx, stop := context.WithCancel(t.Context())
				first, err := history.Reprice(ctx, st, history.Options{Prices: prices, DryRun: dry, Progress: func(history.Result) { stop() }})
				if !errors.Is(err, context.Canceled) || first.Read == 0 || first.Read >= n || first.Resume == "" {
					t.Fatalf("stopped: %+v, %v", first, err)
				}
				if _, err := history.Reprice(t.Context(), st, history.Options{Prices: prices, DryRun: true, Project: "p2", Resume: first.Resume}); fault.CodeOf(err) != fault.Invalid {
					t.Errorf("the place in another project: %v", err)
				}
				rest, err := history.Reprice(t.Context(), st, history.Options{Prices: prices, DryRun: dry, Resume: first.Resume})
				if err != nil || first.Read+rest.Read != n || first.Changed+rest.Changed != n || rest.Resume != "" {
					t.Fatalf("%+v, then %+v, %v", first, rest, err)
				}
				want := []history.Difference{
					{Field: "costNanoUsd", Spans: rest.Changed, Examples: rest.Differences[0].Examples},
					{Field: "costSource", Spans: rest.Changed, Examples: rest.Differences[0].Examples},
				}
				if diff := cmp.Diff(want, rest.Differences); diff != "" || len(want[0].Examples) != 3 || rest.CostNanoUSD != rest.Changed*150_000_000 {
					t.Errorf("it tells %+v, %s", rest, diff)
				}
			}
			recounted(t, st)
			r, err := history.Reprice(t.Context(), st, history.Options{Prices: prices})
			wantResult(t, r, err, n, 0)
		})
	}
}
