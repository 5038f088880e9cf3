package filewal

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/waltest"
)

const patience = 30 * time.Second

func TestLog(t *testing.T) {
	t.Parallel()
	waltest.Exercise(t, func(t *testing.T, dir string, partitions int) wal.Log {
		return open(t, Options{Dir: dir, Partitions: partitions})
	})
}

func TestLogWithTinySegments(t *testing.T) {
	t.Parallel()
	waltest.Exercise(t, func(t *testing.T, dir string, partitions int) wal.Log {
		return open(t, Options{Dir: dir, Partitions: partitions, SegmentBytes: 1, BatchRecords: 2, BatchBytes: 64})
	})
}

func TestOrdered(t *testing.T) {
	t.Parallel()
	waltest.ExerciseOrdered(t, func(t *testing.T, dir string, partitions int) wal.Log {
		return open(t, Options{Dir: dir, Partitions: partitions})
	})
}

func TestOrderedWithTinySegments(t *testing.T) {
	t.Parallel()
	waltest.ExerciseOrdered(t, func(t *testing.T, dir string, partitions int) wal.Log {
		return open(t, Options{Dir: dir, Partitions: partitions, SegmentBytes: 1, BatchRecords: 2, BatchBytes: 64})
	})
}

// now is l.Stats, which never fails.
func now(l *Log) wal.Stats {
	s, _ := l.Stats(context.Background())
	return s
}

func open(t testing.TB, o Options) *Log {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func add(t testing.TB, l *Log, partition int, bodies ...string) {
	t.Helper()
	var records []wal.Record
	for _, b := range bodies {
		records = append(records, wal.Record{Partition: partition, Data: []byte(b)})
	}
	if err := l.Append(within(t), records); err != nil {
		t.Fatal(err)
	}
}

// inbox collects what a log hands out.
type inbox struct {
	mu     sync.Mutex
	bodies []string
}

func (in *inbox) handle(_ context.Context, deliveries []wal.Delivery) []error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, d := range deliveries {
		in.bodies = append(in.bodies, string(d.Data))
	}
	return make([]error, len(deliveries))
}

func (in *inbox) all() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]string{}, in.bodies...)
}

// consume starts to consume l until the log closes.
func consume(t testing.TB, l *Log) *inbox {
	t.Helper()
	in := &inbox{}
	consumeWith(t, l, in.handle)
	return in
}

func consumeWith(t testing.TB, l *Log, handle wal.Handler) {
	t.Helper()
	go func() {
		if err := l.Consume(t.Context(), handle); err != nil {
			t.Errorf("consume: %v", err)
		}
	}()
	eventually(t, "the consumer running", l.life.IsConsumed)
}

// delivered opens the log in dir, consumes all of it and gives the bodies.
func delivered(t testing.TB, dir string) []string {
	t.Helper()
	l := open(t, Options{Dir: dir})
	in := consume(t, l)
	if err := l.Barrier(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return in.all()
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
