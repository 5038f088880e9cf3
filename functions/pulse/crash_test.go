package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
	"github.com/pulse-traces/pulse/shared/testkit"
)

// crashRounds is how often a process is killed: a few times in every run,
// PULSE_CRASH_ROUNDS times under make test-crash.
func crashRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("PULSE_CRASH_ROUNDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// engine is where a server stores.
type engine struct {
	name string
	env  func(t *testing.T) []string
	open func(t *testing.T, p *testkit.Pulse) store.Store
}

var engines = []engine{
	{"SQLite", func(*testing.T) []string { return []string{"TRACE_WAL_PARTITIONS=2"} },
		func(t *testing.T, p *testkit.Pulse) store.Store {
			db, err := sqlite.Open(t.Context(), filepath.Join(p.Home, ".data", "pulse.db"))
			if err != nil {
				t.Fatal(err)
			}
			return db
		}},
	{"Postgres", func(t *testing.T) []string { return scaleEnv(testkit.Postgres(t)) },
		func(t *testing.T, p *testkit.Pulse) store.Store { return openPostgres(t, p) }},
}

func scaleEnv(url string) []string {
	return []string{"PULSE_MODE=scale", "DATABASE_URL=" + url, "BETTER_AUTH_SECRET=0123456789abcdef0123456789abcdef", "ENCRYPTION_KEY=0123456789abcdef0123456789abcdef"}
}

func openPostgres(t *testing.T, p *testkit.Pulse) store.Store {
	t.Helper()
	for _, e := range p.Env {
		if url, ok := cutPrefix(e, "DATABASE_URL="); ok {
			db, err := postgres.Open(t.Context(), url, postgres.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
	}
	t.Fatal("no DATABASE_URL")
	return nil
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return "", false
	}
	return s[len(prefix):], true
}

// sender posts traces and spans until told to stop, and remembers what was
// acknowledged.
type sender struct {
	mu     sync.Mutex
	traces map[string]bool
	spans  map[string]bool
	sent   map[string]bool // everything that was ever sent, acknowledged or not
}

func newSender() *sender {
	return &sender{traces: map[string]bool{}, spans: map[string]bool{}, sent: map[string]bool{}}
}

func (s *sender) note(m map[string]bool, ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		m[id] = true
	}
}

// run sends over several connections until ctx ends.
func (s *sender) run(ctx context.Context, p *testkit.Pulse, a testkit.Account) {
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				ids := make([]string, 1+(n*7+c)%40)
				for i := range ids {
					ids[i] = uuid.NewString()
				}
				s.note(s.sent, ids)
				path, body, acked := "/v1/traces/async", testkit.TraceBody(ids...), s.traces
				switch (n + c) % 4 {
				case 1:
					path = "/v1/traces/batch"
				case 2:
					path, body, acked = "/v1/spans/async", spanBody(ids), s.spans
				}
				// A client repeats what was not acknowledged: some of it was
				// kept all the same and must not count twice.
				for try := 0; try < 2 && ctx.Err() == nil; try++ {
					resp, _, err := p.Try(ctx, a, http.MethodPost, path, body)
					if err == nil && resp.StatusCode == http.StatusAccepted {
						s.note(acked, ids)
						break
					}
				}
			}
		})
	}
	wg.Wait()
}

func spanBody(ids []string) string {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"span_id":%q,"trace_id":"agent-%s","session_id":"s%d","timestamp":"2026-01-25T13:%02d:00Z","source":"codex","kind":"tool_use",`+
			`"event_type":"post_tool_use","status":"success","tool_name":"Bash","tool_input":{"command":"ls"},"duration_ms":%d}`, id, ids[0], i%3, i%60, i)
	}
	b.WriteByte(']')
	return b.String()
}

// readAll pages through a list and gives how often each id came.
func readAll(t *testing.T, p *testkit.Pulse, a testkit.Account, path, list, id string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for cursor := ""; ; {
		var page map[string]json.RawMessage
		p.JSON(a, http.MethodGet, path+"?limit=1000&fields=summary&cursor="+cursor, "", http.StatusOK, &page)
		var rows []map[string]any
		if err := json.Unmarshal(page[list], &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			seen[row[id].(string)]++
		}
		var next *string
		if err := json.Unmarshal(page["nextCursor"], &next); err != nil {
			t.Fatal(err)
		}
		if next == nil || *next == "" {
			return seen
		}
		cursor = *next
	}
}

// check compares what can be read with what was sent: everything acknowledged
// is there once, nothing is there that nobody sent.
func (s *sender) check(t *testing.T, p *testkit.Pulse, a testkit.Account) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	traces := readAll(t, p, a, "/v1/traces", "traces", "traceId")
	spans := readAll(t, p, a, "/v1/spans", "spans", "spanId")
	lost := 0
	for id := range s.traces {
		if traces[id] != 1 {
			lost++
		}
	}
	for id := range s.spans {
		if spans[id] != 1 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged records are not there exactly once", lost, len(s.traces)+len(s.spans))
	}
	for id, n := range spans {
		if n != 1 || !s.sent[id] {
			t.Errorf("span %s is there %d times; sent: %v", id, n, s.sent[id])
		}
	}
	for id, n := range traces {
		if n != 1 {
			t.Errorf("trace %s is there %d times", id, n)
		}
	}
	t.Logf("%d traces and %d spans acknowledged, %d and %d there", len(s.traces), len(s.spans), len(traces), len(spans))
}

// recount demands that traces, sessions and roll-ups equal a full recount.
func recount(t *testing.T, st store.Store, project string) {
	t.Helper()
	n, err := st.Recount(t.Context(), account.ProjectID(project), false)
	if err != nil {
		t.Fatal(err)
	}
	if n != 0 {
		t.Errorf("%d rows of sums differ from a recount", n)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// TestCrash kills the real process under load at random moments.
func TestCrash(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.NewPulse(t, e.env(t)...)
			a := p.SignUp()
			s := newSender()
			for range crashRounds(t) {
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); s.run(ctx, p, a) }()
				time.Sleep(time.Duration(50+rand.IntN(500)) * time.Millisecond) // the random moment is the test
				p.Kill()
				stop()
				<-done
				p.Start()
			}
			s.check(t, p, a)
			if len(s.traces) == 0 || len(s.spans) == 0 {
				t.Error("nothing was acknowledged, so nothing was tested")
			}
			if err := p.Stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
			recount(t, e.open(t, p), a.Project)
		})
	}
}

// TestDamagedLog damages the log of a server that is down: what is not damaged
// is stored, what is damaged is kept aside.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t)
	a := p.SignUp()
	p.Kill()
	p.Env = []string{"PULSE_RUNTIME_MODE=api"} // accepts, drains nothing
	p.Start()
	var ids []string
	for range 8 {
		id := uuid.NewString()
		ids = append(ids, id)
		p.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
	}
	p.Kill()
	segments, err := filepath.Glob(filepath.Join(p.Home, ".data", "wal", "p01", "*.wal"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments: %v, %v", segments, err)
	}
	last := segments[len(segments)-1]
	raw, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, []byte(ids[3]))
	if at < 0 {
		t.Fatal("the log does not hold the record")
	}
	raw[at] ^= 0x40                         // a bit flips in the fourth record
	raw = append(raw, raw[len(raw)-50:]...) // and the end is torn
	if err := os.WriteFile(last, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Env = nil
	p.Start()
	got := readAll(t, p, a, "/v1/traces", "traces", "traceId")
	for i, id := range ids {
		want := 1
		if i == 3 {
			want = 0
		}
		if got[id] != want {
			t.Errorf("record %d is there %d times, want %d", i, got[id], want)
		}
	}
	out, err := p.Command("dlq", "list").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("traces/")) {
		t.Errorf("pulse dlq list: %v\n%s", err, out)
	}
}

// TestPostgresAway stops the database under load: acknowledged records wait in
// the log and none goes to the dead letters.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	server, err := testkit.StartPostgres(t.Context(), "")
	if err != nil {
		if os.Getenv("PULSE_TEST_REQUIRE") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p := testkit.NewPulse(t, scaleEnv(server.URL())...)
	a := p.SignUp()
	s := newSender()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.run(ctx, p, a) }()
	for range 2 {
		time.Sleep(400 * time.Millisecond)
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	stop()
	<-done
	waitDrained(t, p)
	s.check(t, p, a)
	if letters, err := filepath.Glob(filepath.Join(p.Home, ".data", "wal*", "dead-letter", "*")); err != nil || len(letters) > 0 {
		t.Errorf("dead letters: %v, %v", letters, err)
	}
	recount(t, openPostgres(t, p), a.Project)
}

// waitDrained waits until the log has nothing left.
func waitDrained(t *testing.T, p *testkit.Pulse) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		resp, b := p.Do(testkit.Account{}, http.MethodGet, "/metrics", "")
		if resp.StatusCode == http.StatusOK && bytes.Contains(b, []byte(`pulse_log_pending{log="traces"} 0`)) &&
			bytes.Contains(b, []byte(`pulse_log_pending{log="spans"} 0`)) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log is not drained:\n%s", b)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestSplit runs the API and the drain as two processes over one log, and
// stops the drain in between.
func TestSplit(t *testing.T) {
	t.Parallel()
	p := testkit.NewPulse(t, "PULSE_RUNTIME_MODE=api")
	drain := p.Command()
	drain.Env = append(drain.Env, "PULSE_RUNTIME_MODE=listener")
	if err := drain.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = drain.Process.Kill(); _ = drain.Wait() })
	a := p.SignUp()
	for range 20 {
		id := uuid.NewString()
		p.JSON(a, http.MethodPost, "/v1/traces/async", testkit.TraceBody(id), http.StatusAccepted, nil)
		p.JSON(a, http.MethodGet, "/v1/traces/"+id, "", http.StatusOK, nil) // reads wait for the other process, too
	}
}
