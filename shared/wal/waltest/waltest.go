// Package waltest holds what every wal.Log must do. Its one entry is Exercise;
// nothing but tests imports it.
package waltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

// patience bounds every wait: a test that reaches it has failed.
const patience = 30 * time.Second

// Open opens the log that belongs to dir, with that many partitions. The same
// dir means the same log: Exercise closes a log and opens it again. An
// implementation without files takes dir as a name.
type Open func(t *testing.T, dir string, partitions int) wal.Log

// Exercise holds a log to the promises of package wal. There is no list of
// exceptions.
func Exercise(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"AppendedIsConsumedOnce":             testAppendConsume,
		"PartitionKeepsOrder":                testOrder,
		"ConcurrentAppendsAllArrive":         testConcurrentAppends,
		"EmptyAppendIsNothing":               testEmptyAppend,
		"EmptyRecordIsARecord":               testEmptyRecord,
		"LargeRecordIsWholeOrTooLarge":       testLargeRecord,
		"UnknownPartitionIsRefused":          testUnknownPartition,
		"PermanentGoesToDeadLetters":         testPermanent,
		"ReplayBringsItBack":                 testReplay,
		"UnknownDeadLetterIsNotFound":        testUnknownDeadLetter,
		"TransientComesBackAndIsNeverBuried": testTransient,
		"OnlyTheFailedComesBack":             testPartialFailure,
		"RetryHoldsNoOtherPartition":         testRetryIsolation,
		"OneCallPerPartition":                testOneCall,
		"BarrierWaitsForEarlierAppends":      testBarrier,
		"BarrierOfNothingReturns":            testBarrierIdle,
		"BarrierEndsWithContext":             testBarrierContext,
		"UnacknowledgedComesBackAfterReopen": testReopen,
		"AcknowledgedStaysAwayAfterReopen":   testReopenAcked,
		"FewerPartitionsLoseNothing":         testFewerPartitions,
		"StopLetsTheCallEnd":                 testGracefulStop,
		"ConsumeCanBeRepeated":               testConsumeAgain,
		"CloseStopsAppends":                  testClose,
		"StatsCount":                         testStats,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &fixture{open: open, dir: t.TempDir()})
		})
	}
}

type fixture struct {
	open Open
	dir  string
}

func (f *fixture) log(t *testing.T, partitions int) wal.Log {
	t.Helper()
	l := f.open(t, f.dir, partitions)
	t.Cleanup(func() { l.Close() })
	return l
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func appendTo(t *testing.T, l wal.Log, partition int, bodies ...string) {
	t.Helper()
	var records []wal.Record
	for _, b := range bodies {
		records = append(records, wal.Record{Partition: partition, Data: []byte(b)})
	}
	if err := l.Append(within(t), records); err != nil {
		t.Fatalf("append: %v", err)
	}
}

// drain consumes l until the test ends or stop is called.
type drain struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error

	mu  sync.Mutex
	got []string // bodies in the order of their acknowledgement
}

// consume starts to consume; judge gives the verdict of each delivery, and nil
// acknowledges all.
func consume(t *testing.T, l wal.Log, judge func(wal.Delivery) error) *drain {
	t.Helper()
	d := &drain{t: t, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	d.cancel = cancel
	go func() {
		d.done <- l.Consume(ctx, func(_ context.Context, deliveries []wal.Delivery) []error {
			verdicts := make([]error, len(deliveries))
			for i, one := range deliveries {
				if judge != nil {
					verdicts[i] = judge(one)
				}
				if verdicts[i] == nil {
					d.mu.Lock()
					d.got = append(d.got, string(one.Data))
					d.mu.Unlock()
				}
			}
			return verdicts
		})
	}()
	t.Cleanup(cancel)
	return d
}

func (d *drain) stop() {
	d.t.Helper()
	d.cancel()
	select {
	case err := <-d.done:
		if err != nil {
			d.t.Fatalf("consume: %v", err)
		}
	case <-time.After(patience):
		d.t.Fatal("consume did not end with its context")
	}
}

func (d *drain) bodies() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

func barrier(t *testing.T, l wal.Log) {
	t.Helper()
	if err := l.Barrier(within(t)); err != nil {
		t.Fatalf("barrier: %v", err)
	}
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func sorted(s []string) []string { s = slices.Clone(s); slices.Sort(s); return s }

func wantBodies(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %d bodies %.200q, want %d %.200q", len(got), got, len(want), want)
	}
}

func numbered(prefix string, n int) []string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprintf("%s%04d", prefix, i))
	}
	return s
}

func testAppendConsume(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	if l.Partitions() != 2 {
		t.Fatalf("partitions: %d", l.Partitions())
	}
	appendTo(t, l, 0, "before")
	d := consume(t, l, func(d wal.Delivery) error {
		if d.ID == "" || d.Attempt != 1 || d.Partition < 0 || d.Partition > 1 {
			t.Errorf("delivery %q of partition %d, attempt %d", d.ID, d.Partition, d.Attempt)
		}
		return nil
	})
	records := []wal.Record{{Partition: 0, Data: []byte("left")}, {Partition: 1, Data: []byte("right")}}
	if err := l.Append(within(t), records); err != nil {
		t.Fatal(err)
	}
	barrier(t, l)
	wantBodies(t, sorted(d.bodies()), "before", "left", "right")
}

func testOrder(t *testing.T, f *fixture) {
	l := f.log(t, 3)
	var mu sync.Mutex
	byPartition := map[int][]string{}
	consume(t, l, func(d wal.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		byPartition[d.Partition] = append(byPartition[d.Partition], string(d.Data))
		return nil
	})
	bodies := numbered("r", 300)
	for i := 0; i < len(bodies); i += 3 {
		for p := range 3 {
			appendTo(t, l, p, bodies[i:i+3]...)
		}
	}
	barrier(t, l)
	mu.Lock()
	defer mu.Unlock()
	for p := range 3 {
		wantBodies(t, byPartition[p], bodies...)
	}
}

func testConcurrentAppends(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	d := consume(t, l, nil)
	var wg sync.WaitGroup
	var want []string
	for writer := range 8 {
		bodies := numbered(fmt.Sprintf("w%d-", writer), 25)
		want = append(want, bodies...)
		wg.Go(func() {
			for i, b := range bodies {
				if err := l.Append(t.Context(), []wal.Record{{Partition: i % 2, Data: []byte(b)}}); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	barrier(t, l)
	wantBodies(t, sorted(slices.Compact(sorted(d.bodies()))), sorted(want)...)
}

func testEmptyAppend(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	before := l.Stats()
	if err := l.Append(within(t), nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(within(t), []wal.Record{}); err != nil {
		t.Fatal(err)
	}
	if after := l.Stats(); after != before {
		t.Fatalf("an empty append changed %+v to %+v", before, after)
	}
	d := consume(t, l, nil)
	appendTo(t, l, 0, "one")
	barrier(t, l)
	wantBodies(t, d.bodies(), "one")
}

func testEmptyRecord(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	d := consume(t, l, nil)
	appendTo(t, l, 0, "", "x")
	barrier(t, l)
	wantBodies(t, d.bodies(), "", "x")
}

func testLargeRecord(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	d := consume(t, l, nil)
	body := make([]byte, 10<<20)
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	err := l.Append(within(t), []wal.Record{{Data: []byte("small")}, {Data: body}, {Data: []byte("after")}})
	if err != nil {
		if !fault.Is(err, fault.TooLarge) {
			t.Fatalf("a large record: %v, want success or fault.TooLarge", err)
		}
		return
	}
	barrier(t, l)
	got := d.bodies()
	if len(got) != 3 || !bytes.Equal([]byte(got[1]), body) || got[0] != "small" || got[2] != "after" {
		t.Fatal("the large record or its neighbours did not arrive as they were")
	}
}

func testUnknownPartition(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	for _, p := range []int{-1, 2} {
		if err := l.Append(within(t), []wal.Record{{Partition: p, Data: []byte("x")}}); err == nil {
			t.Errorf("partition %d was taken", p)
		}
	}
}

func testPermanent(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	d := consume(t, l, func(d wal.Delivery) error {
		if string(d.Data) == "bad" {
			return fmt.Errorf("store: %w", wal.Permanent(errors.New("no such project")))
		}
		return nil
	})
	appendTo(t, l, 0, "before", "bad", "after")
	barrier(t, l)
	wantBodies(t, d.bodies(), "before", "after")

	list, err := l.DeadLetters().List(within(t), 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("list: %d letters, %v", len(list), err)
	}
	one := list[0]
	if one.ID == "" || !strings.Contains(one.Reason, "no such project") || one.Size != 3 || one.Data != nil ||
		one.Attempts < 1 || one.FailedAt.IsZero() {
		t.Fatalf("listed as %+v", one)
	}
	full, err := l.DeadLetters().Get(within(t), one.ID)
	if err != nil || string(full.Data) != "bad" || full.ID != one.ID || full.Reason != one.Reason {
		t.Fatalf("get: %+v, %v", full, err)
	}
	if n := l.Stats().DeadLetters; n != 1 {
		t.Fatalf("stats count %d dead letters", n)
	}
}

func testReplay(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	var mu sync.Mutex
	mended := false
	d := consume(t, l, func(wal.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		if mended {
			return nil
		}
		return wal.Permanent(errors.New("broken"))
	})
	appendTo(t, l, 1, "first")
	barrier(t, l)
	appendTo(t, l, 1, "second")
	barrier(t, l)
	list, err := l.DeadLetters().List(within(t), 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("list of at most 1: %d letters, %v", len(list), err)
	}
	if one, err := l.DeadLetters().Get(within(t), list[0].ID); err != nil || string(one.Data) != "first" {
		t.Fatalf("the oldest is %q, %v", one.Data, err)
	}
	mu.Lock()
	mended = true
	mu.Unlock()
	if err := l.DeadLetters().Replay(within(t), list[0].ID); err != nil {
		t.Fatalf("replay: %v", err)
	}
	barrier(t, l)
	wantBodies(t, d.bodies(), "first")
	if err := l.DeadLetters().Replay(within(t), list[0].ID); !fault.Is(err, fault.NotFound) {
		t.Fatalf("second replay: %v", err)
	}
	if n := l.Stats().DeadLetters; n != 1 {
		t.Fatalf("%d dead letters left, want 1", n)
	}
}

func testUnknownDeadLetter(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	for _, id := range []string{"", "x", "../cursor", "p01-0000000000000000-00000000"} {
		if _, err := l.DeadLetters().Get(within(t), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("get %q: %v", id, err)
		}
		if err := l.DeadLetters().Replay(within(t), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("replay %q: %v", id, err)
		}
	}
	if list, err := l.DeadLetters().List(within(t), 10); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
}

func testTransient(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	var mu sync.Mutex
	var at []time.Time
	var attempts []int
	d := consume(t, l, func(d wal.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, time.Now())
		attempts = append(attempts, d.Attempt)
		if len(at) < 5 {
			return fault.New(fault.Unavailable, "the database is away")
		}
		return nil
	})
	appendTo(t, l, 0, "patient")
	barrier(t, l)
	wantBodies(t, d.bodies(), "patient")
	mu.Lock()
	defer mu.Unlock()
	if attempts[0] != 1 || !slices.IsSorted(attempts) || attempts[len(attempts)-1] < 2 {
		t.Errorf("attempts %v", attempts)
	}
	if early, late := at[1].Sub(at[0]), at[4].Sub(at[3]); early <= 0 || late < early {
		t.Errorf("no back-off: %v between the first two, %v between the last two", early, late)
	}
	if n := l.Stats().DeadLetters; n != 0 {
		t.Errorf("%d dead letters of a transient fault", n)
	}
}

func testPartialFailure(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	var mu sync.Mutex
	seen := map[string]int{}
	appendTo(t, l, 0, "a", "b", "c")
	consume(t, l, func(d wal.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		seen[string(d.Data)]++
		if string(d.Data) == "b" && seen["b"] < 3 {
			return errors.New("not now")
		}
		return nil
	})
	barrier(t, l)
	mu.Lock()
	defer mu.Unlock()
	if seen["a"] != 1 || seen["b"] != 3 || seen["c"] != 1 {
		t.Fatalf("deliveries: %v", seen)
	}
}

func testRetryIsolation(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	arrived := make(chan string, 1)
	consume(t, l, func(d wal.Delivery) error {
		if d.Partition == 0 {
			return errors.New("never")
		}
		arrived <- string(d.Data)
		return nil
	})
	appendTo(t, l, 0, "stuck")
	appendTo(t, l, 1, "free")
	if got := receive(t, arrived, "the other partition"); got != "free" {
		t.Fatalf("got %q", got)
	}
	if s := l.Stats(); s.Pending < 1 || s.PendingAge <= 0 {
		t.Fatalf("stats with a stuck record: %+v", s)
	}
}

func testOneCall(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	var mu sync.Mutex
	running := map[int]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- l.Consume(ctx, func(_ context.Context, deliveries []wal.Delivery) []error {
			p := deliveries[0].Partition
			mu.Lock()
			if running[p] {
				t.Errorf("two calls at once for partition %d", p)
			}
			running[p] = true
			mu.Unlock()
			for _, d := range deliveries {
				if d.Partition != p {
					t.Errorf("one call has partitions %d and %d", p, d.Partition)
				}
			}
			mu.Lock()
			running[p] = false
			mu.Unlock()
			return make([]error, len(deliveries))
		})
	}()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for range 20 {
				if err := l.Append(t.Context(), []wal.Record{{Partition: w % 2, Data: []byte("x")}}); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	barrier(t, l)
	cancel()
	if err := receive(t, done, "consume to end"); err != nil {
		t.Fatal(err)
	}
}

func testBarrier(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	release := make(chan struct{})
	consume(t, l, func(d wal.Delivery) error {
		if string(d.Data) == "slow" {
			<-release
		}
		return nil
	})
	appendTo(t, l, 1, "slow")
	passed := make(chan error, 1)
	ctx := within(t)
	go func() { passed <- l.Barrier(ctx) }()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Barrier(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("barrier before the acknowledgement: %v", err)
	}
	select {
	case err := <-passed:
		t.Fatalf("barrier passed before the acknowledgement: %v", err)
	default:
	}
	close(release)
	if err := receive(t, passed, "the barrier"); err != nil {
		t.Fatal(err)
	}
}

func testBarrierIdle(t *testing.T, f *fixture) {
	barrier(t, f.log(t, 2))
}

func testBarrierContext(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	appendTo(t, l, 0, "nobody consumes")
	ctx, cancel := context.WithCancel(t.Context())
	passed := make(chan error, 1)
	go func() { passed <- l.Barrier(ctx) }()
	cancel()
	if err := receive(t, passed, "the barrier to end"); !errors.Is(err, context.Canceled) {
		t.Fatalf("barrier: %v", err)
	}
}

func testReopen(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	refused := make(chan struct{}, 16)
	d := consume(t, l, func(d wal.Delivery) error {
		if string(d.Data) == "kept" {
			refused <- struct{}{}
			return errors.New("not yet")
		}
		return nil
	})
	appendTo(t, l, 0, "gone", "kept")
	receive(t, refused, "the first delivery")
	d.stop()
	appendTo(t, l, 0, "later")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = f.log(t, 1)
	d = consume(t, l, nil)
	barrier(t, l)
	got := slices.DeleteFunc(d.bodies(), func(b string) bool { return b == "gone" }) // may come twice
	wantBodies(t, got, "kept", "later")
}

func testReopenAcked(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	d := consume(t, l, nil)
	appendTo(t, l, 0, "old")
	barrier(t, l)
	d.stop()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = f.log(t, 1)
	d = consume(t, l, nil)
	appendTo(t, l, 0, "new")
	barrier(t, l)
	wantBodies(t, d.bodies(), "new")
}

func testFewerPartitions(t *testing.T, f *fixture) {
	l := f.log(t, 3)
	for p := range 3 {
		appendTo(t, l, p, fmt.Sprintf("of %d", p))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = f.log(t, 1)
	d := consume(t, l, nil)
	barrier(t, l)
	wantBodies(t, sorted(d.bodies()), "of 0", "of 1", "of 2")
}

func testGracefulStop(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	entered, release := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- l.Consume(ctx, func(ctx context.Context, deliveries []wal.Delivery) []error {
			close(entered)
			<-release
			if err := ctx.Err(); err != nil {
				t.Errorf("the call in flight was cancelled: %v", err)
			}
			return make([]error, len(deliveries))
		})
	}()
	appendTo(t, l, 0, "in flight")
	receive(t, entered, "the call")
	cancel()
	select {
	case err := <-done:
		t.Fatalf("consume returned while a call ran: %v", err)
	default:
	}
	close(release)
	if err := receive(t, done, "consume to end"); err != nil {
		t.Fatal(err)
	}
	barrier(t, l) // its result was recorded before Consume returned
	if n := l.Stats().Pending; n != 0 {
		t.Fatalf("%d pending after a graceful stop", n)
	}
}

func testConsumeAgain(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	for _, body := range []string{"one", "two", "three"} {
		d := consume(t, l, nil)
		appendTo(t, l, 0, body)
		barrier(t, l)
		d.stop()
		wantBodies(t, d.bodies(), body)
	}
}

func testClose(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	appendTo(t, l, 0, "stays")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
	if err := l.Append(within(t), []wal.Record{{Data: []byte("late")}}); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("append after close: %v", err)
	}
	l = f.log(t, 1)
	d := consume(t, l, nil)
	barrier(t, l)
	wantBodies(t, d.bodies(), "stays")
}

func testStats(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	appendTo(t, l, 0, "a", "b")
	appendTo(t, l, 1, "c")
	s := l.Stats()
	if s.Appended != 3 || s.Pending != 3 || s.PendingAge <= 0 || s.DeadLetters != 0 {
		t.Fatalf("before consuming: %+v", s)
	}
	consume(t, l, nil)
	barrier(t, l)
	if s := l.Stats(); s.Appended != 3 || s.Pending != 0 || s.PendingAge != 0 {
		t.Fatalf("after consuming: %+v", s)
	}
}
