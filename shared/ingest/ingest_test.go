package ingest

import (
	"context"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/drain"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/otlp"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/trace"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
)

const project = account.ProjectID("p1")

var sender = account.Sender{Project: project, Key: "k1"}

// bundle is a service over a real log, drain and store.
type bundle struct {
	*Service
	db    *sqlite.DB
	log   *filewal.Log
	clock time.Time
}

func setup(t *testing.T, drained bool) *bundle {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b := &bundle{db: db, clock: time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)}
	user := account.User{ID: "u1", Name: "Ann", Email: "ann@example.com", CreatedAt: b.clock, UpdatedAt: b.clock}
	if err := db.CreateUser(t.Context(), store.NewUser{User: user, CredentialID: "c1", PasswordHash: "h", Project: &store.NewProject{
		Project: account.Project{ID: project, Name: "P", CreatedAt: b.clock},
		Key:     account.APIKey{ID: "k1", ProjectID: project, Hash: "h1", Name: "K", CreatedAt: b.clock},
		Member:  account.Membership{ID: "m1", UserID: "u1", ProjectID: project, Role: account.RoleAdmin, CreatedAt: b.clock},
	}}); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	b.log, err = filewal.Open(filewal.Options{Dir: filepath.Join(dir, "wal"), Partitions: 3, Logger: logger, Now: func() time.Time { return b.clock }})
	if err != nil {
		t.Fatal(err)
	}
	d := drain.New(drain.Options{Store: db, Log: logger})
	b.Service = New(Options{Traces: b.log, Spans: b.log, Waiter: d, WaitFor: 10 * time.Second, Now: func() time.Time { return b.clock }})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	if drained {
		go func() { done <- b.log.Consume(ctx, d.Handle) }()
	} else {
		done <- nil
	}
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = b.log.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func spans(ids ...string) []trace.Span {
	out := make([]trace.Span, len(ids))
	for i, id := range ids {
		text := "answer " + id
		out[i] = trace.Span{
			ID: trace.SpanID(id), TraceID: trace.TraceID("t-" + id), SessionID: "s", Form: trace.FormSpan,
			Start: time.Date(2026, 1, 25, 12, 0, i, 0, time.UTC), Source: trace.SourceSDK, Kind: trace.KindToolUse, EventType: "x",
			Status: trace.StatusSuccess, Payload: trace.Payload{OutputText: &text},
		}
	}
	return out
}

func many(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return ids
}

func TestAcceptAndStoreTellsWhatWasNew(t *testing.T) {
	t.Parallel()
	b := setup(t, true)
	sent := spans("a", "b", "a")
	fresh, err := b.AcceptAndStore(t.Context(), sender, sent)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{true, true, false}, fresh); diff != "" {
		t.Error(diff)
	}
	if sent[0].Payload.OutputText == nil {
		t.Error("the caller's payloads are gone: answers need them")
	}
	fresh, err = b.AcceptAndStore(t.Context(), sender, spans("b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{false, true}, fresh); diff != "" {
		t.Error(diff)
	}
	got, err := b.db.Span(t.Context(), project, "b")
	if err != nil || got.APIKey == nil || *got.APIKey != "k1" || got.Payload.OutputText == nil || *got.Payload.OutputText != "answer b" {
		t.Errorf("%+v, %v", got, err)
	}
	if fresh, err = b.AcceptAndStore(t.Context(), sender, nil); err != nil || fresh != nil {
		t.Errorf("nothing: %v, %v", fresh, err)
	}
	if n := stats(b).Appended; n == 0 {
		t.Error("nothing went through the log")
	}
}

// TestWithoutDrain answers once the log has the spans, after a bounded wait.
func TestWithoutDrain(t *testing.T) {
	t.Parallel()
	b := setup(t, false)
	b.WaitFor = time.Millisecond
	fresh, err := b.AcceptAndStore(t.Context(), sender, spans("a", "b", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{true, true, false}, fresh); diff != "" {
		t.Error(diff)
	}
	b.Waiter = nil
	if fresh, err = b.AcceptAndStore(t.Context(), sender, spans("a")); err != nil || !fresh[0] {
		t.Errorf("%v, %v", fresh, err)
	}
	want := int64(2) // one record per partition that a call touches
	if wal.PartitionOf(string(project), "t-a", 3) != wal.PartitionOf(string(project), "t-b", 3) {
		want++
	}
	if n := stats(b).Pending; n != want {
		t.Errorf("%d records wait, want %d", n, want)
	}
}

func TestRefusingLog(t *testing.T) {
	t.Parallel()
	b := setup(t, false)
	if err := b.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Accept(t.Context(), sender, spans("a")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Accept: %v", err)
	}
	if _, err := b.AcceptAndStore(t.Context(), sender, spans("a")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("AcceptAndStore: %v", err)
	}
}

// TestClockJumps sets the clock back and forth by years while spans come in:
// each is stored once, whatever day its payload lands on.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	b := setup(t, true)
	var accepted int
	b.Accepted = func(_ trace.Form, n int) { accepted += n }
	for i, jump := range []time.Duration{0, -365 * 24 * time.Hour, 3 * 365 * 24 * time.Hour, -time.Second, 0} {
		b.clock = b.clock.Add(jump)
		if err := b.Accept(t.Context(), sender, spans(many(fmt.Sprint("x", i, "-"), 50)...)); err != nil {
			t.Fatal(err)
		}
		if err := b.Accept(t.Context(), sender, spans(many("again-", 50)...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.log.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := b.db.ListSpans(t.Context(), project, store.SpanFilter{}, store.Page{Limit: 1000, Detail: store.Full})
	if err != nil {
		t.Fatal(err)
	}
	if accepted != 500 || list.Total != 300 || len(list.Spans) != 300 {
		t.Errorf("%d accepted, %d there, %d in all", accepted, len(list.Spans), list.Total)
	}
	for _, s := range list.Spans {
		if s.Payload.OutputText == nil || *s.Payload.OutputText != "answer "+string(s.ID) {
			t.Fatalf("span %s has payload %v", s.ID, s.Payload)
		}
	}
	if n, err := b.db.Recount(t.Context(), project, false); err != nil || n != 0 {
		t.Errorf("%d sums differ, %v", n, err)
	}
}

func stats(b *bundle) wal.Stats {
	s, _ := b.log.Stats(context.Background()) // it never fails
	return s
}

// narrow is a log whose records are small, as a queue's messages are.
type narrow struct {
	*filewal.Log
	limit   int
	largest int
}

func (n *narrow) MaxRecordBytes() int { return n.limit }

func (n *narrow) Append(ctx context.Context, records []wal.Record) error {
	for _, r := range records {
		n.largest = max(n.largest, len(r.Data))
		if len(r.Data) > n.limit {
			return fault.New(fault.TooLarge, "the record fits no message")
		}
	}
	return n.Log.Append(ctx, records)
}

// TestLargeBatches splits what fits no record, and stores directly a span that
// alone fits none.
func TestLargeBatches(t *testing.T) {
	t.Parallel()
	b := setup(t, true)
	log := &narrow{Log: b.log, limit: 4000}
	b.Traces, b.Spans, b.Direct = log, log, b.db
	sent := spans(many("n", 60)...)
	for i := range sent {
		text := fmt.Sprintf("%x", sha512.Sum512([]byte(sent[i].ID))) // nothing to compress
		if i == 7 {
			random := make([]byte, 8000)
			_, _ = rand.Read(random)
			text = fmt.Sprintf("%x", random)
		}
		sent[i].Payload.OutputText = &text
	}
	fresh, err := b.AcceptAndStore(t.Context(), sender, sent)
	if err != nil || slices.Contains(fresh, false) {
		t.Fatalf("%v, %v", fresh, err)
	}
	if log.largest == 0 || log.largest > log.limit {
		t.Errorf("the largest record has %d bytes", log.largest)
	}
	for i := range sent {
		got, err := b.db.Span(t.Context(), project, sent[i].ID)
		if err != nil || got.APIKey == nil || *got.APIKey != "k1" || got.Payload.OutputText == nil || *got.Payload.OutputText != *sent[i].Payload.OutputText {
			t.Fatalf("span %s: %v", sent[i].ID, err)
		}
	}
	b.Direct = nil
	if err := b.Accept(t.Context(), sender, sent[7:8]); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a span that fits nowhere: %v", err)
	}
}

// sent is OTLP spans as they were sent, with n bytes of text each.
func sent(t *testing.T, n int, ids ...int) []otlp.Span {
	t.Helper()
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf(`{"traceId":"%032x","spanId":"%016x","name":"n","startTimeUnixNano":"1769342400000000000",
			"attributes":[{"key":"text","value":{"stringValue":"%s"}}]}`, id, id, noise(n)))
	}
	all, err := otlp.DecodeTraces([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[`+strings.Join(list, ",")+`]}]}]}`), otlp.JSON)
	if err != nil || all.Rejected > 0 {
		t.Fatal(err, all)
	}
	return all.Spans
}

// noise is text of n bytes that hardly compresses.
func noise(n int) string {
	random := make([]byte, (n+1)/2)
	_, _ = rand.Read(random)
	return fmt.Sprintf("%x", random)[:n]
}

// TestAcceptSent takes spans as they were sent: each trace in one partition,
// records within the log's limit, and what fits none directly into the store.
func TestAcceptSent(t *testing.T) {
	t.Parallel()
	b := setup(t, true)
	log := &narrow{Log: b.log, limit: 4000}
	b.Traces, b.Spans, b.Direct = log, log, b.db
	accepted := 0
	b.Accepted = func(form trace.Form, n int) {
		if form != trace.FormSpan {
			t.Errorf("form %q", form)
		}
		accepted += n
	}
	ids := make([]int, 60)
	for i := range ids {
		ids[i] = i + 1
	}
	all := append(sent(t, 500, ids...), sent(t, 12_000, 61)...)
	for range 2 { // sending again changes nothing
		if err := b.AcceptSent(t.Context(), sender, all); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.AcceptSent(t.Context(), sender, nil); err != nil {
		t.Fatal(err)
	}
	if log.largest == 0 || log.largest > log.limit {
		t.Errorf("the largest record has %d bytes", log.largest)
	}
	if err := b.log.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := b.db.ListSpans(t.Context(), project, store.SpanFilter{}, store.Page{Limit: 1000, Detail: store.Full})
	if err != nil {
		t.Fatal(err)
	}
	if accepted != 2*61 || list.Total != 61 {
		t.Errorf("%d accepted, %d stored", accepted, list.Total)
	}
	for _, s := range list.Spans {
		if s.APIKey == nil || *s.APIKey != "k1" || s.MappingVersion != otlp.MappingVersion || len(s.Payload.Attributes) < 500 || s.Name != "n" {
			t.Fatalf("span %s: mapping %d, name %q, %d bytes of attributes", s.ID, s.MappingVersion, s.Name, len(s.Payload.Attributes))
		}
	}
	b.Direct = nil
	if err := b.AcceptSent(t.Context(), sender, all[60:]); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a span that fits nowhere: %v", err)
	}
}
