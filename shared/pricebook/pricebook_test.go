package pricebook_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/pricebook"
	"github.com/pulse-traces/pulse/shared/pricing"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/trace"
)

const project = account.ProjectID("p1")

var start = time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)

// watched is the real store, counted and breakable.
type watched struct {
	store.Store
	lookups atomic.Int64
	fail    error
	after   func() // after each look-up
}

func (w *watched) Prices(ctx context.Context, p account.ProjectID) ([]store.Price, error) {
	w.lookups.Add(1)
	if w.fail != nil {
		return nil, w.fail
	}
	list, err := w.Store.Prices(ctx, p)
	if w.after != nil {
		w.after()
	}
	return list, err
}

// fixture is a store with one project, and a clock that stands.
type fixture struct {
	store *watched
	now   time.Time
	log   bytes.Buffer
	book  *pricebook.Book
}

func setup(t *testing.T, o pricebook.Options) *fixture {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateUser(t.Context(), store.NewUser{
		User: account.User{ID: "u1", Name: "Ann", Email: "ann@example.com", CreatedAt: start, UpdatedAt: start}, CredentialID: "c1", PasswordHash: "h",
		Project: &store.NewProject{
			Project: account.Project{ID: project, Name: "P", CreatedAt: start},
			Key:     account.APIKey{ID: "k1", ProjectID: project, Hash: "h1", Name: "K", CreatedAt: start},
			Member:  account.Membership{ID: "m1", UserID: "u1", ProjectID: project, Role: account.RoleAdmin, CreatedAt: start},
		},
	}); err != nil {
		t.Fatal(err)
	}
	f := &fixture{store: &watched{Store: db}, now: start}
	o.Now, o.Log = func() time.Time { return f.now }, slog.New(slog.NewTextHandler(&f.log, nil))
	f.book = pricebook.New(f.store, o)
	return f
}

func (f *fixture) put(t *testing.T, id, data string) {
	t.Helper()
	if err := f.store.PutPrice(t.Context(), project, store.Price{ID: id, Data: []byte(data), CreatedAt: start, UpdatedAt: start}); err != nil {
		t.Fatal(err)
	}
}

// cost prices a call of a million input tokens and gives its cost in dollars,
// -1 for none.
func (f *fixture) cost(t *testing.T, model string) float64 {
	t.Helper()
	p, err := f.book.For(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	s := call(model)
	if p.Price(&s); s.CostNanoUSD == nil {
		return -1
	}
	return float64(*s.CostNanoUSD) / 1e9
}

func call(model string) trace.Span {
	provider, tokens := "openai", int64(1e6)
	return trace.Span{
		ID: "s", TraceID: "t", Form: trace.FormSpan, SessionID: "session", Source: trace.SourceSDK, EventType: "call", Status: trace.StatusSuccess,
		Start: start, Kind: trace.KindLLMCall, Provider: &provider, Model: &model, InputTokens: &tokens,
	}
}

func want(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got != want {
		t.Errorf("%s costs %v, want %v", what, got, want)
	}
}

// table is what gpt-4o-mini costs by the list that comes with Pulse.
const table = 0.15

func TestOrder(t *testing.T) {
	t.Parallel()
	installation, err := pricing.ParseCustomList([]byte(`[{"model": "gpt-4o-mini", "provider": "openai", "prices": {"input": 2}}, {"model": "ours", "prices": {"input": 3}}]`))
	if err != nil {
		t.Fatal(err)
	}
	f := setup(t, pricebook.Options{})
	want(t, "by the table", f.cost(t, "gpt-4o-mini"), table)
	want(t, "unknown", f.cost(t, "ours"), -1)
	f = setup(t, pricebook.Options{Installation: installation})
	want(t, "by the installation's", f.cost(t, "gpt-4o-mini"), 2)
	want(t, "by the installation's", f.cost(t, "ours"), 3)
	want(t, "by the table", f.cost(t, "gpt-4o"), 2.5)
	f.put(t, "1", `{"model": "gpt-4o-*", "prices": {"input": 7}}`)
	f.book.Forget(project)
	want(t, "by the project's own, though the other names it better", f.cost(t, "gpt-4o-mini"), 7)
	want(t, "by the installation's", f.cost(t, "ours"), 3)
}

func TestMemory(t *testing.T) {
	t.Parallel()
	f := setup(t, pricebook.Options{TTL: time.Second})
	for range 3 {
		want(t, "at first", f.cost(t, "gpt-4o-mini"), table)
	}
	if n := f.store.lookups.Load(); n != 1 {
		t.Errorf("%d look-ups, want one", n)
	}
	f.put(t, "1", `{"model": "gpt-4o-mini", "prices": {"input": 1}}`)
	want(t, "within the time", f.cost(t, "gpt-4o-mini"), table)
	f.now = f.now.Add(time.Second)
	want(t, "after the time", f.cost(t, "gpt-4o-mini"), 1)
	f.put(t, "1", `{"model": "gpt-4o-mini", "prices": {"input": 2}}`)
	f.book.Forget(project)
	want(t, "after Forget", f.cost(t, "gpt-4o-mini"), 2)

	// The database goes away.
	f.store.fail = fault.New(fault.Unavailable, "away")
	f.now = f.now.Add(time.Hour)
	before := f.store.lookups.Load()
	for range 3 {
		want(t, "while the database is away", f.cost(t, "gpt-4o-mini"), 2)
	}
	if n := f.store.lookups.Load() - before; n != 1 {
		t.Errorf("%d look-ups while the database is away, want one", n)
	}
	f.book.Forget(project)
	if _, err := f.book.For(t.Context(), project); !fault.Is(err, fault.Unavailable) {
		t.Errorf("of a project that is not known: %v, want unavailable", err)
	}
	if err := f.book.Price(t.Context(), project, []trace.Span{call("gpt-4o-mini")}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("spans of a project that is not known: %v, want unavailable", err)
	}
}

// TestForgetDuringLookup changes a price after the store was asked and before it
// has answered: the old answer is not kept.
func TestForgetDuringLookup(t *testing.T) {
	t.Parallel()
	f := setup(t, pricebook.Options{})
	f.store.after = func() {
		f.store.after = nil
		f.put(t, "1", `{"model": "gpt-4o-mini", "prices": {"input": 1}}`)
		f.book.Forget(project)
	}
	want(t, "asked before the change", f.cost(t, "gpt-4o-mini"), table)
	want(t, "asked after it", f.cost(t, "gpt-4o-mini"), 1)
}

func TestBounded(t *testing.T) {
	t.Parallel()
	f := setup(t, pricebook.Options{Size: 4})
	for i := range 10 {
		f.put(t, fmt.Sprint(i), fmt.Sprintf(`{"model": "m%d", "prices": {"input": 1}}`, i))
	}
	ask := func(p account.ProjectID) {
		t.Helper()
		if _, err := f.book.For(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(what string, n int64) {
		t.Helper()
		if got := f.store.lookups.Swap(0); got != n {
			t.Errorf("%s: %d look-ups, want %d", what, got, n)
		}
	}
	ask("a")
	ask("b")
	ask("a")
	asked("two that fit", 2)
	ask(project) // larger than all that may be held
	ask(project)
	asked("a large one is held alone", 1)
	ask("a")
	asked("others had to go", 1)
	ask(project)
	asked("and so had the large one", 1)
}

func TestDamagedPrice(t *testing.T) {
	t.Parallel()
	f := setup(t, pricebook.Options{})
	f.put(t, "bad", `{"model": "gpt-4o-mini", "price": "of a later version"}`)
	f.put(t, "good", `{"model": "ours", "prices": {"input": 3}}`)
	want(t, "by the table", f.cost(t, "gpt-4o-mini"), table)
	want(t, "by the good one", f.cost(t, "ours"), 3)
	if log := f.log.String(); !strings.Contains(log, "price_id=bad") || strings.Contains(log, "price_id=good") {
		t.Errorf("the log says %q", log)
	}
}

// TestOver writes through the book: costs that a sender gave stay, also 0.
func TestOver(t *testing.T) {
	t.Parallel()
	f := setup(t, pricebook.Options{})
	f.put(t, "1", `{"model": "ours", "prices": {"input": 3}}`)
	priced, given, free := call("ours"), call("ours"), call("ours")
	five, zero := int64(5), int64(0)
	given.ID, given.CostNanoUSD, free.ID, free.CostNanoUSD = "given", &five, "free", &zero
	batch := store.Pack(project, start, []trace.Span{priced, given, free})
	if _, err := f.book.Over(f.store).WriteBatches(t.Context(), []store.Batch{batch}); err != nil {
		t.Fatal(err)
	}
	for id, cost := range map[trace.SpanID]int64{"s": 3e9, "given": 5, "free": 0} {
		s, err := f.store.Span(t.Context(), project, id)
		if err != nil || s.CostNanoUSD == nil || *s.CostNanoUSD != cost || (s.CostSource == trace.CostOfPrices) != (id == "s") {
			t.Errorf("%s: %v, source %q, %v; want %d", id, s.CostNanoUSD, s.CostSource, err, cost)
		}
	}
	f.store.fail = fault.New(fault.Unavailable, "away")
	f.book.Forget(project)
	if _, err := f.book.Over(f.store).WriteBatches(t.Context(), []store.Batch{batch}); !fault.Transient(err) {
		t.Errorf("without prices: %v, want an error that passes", err)
	}
}
