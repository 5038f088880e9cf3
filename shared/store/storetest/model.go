package storetest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// model is what a project must hold: its spans, by id, as they were sent. Which
// of them repeat others is decided when they are asked for.
type model map[trace.SpanID]trace.Span

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func maybe[T any](rng *rand.Rand, v T) *T {
	if rng.IntN(3) == 0 {
		return nil
	}
	return &v
}

// randomTime is within three days, often where buckets of roll-ups meet, or
// close to other times.
func randomTime(rng *rand.Rand) time.Time {
	switch rng.IntN(6) {
	case 0:
		return start.Add(time.Duration(rng.IntN(72)) * time.Hour)
	case 1:
		return start.Add(time.Duration(rng.IntN(72))*time.Hour - time.Microsecond + time.Hour)
	case 2:
		return start.Add(time.Duration(rng.IntN(72*12)) * 5 * time.Minute)
	case 3: // a busy hour, so that ranges cut buckets that hold several spans
		return start.Add(30*time.Hour + time.Duration(rng.Int64N(int64(time.Hour/time.Microsecond)))*time.Microsecond)
	default:
		return start.Add(time.Duration(rng.Int64N(int64(72*time.Hour/time.Microsecond))) * time.Microsecond)
	}
}

// keyOf gives two of three spans an API key.
func keyOf(id string) *string {
	n := id[len(id)-1] % 3
	if n == 0 {
		return nil
	}
	return ptr(fmt.Sprint("key-", n))
}

// randomSpan draws from few values, so that spans share traces, sessions, times.
func randomSpan(rng *rand.Rand, id string) trace.Span {
	s := trace.Span{
		ID: trace.SpanID(id), Start: randomTime(rng), SessionID: pick(rng, "", trace.SessionID(fmt.Sprint("x", rng.IntN(12)))),
		Status:     pick(rng, trace.StatusSuccess, trace.StatusSuccess, trace.StatusError),
		DurationMS: maybe(rng, math.Round(rng.ExpFloat64()*500_000)/1000), Service: maybe(rng, pick(rng, "web", "worker")),
		InputTokens: maybe(rng, rng.Int64N(5000)), OutputTokens: maybe(rng, rng.Int64N(500)), CostNanoUSD: maybe(rng, rng.Int64N(1e9)),
		Model: maybe(rng, pick(rng, "m1", "m2", "m3", "")), Provider: maybe(rng, pick(rng, "openai", "anthropic", "")),
		CWD: maybe(rng, pick(rng, "/a", "/b")), AgentName: maybe(rng, pick(rng, "Plan", "Explore")),
		APIKey: keyOf(id),
	}
	if rng.IntN(2) == 0 {
		s.Form, s.TraceID, s.Source, s.Kind, s.EventType = trace.FormTrace, trace.TraceID(id), trace.SourceSDK, trace.KindLLMCall, "llm_call"
		s.TimeToFirstTokenMS = maybe(rng, rng.Float64()*1000)
		return s
	}
	s.Form = trace.FormSpan
	// Some agents' traces have the id of an LLM trace that may come or not.
	s.TraceID = pick(rng, "", trace.TraceID(fmt.Sprint("t", rng.IntN(30))), trace.TraceID(numbered("r", rng.IntN(50))))
	s.Source, s.Kind = pick(rng, trace.Sources()...), pick(rng, trace.Kinds()...)
	s.EventType = pick(rng, "event", "event", "session_start", "session_end")
	s.ToolName, s.ToolUseID = maybe(rng, pick(rng, "Bash", "Edit", "")), maybe(rng, fmt.Sprint("use", rng.IntN(20)))
	s.ParentID = pick(rng, "", trace.SpanID("parent"))
	if rng.IntN(4) > 0 {
		return mapped(rng, s)
	}
	return s
}

// mapped makes of s a span that OpenTelemetry sent. Of numbered spans every
// fifth is of one trace, and its parent some earlier one of that, whatever that
// turns out to be: there are no circles.
func mapped(rng *rand.Rand, s trace.Span) trace.Span {
	n := 0
	if _, err := fmt.Sscanf(string(s.ID), "r%d", &n); err == nil && rng.IntN(8) > 0 {
		s.TraceID = trace.TraceID(fmt.Sprint("t", n%5))
	}
	s.ParentID = ""
	if rng.IntN(6) > 0 && n >= 5 {
		s.ParentID = trace.SpanID(numbered("r", n-5*(1+rng.IntN(min(n/5, 4)))))
	}
	s.MappingVersion, s.Patch = 1+rng.IntN(2), rng.IntN(12) == 0
	if rng.IntN(3) > 0 {
		s.Kind = pick(rng, trace.KindLLMCall, trace.KindLLMCall, trace.KindChain, trace.KindEmbedding)
	}
	s.Name, s.Operation, s.UserID = pick(rng, "", "chat m", "agent"), pick(rng, "", "chat"), maybe(rng, pick(rng, "u1", "u2"))
	s.Environment, s.Release, s.Scope = maybe(rng, pick(rng, "prod", "test")), maybe(rng, "1.0"), pick(rng, trace.Scope{}, trace.Scope{Name: "one", Version: "1"}, trace.Scope{Name: "two"})
	s.CallKey, s.Role, s.Tells = pick(rng, "", fmt.Sprint("call", rng.IntN(10))), pick(rng, trace.RoleNone, trace.RoleNone, trace.RoleReport), trace.Tells(rng.IntN(4))
	s.ServiceTier = maybe(rng, pick(rng, "flex", "batch"))
	for range rng.IntN(3) {
		if tag := fmt.Sprint("tag", rng.IntN(4)); !slices.Contains(s.Tags, tag) {
			s.Tags = append(s.Tags, tag)
		}
	}
	slices.Sort(s.Tags) // as Merge leaves them
	if rng.IntN(2) == 0 {
		s.Usage = &trace.Usage{Input: rng.Int64N(100), Output: rng.Int64N(100), ImageOutput: rng.Int64N(2)}
	}
	if s.CostNanoUSD != nil {
		s.CostSource = pick(rng, trace.CostOfSender, trace.CostOfPrices)
	}
	s.Payload.Raw = rawBytes(fmt.Sprintf("%s %d", s.ID, rng.Uint32()))
	if rng.IntN(2) == 0 {
		s.Payload.InputMessages = fmt.Appendf(nil, `[{"role":"user","parts":[{"type":"text","text":"%d"}]}]`, rng.IntN(1000))
	}
	return s
}

// rawBytes gives a message of one field, as raw bytes are joined by fields.
func rawBytes(text string) []byte { return append([]byte{10, byte(len(text))}, text...) }

// pieces gives deliveries of a span that came from OpenTelemetry: each knows
// some of it.
func pieces(rng *rand.Rand, s trace.Span) []trace.Span {
	out := make([]trace.Span, 1+rng.IntN(3))
	for i := range out {
		p := mapped(rng, randomSpan(rng, string(s.ID)))
		p.Form, p.TraceID, p.ParentID, p.Source, p.EventType = trace.FormSpan, s.TraceID, pick(rng, s.ParentID, ""), s.Source, s.EventType
		p.Start = s.Start.Add(time.Duration(rng.IntN(3)) * time.Second)
		p.SessionID = pick(rng, s.SessionID, "", p.SessionID)
		out[i] = p
	}
	return out
}

// randomSpans gives n spans with ids that sort as their numbers.
func randomSpans(rng *rand.Rand, n int) []trace.Span {
	out := make([]trace.Span, n)
	for i := range out {
		out[i] = randomSpan(rng, numbered("r", i))
	}
	return out
}

func (m model) add(spans ...trace.Span) {
	for _, s := range spans {
		old, ok := m[s.ID]
		switch {
		case !ok:
			m[s.ID] = s
		case old.Mapped() && s.Mapped():
			m[s.ID] = trace.Merge(&old, &s)
		}
	}
}

// shown gives all spans as lists show them: completed by those that tell of the
// same calls, which are marked.
func (m model) shown() []trace.Span {
	var out, narrow []trace.Span
	for _, s := range m {
		s.Payload.Raw = nil
		if !s.Mapped() {
			out = append(out, s)
			continue
		}
		narrow = append(narrow, s)
	}
	standings := trace.Resolve(narrow)
	for i, s := range narrow {
		if from := standings[i].From; len(from) > 0 {
			var others []*trace.Span
			for _, j := range from[:min(len(from), 8)] {
				others = append(others, &narrow[j])
			}
			s = trace.Complete(&s, others...)
			for _, o := range others {
				if s.CostNanoUSD == nil {
					s.CostNanoUSD, s.CostSource = o.CostNanoUSD, o.CostSource
				}
			}
		}
		s.Repeat = !standings[i].Counts
		out = append(out, s)
	}
	return out
}

func bySpan(a, b trace.Span) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) }

func byTrace(a, b trace.Trace) int {
	return cmp.Or(a.Start.Compare(*b.Start), cmp.Compare(a.ID, b.ID))
}

func inRange(at time.Time, r store.TimeRange) bool {
	return (r.From == nil || !at.Before(*r.From)) && (r.To == nil || at.Before(*r.To))
}

// spans gives those that keep accepts, by start, then id, as lists give them.
func (m model) spans(keep func(*trace.Span) bool) []trace.Span {
	var out []trace.Span
	for _, s := range m.shown() {
		if keep(&s) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, bySpan)
	return out
}

// traces gives all traces whole, by start, then id; those without start last.
func (m model) traces() []trace.Trace {
	byID := map[trace.TraceID]*trace.Trace{}
	for _, s := range m.spans(func(s *trace.Span) bool { return s.TraceID != "" }) {
		t := byID[s.TraceID]
		if t == nil {
			t = &trace.Trace{ID: s.TraceID}
			byID[s.TraceID] = t
		}
		t.Add(&s)
		t.Spans = append(t.Spans, s)
	}
	var out, hidden []trace.Trace
	for _, t := range byID {
		if t.Start == nil {
			hidden = append(hidden, *t)
		} else {
			out = append(out, *t)
		}
	}
	slices.SortFunc(out, byTrace)
	return append(out, hidden...)
}

func (m model) listTraces(f store.TraceFilter) []trace.Trace {
	out := slices.DeleteFunc(m.traces(), func(t trace.Trace) bool {
		service := f.Service == "" || slices.ContainsFunc(t.Spans, func(s trace.Span) bool { return s.Service != nil && *s.Service == f.Service })
		return t.Start == nil || !inRange(*t.Start, f.Time) || !service || (f.SessionID != "" && t.SessionID != f.SessionID) ||
			(f.Source != "" && t.Sources&f.Source.Mask() == 0) || (f.Provider != "" && t.ProviderKey != f.Provider) ||
			(f.Model != "" && t.ModelKey != f.Model) || (f.Status != "" && t.Status() != f.Status)
	})
	slices.Reverse(out)
	return out
}

func (m model) listSpans(f store.SpanFilter) []trace.Span {
	out := m.spans(func(s *trace.Span) bool {
		return s.Form == trace.FormSpan && inRange(s.Start, f.Time) && (f.SessionID == "" || s.SessionID == f.SessionID) &&
			(f.TraceID == "" || s.TraceID == f.TraceID) && (f.Service == "" || (s.Service != nil && *s.Service == f.Service)) &&
			(f.Source == "" || s.Source == f.Source) && (f.Kind == "" || s.Kind == f.Kind) &&
			(f.ToolName == "" || (s.ToolName != nil && *s.ToolName == f.ToolName)) && (f.Status == "" || s.Status == f.Status)
	})
	slices.Reverse(out)
	return out
}

func (m model) listSessions(f store.SessionFilter) []trace.Session {
	byID := map[trace.SessionID]*trace.Session{}
	tools, traces, files := map[[2]string]bool{}, map[[2]string]bool{}, map[[2]string]bool{}
	for _, s := range m.spans(func(s *trace.Span) bool { return s.SessionID != "" }) {
		se := byID[s.SessionID]
		if se == nil {
			se = &trace.Session{ID: s.SessionID}
			byID[s.SessionID] = se
		}
		se.Add(&s)
		if s.ToolCall() {
			use := string(s.ID)
			if s.ToolUseID != nil {
				use = *s.ToolUseID
			}
			if k := [2]string{string(s.SessionID), use}; !tools[k] {
				tools[k] = true
				se.ToolCalls++
			}
		}
		if k := [2]string{string(s.SessionID), string(s.TraceID)}; s.TraceID != "" && !s.IsLifecycle() && !traces[k] {
			traces[k] = true
			se.TraceCount++
		}
		if s.EditedFile != nil && !files[[2]string{string(s.SessionID), *s.EditedFile}] {
			files[[2]string{string(s.SessionID), *s.EditedFile}] = true
			se.FileCount++
		}
	}
	for _, t := range m.traces() {
		if se := byID[t.SessionID]; se != nil {
			se.Turns = se.Turns.Plus(trace.TurnOf(&t), 1)
		}
	}
	var out []trace.Session
	for _, s := range byID {
		if s.TracedCount > 0 && (f.Time.To == nil || s.First.Before(*f.Time.To)) && (f.Time.From == nil || !s.Last.Before(*f.Time.From)) &&
			(f.Source == "" || s.Sources&f.Source.Mask() != 0) {
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(a, b trace.Session) int {
		order := 0
		switch f.Sort {
		case store.SortOldest:
			order = a.First.Compare(b.First)
		case store.SortDuration:
			order = cmp.Compare(b.DurationMS(), a.DurationMS())
		case store.SortErrors:
			order = cmp.Compare(b.ErrorCount, a.ErrorCount)
		case store.SortVolume:
			order = cmp.Compare(b.SpanCount, a.SpanCount)
		}
		return cmp.Or(order, b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// check compares everything that can be read of a project with the model.
func (m model) check(t *testing.T, s store.Store, project account.ProjectID) {
	t.Helper()
	ctx := t.Context()
	traces := m.listTraces(store.TraceFilter{})
	got := must[store.TraceList](t)(s.ListTraces(ctx, project, store.TraceFilter{}, store.Page{Limit: 1000, Detail: store.Full}))
	same(t, "traces", traces, got.Traces)
	same(t, "total of traces", int64(len(traces)), got.Total)
	for _, tr := range m.traces() { // those without start too
		same(t, "trace", tr, must[trace.Trace](t)(s.Trace(ctx, project, tr.ID)))
	}
	spans := m.listSpans(store.SpanFilter{})
	list := must[store.SpanList](t)(s.ListSpans(ctx, project, store.SpanFilter{}, store.Page{Limit: 1000, Detail: store.Full}))
	same(t, "spans", spans, list.Spans)
	same(t, "total of spans", int64(len(spans)), list.Total)
	sessions := m.listSessions(store.SessionFilter{})
	got2 := must[store.SessionList](t)(s.ListSessions(ctx, project, store.SessionFilter{}, store.Page{Limit: 1000}))
	same(t, "sessions", sessions, got2.Sessions)
	same(t, "total of sessions", int64(len(sessions)), got2.Total)
	m.checkAnalytics(t, s, project, store.TimeRange{}, store.PeriodHour)
	if differing := must[int64](t)(s.Recount(ctx, project, false)); differing != 0 {
		t.Fatalf("%d rows differ from a recount", differing)
	}
}
