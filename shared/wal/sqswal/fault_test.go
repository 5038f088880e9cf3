package sqswal_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/sqswal"
)

func numbered(prefix string, n int) (s []string) {
	for i := range n {
		s = append(s, fmt.Sprintf("%s%03d", prefix, i))
	}
	return s
}

func TestAppendSendsFailedEntriesAgain(t *testing.T) {
	t.Parallel()
	r := setup(t, nil)
	f := r.proxy.Fault(testkit.SQSFault{Kind: testkit.SQSFailEntries, Action: "SendMessageBatch", Limit: 13})
	bodies := numbered("r", 25)
	r.append(bodies...)
	if f.Hits() != 13 {
		t.Errorf("%d entries failed", f.Hits())
	}
	// Only those are sent again.
	if n := len(r.proxy.Accepted(r.name)); n != 25 {
		t.Errorf("%d messages for 25 records", n)
	}
	s, err := r.Stats(t.Context())
	if err != nil || s.Appended != 25 || s.Pending != 25 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAppendOutlivesShortTrouble(t *testing.T) {
	t.Parallel()
	for name, kind := range requestFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, nil)
			f := r.proxy.Fault(testkit.SQSFault{Kind: kind, Action: "SendMessageBatch", Limit: 2})
			r.append("a", "b")
			want := 2
			if kind == testkit.SQSLoseAnswer {
				want = 6 // nobody knew that they were there
			}
			if n := len(r.proxy.Accepted(r.name)); f.Hits() != 2 || n != want {
				t.Errorf("%d messages after %d faults", n, f.Hits())
			}
		})
	}
}

func TestAppendGivesUpInTime(t *testing.T) {
	t.Parallel()
	for name, kind := range requestFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, nil)
			f := r.proxy.Fault(testkit.SQSFault{Kind: kind, Action: "SendMessageBatch"})
			start := time.Now()
			err := r.Append(t.Context(), []wal.Record{{Data: []byte("x")}})
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("append: %v", err)
			}
			if d := time.Since(start); f.Hits() < 2 || d > 15*time.Second {
				t.Errorf("gave up after %d tries and %v", f.Hits(), d)
			}
			f.Stop()
			r.append("x")
		})
	}
	t.Run("Entries", func(t *testing.T) {
		t.Parallel()
		r := setup(t, nil)
		r.proxy.Fault(testkit.SQSFault{Kind: testkit.SQSFailEntries, Action: "SendMessageBatch"})
		if err := r.Append(t.Context(), []wal.Record{{Data: []byte("x")}, {Data: []byte("y")}}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("append: %v", err)
		}
	})
	t.Run("NoQueue", func(t *testing.T) {
		t.Parallel()
		proxy := testkit.NewSQSProxy(t, testkit.SQS(t))
		l, err := sqswal.Open(options(t, proxy.URL, nameOf(t.TempDir()), 1)) // nobody has made it
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var mu sync.Mutex
		tries := 0
		proxy.Watch(func(string, string) {
			mu.Lock()
			defer mu.Unlock()
			tries++
		})
		if err := l.Append(t.Context(), []wal.Record{{Data: []byte("x")}}); !fault.Is(err, fault.Unavailable) || tries != 1 {
			t.Errorf("append after %d tries: %v", tries, err)
		}
	})
}

// requestFaults are those that strike whole requests.
var requestFaults = map[string]testkit.SQSFaultKind{
	"Refuse": testkit.SQSRefuse, "LoseAnswer": testkit.SQSLoseAnswer, "Error": testkit.SQSError, "Throttle": testkit.SQSThrottle,
}

// TestNothingIsLostUnderFaults appends and consumes while something goes wrong,
// and counts: every record whose append succeeded is stored, or is a dead letter
// if it can never be.
func TestNothingIsLostUnderFaults(t *testing.T) {
	t.Parallel()
	const chance = 0.3
	for name, faults := range map[string][]testkit.SQSFault{
		"Refuse":      {{Kind: testkit.SQSRefuse, Chance: chance}},
		"LoseAnswer":  {{Kind: testkit.SQSLoseAnswer, Chance: chance}},
		"Error":       {{Kind: testkit.SQSError, Chance: chance}},
		"Throttle":    {{Kind: testkit.SQSThrottle, Chance: chance}},
		"FailEntries": {{Kind: testkit.SQSFailEntries, Chance: chance}},
		"Twice":       {{Kind: testkit.SQSTwice, Chance: chance}},
		"Shuffle":     {{Kind: testkit.SQSShuffle, Chance: chance}},
		"All": {
			{Kind: testkit.SQSRefuse, Chance: 0.05},
			{Kind: testkit.SQSLoseAnswer, Chance: 0.05},
			{Kind: testkit.SQSError, Chance: 0.05},
			{Kind: testkit.SQSThrottle, Chance: 0.05},
			{Kind: testkit.SQSFailEntries, Chance: 0.1},
			{Kind: testkit.SQSTwice, Chance: 0.1},
			{Kind: testkit.SQSShuffle, Chance: 0.1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, nil)
			var active []*testkit.SQSFault
			for _, f := range faults {
				f.Queue = r.name
				active = append(active, r.proxy.Fault(f))
			}
			h := newHandler(func(d wal.Delivery) error {
				switch {
				case d.Data[0] == 'p':
					return wal.Permanent(errors.New("broken"))
				case d.Data[0] == 'w' && d.Attempt == 1:
					return errors.New("not now")
				}
				return nil
			})
			r.consume(h)
			var acknowledged []string
			for i := range 20 {
				bodies := []string{fmt.Sprintf("sound %d", i), fmt.Sprintf("waits %d", i), fmt.Sprintf("poison %d", i)}
				bodies = append(bodies, numbered(fmt.Sprintf("more %d-", i), 9)...)
				var records []wal.Record
				for _, b := range bodies {
					records = append(records, wal.Record{Data: []byte(b)})
				}
				if err := r.Append(r.within(), records); err == nil {
					acknowledged = append(acknowledged, bodies...)
				} else if !fault.Is(err, fault.Unavailable) {
					t.Fatal(err)
				}
			}
			if len(acknowledged) < 100 {
				t.Fatalf("only %d records were acknowledged", len(acknowledged))
			}
			// While the faults go on, and each has struck, half is through.
			r.proxy.WaitSettled(t, r.proxy.Accepted(r.name)[:60], patience)
			lost := 0
			for _, f := range active {
				if f.Hits() == 0 {
					t.Errorf("fault %d has not struck", f.Kind)
				}
				if f.Kind == testkit.SQSLoseAnswer || f.Kind == testkit.SQSTwice {
					lost += f.Hits()
				}
				f.Stop()
			}
			r.proxy.WaitSettled(t, r.proxy.Accepted(r.name), patience)
			eventually(t, func() string {
				if all, _ := r.waiting(); all != 0 {
					return fmt.Sprintf("%d messages are left", all)
				}
				return ""
			})

			letters := r.letters()
			for _, body := range acknowledged {
				attempts := h.attempts(body)
				if len(attempts) == 0 {
					t.Errorf("%q was acknowledged and never handed out", body)
				}
				switch poison := body[0] == 'p'; {
				case poison && len(letters[body]) == 0:
					t.Errorf("%q can never be stored and is no dead letter", body)
				case poison && len(letters[body]) > len(attempts)+lost:
					t.Errorf("%q is %d dead letters after %d deliveries", body, len(letters[body]), len(attempts))
				case !poison && len(letters[body]) > 0:
					t.Errorf("%q is a dead letter: %s", body, letters[body][0].Reason)
				case body[0] == 'w' && slices.Max(attempts) < 2:
					t.Errorf("%q was given up after attempts %v", body, attempts)
				}
			}
		})
	}
}

// TestOutageOfSQSIsWaitedOut cuts a consumer of several queues off and lets it
// find back. The log has one line for the outage and one for its end.
func TestOutageOfSQSIsWaitedOut(t *testing.T) {
	t.Parallel()
	var troubles logCounter
	r := setup(t, func(o *sqswal.Options) { o.Logger = slog.New(slog.NewTextHandler(&troubles, nil)); o.Partitions = 3 })
	r.append("before")
	f := r.proxy.Fault(testkit.SQSFault{Kind: testkit.SQSRefuse})
	h := newHandler(nil)
	r.consume(h)
	eventually(t, func() string {
		if n := f.Hits(); n < 12 {
			return fmt.Sprintf("%d requests failed", n)
		}
		return ""
	})
	if n, sdk := troubles.count("messages cannot be received"), troubles.count("StatusCode: 0"); n != 1 || sdk != 0 || troubles.count("level=WARN") != 1 {
		t.Errorf("an outage is logged %d times, and %d times in words of the SDK: %q", n, sdk, troubles.all())
	}
	f.Stop()
	eventually(t, func() string {
		if len(h.attempts("before")) == 0 {
			return "nothing is handed out after the outage"
		}
		return ""
	})
	eventually(t, func() string {
		if troubles.count("received again") == 0 {
			return "the end of the trouble is not logged"
		}
		return ""
	})
}

// logCounter counts log lines.
type logCounter struct {
	mu    sync.Mutex
	lines []string
}

func (l *logCounter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

func (l *logCounter) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

func (l *logCounter) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
