package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pulse-traces/pulse/shared/testkit"
)

const (
	// anyMemory is what the process may have whatever the size of the trace: for
	// the program itself, passwords that are hashed at sign-up, batches of the
	// drain and pages of 1000 spans.
	anyMemory = 192 << 20
	// writeMemory is for each span of the trace, if all come at once and are
	// stored in one transaction: its message, what is read from it, its record in
	// the log and its row, doubled by the garbage collector.
	writeMemory = 8 << 10
	// readMemory is for each span of the trace while a page is read: its id, its
	// parent's and its place in the tree, doubled likewise.
	readMemory = 1 << 10
	// largePatience is how long the drain may take on a busy machine.
	largePatience = 5 * time.Minute
)

// TestLargeTrace sends a large trace by OpenTelemetry, in one request and in
// many that come in no order, and reads it to its end, page by page. With
// PULSE_LONG=1 it is as large as one request may be.
func TestLargeTrace(t *testing.T) {
	t.Parallel()
	n := 10_000
	if os.Getenv("PULSE_LONG") == "1" {
		n = 100_000
	}
	tree := newLargeTree(n)
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, way := range []struct {
				name   string
				size   int // spans of a request
				answer int // bytes of what each call answers
			}{{"Requests", 1000, 2000}, {"OneRequest", n, 0}} {
				t.Run(way.name, func(t *testing.T) {
					p := testkit.NewPulse(t, e.env(t)...)
					a := p.SignUp()
					start := time.Now()
					answer := strings.Repeat("word ", way.answer/5)
					for from := 0; from < n; from += way.size {
						exportSpans(t, p, a, tree.spans(tree.order[from:min(from+way.size, n)], answer))
					}
					sent := time.Since(start)
					id := waitForTrace(t, p, a, n)
					stored := time.Since(start)
					write := p.PeakMemory()
					if err := p.Stop(); err != nil {
						t.Fatal(err)
					}
					p.Start() // so that its memory is what reading takes
					start = time.Now()
					tree.check(t, p, a, id)
					read := p.PeakMemory()
					t.Logf("%d spans: sent in %s, stored after %s, read in %s; at most %d MB of memory to write, %d MB to read",
						n, sent, stored, time.Since(start), write>>20, read>>20)
					if most := int64(anyMemory + writeMemory*n); write > most {
						t.Errorf("it took %d MB to write, %d are allowed", write>>20, most>>20)
					}
					if most := int64(anyMemory + readMemory*n); read > most {
						t.Errorf("it took %d MB to read, %d are allowed", read>>20, most>>20)
					}
				})
			}
		})
	}
}

// largeTree is a trace whose spans are numbered depth first. Its first tenth
// nest in one another, the rest branch.
type largeTree struct {
	parent, depth []int // by span; -1 is the parent of the root
	order         []int // in which the spans are sent
}

func newLargeTree(n int) *largeTree {
	r := rand.New(rand.NewPCG(1, 2))
	tree := &largeTree{parent: make([]int, n), depth: make([]int, n), order: r.Perm(n)}
	var path []int // from the root to the last span
	for i := range n {
		if i > n/10 {
			path = path[:1+r.IntN(len(path))]
		}
		tree.parent[i], tree.depth[i] = -1, len(path)
		if len(path) > 0 {
			tree.parent[i] = path[len(path)-1]
		}
		path = append(path, i)
	}
	return tree
}

// spanID scatters the numbers, so that the ids say nothing of the order.
func (*largeTree) spanID(i int) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(i+1)*0x9e3779b97f4a7c15)
}

// spans makes a request of OTLP. Every second span is a call of a model.
func (l *largeTree) spans(numbers []int, answer string) []byte {
	var spans []byte
	for _, i := range numbers {
		start := 1769342400000000000 + uint64(i)*1_000_000
		var s []byte
		s = appendField(s, 1, []byte("a trace of many "))
		s = appendField(s, 2, l.spanID(i))
		if l.parent[i] >= 0 {
			s = appendField(s, 4, l.spanID(l.parent[i]))
		}
		s = appendField(s, 5, []byte("step "+strconv.Itoa(i)))
		s = protowire.AppendFixed64(protowire.AppendTag(s, 7, protowire.Fixed64Type), start)
		s = protowire.AppendFixed64(protowire.AppendTag(s, 8, protowire.Fixed64Type), start+500_000)
		if i%2 == 1 {
			s = appendAttribute(s, "gen_ai.operation.name", "chat")
			s = appendAttribute(s, "gen_ai.provider.name", "openai")
			s = appendAttribute(s, "gen_ai.request.model", "gpt-4o-mini")
			s = appendAttribute(s, "gen_ai.usage.input_tokens", "10")
			s = appendAttribute(s, "pulse.output_text", answer+strconv.Itoa(i))
		}
		spans = appendField(spans, 2, s)
	}
	return appendField(nil, 1, appendField(nil, 2, spans))
}

func appendField(b []byte, num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func appendAttribute(b []byte, key, value string) []byte {
	return appendField(b, 9, appendField(appendField(nil, 1, []byte(key)), 2, appendField(nil, 1, []byte(value))))
}

// waitForTrace lists traces until the only one is there with all its spans.
func waitForTrace(t *testing.T, p *testkit.Pulse, a testkit.Account, spans int) (id string) {
	t.Helper()
	for end := time.Now().Add(largePatience); ; time.Sleep(50 * time.Millisecond) {
		var list struct {
			Total  int
			Traces []struct {
				TraceID   string
				SpanCount int
			}
		}
		p.JSON(a, http.MethodGet, "/v1/traces?fields=summary", "", http.StatusOK, &list)
		if list.Total == 1 && list.Traces[0].SpanCount == spans {
			return list.Traces[0].TraceID
		}
		if time.Now().After(end) {
			t.Fatalf("not stored: %+v", list)
		}
	}
}

// check reads the trace to its end, in summary.
func (l *largeTree) check(t *testing.T, p *testkit.Pulse, a testkit.Account, id string) {
	t.Helper()
	const limit = 1000
	at := 0
	for cursor := ""; ; {
		var page struct {
			Total      int
			NextCursor string
			Spans      []struct {
				SpanID, ParentSpanID, Name, Kind string
				Depth                            int
				OutputMessages                   []any
			}
		}
		p.JSON(a, http.MethodGet, fmt.Sprintf("/v1/traces/%s/spans?fields=summary&limit=%d&cursor=%s", id, limit, url.QueryEscape(cursor)), "", http.StatusOK, &page)
		if page.Total != len(l.order) || len(page.Spans) > limit {
			t.Fatalf("a page of %d spans, of %d", len(page.Spans), page.Total)
		}
		for _, s := range page.Spans {
			if at == len(l.order) {
				t.Fatal("more spans than were sent")
			}
			parent, kind := "", []string{"generic", "llm_call"}[at%2]
			if l.parent[at] >= 0 {
				parent = fmt.Sprintf("%x", l.spanID(l.parent[at]))
			}
			if s.SpanID != fmt.Sprintf("%x", l.spanID(at)) || s.ParentSpanID != parent || s.Depth != l.depth[at] || s.Name != "step "+strconv.Itoa(at) || s.Kind != kind {
				t.Fatalf("span %d is %+v; its depth is %d", at, s, l.depth[at])
			}
			if s.OutputMessages != nil {
				t.Fatal("a summary has payloads")
			}
			at++
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if at != len(l.order) {
		t.Errorf("%d spans were read of %d", at, len(l.order))
	}
}

// exportSpans sends a request of OTLP, all of which must be taken.
func exportSpans(t *testing.T, p *testkit.Pulse, a testkit.Account, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.Key)
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || answer.Len() > 0 { // an answer that is not empty rejects some
		t.Fatalf("%d bytes: %s %q", len(body), resp.Status, answer.String())
	}
}
