package drain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/trace"
	"github.com/pulse-traces/pulse/shared/wal"
)

const project = account.ProjectID("p1")

func setup(t *testing.T) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)
	user := account.User{ID: "u1", Name: "Ann", Email: "ann@example.com", CreatedAt: now, UpdatedAt: now}
	err = db.CreateUser(t.Context(), store.NewUser{User: user, CredentialID: "c1", PasswordHash: "h", Project: &store.NewProject{
		Project: account.Project{ID: project, Name: "P", CreatedAt: now},
		Key:     account.APIKey{ID: "k1", ProjectID: project, Hash: "h1", Name: "K", CreatedAt: now},
		Member:  account.Membership{ID: "m1", UserID: "u1", ProjectID: project, Role: account.RoleAdmin, CreatedAt: now},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func delivery(t *testing.T, owner account.ProjectID, ids ...string) (wal.Delivery, store.Batch) {
	t.Helper()
	spans := make([]trace.Span, len(ids))
	for i, id := range ids {
		text := "answer " + id
		spans[i] = trace.Span{
			ID: trace.SpanID(id), TraceID: "t", SessionID: "s", Form: trace.FormSpan, Start: time.Date(2026, 1, 25, 12, 0, i, 0, time.UTC),
			Source: trace.SourceSDK, Kind: trace.KindToolUse, EventType: "x", Status: trace.StatusSuccess, Payload: trace.Payload{OutputText: &text},
		}
	}
	b := store.Pack(owner, time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC), spans)
	return wal.Delivery{ID: fmt.Sprint(ids), Data: store.AppendBatch(nil, &b), Attempt: 1}, b
}

func stored(t *testing.T, db *sqlite.DB) []string {
	t.Helper()
	list, err := db.SessionSpans(t.Context(), project, "s", store.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range list.Spans {
		ids = append(ids, string(s.ID))
	}
	return ids
}

// TestPoisonHoldsNobodyUp mixes records that can never be stored with good ones.
func TestPoisonHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	db := setup(t)
	d := New(Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	var deliveries []wal.Delivery
	for i := range 20 {
		one, _ := delivery(t, project, fmt.Sprintf("s%02d", i))
		switch i {
		case 3:
			one, _ = delivery(t, "nobody's", "s03")
		case 7:
			one.Data = one.Data[:len(one.Data)-5]
		case 11:
			one.Data = nil
		}
		deliveries = append(deliveries, one)
	}
	errs := d.Handle(t.Context(), deliveries)
	for i, err := range errs {
		poison := i == 3 || i == 7 || i == 11
		if wal.IsPermanent(err) != poison || (!poison && err != nil) {
			t.Errorf("record %d: %v", i, err)
		}
	}
	if got := stored(t, db); len(got) != 17 {
		t.Errorf("stored are %v", got)
	}
	// Delivered again, nothing changes.
	for i, err := range d.Handle(t.Context(), deliveries[:3]) {
		if err != nil {
			t.Errorf("record %d again: %v", i, err)
		}
	}
	if n, err := db.Recount(t.Context(), project, false); err != nil || n != 0 {
		t.Errorf("%d sums differ, %v", n, err)
	}
}

// failing answers faults in front of a real store.
type failing struct {
	*sqlite.DB
	fail func(batches []store.Batch) error
}

func (f *failing) WriteBatches(ctx context.Context, batches []store.Batch) ([]store.Outcome, error) {
	if err := f.fail(batches); err != nil {
		return nil, err
	}
	return f.DB.WriteBatches(ctx, batches)
}

func TestTransientFaultsBringAllBack(t *testing.T) {
	t.Parallel()
	db := setup(t)
	down := true
	f := &failing{DB: db, fail: func([]store.Batch) error {
		if down {
			return fault.New(fault.Unavailable, "down")
		}
		return nil
	}}
	d := New(Options{Store: f, Log: slog.New(slog.DiscardHandler)})
	one, _ := delivery(t, project, "a")
	two, _ := delivery(t, project, "b")
	for range 100 {
		for _, err := range d.Handle(t.Context(), []wal.Delivery{one, two}) {
			if err == nil || wal.IsPermanent(err) {
				t.Fatalf("while the store is down: %v", err)
			}
		}
		one.Attempt++
		two.Attempt++
	}
	down = false
	if errs := d.Handle(t.Context(), []wal.Delivery{one, two}); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	if diff := cmp.Diff([]string{"a", "b"}, stored(t, db)); diff != "" {
		t.Error(diff)
	}
}

// TestUnexplainedFaults sets a record aside that fails alone again and again
// for no known reason, and only while the store is well.
func TestUnexplainedFaults(t *testing.T) {
	t.Parallel()
	db := setup(t)
	f := &failing{DB: db, fail: func(batches []store.Batch) error {
		for i := range batches {
			if batches[i].Spans[0].ID == "bad" {
				return errors.New("nobody knows")
			}
		}
		return nil
	}}
	d := New(Options{Store: f, Log: slog.New(slog.DiscardHandler)})
	good, _ := delivery(t, project, "good")
	bad, _ := delivery(t, project, "bad")
	for attempt := 1; ; attempt++ {
		bad.Attempt = attempt
		errs := d.Handle(t.Context(), []wal.Delivery{good, bad})
		if errs[0] != nil {
			t.Fatalf("the neighbour: %v", errs[0])
		}
		if wal.IsPermanent(errs[1]) {
			if attempt != maxUnexplained {
				t.Errorf("set aside after %d attempts", attempt)
			}
			return
		}
		if attempt > maxUnexplained {
			t.Fatal("never set aside")
		}
	}
}

func TestExpect(t *testing.T) {
	t.Parallel()
	db := setup(t)
	d := New(Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	first, _ := delivery(t, project, "a")
	again, b := delivery(t, project, "a", "b")
	outcome, cancel := d.Expect(b.ID)
	defer cancel()
	if errs := d.Handle(t.Context(), []wal.Delivery{first, again}); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	select {
	case o := <-outcome:
		if diff := cmp.Diff([]bool{false, true}, o.Inserted); diff != "" {
			t.Error(diff)
		}
	default:
		t.Error("the outcome was not told")
	}
	// Nobody waits for a cancelled one, and it is forgotten.
	gone, c := delivery(t, project, "c")
	_, cancel = d.Expect(c.ID)
	cancel()
	if errs := d.Handle(t.Context(), []wal.Delivery{gone}); errors.Join(errs...) != nil {
		t.Fatal(errs)
	}
	if len(d.waiting) != 0 {
		t.Errorf("%d are still waited for", len(d.waiting))
	}
}

// TestHangingStoreIsAway gives a store that does not answer up in time.
func TestHangingStoreIsAway(t *testing.T) {
	t.Parallel()
	f := &hanging{setup(t)}
	d := New(Options{Store: f, Log: slog.New(slog.DiscardHandler), Timeout: 10 * time.Millisecond})
	one, _ := delivery(t, project, "a")
	if errs := d.Handle(t.Context(), []wal.Delivery{one}); !fault.Transient(errs[0]) {
		t.Errorf("%v", errs[0])
	}
}

type hanging struct{ *sqlite.DB }

func (h *hanging) WriteBatches(ctx context.Context, _ []store.Batch) ([]store.Outcome, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
