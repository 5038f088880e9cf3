package filewal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

// childEnv makes the test binary a second process on a log: "<task> <dir>".
const childEnv = "FILEWAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if task, dir, ok := strings.Cut(os.Getenv(childEnv), " "); ok {
		if err := child(task, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(task, dir string) error {
	o := Options{Dir: dir, Partitions: 2, SegmentBytes: 64 << 10, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	switch task {
	case "hold":
		l, err := Open(o)
		if err != nil {
			return err
		}
		defer l.Close()
		fmt.Println("open")
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	case "load":
		l, err := Open(o)
		if err != nil {
			return err
		}
		return load(l)
	case "consume":
		o.Role = RoleConsume
		l, err := Open(o)
		if err != nil {
			return err
		}
		return l.Consume(context.Background(), func(_ context.Context, deliveries []wal.Delivery) []error {
			for _, d := range deliveries {
				fmt.Println(strings.TrimRight(string(d.Data), "."))
			}
			return make([]error, len(deliveries))
		})
	case "replay":
		o.Role = RoleInspect
		l, err := Open(o)
		if err != nil {
			return err
		}
		list, err := l.DeadLetters().List(context.Background(), 100)
		for _, one := range list {
			err = errors.Join(err, l.DeadLetters().Replay(context.Background(), one.ID))
		}
		return err
	}
	return nil
}

// load appends until the process is killed and prints what was acknowledged,
// each line only after the Append. Half of the records are consumed meanwhile.
func load(l *Log) error {
	handle := func(_ context.Context, deliveries []wal.Delivery) []error {
		for _, d := range deliveries {
			fmt.Printf("stored %s\n", strings.TrimRight(string(d.Data), "."))
		}
		return make([]error, len(deliveries))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Consume(context.Background(), handle); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				body := []byte(name + strings.Repeat(".", rand.IntN(5000)))
				if l.Append(context.Background(), []wal.Record{{Partition: i % 2, Data: body}}) == nil {
					fmt.Printf("acked %s\n", name)
				}
			}
		})
	}
	wg.Wait()
	return nil
}

type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

func start(t *testing.T, task, dir string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+task+" "+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, stdin, bufio.NewScanner(stdout)}
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be dead already
	_ = p.cmd.Wait()
}

func TestOneProcessPerRole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "hold", dir)
	if !p.lines.Scan() {
		t.Fatal("the other process did not open the log")
	}
	for _, role := range []Role{RoleAll, RoleAppend, RoleConsume} {
		l, err := Open(Options{Dir: dir, Role: role, Logger: slog.New(slog.DiscardHandler)})
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), dir) {
			t.Errorf("role %d: %v", role, err)
		}
		if err == nil {
			l.Close()
		}
	}
	open(t, Options{Dir: dir, Role: RoleInspect}).Close()
	p.kill()
	open(t, Options{Dir: dir}).Close() // the kernel released the locks

	appender := open(t, Options{Dir: dir, Role: RoleAppend})
	open(t, Options{Dir: dir, Role: RoleConsume}).Close()
	if _, err := Open(Options{Dir: dir, Role: RoleAppend, Logger: slog.New(slog.DiscardHandler)}); !fault.Is(err, fault.Conflict) {
		t.Errorf("second appender in one process: %v", err)
	}
	appender.Close()
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acked := map[string]bool{}
	stored := map[string]bool{}
	for range 6 {
		p := start(t, "load", dir)
		var timer *time.Timer
		for p.lines.Scan() {
			if timer == nil {
				timer = time.AfterFunc(time.Duration(rand.IntN(200))*time.Millisecond, func() { _ = p.cmd.Process.Kill() })
			}
			verb, name, _ := strings.Cut(p.lines.Text(), " ")
			switch verb {
			case "acked":
				acked[name] = true
			case "stored":
				stored[name] = true
			}
		}
		_ = p.cmd.Wait()
	}
	for _, body := range delivered(t, dir) {
		stored[strings.TrimRight(body, ".")] = true
	}
	lost := 0
	for name := range acked {
		if !stored[name] {
			lost++
		}
	}
	if lost > 0 || len(acked) == 0 {
		t.Fatalf("%d of %d acknowledged records are lost", lost, len(acked))
	}
	// What was torn was never acknowledged, so nothing counts as damage.
	if got := letters(t, dir); len(got) != 0 {
		t.Errorf("%d dead letters after kills: %s", len(got), got[0].Reason)
	}
}

func TestAppenderAndConsumerInTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, Partitions: 3, Role: RoleAppend, SegmentBytes: 2000})
	add(t, l, 0, "before the consumer")
	p := start(t, "consume", dir) // it is set to two partitions and finds the third
	want := []string{"before the consumer"}
	for i := range 60 {
		want = append(want, strconv.Itoa(i))
		add(t, l, i%3, strconv.Itoa(i))
	}
	if err := l.Barrier(within(t)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range want {
		if !p.lines.Scan() {
			t.Fatal("the consumer died")
		}
		got = append(got, p.lines.Text())
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if s := now(l); s.Pending != 0 || s.Appended != 61 {
		t.Errorf("stats %+v", s)
	}
	eventually(t, "consumed segments removed", func() bool {
		firsts, err := listSegments(partitionDir(dir, 0))
		return err == nil && len(firsts) <= 1
	})
}

func TestHalfWrittenRecordIsWaitedFor(t *testing.T) {
	t.Parallel()
	_, segment := written(t, t.TempDir(), "first", "second")
	dir := copyLog(t, nil)
	f, err := os.OpenFile(segmentPath(partitionDir(dir, 0), 0), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := open(t, Options{Dir: dir, Role: RoleConsume})
	c := &consumer{partition: l.partitions()[0]}
	defer c.stop()
	var got []string
	for i := range segment { // as another process would write it, byte by byte
		if _, err := f.Write(segment[i : i+1]); err != nil {
			t.Fatal(err)
		}
		entries, err := c.nextBatch()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.damage != "" {
				t.Fatalf("after %d bytes: damage: %s", i+1, e.damage)
			}
			got = append(got, string(e.body))
			c.advance(e.next)
		}
	}
	if !slices.Equal(got, []string{"first", "second"}) {
		t.Fatalf("got %q", got)
	}
}

func TestReplayFromAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, Partitions: 2})
	var mu sync.Mutex
	broken := true
	replayed := make(chan string, 1)
	consumeWith(t, l, func(_ context.Context, deliveries []wal.Delivery) []error {
		mu.Lock()
		defer mu.Unlock()
		verdicts := make([]error, len(deliveries))
		for i, d := range deliveries {
			if broken {
				verdicts[i] = wal.Permanent(errors.New("broken"))
			} else {
				replayed <- string(d.Data)
			}
		}
		return verdicts
	})
	add(t, l, 1, "buried")
	if err := l.Barrier(within(t)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	broken = false
	mu.Unlock()
	if err := start(t, "replay", dir).cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	select {
	case body := <-replayed:
		if body != "buried" {
			t.Fatalf("replayed %q", body)
		}
	case <-time.After(patience):
		t.Fatal("nothing was replayed")
	}
	eventually(t, "both folders empty", func() bool {
		waiting, err := listLetters(l.dead.replayDir)
		return err == nil && len(waiting) == 0 && now(l).DeadLetters == 0
	})
}
