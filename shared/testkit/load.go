package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
)

// Load posts traces and spans until told to stop, and remembers what was
// acknowledged.
type Load struct {
	mu     sync.Mutex
	traces map[string]bool
	spans  map[string]bool
	sent   map[string]bool // everything that was ever sent, acknowledged or not
}

// NewLoad makes a Load that has sent nothing.
func NewLoad() *Load {
	return &Load{traces: map[string]bool{}, spans: map[string]bool{}, sent: map[string]bool{}}
}

func (l *Load) note(m map[string]bool, ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		m[id] = true
	}
}

// Acked notes traces that somebody else sent and that were acknowledged.
func (l *Load) Acked(traces ...string) {
	l.note(l.sent, traces)
	l.note(l.traces, traces)
}

// Acknowledged tells how many records were.
func (l *Load) Acknowledged() (traces, spans int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.traces), len(l.spans)
}

// Wait waits until n records in all are acknowledged, for as long as more come.
func (l *Load) Wait(t testing.TB, n int) {
	t.Helper()
	last, end := -1, time.Now()
	for {
		traces, spans := l.Acknowledged()
		now := traces + spans
		switch {
		case now >= n:
			return
		case now > last:
			last, end = now, time.Now().Add(30*time.Second)
		case time.Now().After(end):
			t.Fatalf("%d records are acknowledged, and no more come; want %d", now, n)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Run sends over several connections until ctx ends.
func (l *Load) Run(ctx context.Context, c *Client, a Account) {
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				ids := make([]string, 1+(n*7+k)%40)
				for i := range ids {
					ids[i] = uuid.NewString()
				}
				l.note(l.sent, ids)
				path, body, acked := "/v1/traces/async", TraceBody(ids...), l.traces
				switch (n + k) % 4 {
				case 1:
					path = "/v1/traces/batch"
				case 2:
					path, body, acked = "/v1/spans/async", spanBody(ids), l.spans
				}
				// A client repeats what was not acknowledged: some of it was
				// kept all the same and must not count twice.
				for try := 0; try < 2 && ctx.Err() == nil; try++ {
					resp, _, err := c.Try(ctx, a, http.MethodPost, path, body)
					if err == nil && resp.StatusCode == http.StatusAccepted {
						l.note(acked, ids)
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

// Check compares what can be read with what was sent: everything acknowledged
// is there once, nothing is there that nobody sent.
func (l *Load) Check(t testing.TB, c *Client, a Account) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	traces := ReadAll(t, c, a, "/v1/traces", "traces", "traceId")
	spans := ReadAll(t, c, a, "/v1/spans", "spans", "spanId")
	lost := 0
	for id := range l.traces {
		if traces[id] != 1 {
			lost++
		}
	}
	for id := range l.spans {
		if spans[id] != 1 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged records are not there exactly once", lost, len(l.traces)+len(l.spans))
	}
	for id, n := range spans {
		if n != 1 || !l.sent[id] {
			t.Errorf("span %s is there %d times; sent: %v", id, n, l.sent[id])
		}
	}
	for id, n := range traces {
		if n != 1 {
			t.Errorf("trace %s is there %d times", id, n)
		}
	}
	t.Logf("%d traces and %d spans acknowledged, %d and %d there", len(l.traces), len(l.spans), len(traces), len(spans))
}

// ReadAll pages through a list and gives how often each id came.
func ReadAll(t testing.TB, c *Client, a Account, path, list, id string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for cursor := ""; ; {
		var page map[string]json.RawMessage
		c.JSON(a, http.MethodGet, path+"?limit=1000&fields=summary&cursor="+cursor, "", http.StatusOK, &page)
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

// Recount demands that traces, sessions and roll-ups equal a full recount, and
// closes the store.
func Recount(t testing.TB, st store.Store, project string) {
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

// Until waits for a condition, for half a minute.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
