package fold

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/sketch"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// randomSpans makes spans over three days that share few traces and sessions.
func randomSpans(rng *rand.Rand, n int) []*trace.Span {
	var out []*trace.Span
	for i := range n {
		s := &trace.Span{
			ID: trace.SpanID(fmt.Sprint("s", i)), Form: trace.FormSpan,
			Start:     time.Date(2026, 1, 25, 0, 0, 0, 0, time.UTC).Add(time.Duration(rng.Int64N(int64(72*time.Hour/time.Microsecond))) * time.Microsecond),
			TraceID:   pick(rng, "", trace.TraceID(fmt.Sprint("t", rng.IntN(20)))),
			SessionID: pick(rng, "", trace.SessionID(fmt.Sprint("x", rng.IntN(9)))),
			Source:    pick(rng, trace.Sources()...), Kind: pick(rng, trace.Kinds()...), Status: pick(rng, trace.Statuses()...),
			EventType: pick(rng, "e", "session_start", "session_end"),
		}
		if rng.IntN(2) == 0 {
			v, in, cost := rng.Float64()*1e4, rng.Int64N(1000), rng.Int64N(1e9)
			s.DurationMS, s.TimeToFirstTokenMS, s.InputTokens, s.CostNanoUSD = &v, &v, &in, &cost
			model := pick(rng, "m1", "m2")
			s.Model = &model
		}
		out = append(out, s)
	}
	return out
}

// flatSums makes two rows comparable.
func flatSums(t *testing.T, s *Sums) any {
	t.Helper()
	type sums struct {
		Sums
		Latency, FirstToken string
	}
	l, _ := s.Latency.AppendBinary(nil)
	f, _ := s.FirstToken.AppendBinary(nil)
	row := sums{Sums: *s, Latency: string(l), FirstToken: string(f)}
	row.Sums.Latency, row.Sums.FirstToken = sketch.Latency{}, sketch.Latency{}
	return row
}

// flat makes two states comparable.
func flat(t *testing.T, s *State) any {
	t.Helper()
	rollups := map[RollupKey]any{}
	for k, v := range s.Rollups {
		rollups[k] = flatSums(t, v)
	}
	distinct := map[BucketKey]string{}
	for k, v := range s.Distinct {
		b, _ := v.AppendBinary(nil)
		distinct[k] = string(b)
	}
	return struct{ T, S, R, D, C any }{s.Traces, s.Sessions, rollups, distinct, s.TraceCounts.Counted()}
}

// sameLatency compares what sketches counted.
var sameLatency = cmp.Comparer(func(a, b sketch.Latency) bool { return a.Equal(&b) })

func TestStateDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	spans := randomSpans(rng, 800)
	whole := NewState()
	whole.Add(spans)
	want := flat(t, whole)
	for range 10 {
		rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		s := NewState()
		for rest := spans; len(rest) > 0; {
			n := 1 + rng.IntN(len(rest))
			s.Add(rest[:n])
			rest = rest[n:]
		}
		if diff := cmp.Diff(want, flat(t, s), sameLatency); diff != "" {
			t.Fatal(diff)
		}
	}
}

// TestSumsBecome takes spans out of a row and puts others in.
func TestSumsBecome(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 1))
	row := func(spans []*trace.Span) *Sums {
		var s Sums
		for _, sp := range spans {
			s.add(sp)
		}
		return &s
	}
	exact := 0
	const rounds = 2000
	for range rounds {
		spans := randomSpans(rng, 3+rng.IntN(6))
		for _, s := range spans {
			s.Kind = trace.KindLLMCall
			s.Start = time.UnixMicro(rng.Int64N(6)).UTC()
		}
		out, kept, in := spans[:1], spans[1:len(spans)-1], spans[len(spans)-1:]
		if rng.IntN(2) == 0 {
			in = nil
		}
		got := row(append(slices.Clone(out), kept...))
		if !got.Become(row(out), row(in)) {
			continue
		}
		exact++
		want := row(append(slices.Clone(kept), in...))
		if diff := cmp.Diff(flatSums(t, want), flatSums(t, got), cmp.AllowUnexported(sketch.Latency{})); diff != "" {
			t.Fatal(diff)
		}
	}
	if exact < rounds/4 {
		t.Errorf("%d of %d changes were made in place", exact, rounds)
	}
	full := &Sums{Count: 2, CostNanoUSD: math.MaxInt64}
	if full.Become(&Sums{Count: 1, CostNanoUSD: 1}, &Sums{}) {
		t.Error("a sum that may be more than it says was taken for what it says")
	}
}

// Differences of two transactions, each starting from the rows that the first
// left, add up to those of one.
func TestTraceCountsAreDifferences(t *testing.T) {
	t.Parallel()
	spans := randomSpans(rand.New(rand.NewPCG(2, 1)), 300)
	whole := NewState()
	whole.Add(spans)

	sum := TraceCounts{}
	stored := map[trace.TraceID]*trace.Trace{}
	for _, part := range [][]*trace.Span{spans[:100], spans[100:110], spans[110:]} {
		s := NewState()
		for _, id := range KeysOf(part).Traces {
			if tr := stored[id]; tr != nil {
				s.Traces[id] = tr
			}
		}
		s.Add(part)
		for id, tr := range s.Traces {
			stored[id] = tr
		}
		sum.change(s.TraceCounts.everyGrain())
	}
	if diff := cmp.Diff(whole.TraceCounts.Counted(), sum, sameLatency); diff != "" {
		t.Fatal(diff)
	}
}

func TestPlanCoversRangeOnce(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 1))
	base := time.Date(2026, 1, 25, 0, 0, 0, 0, time.UTC).UnixMicro()
	for range 5000 {
		unit := pick(rng, 1, int64(time.Minute/time.Microsecond), hourUS, dayUS)
		from := base + rng.Int64N(5*dayUS/unit)*unit
		to := from + rng.Int64N(1+pick(rng, hourUS, 3*hourUS, 5*dayUS)/unit)*unit
		p := NewPlan(Interval{from, to})
		if len(p.Parts) > 5 || len(p.Cuts) > 2 {
			t.Fatalf("too many parts: %+v", p)
		}
		var parts []Interval
		for _, part := range p.Parts {
			parts = append(parts, part.Interval)
			if w := part.Grain.WidthUS(); part.Empty() || part.From%w != 0 || part.To%w != 0 {
				t.Fatalf("buckets are cut or empty: %+v", p)
			}
		}
		for _, c := range p.Cuts {
			parts = append(parts, c.Rows)
			b := c.Bucket
			if c.Rows.Empty() || b.From%fiveMinUS != 0 || b.To != b.From+fiveMinUS || c.Rows.From < b.From || c.Rows.To > b.To {
				t.Fatalf("cut is no part of its bucket: %+v", p)
			}
		}
		var covered int64
		for i, a := range parts {
			covered += a.To - a.From
			for _, b := range parts[:i] {
				if a.From < b.To && b.From < a.To {
					t.Fatalf("parts overlap: %+v", p)
				}
			}
			if a.From < from || a.To > to {
				t.Fatalf("part leaves the range: %+v", p)
			}
		}
		if covered != max(0, to-from) {
			t.Fatalf("[%d,%d): parts cover %d: %+v", from, to, covered, p)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	at := func(s string) *time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return &v
	}
	lo, hi := trace.MinTime.UnixMicro(), trace.MaxTime.UnixMicro()
	noon := at("2026-01-25T12:00:00Z").UnixMicro()
	for _, c := range []struct {
		name string
		in   store.TimeRange
		want Interval
	}{
		{"Open", store.TimeRange{}, Interval{lo, hi}},
		{"BetweenMicroseconds", store.TimeRange{From: at("2026-01-25T12:00:00.0000001Z"), To: at("2026-01-25T12:00:00.0000011Z")}, Interval{noon + 1, noon + 2}},
		{"FarOff", store.TimeRange{From: at("0001-01-01T00:00:00Z"), To: at("9999-01-01T00:00:00Z")}, Interval{lo, hi}},
		{"LongGone", store.TimeRange{To: at("1900-01-01T00:00:00Z")}, Interval{lo, lo}},
		{"FarAhead", store.TimeRange{From: at("9000-01-01T00:00:00Z")}, Interval{hi, hi}},
	} {
		if got := Bounds(c.in); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()
	span := func(id trace.SpanID) trace.Span { return trace.Span{ID: id} }
	works := Group([]store.Batch{
		{Project: "b", Spans: []trace.Span{span("2"), span("1"), span("2")}, Refs: make([]store.PayloadRef, 3)},
		{Project: "a", Spans: []trace.Span{span("1")}, Refs: make([]store.PayloadRef, 1)},
		{Project: "b", Spans: []trace.Span{span("1"), span("0")}, Refs: make([]store.PayloadRef, 2)},
	})
	var got []string
	for _, w := range works {
		for _, it := range w.Items {
			got = append(got, fmt.Sprint(w.Project, " ", it.Span.ID, " ", it.Batch, it.Index))
		}
		if len(w.Later) > 0 {
			t.Errorf("spans of older forms are joined: %+v", w.Later)
		}
	}
	if diff := cmp.Diff([]string{"a 1 1 0", "b 0 2 1", "b 1 0 1", "b 2 0 0"}, got); diff != "" {
		t.Fatal(diff)
	}
}

// TestArrivals sorts deliveries of four spans: n is new, u is stored and says
// more, p comes in pieces, s is stored as it comes, o is stored in another form.
func TestArrivals(t *testing.T) {
	t.Parallel()
	mapped := func(id trace.SpanID, text string) trace.Span {
		raw := append([]byte{10, byte(len(text))}, text...) // a message of one field
		return trace.Span{
			ID: id, Form: trace.FormSpan, Status: trace.StatusSuccess, MappingVersion: 1, Payload: trace.Payload{Raw: raw, OutputText: &text},
		}
	}
	batches := []store.Batch{
		store.Pack("p", time.Now(), []trace.Span{mapped("n", "new"), mapped("u", "more"), mapped("p", "a"), mapped("o", "other"), mapped("s", "same")}),
		store.Pack("p", time.Now(), []trace.Span{mapped("p", "a"), mapped("p", "bb"), mapped("u", "more"), mapped("n", "new"), mapped("p", "bb")}),
	}
	works := Group(batches)
	before, same := mapped("u", "less"), mapped("s", "same")
	stored := map[trace.SpanID]Stored{
		"u": {Joinable: true, Content: store.ContentOf(&before)}, "s": {Joinable: true, Content: store.ContentOf(&same)}, "o": {},
	}
	a := works[0].Arrivals(stored)
	names := func(items []Item) (out []string) {
		for _, it := range items {
			out = append(out, fmt.Sprint(it.Span.ID, it.Batch, it.Index))
		}
		return out
	}
	if diff := cmp.Diff([]string{"n0 0"}, names(a.New)); diff != "" {
		t.Error(diff)
	}
	if len(a.Joined) != 2 || cmp.Diff([]string{"p0 2", "p1 1"}, names(a.Joined[0])) != "" || cmp.Diff([]string{"u0 1"}, names(a.Joined[1])) != "" {
		t.Fatalf("joined: %+v", a.Joined)
	}
	joined, err := Join(batches, 2, a.Joined, map[trace.SpanID]*trace.Span{"u": &before})
	if err != nil {
		t.Fatal(err)
	}
	if len(joined.New) != 1 || len(joined.Changes) != 1 || joined.Items[0].Span != joined.Changes[0].Now {
		t.Fatalf("%+v", joined)
	}
	for i, want := range [][2]string{{"bb", "\n\x01a\n\x02bb"}, {"more", "\n\x04less\n\x04more"}} {
		payload, err := (&payloadReader{batches: []store.Batch{joined.Batch}}).of(Item{Index: i})
		if err != nil || *payload.OutputText != want[0] || string(payload.Raw) != want[1] {
			t.Errorf("joined to %q, %q, %v; want %q", *payload.OutputText, payload.Raw, err, want)
		}
	}
	again := mapped("u", "more")
	if joined, err := Join(batches, 2, a.Joined[1:], map[trace.SpanID]*trace.Span{"u": &again}); err != nil || len(joined.Changes) != 0 {
		t.Errorf("what is stored already changed it: %+v, %v", joined, err)
	}
}

func TestFillPayloads(t *testing.T) {
	t.Parallel()
	text := "answer"
	b := store.Pack("p", time.Now(), []trace.Span{{ID: "a", Payload: trace.Payload{OutputText: &text}}})
	chunk := b.Chunks[0]
	chunks := map[uuid.UUID][]byte{chunk.ID: chunk.Data}
	spans := []*trace.Span{{}, {}, {}}
	places := []PayloadAt{{Chunk: chunk.ID}, {}, {Chunk: uuid.New()}}
	if err := FillPayloads(spans, places, chunks, math.MaxInt); err != nil {
		t.Fatal(err)
	}
	if spans[0].Payload.OutputText == nil || *spans[0].Payload.OutputText != text || !spans[1].Payload.Empty() || !spans[2].Payload.Empty() {
		t.Fatalf("%+v", spans)
	}
	if err := FillPayloads(spans, []PayloadAt{{Chunk: chunk.ID, Index: 1}, {}, {}}, chunks, math.MaxInt); err == nil {
		t.Fatal("an index outside the chunk was taken")
	}
	if err := FillPayloads(spans, places, map[uuid.UUID][]byte{chunk.ID: []byte("damage")}, math.MaxInt); err == nil {
		t.Fatal("a damaged chunk was taken")
	}
}

// What no id can be is refused by both engines alike, before they are asked.
func TestParseCursorRefuses(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "\x00", "a\x00b", "\xff", strings.Repeat("x", trace.MaxIDBytes+1)} {
		if c, err := ParseCursor(Cursor{Start: 1, ID: id}.String()); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %+v, %v", id, c, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(Cursor{Start: 1, ID: "日本"}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if back, err := ParseCursor(c.String()); err != nil || back != c {
			t.Fatalf("%+v: %+v, %v", c, back, err)
		}
	})
}

// Where an index is entered depends on it: all of a month's traces, or those that
// are looked at.
func TestWindowStarts(t *testing.T) {
	t.Parallel()
	month := Interval{1000, 9000}
	at := func(us int64) *Cursor { return &Cursor{Start: us, ID: "t"} }
	for name, c := range map[string]struct {
		window Window
		want   Interval
	}{
		"All":         {Window{Interval: month}, month},
		"Newest":      {Window{Interval: month, Low: at(8000)}, Interval{8000, 9000}},
		"NextPage":    {Window{Interval: month, Before: at(8500), Low: at(8000)}, Interval{8000, 8501}},
		"ToNewer":     {Window{Interval: month, After: at(2000), Low: at(3000)}, Interval{2000, 3001}},
		"BeyondRange": {Window{Interval: month, Before: at(9500), Low: at(500)}, month},
	} {
		if got := c.window.Starts(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
