package trace

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSumsDoNotDependOnOrder adds the same spans in many orders.
func TestSumsDoNotDependOnOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)
	pick := func(options ...string) *string {
		if i := rng.IntN(len(options) + 1); i < len(options) {
			return &options[i]
		}
		return nil
	}
	number := func() *int64 {
		if rng.IntN(3) == 0 {
			return nil
		}
		n := []int64{0, 7, MaxTokens}[rng.IntN(3)]
		return &n
	}
	spans := make([]Span, 40)
	for i := range spans {
		d := float64(rng.IntN(1000)) / 8
		spans[i] = Span{
			ID: SpanID(rune('a' + i)), TraceID: "t", SessionID: SessionID(rune('x' + i%2)), Form: FormSpan,
			Start: start.Add(time.Duration(rng.IntN(5)) * time.Second), Source: Sources()[rng.IntN(5)], Kind: Kinds()[rng.IntN(7)],
			EventType: []string{"session_start", "session_end", "x"}[rng.IntN(3)], Status: Statuses()[rng.IntN(2)], DurationMS: &d,
			Provider: pick("a", "b"), Model: pick("m", "n"), CWD: pick("/1", "/2"), InputTokens: number(), OutputTokens: number(), CostNanoUSD: number(),
		}
	}
	var wantTrace Trace
	var wantSession Session
	for round := range 50 {
		rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		var tr Trace
		var se Session
		for i := range spans {
			tr.Add(&spans[i])
			se.Add(&spans[i])
		}
		if round == 0 {
			wantTrace, wantSession = tr, se
		}
		if diff := cmp.Diff(wantTrace, tr); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(wantSession, se); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestMainSpan(t *testing.T) {
	at := time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)
	var tr Trace
	for _, s := range []Span{
		{ID: "b", Start: at, Kind: KindToolUse, EventType: "session_start"},
		{ID: "d", Start: at.Add(2 * time.Second), Kind: KindLLMCall, SessionID: "s"},
		{ID: "c", Start: at.Add(2 * time.Second), Kind: KindLLMCall, SessionID: "main"},
		{ID: "a", Start: at.Add(time.Second), Kind: KindToolUse},
	} {
		tr.Add(&s)
	}
	if tr.Main.SpanID != "c" || tr.SessionID != "main" {
		t.Errorf("main span is %v of session %s", tr.Main, tr.SessionID)
	}
	if !tr.Start.Equal(at.Add(time.Second)) {
		t.Errorf("start is %v: lifecycle events do not count", tr.Start)
	}
}

func TestPlusDoesNotWrap(t *testing.T) {
	for _, c := range [][3]int64{{1, 2, 3}, {math.MaxInt64, 1, math.MaxInt64}, {math.MaxInt64 - 1, 1, math.MaxInt64}, {0, math.MaxInt64, math.MaxInt64}} {
		if got := Plus(c[0], c[1]); got != c[2] {
			t.Errorf("Plus(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestSourceMaskKnowsEverySource(t *testing.T) {
	var all SourceMask
	for _, s := range Sources() {
		if got := s.Mask().Sources(); len(got) != 1 || got[0] != s {
			t.Errorf("mask of %s gives %v", s, got)
		}
		all |= s.Mask()
	}
	if diff := cmp.Diff(Sources(), all.Sources()); diff != "" {
		t.Error(diff)
	}
}
