package fold

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulse-traces/pulse/shared/trace"
)

// memory is Peers of spans in memory, as an engine keeps them.
type memory struct {
	peers map[trace.SpanID]Peer
	reads int
}

func (m *memory) find(keep func(*trace.Span) bool) []Peer {
	var out []Peer
	for _, id := range slices.Sorted(maps.Keys(m.peers)) {
		if p := m.peers[id]; keep(p.Own) {
			out = append(out, p)
		}
	}
	return out
}

// read counts what is given.
func (m *memory) read(list []Peer) ([]Peer, error) {
	m.reads += len(list)
	return list, nil
}

func (m *memory) Traces(_ context.Context, ids []trace.TraceID) (map[trace.TraceID]TraceFacts, error) {
	out := map[trace.TraceID]TraceFacts{}
	for _, p := range m.peers {
		if id := p.Own.TraceID; slices.Contains(ids, id) {
			out[id] = TraceFacts{out[id].Spans + 1, out[id].Reports || p.Own.Reports()}
		}
	}
	return out, nil
}

func (m *memory) Parents(_ context.Context, traces []trace.TraceID, ids []trace.SpanID) ([]trace.SpanID, error) {
	var out []trace.SpanID
	for _, p := range m.find(func(s *trace.Span) bool {
		return slices.Contains(traces, s.TraceID) && slices.Contains(ids, s.ParentID)
	}) {
		out = append(out, p.Own.ParentID)
	}
	return out, nil
}

func (m *memory) OfTraces(_ context.Context, ids []trace.TraceID) ([]Peer, error) {
	return m.read(m.find(func(s *trace.Span) bool { return slices.Contains(ids, s.TraceID) }))
}

func (m *memory) Beside(_ context.Context, id trace.TraceID, i Interval, limit int) ([]Peer, error) {
	list := m.find(func(s *trace.Span) bool {
		at := s.Start.UnixMicro()
		return s.TraceID == id && at >= i.From && at < i.To
	})
	return m.read(list[:min(len(list), limit)])
}

func (m *memory) ByID(_ context.Context, ids []trace.SpanID) ([]Peer, error) {
	return m.read(m.find(func(s *trace.Span) bool { return slices.Contains(ids, s.ID) }))
}

func (m *memory) ByKey(_ context.Context, keys []CallKey, limit int) ([]Peer, error) {
	var out []Peer
	for _, k := range keys {
		list := m.find(func(s *trace.Span) bool {
			at := s.Start.UnixMicro()
			return KeyOf(s) == k.Key && at >= k.From && at < k.To
		})
		out = append(out, list[:min(len(list), limit)]...)
	}
	return m.read(out)
}

// write counts and stores, as an engine does.
func (m *memory) write(t *testing.T, added []*trace.Span, changes []Change, removed ...trace.SpanID) {
	t.Helper()
	e := Edit{Added: added, Changes: changes}
	for _, id := range removed {
		e.Removed = append(e.Removed, m.peers[id].Own)
		delete(m.peers, id)
	}
	v, err := Count(t.Context(), m, e)
	if err != nil {
		t.Fatal(err)
	}
	written := slices.Clone(added)
	for _, c := range changes {
		written = append(written, c.Now)
	}
	for _, s := range written {
		of := v.Of(s)
		m.peers[s.ID] = Peer{Own: s, Shown: of.Shown, From: of.From}
	}
	for _, k := range v.Marked {
		m.peers[k.Own.ID] = Peer{Own: k.Own, Shown: k.Verdict.Shown, From: k.Verdict.From}
	}
}

// randomCall makes a span of few traces, with few keys.
func randomCall(rng *rand.Rand, i int, roles ...trace.Role) *trace.Span {
	id := func(i int) trace.SpanID { return trace.SpanID(fmt.Sprintf("s%03d", i)) }
	s := &trace.Span{
		ID: id(i), TraceID: trace.TraceID(fmt.Sprint("t", i%4)), Form: trace.FormSpan, MappingVersion: 1, Status: trace.StatusSuccess,
		Kind: pick(rng, trace.KindLLMCall, trace.KindLLMCall, trace.KindEmbedding, trace.KindChain, trace.KindAgentRun, trace.KindToolUse),
		Role: pick(rng, append([]trace.Role{trace.RoleWrapper}, roles...)...),
		// Two traces at a time share keys, and few pairs of them are near.
		Start: time.Date(2026, 1, 25, 0, i%4/2*10, rng.IntN(30), 0, time.UTC), Scope: trace.Scope{Name: pick(rng, "one", "two", "three")},
	}
	if i > 3 {
		s.ParentID = pick(rng, id(i-4), id(i-4), id(max(0, i-8)), id(900+i), "")
	}
	if i%9 == 8 {
		s.TraceID, s.ParentID = "", ""
	}
	d := float64(rng.IntN(3000))
	s.DurationMS = &d
	if rng.IntN(2) == 0 {
		v, cost := int64(3), rng.Int64N(9)
		s.Usage, s.InputTokens, s.CostNanoUSD, s.CostSource = &trace.Usage{Input: v}, &v, &cost, pick(rng, trace.CostOfSender, trace.CostOfPrices)
	}
	if s.Kind == trace.KindToolUse && rng.IntN(3) > 0 {
		use := fmt.Sprint("use", rng.IntN(6))
		s.ToolUseID = &use
	} else if rng.IntN(2) == 0 {
		s.CallKey = fmt.Sprint("k", rng.IntN(4))
		model := pick(rng, "a", "b")
		s.Model = &model
	}
	return s
}

// TestCountEqualsResolve writes spans in random pieces and orders, changes some,
// removes others, and compares what Count leaves behind with the rule applied to
// all at once.
func TestCountEqualsResolve(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 3))
		n := 5 + rng.IntN(40)
		roles := []trace.Role{trace.RoleNone, trace.RoleNone, trace.RoleNone}
		if rng.IntN(2) == 0 {
			roles = append(roles, trace.RoleReport, trace.RolePart)
		}
		rest := make([]*trace.Span, n)
		for i := range rest {
			rest[i] = randomCall(rng, i, roles...)
		}
		m := &memory{peers: map[trace.SpanID]Peer{}}
		rng.Shuffle(n, func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		for len(rest) > 0 {
			k := 1 + rng.IntN(min(len(rest), 12))
			var changes []Change
			var removed []trace.SpanID
			ids := slices.Sorted(maps.Keys(m.peers))
			rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			for _, id := range ids[:min(len(ids), rng.IntN(4))] {
				var number int
				if _, err := fmt.Sscanf(string(id), "s%d", &number); err != nil {
					t.Fatal(err)
				}
				if rng.IntN(4) == 0 {
					removed = append(removed, id)
				} else {
					changes = append(changes, Change{Old: m.peers[id].Shown, Now: randomCall(rng, number, roles...)})
				}
			}
			m.write(t, rest[:k], changes, removed...)
			rest = rest[k:]

			var spans []trace.Span
			for _, id := range slices.Sorted(maps.Keys(m.peers)) {
				spans = append(spans, *m.peers[id].Own)
			}
			standings := trace.Resolve(spans)
			for i := range spans {
				want, got := verdict(spans, standings, i), m.peers[spans[i].ID]
				if diff := cmp.Diff(want, Verdict{got.Shown, got.From}); diff != "" {
					t.Fatalf("seed %d, %d spans, %s: %s", seed, len(spans), spans[i].ID, diff)
				}
			}
		}
	}
}

// TestCountOfLongTraceReadsLittle writes a trace far above MaxResolved in
// pieces: what one more piece costs must not grow with what is stored.
func TestCountOfLongTraceReadsLittle(t *testing.T) {
	t.Parallel()
	const n, piece = 3 * MaxResolved, 200
	for name, parent := range map[string]func(i int) int{"Flat": func(int) int { return 0 }, "Deep": func(i int) int { return i - 1 }} {
		m := &memory{peers: map[trace.SpanID]Peer{}}
		var spans []*trace.Span
		for i := range n {
			s := &trace.Span{
				ID: trace.SpanID(fmt.Sprintf("s%05d", i)), TraceID: "t", ParentID: trace.SpanID(fmt.Sprintf("s%05d", parent(i))), Form: trace.FormSpan,
				MappingVersion: 1, Kind: trace.KindAgentRun, Start: time.Date(2026, 1, 25, 0, 0, i, 0, time.UTC),
			}
			if i%2 == 1 { // as a test double answers
				s.Kind, s.CallKey, s.Usage = trace.KindLLMCall, "same", &trace.Usage{Input: 1}
			}
			spans = append(spans, s)
		}
		most := 0
		for ; len(spans) > 0; spans = spans[piece:] {
			before := m.reads
			m.write(t, spans[:piece], nil)
			most = max(most, m.reads-before)
		}
		if most > MaxResolved+maxBeside+maxOfKey+1 {
			t.Errorf("%s: to write %d spans %d were read", name, piece, most)
		}
		for _, p := range m.peers {
			if p.Shown.Repeat {
				t.Errorf("%s: %s repeats another", name, p.Own.ID)
				break
			}
		}
	}
}
