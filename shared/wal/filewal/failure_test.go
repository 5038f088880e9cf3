package filewal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

func TestFailedFsyncIsNotAcknowledgedAndNotRetried(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	var fail atomic.Bool
	var synced []string
	l.syncFunc = func(f *os.File) error {
		synced = append(synced, filepath.Base(f.Name()))
		if fail.Load() {
			return syscall.EIO
		}
		return f.Sync()
	}
	add(t, l, 0, "first")
	fail.Store(true)
	if err := l.Append(within(t), []wal.Record{{Data: []byte("lost")}}); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("append with a failing fsync: %v", err)
	}
	fail.Store(false)
	add(t, l, 0, "second")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(synced) != 3 || synced[0] != synced[1] || synced[2] == synced[1] {
		t.Errorf("fsyncs went to %q: the third must go to a new segment", synced)
	}
	wantDelivered(t, "after a failed fsync", dir, "first", "second")
}

// mountSmall makes dir a disk of half a megabyte, where mounting is allowed.
func mountSmall(t *testing.T, dir string) bool {
	t.Helper()
	if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", dir).Run(); err != nil {
		return false
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return true
}

// onSmallDisk runs a test on a disk of its own, twice: with the log that filled
// it, and with one that is opened then.
func onSmallDisk(t *testing.T, test func(t *testing.T, dir string, reopen bool)) {
	for name, reopen := range map[string]bool{"Running": false, "Reopened": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if !mountSmall(t, dir) {
				t.Skip("mounting a small disk is not allowed here")
			}
			test(t, dir, reopen)
		})
	}
}

// fill appends records to l until the disk is full and gives how many it took.
func fill(t *testing.T, l *Log) int {
	t.Helper()
	for n := 0; ; n++ {
		err := l.Append(within(t), []wal.Record{{Data: make([]byte, 8000)}})
		if fault.Is(err, fault.Unavailable) {
			return n
		}
		if err != nil || n > 1000 {
			t.Fatalf("append %d: %v", n, err)
		}
	}
}

// TestFullDiskOfOneSegment: the log fills its disk itself, with the segment that
// it writes. Room comes from that segment once all in it is consumed.
func TestFullDiskOfOneSegment(t *testing.T) {
	t.Parallel()
	onSmallDisk(t, func(t *testing.T, dir string, reopen bool) {
		l := open(t, Options{Dir: dir})
		want := fill(t, l)
		// What the records left is taken by others.
		_ = os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 16<<10), 0o600)
		if reopen {
			l.Close()
			l = open(t, Options{Dir: dir})
		}
		in := consume(t, l)
		if err := l.Barrier(within(t)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the log takes files again", func() bool { return l.Ping(within(t)) == nil })
		add(t, l, 0, "after")
		if err := l.Barrier(within(t)); err != nil {
			t.Fatal(err)
		}
		if got := in.all(); len(got) != want+1 || got[want] != "after" {
			t.Fatalf("delivered %d records, want %d", len(got), want+1)
		}
		l.Close()
		if got := delivered(t, dir); len(got) > 0 {
			t.Fatalf("%d records came again after the restart", len(got))
		}
	})
}

// TestFullDiskOfTwoProcesses: as before, where one appends and another consumes.
func TestFullDiskOfTwoProcesses(t *testing.T) {
	t.Parallel()
	onSmallDisk(t, func(t *testing.T, dir string, reopen bool) {
		l := open(t, Options{Dir: dir, Role: RoleAppend})
		consumer := open(t, Options{Dir: dir, Role: RoleConsume})
		want := fill(t, l)
		_ = os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 16<<10), 0o600)
		if reopen {
			// The mark that the refused append left is gone: asking whether
			// the log is there leaves one too.
			l.Close()
			firsts, err := listSegments(partitionDir(dir, 0))
			if err != nil || len(firsts) != 2 {
				t.Fatalf("segments %d, %v", firsts, err)
			}
			if err := os.Remove(segmentPath(partitionDir(dir, 0), firsts[1])); err != nil {
				t.Fatal(err)
			}
			l = open(t, Options{Dir: dir, Role: RoleAppend})
		}
		in := consume(t, consumer)
		eventually(t, "the log takes files again", func() bool { return l.Ping(within(t)) == nil })
		add(t, l, 0, "after")
		if s := now(l); s.Pending < 0 || s.Pending > int64(want)+1 {
			t.Errorf("%d records wait of %d", s.Pending, want+1)
		}
		if err := l.Barrier(within(t)); err != nil {
			t.Fatal(err)
		}
		if got := in.all(); len(got) != want+1 || got[want] != "after" {
			t.Fatalf("delivered %d records, want %d", len(got), want+1)
		}
		l.Close()
		consumer.Close()
		if got := delivered(t, dir); len(got) > 0 {
			t.Fatalf("%d records came again after the restart", len(got))
		}
	})
}

// TestFullDiskDropsSegmentBeforeCursor: a crash between the two steps leaves the
// older cursor without its segment, and the next start loses nothing by it.
func TestFullDiskDropsSegmentBeforeCursor(t *testing.T) {
	t.Parallel()
	segment, _ := written(t, t.TempDir(), "first", "second")
	if err := writeCursor(filepath.Dir(segment), 1, true); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(segment); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(filepath.Dir(segment))
	l := open(t, Options{Dir: dir})
	add(t, l, 0, "third", "fourth")
	l.Close()
	wantDelivered(t, "after the crash", dir, "third", "fourth")
}

// TestFullDisk runs on a small tmpfs that is really full where mounting is
// allowed, and else with a flush that answers as a full disk does.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var room, noRoom func()
	var full atomic.Bool
	if mountSmall(t, dir) {
		ballast := filepath.Join(dir, "ballast")
		noRoom = func() {
			_ = os.WriteFile(ballast, bytes.Repeat([]byte("x"), 1<<20), 0o600) // as much as fits
		}
		room = func() {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		}
	} else {
		noRoom = func() { full.Store(true) }
		room = func() { full.Store(false) }
	}

	l := open(t, Options{Dir: dir, SegmentBytes: 1})
	l.syncFunc = func(f *os.File) error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return f.Sync()
	}
	add(t, l, 0, "before")
	noRoom()
	big := strings.Repeat("big", 20_000)
	for i := range 3 {
		if err := l.Append(within(t), []wal.Record{{Data: []byte(big)}}); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("append %d on a full disk: %v", i, err)
		}
	}
	in := consume(t, l)
	if err := l.Barrier(within(t)); err != nil {
		t.Fatal(err) // what is there can be consumed without room for a cursor
	}
	room()
	add(t, l, 0, big, "after")
	if err := l.Barrier(within(t)); err != nil {
		t.Fatal(err)
	}
	if got := in.all(); !slices.Equal(got, []string{"before", big, "after"}) {
		t.Fatalf("delivered %d records", len(got))
	}
	if got := letters(t, dir); len(got) != 0 {
		t.Fatalf("%d dead letters", len(got))
	}
	l.Close()
}

// TestRefusedAppendsAreNotPending: sequences of refused appends are used up, but
// no record waits for them, now or after a restart.
func TestRefusedAppendsAreNotPending(t *testing.T) {
	t.Parallel()
	for name, segmentBytes := range map[string]int64{"OneSegment": 0, "TinySegments": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := open(t, Options{Dir: dir, SegmentBytes: segmentBytes, Role: RoleAppend})
			var full atomic.Bool
			l.syncFunc = func(f *os.File) error {
				if full.Load() {
					return syscall.ENOSPC
				}
				return f.Sync()
			}
			pending := func(when string, l *Log, want int64) {
				t.Helper()
				if s := now(l); s.Pending != want || (s.PendingAge > 0) != (want > 0) {
					t.Errorf("%s: %d records wait, the oldest for %v; want %d", when, s.Pending, s.PendingAge, want)
				}
			}
			for i := range 10 {
				add(t, l, 0, fmt.Sprint(i, strings.Repeat(".", i*10_000)))
			}
			refuse := func() {
				full.Store(true)
				for range 10 {
					if err := l.Append(within(t), []wal.Record{{Data: []byte("no")}}); !fault.Is(err, fault.Unavailable) {
						t.Fatal(err)
					}
				}
				full.Store(false)
			}
			refuse()
			pending("on a full disk", l, 10)
			add(t, l, 0, "after")
			pending("with room again", l, 11)
			refuse()
			consumer := open(t, Options{Dir: dir, Role: RoleConsume})
			pending("in a consumer", consumer, 11)
			add(t, l, 0, "last")
			l.Close()
			consumer.Close()
			// What a crash leaves that comes right after a segment was begun.
			if err := os.WriteFile(segmentPath(partitionDir(dir, 0), 40), nil, 0o600); err != nil {
				t.Fatal(err)
			}

			l = open(t, Options{Dir: dir, SegmentBytes: segmentBytes})
			pending("after a restart", l, 12)
			add(t, l, 0, "more")
			pending("and one more", l, 13)
			in := consume(t, l)
			if err := l.Barrier(within(t)); err != nil {
				t.Fatal(err)
			}
			pending("once all is consumed", l, 0)
			if n := len(in.all()); n != 13 {
				t.Errorf("delivered %d", n)
			}
		})
	}
}

func TestConsumedSegmentsAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, SegmentBytes: 4096})
	consume(t, l)
	for range 50 {
		add(t, l, 0, strings.Repeat("x", 1000))
	}
	if err := l.Barrier(within(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "only the active segment left", func() bool { return now(l).Bytes < 2*4096 })
	p := l.partitions()[0]
	p.mu.Lock()
	last := p.active
	p.mu.Unlock()
	if last != nil {
		p.sealIfConsumed(last.first) // what the consumer does after sealAfter
	}
	eventually(t, "the idle segment removed", func() bool { return now(l).Bytes == 0 })
	add(t, l, 0, "goes on")
	l.Close()
	if got := delivered(t, dir); len(got) > 1 || (len(got) == 1 && got[0] != "goes on") {
		t.Fatalf("delivered %q after the restart", got)
	}
}

func TestSequencesAreNotUsedAgainAfterAllIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 4 {
		l := open(t, Options{Dir: dir})
		body := fmt.Sprintf("round %d", round)
		add(t, l, 0, body, body)
		l.Close()
		l = open(t, Options{Dir: dir})
		in := consume(t, l)
		eventually(t, body+": no segments left", func() bool { // a close at once would leave them for the next start
			firsts, err := listSegments(partitionDir(dir, 0))
			return err == nil && len(firsts) == 0
		})
		l.Close()
		if got := in.all(); !slices.Equal(got, []string{body, body}) {
			t.Fatalf("%s: delivered %q", body, got)
		}
	}
	if cursor, err := readCursor(partitionDir(dir, 0)); err != nil || cursor != 8 {
		t.Fatalf("cursor %d, %v", cursor, err)
	}
}

func TestPartitionCountUpAndDown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	for round, n := range []int{1, 4, 2, 12, 1} {
		l := open(t, Options{Dir: dir, Partitions: n})
		for p := range n {
			body := fmt.Sprintf("round %d partition %d", round, p)
			add(t, l, p, body)
			want = append(want, body)
		}
		l.Close()
	}
	got := delivered(t, dir)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("delivered %q, want %q", got, want)
	}
}

func TestClockJumpsDoNotMatter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clock := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	l := open(t, Options{Dir: dir, SegmentBytes: 1, Now: func() time.Time { return clock }})
	add(t, l, 0, "in the future")
	clock = clock.AddDate(-40, 0, 0)
	add(t, l, 0, "in the past")
	// Files dated by a clock that went wrong.
	for i, first := range []uint64{0, 1} {
		at := time.Unix(int64(4e9*(1-i)), 0)
		if err := os.Chtimes(segmentPath(partitionDir(dir, 0), first), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if s := now(l); s.Pending != 2 || s.PendingAge < 0 || s.PendingAge > patience {
		t.Errorf("stats %+v", s)
	}
	l.Close()
	l = open(t, Options{Dir: dir, Now: func() time.Time { return clock }})
	if s := now(l); s.Pending != 2 || s.PendingAge < 0 || s.PendingAge > patience {
		t.Errorf("stats after a restart %+v", s)
	}
	l.Close()
	wantDelivered(t, "order", dir, "in the future", "in the past")
}

func TestDeadLetterThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	if err := os.Rename(l.dead.dir, l.dead.dir+".away"); err != nil {
		t.Fatal(err)
	}
	refused := make(chan int, 64)
	consumeWith(t, l, func(_ context.Context, deliveries []wal.Delivery) []error {
		refused <- deliveries[0].Attempt
		return []error{wal.Permanent(errors.New("bad"))}
	})
	add(t, l, 0, "bad")
	<-refused
	if second := <-refused; second < 2 {
		t.Fatalf("attempt %d", second)
	}
	if err := os.Rename(l.dead.dir+".away", l.dead.dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Barrier(within(t)); err != nil {
		t.Fatal(err)
	}
	if got := letters(t, dir); len(got) != 1 || string(got[0].Data) != "bad" {
		t.Fatalf("dead letters %+v", got)
	}
}

func TestReplayRefusesTheRemainsOfDamage(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first", "second")
	segment[len(segment)-1] ^= 1
	dir := copyLog(t, segment)
	wantDelivered(t, "damaged", dir, "first")
	l := open(t, Options{Dir: dir, Role: RoleInspect})
	list, err := l.DeadLetters().List(within(t), 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("list: %v, %v", list, err)
	}
	if err := l.DeadLetters().Replay(within(t), list[0].ID); !fault.Is(err, fault.Invalid) {
		t.Fatalf("replay: %v", err)
	}
}

func TestIdsCannotLeaveTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	if err := os.WriteFile(filepath.Join(dir, "secret.json"), []byte(`{"reason":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"../secret", "..", "/etc/passwd", "p01-0000000000000000-00000000/../../secret", "x\x00"} {
		if _, err := l.DeadLetters().Get(within(t), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("get %q: %v", id, err)
		}
		if err := l.DeadLetters().Replay(within(t), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("replay %q: %v", id, err)
		}
	}
}

func TestBodiesAreNotLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, segment := written(t, t.TempDir(), "first", "a secret prompt", "third")
	segment[bytes.Index(segment, []byte("secret"))] ^= 0x20
	dir := copyLog(t, segment[:len(segment)-1])
	l, err := Open(Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	consume(t, l)
	if err := l.Barrier(within(t)); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if out.Len() == 0 || strings.Contains(out.String(), "prompt") || strings.Contains(out.String(), "first") {
		t.Fatalf("log: %s", out.String())
	}
}

func TestAppendsShareFsyncs(t *testing.T) {
	t.Parallel()
	l := open(t, Options{Dir: t.TempDir()})
	var syncs atomic.Int64
	entered, release := make(chan struct{}, 1), make(chan struct{})
	l.syncFunc = func(f *os.File) error {
		if syncs.Add(1) == 1 {
			entered <- struct{}{}
			<-release
		}
		return f.Sync()
	}
	done := make(chan error)
	send := func() { done <- l.Append(t.Context(), []wal.Record{{Data: []byte("x")}}) }
	go send()
	<-entered
	const more = 20
	for range more {
		go send()
	}
	p := l.partitions()[0]
	eventually(t, "all appends waiting", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.waiters) == more
	})
	close(release)
	for range more + 1 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := syncs.Load(); n != 2 {
		t.Fatalf("%d fsyncs for %d appends, want 2", n, more+1)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, bytes := range []int{2 << 10, 30 << 10} {
		b.Run(fmt.Sprintf("8x%dKiB", bytes>>10), func(b *testing.B) {
			l := open(b, Options{Dir: b.TempDir()})
			consumeWith(b, l, func(_ context.Context, deliveries []wal.Delivery) []error {
				return make([]error, len(deliveries))
			})
			body := make([]byte, bytes)
			b.SetBytes(int64(bytes))
			b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := l.Append(b.Context(), []wal.Record{{Data: body}}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
