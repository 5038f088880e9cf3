// Package waltest holds what every wal.Log must do, Exercise, and what a
// wal.Ordered must do besides, ExerciseOrdered. Nothing but tests imports it.
package waltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

// patience bounds every wait: a test that reaches it has failed.
const patience = 30 * time.Second

// Open opens the log that belongs to dir, with that many partitions. The same
// dir means the same log: the suites close a log and open it again. An
// implementation without files takes dir as a name.
type Open func(t *testing.T, dir string, partitions int) wal.Log

// Exercise holds a log to the promises of wal.Log. There is no list of
// exceptions.
func Exercise(t *testing.T, open Open) {
	run(t, open, map[string]func(*testing.T, *fixture){
		"AppendedIsConsumed":                 testAppendConsume,
		"ConcurrentAppendsAllArrive":         testConcurrentAppends,
		"ManyRecordsOfOneAppendAllArrive":    testManyRecords,
		"EmptyAppendIsNothing":               testEmptyAppend,
		"EmptyRecordIsARecord":               testEmptyRecord,
		"LargestRecordIsWhole":               testLargestRecord,
		"LargerRecordIsTooLarge":             testLargerRecord,
		"UnknownPartitionIsRefused":          testUnknownPartition,
		"PermanentGoesToDeadLetters":         testPermanent,
		"ReplayBringsItBack":                 testReplay,
		"DiscardRemovesIt":                   testDiscard,
		"UnknownDeadLetterIsNotFound":        testUnknownDeadLetter,
		"TransientComesBackAndIsNeverBuried": testTransient,
		"OnlyTheFailedComesBack":             testPartialFailure,
		"RetryHoldsNoOtherPartition":         testRetryIsolation,
		"OneCallIsOfOnePartition":            testOnePartition,
		"UnacknowledgedComesBackAfterReopen": testReopen,
		"AcknowledgedStaysAwayAfterReopen":   testReopenAcked,
		"FewerPartitionsLoseNothing":         testFewerPartitions,
		"StopLetsTheCallEnd":                 testGracefulStop,
		"ConsumeCanBeRepeated":               testConsumeAgain,
		"CloseStopsAppends":                  testClose,
		"StatsCount":                         testStats,
		"PingAnswers":                        testPing,
	})
}

// ExerciseOrdered holds a log to what wal.Ordered adds. What open gives must be
// one.
func ExerciseOrdered(t *testing.T, open Open) {
	run(t, open, map[string]func(*testing.T, *fixture){
		"PartitionKeepsOrder":           testOrder,
		"OneCallAtATime":                testOneCall,
		"BarrierWaitsForEarlierAppends": testBarrier,
		"BarrierOfNothingReturns":       testBarrierIdle,
		"BarrierEndsWithContext":        testBarrierContext,
		"StopRecordsTheCall":            testStopRecords,
		"PendingAge":                    testPendingAge,
	})
}

func run(t *testing.T, open Open, tests map[string]func(*testing.T, *fixture)) {
	for name, test := range tests {
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
	for _, r := range records {
		clear(r.Data) // it is the caller's again
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

// want waits until d has acknowledged just these bodies, in any order: once
// each, or more often, as at-least-once allows.
func (d *drain) want(bodies ...string) {
	d.t.Helper()
	want := slices.Compact(sorted(bodies))
	eventually(d.t, func() string {
		if got := slices.Compact(sorted(d.bodies())); !slices.Equal(got, want) {
			return fmt.Sprintf("got %d bodies %.200q, want %d %.200q", len(got), got, len(want), want)
		}
		return ""
	})
}

// eventually waits until complaint has none.
func eventually(t *testing.T, complaint func() string) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		c := complaint()
		if c == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(c)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func stats(t *testing.T, l wal.Log) wal.Stats {
	t.Helper()
	s, err := l.Stats(within(t))
	if err != nil {
		t.Fatalf("stats: %v", err)
	}
	return s
}

// wantLetters waits until the log lists n dead letters and counts as many.
func wantLetters(t *testing.T, l wal.Log, n int) (list []wal.DeadLetter) {
	t.Helper()
	eventually(t, func() string {
		var err error
		if list, err = l.DeadLetters().List(within(t), 10); err != nil {
			t.Fatalf("list: %v", err)
		}
		if counted := stats(t, l).DeadLetters; len(list) != n || counted != int64(n) {
			return fmt.Sprintf("%d dead letters are listed and %d counted, want %d", len(list), counted, n)
		}
		return ""
	})
	return list
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
	appendTo(t, l, 0, "0 before")
	d := consume(t, l, func(d wal.Delivery) error {
		if d.ID == "" || d.Attempt < 1 || !strings.HasPrefix(string(d.Data), fmt.Sprint(d.Partition)) {
			t.Errorf("delivery %q, %q, of partition %d, attempt %d", d.ID, d.Data, d.Partition, d.Attempt)
		}
		return nil
	})
	records := []wal.Record{{Partition: 0, Data: []byte("0 left")}, {Partition: 1, Data: []byte("1 right")}}
	if err := l.Append(within(t), records); err != nil {
		t.Fatal(err)
	}
	d.want("0 before", "0 left", "1 right")
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
	d.want(want...)
}

// testManyRecords appends more in one call than a remote medium takes in one
// request, by number and by size.
func testManyRecords(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	d := consume(t, l, nil)
	var records []wal.Record
	var want []string
	for i := range 60 {
		body := make([]byte, 100<<10)
		fill(body, uint64(i))
		want = append(want, string(body))
		records = append(records, wal.Record{Partition: i % 2, Data: body})
	}
	if err := l.Append(within(t), records); err != nil {
		t.Fatal(err)
	}
	d.want(want...)
}

// fill writes bytes that no compression makes smaller.
func fill(b []byte, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
}

func testEmptyAppend(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	if err := l.Append(within(t), nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(within(t), []wal.Record{}); err != nil {
		t.Fatal(err)
	}
	if n := stats(t, l).Appended; n != 0 {
		t.Fatalf("empty appends count as %d", n)
	}
	d := consume(t, l, nil)
	appendTo(t, l, 0, "one")
	d.want("one")
}

func testEmptyRecord(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	d := consume(t, l, nil)
	appendTo(t, l, 0, "", "x")
	d.want("", "x")
}

// largest is as much as these tests append of what a log takes.
const largest = 10 << 20

func testLargestRecord(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	d := consume(t, l, nil)
	body := make([]byte, min(l.MaxRecordBytes(), largest))
	fill(body, 7)
	if err := l.Append(within(t), []wal.Record{{Data: []byte("small")}, {Data: body}, {Data: []byte("after")}}); err != nil {
		t.Fatal(err)
	}
	d.want("small", string(body), "after")
}

func testLargerRecord(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	body := make([]byte, l.MaxRecordBytes()+1)
	err := l.Append(within(t), []wal.Record{{Data: []byte("small")}, {Data: body}})
	if !fault.Is(err, fault.TooLarge) {
		t.Fatalf("a record over the limit: %v, want fault.TooLarge", err)
	}
	d := consume(t, l, nil)
	appendTo(t, l, 0, "one")
	d.want("one")
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
	d.want("before", "after")
	one := wantLetters(t, l, 1)[0]
	if one.ID == "" || !strings.Contains(one.Reason, "no such project") || one.Size != 3 || one.Data != nil ||
		one.Attempts < 1 || one.FailedAt.IsZero() {
		t.Fatalf("listed as %+v", one)
	}
	full, err := l.DeadLetters().Get(within(t), one.ID)
	if err != nil || string(full.Data) != "bad" || full.ID != one.ID || full.Reason != one.Reason {
		t.Fatalf("get: %+v, %v", full, err)
	}
	wantLetters(t, l, 1) // looking took nothing away
}

func testReplay(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	var mended atomic.Bool
	d := consume(t, l, func(wal.Delivery) error {
		if mended.Load() {
			return nil
		}
		return wal.Permanent(errors.New("broken"))
	})
	appendTo(t, l, 1, "first")
	one := wantLetters(t, l, 1)[0]
	appendTo(t, l, 1, "second")
	wantLetters(t, l, 2)
	if list, err := l.DeadLetters().List(within(t), 1); err != nil || len(list) != 1 {
		t.Fatalf("list of at most 1: %d letters, %v", len(list), err)
	}
	mended.Store(true)
	if err := l.DeadLetters().Replay(within(t), one.ID); err != nil {
		t.Fatalf("replay: %v", err)
	}
	d.want("first")
	if err := l.DeadLetters().Replay(within(t), one.ID); !fault.Is(err, fault.NotFound) {
		t.Fatalf("second replay: %v", err)
	}
	wantLetters(t, l, 1)
}

func testDiscard(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	consume(t, l, func(wal.Delivery) error { return wal.Permanent(errors.New("broken")) })
	appendTo(t, l, 0, "first")
	one := wantLetters(t, l, 1)[0]
	appendTo(t, l, 0, "second")
	wantLetters(t, l, 2)
	if err := l.DeadLetters().Discard(within(t), one.ID); err != nil {
		t.Fatalf("discard: %v", err)
	}
	left := wantLetters(t, l, 1)[0]
	if left.ID == one.ID {
		t.Errorf("what is left is what was discarded")
	}
	if err := l.DeadLetters().Discard(within(t), one.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("second discard: %v", err)
	}
	if err := l.DeadLetters().Replay(within(t), one.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("replay of what was discarded: %v", err)
	}
}

func testPing(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	if err := l.Ping(within(t)); err != nil {
		t.Errorf("ping: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for range 2 { // no harm is done
		_ = l.Ping(ended)
	}
	if err := l.Ping(within(t)); err != nil {
		t.Errorf("ping after one that was given up: %v", err)
	}
}

func testUnknownDeadLetter(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	for _, id := range []string{"", "x", "../cursor", "p01-0000000000000000-00000000", "p01-7f3c0c4e-2f6f-4b9e-9c37-8e0a4ce3b5aa", "p99-1"} {
		if _, err := l.DeadLetters().Get(within(t), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("get %q: %v", id, err)
		}
		if err := l.DeadLetters().Replay(within(t), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("replay %q: %v", id, err)
		}
		if err := l.DeadLetters().Discard(within(t), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("discard %q: %v", id, err)
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
	d.want("patient")
	mu.Lock()
	defer mu.Unlock()
	if attempts[0] != 1 || !slices.IsSorted(attempts) || attempts[len(attempts)-1] < 2 {
		t.Errorf("attempts %v", attempts)
	}
	// A busy machine makes pauses longer, never shorter: of the first one no more
	// counts than any log makes it, and the last one has its own least.
	const firstMost, lastLeast = time.Second, 150 * time.Millisecond
	if early, late := at[1].Sub(at[0]), at[4].Sub(at[3]); early <= 0 || late < max(lastLeast, min(early, firstMost)) {
		t.Errorf("no back-off: %v between the first two, %v between the last two", early, late)
	}
	wantLetters(t, l, 0)
}

func testPartialFailure(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	var mu sync.Mutex
	seen := map[string]int{}
	appendTo(t, l, 0, "a", "b", "c")
	d := consume(t, l, func(d wal.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		seen[string(d.Data)]++
		if string(d.Data) == "b" && seen["b"] < 3 {
			return errors.New("not now")
		}
		return nil
	})
	d.want("a", "b", "c")
	mu.Lock()
	defer mu.Unlock()
	if seen["a"] != 1 || seen["b"] != 3 || seen["c"] != 1 {
		t.Fatalf("deliveries: %v", seen)
	}
}

func testRetryIsolation(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	d := consume(t, l, func(d wal.Delivery) error {
		if d.Partition == 0 {
			return errors.New("never")
		}
		return nil
	})
	appendTo(t, l, 0, "stuck")
	appendTo(t, l, 1, "free")
	d.want("free")
	eventually(t, func() string {
		if s := stats(t, l); s.Pending < 1 {
			return fmt.Sprintf("stats with a stuck record: %+v", s)
		}
		return ""
	})
}

func testOnePartition(t *testing.T, f *fixture) {
	l := f.log(t, 3)
	var want []string
	for i := range 30 {
		body := fmt.Sprintf("%d %d", i%3, i)
		want = append(want, body)
		appendTo(t, l, i%3, body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := &drain{t: t, cancel: cancel, done: make(chan error, 1)}
	go func() {
		d.done <- l.Consume(ctx, func(_ context.Context, deliveries []wal.Delivery) []error {
			for _, one := range deliveries {
				if one.Partition != deliveries[0].Partition || !strings.HasPrefix(string(one.Data), fmt.Sprint(one.Partition)) {
					t.Errorf("a call for partition %d has %q of %d", deliveries[0].Partition, one.Data, one.Partition)
				}
				d.mu.Lock()
				d.got = append(d.got, string(one.Data))
				d.mu.Unlock()
			}
			return make([]error, len(deliveries))
		})
	}()
	d.want(want...)
	d.stop()
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
	eventually(t, func() string {
		got := slices.DeleteFunc(d.bodies(), func(b string) bool { return b == "gone" }) // may come twice
		if want := []string{"kept", "later"}; !slices.Equal(slices.Compact(sorted(got)), want) {
			return fmt.Sprintf("got %q, want %q", got, want)
		}
		return ""
	})
}

func testReopenAcked(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	d := consume(t, l, nil)
	appendTo(t, l, 0, "old")
	d.want("old")
	d.stop()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = f.log(t, 1)
	d = consume(t, l, nil)
	appendTo(t, l, 0, "new")
	d.want("new")
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
	d.want("of 0", "of 1", "of 2")
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
	// Its result was recorded before Consume returned.
	d := consume(t, l, nil)
	appendTo(t, l, 0, "next")
	d.want("next")
}

func testConsumeAgain(t *testing.T, f *fixture) {
	l := f.log(t, 1)
	for _, body := range []string{"one", "two", "three"} {
		d := consume(t, l, nil)
		appendTo(t, l, 0, body)
		d.want(body)
		d.stop()
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
	consume(t, l, nil).want("stays")
}

func testStats(t *testing.T, f *fixture) {
	l := f.log(t, 2)
	appendTo(t, l, 0, "a", "b")
	appendTo(t, l, 1, "c")
	want := func(appended, pending int64) {
		t.Helper()
		eventually(t, func() string {
			if s := stats(t, l); s.Appended != appended || s.Pending != pending || s.DeadLetters != 0 {
				return fmt.Sprintf("%+v, want %d appended and %d pending", s, appended, pending)
			}
			return ""
		})
	}
	want(3, 3)
	consume(t, l, nil).want("a", "b", "c")
	want(3, 0)
}
