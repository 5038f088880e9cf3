package drain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/record"
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

// TestSteps writes records in transactions of bounded size, in their order, and
// none past a fault that passes.
func TestSteps(t *testing.T) {
	t.Parallel()
	db := setup(t)
	var wrote []int
	failAt := 2
	f := &failing{DB: db, fail: func(batches []store.Batch) error {
		if wrote = append(wrote, len(batches)); len(wrote) == failAt {
			return fault.New(fault.Unavailable, "down")
		}
		return nil
	}}
	var deliveries []wal.Delivery
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		one, _ := delivery(t, project, id)
		deliveries = append(deliveries, one)
	}
	d := New(Options{Store: f, Log: slog.New(slog.DiscardHandler), StepBytes: 2 * len(deliveries[0].Data)})
	errs := d.Handle(t.Context(), deliveries)
	for i, err := range errs {
		if (err != nil) != (i >= 2) || wal.IsPermanent(err) {
			t.Errorf("record %d: %v", i, err)
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, stored(t, db)); diff != "" {
		t.Error(diff)
	}
	if errs := d.Handle(t.Context(), deliveries[2:]); errors.Join(errs...) != nil {
		t.Error(errs)
	}
	if diff := cmp.Diff([]int{2, 2, 2, 1}, wrote); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, stored(t, db)); diff != "" {
		t.Error(diff)
	}
}

// TestStepsByWhatIsRead: compressed records count with what they inflate to, so
// that small ones do not fill the memory.
func TestStepsByWhatIsRead(t *testing.T) {
	t.Parallel()
	db := setup(t)
	var wrote []int
	f := &failing{DB: db, fail: func(batches []store.Batch) error {
		wrote = append(wrote, len(batches))
		return nil
	}}
	var deliveries []wal.Delivery
	for i := range 3 {
		one := sent(t, "x", fmt.Sprint(i, strings.Repeat("a", 100_000)))
		if len(one.Data) < 100_000 {
			t.Fatalf("a plain record of %d bytes", len(one.Data))
		}
		b := sentWithin(t, 1000, "x", fmt.Sprint(i, strings.Repeat("a", 100_000)))
		if len(b.Data) > 2000 {
			t.Fatalf("a compressed record of %d bytes", len(b.Data))
		}
		deliveries = append(deliveries, b)
	}
	d := New(Options{Store: f, Log: slog.New(slog.DiscardHandler), StepBytes: 150_000})
	if err := errors.Join(d.Handle(t.Context(), deliveries)...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 1, 1}, wrote); diff != "" {
		t.Error(diff)
	}
}

// sent is a delivery of spans as they were sent, the i-th named names[i].
func sent(t *testing.T, attribute string, names ...string) wal.Delivery {
	t.Helper()
	return sentWithin(t, 1<<20, attribute, names...)
}

// sentWithin is sent for a log that takes records of limit bytes.
func sentWithin(t *testing.T, limit int, attribute string, names ...string) wal.Delivery {
	t.Helper()
	var spans []string
	for i, name := range names {
		spans = append(spans, fmt.Sprintf(`{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b1%02x","name":%q,
			"startTimeUnixNano":"1769342400000000000","attributes":[{"key":"session.id","value":{"stringValue":"s"}},
			{"key":%q,"value":{"stringValue":"nothing"}}]}`, i, name, attribute))
	}
	body := `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
	all, err := otlp.DecodeTraces([]byte(body), otlp.JSON)
	if err != nil || all.Rejected > 0 {
		t.Fatal(err, all)
	}
	record := record.Sent{ID: uuid.Must(uuid.NewV7()), Project: project, Arrived: time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC), Spans: all.Spans}
	return wal.Delivery{ID: fmt.Sprint(names), Data: record.Append(nil, limit), Attempt: 1}
}

// TestSentIsRead reads spans as they were sent. Should one be refused that was
// taken, its neighbours are stored and the record is set aside.
func TestSentIsRead(t *testing.T) {
	t.Parallel()
	db := setup(t)
	d := New(Options{Store: db, Log: slog.New(slog.DiscardHandler)})
	good, bad := sent(t, "x", "a", "b"), sent(t, "pulse.kind", "c")
	for range 2 {
		errs := d.Handle(t.Context(), []wal.Delivery{good, bad})
		if errs[0] != nil || !wal.IsPermanent(errs[1]) || !strings.Contains(errs[1].Error(), "1 spans of the record cannot be stored") {
			t.Error(errs)
		}
		if diff := cmp.Diff([]string{"eee19b7ec3c1b100", "eee19b7ec3c1b101"}, stored(t, db)); diff != "" {
			t.Error(diff)
		}
	}
	span, err := db.Span(t.Context(), project, "eee19b7ec3c1b101")
	if err != nil || span.Name != "b" || span.MappingVersion != otlp.MappingVersion || len(span.Payload.Raw) == 0 {
		t.Errorf("%+v, %v", span, err)
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
