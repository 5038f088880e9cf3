package trace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// randomSpan draws from few values, so that spans share what sums compare.
func randomSpan(rng *rand.Rand, id SpanID) Span {
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
	d := float64(rng.IntN(1000)) / 8
	s := Span{
		ID: id, TraceID: "t", SessionID: SessionID(rune('x' + rng.IntN(2))), Form: FormSpan,
		Start:  time.Date(2026, 1, 25, 12, 0, rng.IntN(5), 0, time.UTC),
		Source: Sources()[rng.IntN(2)], Kind: Kinds()[rng.IntN(len(Kinds()))],
		EventType: []string{"session_start", "session_end", "x"}[rng.IntN(3)], Status: Statuses()[rng.IntN(2)], DurationMS: &d,
		Provider: pick("a", "b"), Model: pick("m", "n"), CWD: pick("/1", "/2"), InputTokens: number(), OutputTokens: number(), CostNanoUSD: number(),
	}
	if rng.IntN(2) == 0 {
		s.Kind = KindLLMCall
	}
	if rng.IntN(3) > 0 {
		s.MappingVersion, s.Repeat, s.Patch = 1, rng.IntN(3) == 0, rng.IntN(5) == 0
		s.Name, s.Service, s.Environment, s.UserID = string(id), pick("web", "worker"), pick("prod", "test"), pick("u", "v")
		if rng.IntN(2) == 0 {
			s.SessionID = ""
		}
		s.Role = []Role{RoleNone, RoleNone, RoleReport, RolePart}[rng.IntN(4)]
		if rng.IntN(2) == 0 {
			s.ParentID = "p"
		}
		for range rng.IntN(3) {
			s.Tags = append(s.Tags, fmt.Sprint("tag", rng.IntN(4)))
		}
	}
	return s
}

func randomSpans(rng *rand.Rand, n int) []Span {
	spans := make([]Span, n)
	for i := range spans {
		spans[i] = randomSpan(rng, SpanID(rune('a'+i)))
	}
	return spans
}

func sums(spans []Span) (Trace, Session) {
	t, s := Trace{ID: "t"}, Session{ID: "s"}
	for i := range spans {
		t.Add(&spans[i])
		s.Add(&spans[i])
	}
	return t, s
}

// TestSumsDoNotDependOnOrder adds the same spans in many orders.
func TestSumsDoNotDependOnOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		spans := randomSpans(rng, 40)
		wantTrace, wantSession := sums(spans)
		for range 10 {
			rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
			tr, se := sums(spans)
			if diff := cmp.Diff(wantTrace, tr); diff != "" {
				t.Fatal(diff)
			}
			if diff := cmp.Diff(wantSession, se); diff != "" {
				t.Fatal(diff)
			}
		}
	}
}

// TestReplaceIsExactOrSaysNo changes one span of many and compares with sums
// made anew.
func TestReplaceIsExactOrSaysNo(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 2))
	const rounds = 20_000
	exact := [2]int{}
	for range rounds {
		spans := randomSpans(rng, 1+rng.IntN(6))
		tr, se := sums(spans)
		i := rng.IntN(len(spans))
		old, now := spans[i], randomSpan(rng, spans[i].ID)
		if rng.IntN(2) == 0 { // the usual change: little of it
			change := now
			now = old
			switch rng.IntN(6) {
			case 0:
				now.CostNanoUSD = change.CostNanoUSD
			case 1:
				now.DurationMS = change.DurationMS
			case 2:
				now.Repeat = !now.Repeat
			case 3:
				now.Kind, now.Model = change.Kind, change.Model
			case 4:
				now.Status, now.Tags, now.Service = change.Status, change.Tags, change.Service
			case 5:
				now.SessionID, now.UserID = change.SessionID, change.UserID
			}
		}
		spans[i] = now
		wantTrace, wantSession := sums(spans)
		if tr.Replace(&old, &now) {
			exact[0]++
			if diff := cmp.Diff(wantTrace, tr, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%+v became %+v: %s", old, now, diff)
			}
		}
		if se.Replace(&old, &now) {
			exact[1]++
			if diff := cmp.Diff(wantSession, se); diff != "" {
				t.Fatalf("%+v became %+v: %s", old, now, diff)
			}
		}
	}
	if min(exact[0], exact[1]) < rounds/4 {
		t.Errorf("of %d changes only %v were made in place", rounds, exact)
	}
}

func TestSetsKeepTheSmallest(t *testing.T) {
	var list []string
	for _, v := range []string{"d", "b", "e", "b", "a", "c"} {
		list = addSmallest(list, v, 3)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, list); diff != "" {
		t.Error(diff)
	}
}

// TestRepeatedCallsCountOnce holds what a span that repeats others adds.
func TestRepeatedCallsCountOnce(t *testing.T) {
	at := time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC)
	n := func(v int64) *int64 { return &v }
	call := Span{
		ID: "b", TraceID: "t", SessionID: "s", Form: FormSpan, Kind: KindLLMCall, MappingVersion: 1, Start: at.Add(time.Second),
		InputTokens: n(3), OutputTokens: n(4), CostNanoUSD: n(5),
	}
	wrapper, embedding := call, call
	wrapper.ID, wrapper.Repeat, wrapper.Start = "a", true, at
	embedding.ID, embedding.Kind, embedding.CostNanoUSD = "c", KindEmbedding, n(20)
	tr, se := sums([]Span{wrapper, call, embedding})
	if tr.LLMCount != 1 || *tr.InputTokens != 3 || *tr.OutputTokens != 4 || *tr.CostNanoUSD != 25 || tr.Main.SpanID != "b" || tr.SpanCount != 3 {
		t.Errorf("trace: %+v", tr)
	}
	if *tr.EmbeddingTokens != 3 {
		t.Errorf("embedding tokens: %d", *tr.EmbeddingTokens)
	}
	if se.InputTokens != 3 || se.OutputTokens != 4 || se.CostNanoUSD != 25 || se.SpanCount != 3 {
		t.Errorf("session: %+v", se)
	}
}

// TestSumsOfCallsThatNoSpanStandsFor holds what an agent's sum adds where it
// counts.
func TestSumsOfCallsThatNoSpanStandsFor(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	agent := Span{
		ID: "a", TraceID: "t", SessionID: "s", Form: FormSpan, Kind: KindAgentRun, MappingVersion: 1, Start: time.Date(2026, 1, 25, 12, 0, 0, 0, time.UTC),
		InputTokens: n(30), OutputTokens: n(40), CostNanoUSD: n(50),
	}
	step, own := agent, agent
	step.ID, step.Repeat = "b", true
	own.ID, own.MappingVersion = "c", 0 // of the earlier service's forms, which count model calls alone
	tr, se := sums([]Span{agent, step, own})
	if tr.LLMCount != 0 || *tr.InputTokens != 30 || *tr.OutputTokens != 40 || *tr.CostNanoUSD != 50 || tr.EmbeddingTokens != nil {
		t.Errorf("trace: %+v", tr)
	}
	if se.InputTokens != 60 || se.OutputTokens != 80 {
		t.Errorf("session: %+v", se)
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
