package natswal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/wal"
)

// patience bounds every wait: a test that reaches it has failed.
const patience = 60 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
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

func appendTo(t *testing.T, l *Log, bodies ...string) {
	t.Helper()
	var records []wal.Record
	for _, b := range bodies {
		records = append(records, wal.Record{Data: []byte(b)})
	}
	if err := l.Append(within(t), records); err != nil {
		t.Fatal(err)
	}
}

// bodies collects what a handler has stored.
type bodies struct {
	mu   sync.Mutex
	seen map[string]int
}

func (b *bodies) add(body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen == nil {
		b.seen = map[string]int{}
	}
	b.seen[body]++
}

func (b *bodies) count(body string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen[body]
}

// want waits until all of these were stored.
func (b *bodies) want(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return b.seen[s] > 0 })
		if len(missing) > 0 {
			return fmt.Sprintf("%d of %d are missing: %.50q", len(missing), len(want), missing[:min(len(missing), 5)])
		}
		return ""
	})
}

// consume hands out l's records until the test ends or stop is called; judge
// gives the verdict of each, and nil stores all.
func consume(t *testing.T, l *Log, judge func(wal.Delivery) error) (got *bodies, stop func()) {
	t.Helper()
	got = &bodies{}
	return got, consumeCalls(t, l, func(deliveries []wal.Delivery) []error {
		verdicts := make([]error, len(deliveries))
		for i, d := range deliveries {
			if judge != nil {
				verdicts[i] = judge(d)
			}
			if verdicts[i] == nil {
				got.add(string(d.Data))
			}
		}
		return verdicts
	})
}

func consumeCalls(t *testing.T, l *Log, handle func([]wal.Delivery) []error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- l.Consume(ctx, func(_ context.Context, deliveries []wal.Delivery) []error { return handle(deliveries) })
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("consume: %v", err)
			}
		case <-time.After(patience):
			t.Error("consume did not end with its context")
		}
	})
	t.Cleanup(stop)
	return stop
}

func wantLetters(t *testing.T, l *Log, n int) (list []wal.DeadLetter) {
	t.Helper()
	eventually(t, func() string {
		var err error
		if list, err = l.DeadLetters().List(within(t), 1000); err != nil {
			return err.Error() // a cluster that elects a leader does not answer yet
		}
		if len(list) != n {
			return fmt.Sprintf("%d dead letters, want %d: %+v", len(list), n, list)
		}
		return ""
	})
	return list
}

func wantNothingPending(t *testing.T, l *Log) {
	t.Helper()
	eventually(t, func() string {
		s, err := l.Stats(within(t))
		if err != nil || s.Pending != 0 {
			return fmt.Sprintf("%d pending, %v", s.Pending, err)
		}
		return ""
	})
}

// appendUnder appends until stop is closed, while the server may be away, and
// gives what was acknowledged.
func appendUnder(t *testing.T, l *Log, stop <-chan struct{}) (acknowledged func() []string) {
	t.Helper()
	var mu sync.Mutex
	var acked []string
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				batch := []string{fmt.Sprintf("w%d-%06d-a", w, i), fmt.Sprintf("w%d-%06d-b", w, i)}
				err := l.Append(t.Context(), []wal.Record{{Data: []byte(batch[0])}, {Data: []byte(batch[1])}})
				switch {
				case err == nil:
					mu.Lock()
					acked = append(acked, batch...)
					mu.Unlock()
				case !fault.Is(err, fault.Unavailable):
					t.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	return func() []string {
		writers.Wait()
		mu.Lock()
		defer mu.Unlock()
		return acked
	}
}

// TestCrashKeepsWhatWasAcknowledged kills the server's process, which loses
// nothing that the kernel has; what a power failure takes is up to sync_interval.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	s := testkit.NATS(t)
	l := open(t, options(s, "traces"))
	stop := make(chan struct{})
	acknowledged := appendUnder(t, l, stop)
	for range 3 {
		before := l.appended.Load()
		eventually(t, func() string {
			if n := l.appended.Load() - before; n < 200 {
				return fmt.Sprintf("%d records were appended since the last start", n)
			}
			return ""
		})
		s.Kill()
		s.Start()
	}
	close(stop)
	acked := acknowledged()
	got, _ := consume(t, l, nil)
	got.want(t, acked...)
	wantNothingPending(t, l)
	wantLetters(t, l, 0)
}

func TestServerAway(t *testing.T) {
	t.Parallel()
	s := testkit.NATS(t)
	l := open(t, options(s, "traces"))
	got, _ := consume(t, l, nil)
	appendTo(t, l, "before")
	got.want(t, "before")
	s.Stop()
	if err := l.Append(within(t), []wal.Record{{Data: []byte("lost")}}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("append while the server is away: %v", err)
	}
	if _, err := l.Stats(within(t)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("stats while the server is away: %v", err)
	}
	if _, err := l.DeadLetters().List(within(t), 1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("list while the server is away: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := l.Append(ctx, []wal.Record{{Data: []byte("lost")}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append with an end of its own: %v", err)
	}
	s.Start()
	eventually(t, func() string {
		if err := l.Append(t.Context(), []wal.Record{{Data: []byte("after")}}); err != nil {
			return err.Error()
		}
		return ""
	})
	got.want(t, "after")
}

// TestServerAwayWhileHandling stops the server under a call: its records are
// stored once, and may be handed out again after the server is back.
func TestServerAwayWhileHandling(t *testing.T) {
	t.Parallel()
	s := testkit.NATS(t)
	l := open(t, options(s, "traces"))
	var calls atomic.Int32
	got, _ := consume(t, l, func(wal.Delivery) error {
		if calls.Add(1) == 1 {
			s.Stop()
		}
		return nil
	})
	appendTo(t, l, "one")
	got.want(t, "one")
	s.Start()
	wantNothingPending(t, l)
	wantLetters(t, l, 0)
}

// limit sets how many bytes the stream of l's records may hold; -1 is no limit.
func limit(t *testing.T, l *Log, maxBytes int64) {
	t.Helper()
	stream, err := l.js.Stream(within(t), l.recordStream())
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.MaxBytes = maxBytes
	if _, err := l.js.UpdateStream(within(t), c); err != nil {
		t.Fatal(err)
	}
}

// fillUp appends until l is full and gives what was taken.
func fillUp(t *testing.T, l *Log) (taken []string) {
	t.Helper()
	for i := 0; ; i++ {
		body := fmt.Sprint(i, string(randomBytes(20_000)))
		err := l.Append(within(t), []wal.Record{{Data: []byte(body)}})
		if fault.Is(err, fault.Unavailable) {
			if !strings.Contains(err.Error(), "full") {
				t.Errorf("a full stream gives %v", err)
			}
			return taken
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, body)
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

func TestFullStreamRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	l := open(t, options(testkit.NATS(t), "traces"))
	limit(t, l, 1<<20)
	taken := fillUp(t, l)
	if len(taken) < 10 {
		t.Fatalf("the stream is full with %d records", len(taken))
	}
	got, _ := consume(t, l, nil)
	got.want(t, taken...)
	wantNothingPending(t, l)
	appendTo(t, l, "again")
	got.want(t, "again")
}

// quicken takes the pauses out of l, which outages would need hours for.
func quicken(l *Log) {
	l.backoffFunc = func(int) time.Duration { return time.Millisecond }
	l.retryFunc = l.backoffFunc
}

func TestOutageNeverBuries(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]bool{"RoomToRenew": false, "StreamIsFull": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, options(testkit.NATS(t), "traces"))
			quicken(l)
			appendTo(t, l, "patient")
			want := []string{"patient"}
			if full {
				limit(t, l, 100_000)
				want = append(want, fillUp(t, l)...)
			}
			const outage = 3 * wal.MaxDeliveries
			var attempts []int
			got, _ := consume(t, l, func(d wal.Delivery) error {
				if string(d.Data) == "patient" {
					attempts = append(attempts, d.Attempt)
				}
				if len(attempts) < outage {
					return fault.New(fault.Unavailable, "the database is away")
				}
				return nil
			})
			got.want(t, want...)
			wantNothingPending(t, l)
			wantLetters(t, l, 0)
			for i, a := range attempts {
				if a != i+1 {
					t.Fatalf("attempts are counted as %v", attempts)
				}
			}
		})
	}
}

// TestAwayStoreIsAskedWithOneRecord holds that an outage does not go through all
// that waits.
func TestAwayStoreIsAskedWithOneRecord(t *testing.T) {
	t.Parallel()
	l := open(t, options(testkit.NATS(t), "traces"))
	quicken(l)
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprint(i))
	}
	appendTo(t, l, want...)
	var sizes []int
	got := &bodies{}
	consumeCalls(t, l, func(deliveries []wal.Delivery) []error {
		verdicts := make([]error, len(deliveries))
		for i, d := range deliveries {
			if len(sizes) < 20 {
				verdicts[i] = fault.New(fault.Unavailable, "the database is away")
			} else {
				got.add(string(d.Data))
			}
		}
		sizes = append(sizes, len(deliveries))
		return verdicts
	})
	got.want(t, want...)
	wantNothingPending(t, l)
	for i, n := range sizes[1:21] {
		if n != 1 {
			t.Errorf("call %d of an outage has %d records: %v", i+2, n, sizes)
		}
	}
}

func TestUnansweredIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, unanswered := range map[string]int{"TheLastDelivery": wal.MaxDeliveries - 1, "OneTooMany": wal.MaxDeliveries} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(testkit.NATS(t), "traces")
			o.AckWait = 100 * time.Millisecond
			l := open(t, o)
			appendTo(t, l, "deadly")
			p, err := l.newPuller(0)
			if err != nil {
				t.Fatal(err)
			}
			for range unanswered {
				if messages, err := p.pull(within(t), 1); err != nil || len(messages) != 1 {
					t.Fatalf("%d messages, %v", len(messages), err)
				}
			}
			p.close()
			got, _ := consume(t, l, nil)
			wantNothingPending(t, l)
			if unanswered < wal.MaxDeliveries {
				got.want(t, "deadly")
				wantLetters(t, l, 0)
				return
			}
			one := wantLetters(t, l, 1)[0]
			if got.count("deadly") != 0 || !strings.Contains(one.Reason, strconv.Itoa(wal.MaxDeliveries)+" times") || one.Size != len("deadly") {
				t.Errorf("it was stored %d times and is %+v", got.count("deadly"), one)
			}
			if err := l.DeadLetters().Replay(within(t), one.ID); err != nil {
				t.Fatal(err)
			}
			got.want(t, "deadly")
		})
	}
}

// TestRecordThatEndsTheProcess consumes in processes of their own, which a
// record kills, until it is given up. Its neighbours must not go with it.
func TestRecordThatEndsTheProcess(t *testing.T) {
	if url := os.Getenv("NATSWAL_CHILD"); url != "" {
		consumeInChild(t, url)
		return
	}
	t.Parallel()
	s := testkit.NATS(t)
	l := open(t, childOptions(s.URL))
	neighbours := []string{"a", "b", "c", "d", "e", "f"}
	appendTo(t, l, append([]string{"killer"}, neighbours...)...)
	var stored bodies
	for deaths := 0; ; deaths++ {
		if deaths > wal.MaxDeliveries {
			t.Fatalf("the record has ended %d processes", deaths)
		}
		if !childDies(t, s.URL, &stored) {
			break
		}
	}
	stored.want(t, neighbours...)
	if one := wantLetters(t, l, 1)[0]; one.Attempts != wal.MaxDeliveries {
		t.Errorf("given up is %+v", one)
	}
	wantNothingPending(t, l)
}

func childOptions(url string) Options {
	return Options{URL: url, Stream: "traces", AckWait: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
}

// What a child prints: a record that it has stored, and that nothing is left.
const (
	childStored = "stored: "
	childDone   = "nothing is left"
)

// childDies runs one consuming process, gives true if a record ended it, and
// false once it has nothing left.
func childDies(t *testing.T, url string, stored *bodies) bool {
	t.Helper()
	child := exec.CommandContext(within(t), os.Args[0], "-test.run=^TestRecordThatEndsTheProcess$")
	child.Env = append(os.Environ(), "NATSWAL_CHILD="+url)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	done := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if body, ok := strings.CutPrefix(lines.Text(), childStored); ok {
			stored.add(body)
		}
		done = done || lines.Text() == childDone
	}
	_ = child.Wait() // a process that was killed is what is wanted
	return !done
}

func consumeInChild(t *testing.T, url string) {
	l := open(t, childOptions(url))
	consume(t, l, func(d wal.Delivery) error {
		if string(d.Data) == "killer" {
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = p.Kill()
			}
			t.Error(err)
			select {}
		}
		fmt.Println(childStored + string(d.Data))
		return nil
	})
	wantNothingPending(t, l)
	fmt.Println(childDone)
}

func TestStopGivesBackAtOnce(t *testing.T) {
	t.Parallel()
	o := options(testkit.NATS(t), "traces")
	o.AckWait = time.Hour // nothing comes back by itself
	o.BatchBytes = 1      // one record in a call
	l := open(t, o)
	appendTo(t, l, "one", "two", "three")
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := l.Consume(ctx, func(_ context.Context, deliveries []wal.Delivery) []error {
		calls++
		cancel()
		return make([]error, len(deliveries))
	})
	if err != nil || calls != 1 {
		t.Fatalf("%d calls, %v", calls, err)
	}
	got, _ := consume(t, l, nil)
	got.want(t, "two", "three")
	if got.count("one") != 0 {
		t.Error("what the call in flight stored has come again")
	}
}

func TestSlowHandlerKeepsItsRecords(t *testing.T) {
	t.Parallel()
	o := options(testkit.NATS(t), "traces")
	a, b := open(t, o), open(t, o)
	entered, release := make(chan struct{}, 1), make(chan struct{})
	slow, _ := consume(t, a, func(wal.Delivery) error {
		entered <- struct{}{}
		<-release
		return nil
	})
	appendTo(t, a, "slow")
	<-entered
	other, _ := consume(t, b, nil)
	// The time of more than two AckWait passes, as it must: without signs of life
	// the other process would have the record by then.
	time.Sleep(7 * time.Second)
	if other.count("slow") != 0 {
		t.Error("a record that is being stored was given to another process")
	}
	close(release)
	slow.want(t, "slow")
	wantNothingPending(t, a)
}

func TestDamagedRecordIsBuried(t *testing.T) {
	t.Parallel()
	l := open(t, options(testkit.NATS(t), "traces"))
	const damaged = "\x01\x01 no zstd"
	if _, err := l.publish(within(t), []*nats.Msg{{Subject: l.recordSubject("0"), Data: []byte(damaged)}}); err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, "sound")
	got, _ := consume(t, l, nil)
	got.want(t, "sound")
	one := wantLetters(t, l, 1)[0]
	if !strings.Contains(one.Reason, "damaged") || one.Size != len(damaged) {
		t.Errorf("listed as %+v", one)
	}
	full, err := l.DeadLetters().Get(within(t), one.ID)
	if err != nil || string(full.Data) != damaged {
		t.Errorf("get: %+v, %v", full, err)
	}
	if err := l.DeadLetters().Replay(within(t), one.ID); !fault.Is(err, fault.Invalid) {
		t.Errorf("replay: %v", err)
	}
	wantLetters(t, l, 1)
}

// TestLargestDeadLetter holds that a record of the largest size has room for a
// reason of the largest size, and comes back whole.
func TestLargestDeadLetter(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]string{"Default": "", "AsAdvised": "max_payload: 8MB"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testLargestDeadLetter(t, open(t, options(testkit.NATS(t, setting), "traces")))
		})
	}
}

func testLargestDeadLetter(t *testing.T, l *Log) {
	body := randomBytes(l.MaxRecordBytes())
	var mended atomic.Bool
	reason := "line\none \xff " + strings.Repeat("é", 5000)
	got, _ := consume(t, l, func(wal.Delivery) error {
		if mended.Load() {
			return nil
		}
		return wal.Permanent(errors.New(reason))
	})
	appendTo(t, l, string(body))
	one := wantLetters(t, l, 1)[0]
	if !strings.HasPrefix(one.Reason, "line one \uFFFD éé") || len(one.Reason) > maxReasonBytes || one.Size != len(body) {
		t.Errorf("listed with %d bytes, reason %.100q of %d", one.Size, one.Reason, len(one.Reason))
	}
	full, err := l.DeadLetters().Get(within(t), one.ID)
	if err != nil || !bytes.Equal(full.Data, body) {
		t.Errorf("get: %d bytes, %v", len(full.Data), err)
	}
	mended.Store(true)
	if err := l.DeadLetters().Replay(within(t), one.ID); err != nil {
		t.Fatal(err)
	}
	got.want(t, string(body))
	wantLetters(t, l, 0)
}

// TestPermissionsSuffice holds that the permissions that docs/logs.md names are
// enough.
func TestPermissionsSuffice(t *testing.T) {
	t.Parallel()
	s := testkit.NATS(t, `authorization { users: [{ user: pulse, password: pw, permissions: {
		publish: ["pulse.>", "$JS.API.>", "$JS.ACK.>"], subscribe: ["_INBOX.>"] } }] }`)
	o := options(s, "traces")
	o.URL = "nats://pulse:pw@" + strings.TrimPrefix(s.URL, "nats://")
	l := open(t, o)
	var mended atomic.Bool
	got, stop := consume(t, l, func(d wal.Delivery) error {
		switch {
		case mended.Load():
			return nil
		case string(d.Data) == "bad":
			return wal.Permanent(errors.New("bad"))
		case d.Attempt == 1:
			return errors.New("not yet")
		}
		return nil
	})
	appendTo(t, l, "good", "bad")
	got.want(t, "good")
	one := wantLetters(t, l, 1)[0]
	mended.Store(true)
	if err := l.DeadLetters().Replay(within(t), one.ID); err != nil {
		t.Fatal(err)
	}
	got.want(t, "bad")
	stop()
	wantNothingPending(t, l)
}

func TestRemovedStreamsAreMadeAgain(t *testing.T) {
	t.Parallel()
	l := open(t, options(testkit.NATS(t), "traces"))
	got, _ := consume(t, l, func(d wal.Delivery) error {
		if string(d.Data) == "bad" {
			return wal.Permanent(errors.New("bad"))
		}
		return nil
	})
	appendTo(t, l, "before")
	got.want(t, "before")
	for _, name := range []string{l.recordStream(), l.deadStream()} {
		if err := l.js.DeleteStream(within(t), name); err != nil {
			t.Fatal(err)
		}
	}
	appendTo(t, l, "after", "bad")
	got.want(t, "after")
	wantLetters(t, l, 1)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	s := testkit.NATS(t, `authorization { user: pulse, password: "right/secret" }`)
	withUser := func(user string) Options {
		o := options(s, "traces")
		o.URL = "nats://" + user + "@" + strings.TrimPrefix(s.URL, "nats://")
		return o
	}
	right := withUser("pulse:right%2Fsecret")
	l := open(t, right)
	appendTo(t, l, "one")

	create := func(c jetstream.StreamConfig) {
		t.Helper()
		if _, err := l.js.CreateStream(within(t), c); err != nil {
			t.Fatal(err)
		}
	}
	create(jetstream.StreamConfig{Name: "pulse-limits", Subjects: []string{"pulse.log.limits.*"}, Discard: jetstream.DiscardNew})
	create(jetstream.StreamConfig{
		Name: "pulse-age", Subjects: []string{"pulse.log.age.*"}, Retention: jetstream.WorkQueuePolicy,
		MaxAge: time.Hour, Storage: jetstream.MemoryStorage,
	})
	create(jetstream.StreamConfig{Name: "other", Subjects: []string{"pulse.log.taken.>"}})

	for name, c := range map[string]struct {
		options Options
		code    fault.Code
		says    []string
	}{
		"WrongPassword":  {withUser("pulse:hunter2"), fault.Forbidden, []string{"refuses the credentials"}},
		"BadURL":         {withUser("pulse:hunter2%zz"), fault.Invalid, []string{"nats://host:port"}},
		"BadName":        {named(right, "a.b"), fault.Invalid, []string{"a.b"}},
		"NoName":         {named(right, ""), fault.Invalid, []string{"cannot name a log"}},
		"WrongRetention": {named(right, "limits"), fault.Conflict, []string{"retention is Limits"}},
		"DropsByAge":     {named(right, "age"), fault.Conflict, []string{"in memory", "by their age", "drops old messages"}},
		"SubjectTaken":   {named(right, "taken"), fault.Conflict, []string{"overlap"}},
		"NoCluster":      {replicated(named(right, "three"), 3), fault.Conflict, []string{"replicas"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logged bytes.Buffer
			c.options.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			l, err := Open(within(t), c.options)
			if err == nil {
				l.Close()
			}
			if !fault.Is(err, c.code) {
				t.Fatalf("open: %v, want %s", err, c.code)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
			if all := err.Error() + logged.String(); strings.Contains(all, "hunter2") || strings.Contains(all, "secret") {
				t.Errorf("a password is shown: %s", all)
			}
		})
	}
}

func named(o Options, stream string) Options     { o.Stream = stream; return o }
func replicated(o Options, replicas int) Options { o.Replicas = replicas; return o }

func TestOpenWaitsForTheServer(t *testing.T) {
	t.Parallel()
	s := testkit.NATS(t)
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, options(s, "traces")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("open without a server: %v", err)
	}
	opened := make(chan error, 1)
	go func() {
		l, err := Open(within(t), options(s, "traces"))
		if err == nil {
			err = l.Close()
		}
		opened <- err
	}()
	s.Start()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// TestClusterSurvivesAServer raises a log to three replicas and kills the server
// that leads it while records are appended and consumed.
func TestClusterSurvivesAServer(t *testing.T) {
	t.Parallel()
	servers := testkit.NATSCluster(t, 3)
	o := options(servers[0], "traces")
	open(t, o)
	l := open(t, replicated(o, 3))
	again := open(t, o) // a process without the setting
	info := func(stream string) *jetstream.StreamInfo {
		t.Helper()
		s, err := again.js.Stream(within(t), stream)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo()
	}
	for _, name := range []string{l.recordStream(), l.deadStream()} {
		if n := info(name).Config.Replicas; n != 3 {
			t.Errorf("%s has %d replicas", name, n)
		}
	}
	var leader int
	eventually(t, func() string {
		c := info(l.recordStream()).Cluster
		current := 0
		for _, r := range c.Replicas {
			if r.Current {
				current++
			}
		}
		if c.Leader == "" || current != 2 {
			return fmt.Sprintf("the stream's replicas are not ready: %+v", c)
		}
		n, err := strconv.Atoi(strings.TrimPrefix(c.Leader, "n"))
		leader = n - 1
		if err != nil {
			return err.Error()
		}
		return ""
	})
	got, _ := consume(t, l, nil)
	stop := make(chan struct{})
	acknowledged := appendUnder(t, l, stop)
	more := func() {
		t.Helper()
		before := l.appended.Load()
		eventually(t, func() string {
			if n := l.appended.Load() - before; n < 1000 {
				return fmt.Sprintf("%d records were taken", n)
			}
			return ""
		})
	}
	more()
	servers[leader].Kill()
	more()
	servers[leader].Start()
	more()
	close(stop)
	got.want(t, acknowledged()...)
	wantLetters(t, l, 0)
}

func TestLateMessagesAreGivenBack(t *testing.T) {
	t.Parallel()
	o := options(testkit.NATS(t), "traces")
	o.AckWait = time.Hour // nothing comes back by itself
	l := open(t, o)
	p, err := l.newPuller(0)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, "one", "two", "three")
	if _, err := p.request(3); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		c, err := l.js.Consumer(within(t), l.recordStream(), consumerName(0))
		if err != nil || c.CachedInfo().NumAckPending != 3 {
			return fmt.Sprint("the messages are not delivered: ", err)
		}
		return ""
	})
	w := &worker{log: l, puller: p}
	w.disconnect()
	got, _ := consume(t, l, nil)
	got.want(t, "one", "two", "three")
}

// TestConsumersAreThereBeforeTheDrain holds that an autoscaler sees what waits
// while no process consumes.
func TestConsumersAreThereBeforeTheDrain(t *testing.T) {
	t.Parallel()
	o := options(testkit.NATS(t), "traces")
	o.Partitions = 2
	l := open(t, o)
	if err := l.Append(within(t), []wal.Record{{Partition: 1, Data: []byte("one")}}); err != nil {
		t.Fatal(err)
	}
	for p, want := range []uint64{0, 1} {
		eventually(t, func() string {
			c, err := l.js.Consumer(within(t), "pulse-traces", fmt.Sprintf("partition-%d", p))
			if err != nil || c.CachedInfo().NumPending != want {
				return fmt.Sprintf("partition %d: %v", p, err)
			}
			return ""
		})
	}
}

func TestPartitionsOfOthersAreFound(t *testing.T) {
	t.Parallel()
	o := options(testkit.NATS(t), "traces")
	few := open(t, o)
	few.rescanInterval = 10 * time.Millisecond
	got, _ := consume(t, few, nil)
	appendTo(t, few, "mine")
	got.want(t, "mine")
	o.Partitions = 3
	more := open(t, o)
	if err := more.Append(within(t), []wal.Record{{Partition: 2, Data: []byte("of another")}}); err != nil {
		t.Fatal(err)
	}
	got.want(t, "of another")
}

func FuzzHeaderText(f *testing.F) {
	f.Add("a\r\nb: c")
	f.Add(strings.Repeat("é", maxReasonBytes))
	f.Fuzz(func(t *testing.T, text string) {
		line := headerText(text)
		if len(line) > maxReasonBytes || strings.ContainsAny(line, "\r\n") || strings.ToValidUTF8(line, "") != line {
			t.Errorf("%q", line)
		}
		m := nats.NewMsg("x")
		m.Header.Set(headerReason, line)
		m.Header.Set(headerAttempts, text)
		if n := attempts(m.Header); n < 0 {
			t.Errorf("%d attempts", n)
		}
		if p := partitionOf(text); p >= 0 && !strings.HasSuffix(text, strconv.Itoa(p)) {
			t.Errorf("%q is of partition %d", text, p)
		}
	})
}
