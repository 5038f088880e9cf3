package waltest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/wal"
)

// ordered is log for suites of wal.Ordered.
func (f *fixture) ordered(t *testing.T, partitions int) wal.Ordered {
	t.Helper()
	l, ok := f.log(t, partitions).(wal.Ordered)
	if !ok {
		t.Fatal("the log is no wal.Ordered")
	}
	return l
}

func barrier(t *testing.T, l wal.Ordered) {
	t.Helper()
	if err := l.Barrier(within(t)); err != nil {
		t.Fatalf("barrier: %v", err)
	}
}

func testOrder(t *testing.T, f *fixture) {
	l := f.ordered(t, 3)
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

func testOneCall(t *testing.T, f *fixture) {
	l := f.ordered(t, 2)
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
	l := f.ordered(t, 2)
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
	barrier(t, f.ordered(t, 2))
}

func testBarrierContext(t *testing.T, f *fixture) {
	l := f.ordered(t, 1)
	appendTo(t, l, 0, "nobody consumes")
	ctx, cancel := context.WithCancel(t.Context())
	passed := make(chan error, 1)
	go func() { passed <- l.Barrier(ctx) }()
	cancel()
	if err := receive(t, passed, "the barrier to end"); !errors.Is(err, context.Canceled) {
		t.Fatalf("barrier: %v", err)
	}
}

func testStopRecords(t *testing.T, f *fixture) {
	l := f.ordered(t, 1)
	entered := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- l.Consume(ctx, func(_ context.Context, deliveries []wal.Delivery) []error {
			close(entered)
			cancel()
			return make([]error, len(deliveries))
		})
	}()
	appendTo(t, l, 0, "in flight")
	receive(t, entered, "the call")
	if err := receive(t, done, "consume to end"); err != nil {
		t.Fatal(err)
	}
	barrier(t, l) // its result was recorded before Consume returned
	if n := stats(t, l).Pending; n != 0 {
		t.Fatalf("%d pending after a graceful stop", n)
	}
}

func testPendingAge(t *testing.T, f *fixture) {
	l := f.ordered(t, 2)
	appendTo(t, l, 0, "a", "b")
	if s := stats(t, l); s.Pending != 2 || s.PendingAge <= 0 {
		t.Fatalf("before consuming: %+v", s)
	}
	consume(t, l, nil)
	barrier(t, l)
	if s := stats(t, l); s.Pending != 0 || s.PendingAge != 0 {
		t.Fatalf("after consuming: %+v", s)
	}
}
