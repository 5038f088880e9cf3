package trace

import (
	"cmp"
	"math"
	"time"
)

// Trace is what the spans of one trace id add up to. The drain keeps it by
// calling Add for each span that is new; the sum does not depend on their order.
type Trace struct {
	ID        TraceID
	SessionID SessionID  // of the main span
	Start     *time.Time // earliest span that is no lifecycle event; nil if there is none, and then lists leave the trace out
	End       time.Time  // latest end of any span
	Main      Main
	Form      Form // FormTrace if it came as one LLM trace

	SpanCount  int64
	LLMCount   int64 // spans of KindLLMCall
	ErrorCount int64 // spans with StatusError
	DurationUS int64 // sum of the spans' durations in microseconds: an integer, so that order does not matter
	Sources    SourceMask

	// Sums over spans of KindLLMCall; nil where none of them said.
	InputTokens, OutputTokens, CostNanoUSD *int64

	// ProviderKey and ModelKey are what filters compare with: the largest
	// provider and model of the model calls ("sdk" and "unknown" where such a
	// call names none), or the largest source and "unknown" in a trace without.
	ProviderKey, ModelKey string

	// Spans are filled by reads that ask for them, by start time, then id.
	Spans          []Span
	SpansTruncated bool // there are more spans than were read
}

// Main points at the span that stands for a trace: the first model call, or the
// first span if there is none; ties go to the smaller id.
type Main struct {
	SpanID  SpanID
	Start   time.Time
	LLMCall bool
}

// before reports whether m stands for the trace rather than o.
func (m Main) before(o Main) bool {
	if m.LLMCall != o.LLMCall {
		return m.LLMCall
	}
	if c := m.Start.Compare(o.Start); c != 0 {
		return c < 0
	}
	return m.SpanID < o.SpanID
}

// Status is StatusError if any span failed.
func (t *Trace) Status() Status {
	if t.ErrorCount > 0 {
		return StatusError
	}
	return StatusSuccess
}

// Add counts a span that t has not counted before.
func (t *Trace) Add(s *Span) {
	llm := s.Kind == KindLLMCall
	m := Main{SpanID: s.ID, Start: s.Start, LLMCall: llm}
	if t.SpanCount == 0 || m.before(t.Main) {
		t.Main, t.SessionID, t.Form = m, s.SessionID, s.Form
	}
	if !s.IsLifecycle() && (t.Start == nil || s.Start.Before(*t.Start)) {
		start := s.Start
		t.Start = &start
	}
	if end := s.End(); t.SpanCount == 0 || end.After(t.End) {
		t.End = end
	}
	provider, model := string(s.Source), unknownModel
	if llm {
		if t.LLMCount == 0 { // sources no longer count
			t.ProviderKey, t.ModelKey = "", ""
		}
		provider, model = ProviderOf(s), ModelOf(s)
		t.LLMCount++
		t.InputTokens = addOptional(t.InputTokens, s.InputTokens)
		t.OutputTokens = addOptional(t.OutputTokens, s.OutputTokens)
		t.CostNanoUSD = addOptional(t.CostNanoUSD, s.CostNanoUSD)
	}
	if llm || t.LLMCount == 0 {
		t.ProviderKey, t.ModelKey = max(t.ProviderKey, provider), max(t.ModelKey, model)
	}
	t.SpanCount++
	if s.Status == StatusError {
		t.ErrorCount++
	}
	t.DurationUS = Plus(t.DurationUS, s.DurationUS())
	t.Sources |= s.Source.Mask()
}

const (
	unknownProvider = "sdk"
	unknownModel    = "unknown"
)

// ProviderOf names a model call's provider in sums and filters: "sdk" if the
// call names none.
func ProviderOf(s *Span) string { return cmp.Or(deref(s.Provider), unknownProvider) }

// ModelOf names a model call's model in sums and filters: "unknown" if the call
// names none.
func ModelOf(s *Span) string { return cmp.Or(deref(s.Model), unknownModel) }

// Session is what the spans of one session id add up to, kept by the drain as
// Trace is. Counts of distinct things (tools, traces) are made when it is read.
type Session struct {
	ID          SessionID
	First, Last time.Time // earliest and latest start
	SpanCount   int64
	TracedCount int64 // spans with a trace id that are no lifecycle events; agent lists show sessions that have some
	ErrorCount  int64
	AgentRuns   int64
	Sources     SourceMask // of the spans that TracedCount counts
	// Sums over all spans, unknown as 0.
	InputTokens, OutputTokens, CostNanoUSD int64
	EndDurationMS                          *float64 // largest duration of a session_end span
	CWD, Model, AgentName                  *string  // the largest value

	// Filled by reads.
	ToolCalls  int64 // distinct tool use ids (else span ids) among spans of KindToolUse
	TraceCount int64 // distinct trace ids among the spans that TracedCount counts
}

// Add counts a span that s has not counted before.
func (s *Session) Add(sp *Span) {
	if s.SpanCount == 0 || sp.Start.Before(s.First) {
		s.First = sp.Start
	}
	if s.SpanCount == 0 || sp.Start.After(s.Last) {
		s.Last = sp.Start
	}
	s.SpanCount++
	if sp.TraceID != "" && !sp.IsLifecycle() {
		s.TracedCount++
		s.Sources |= sp.Source.Mask()
	}
	if sp.Status == StatusError {
		s.ErrorCount++
	}
	if sp.Kind == KindAgentRun {
		s.AgentRuns++
	}
	s.InputTokens = Plus(s.InputTokens, deref(sp.InputTokens))
	s.OutputTokens = Plus(s.OutputTokens, deref(sp.OutputTokens))
	s.CostNanoUSD = Plus(s.CostNanoUSD, deref(sp.CostNanoUSD))
	if sp.EventType == "session_end" && sp.DurationMS != nil {
		s.EndDurationMS = larger(s.EndDurationMS, sp.DurationMS)
	}
	s.CWD, s.Model, s.AgentName = larger(s.CWD, sp.CWD), larger(s.Model, sp.Model), larger(s.AgentName, sp.AgentName)
}

// DurationMS is the longest session_end's duration, or the time from the first
// span to the last.
func (s *Session) DurationMS() float64 {
	if s.EndDurationMS != nil {
		return *s.EndDurationMS
	}
	return float64(s.Last.Sub(s.First).Milliseconds())
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Plus adds two sums that are not negative and stays at the largest int64 where
// the result would pass it: values that a sender makes up must not wrap round.
// Like plain addition it does not depend on the order.
func Plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func addOptional(sum, v *int64) *int64 {
	if v == nil {
		return sum
	}
	n := Plus(deref(sum), *v)
	return &n
}

func larger[T cmp.Ordered](a, b *T) *T {
	if a == nil || (b != nil && *b > *a) {
		return b
	}
	return a
}
