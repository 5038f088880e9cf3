package natswal

import (
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/waltest"
)

// options are those of a log on s that tests change.
func options(s *testkit.NATSServer, stream string) Options {
	return Options{URL: s.URL, Stream: stream, Partitions: 1, AckWait: 3 * time.Second, Logger: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestExercise(t *testing.T) {
	t.Parallel()
	s := testkit.NATS(t)
	waltest.Exercise(t, func(t *testing.T, dir string, partitions int) wal.Log {
		name := fnv.New64a()
		name.Write([]byte(dir))
		o := options(s, fmt.Sprintf("%x", name.Sum64()))
		o.Partitions = partitions
		return open(t, o)
	})
}

// BenchmarkAppend appends records of 30 KB, as a request of a hundred traces is,
// one at a time from each of several goroutines.
func BenchmarkAppend(b *testing.B) {
	url := os.Getenv("NATS_BENCH_URL")
	if url == "" {
		url = testkit.NATS(b).URL
	}
	l, err := Open(b.Context(), Options{URL: url, Stream: fmt.Sprintf("bench-%d", time.Now().UnixNano()), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	body := randomBytes(30_000)
	b.SetBytes(int64(len(body)))
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := l.Append(b.Context(), []wal.Record{{Data: body}}); err != nil {
				b.Error(err)
			}
		}
	})
}
