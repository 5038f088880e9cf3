package trace

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Trace is what the spans of one trace id add up to. The drain keeps it by
// calling Add for each span that is new, and Replace for each that changed; the
// sum does not depend on their order.
type Trace struct {
	ID        TraceID
	SessionID SessionID  // of the main span; AnySession where that has none
	Start     *time.Time // earliest span that is no lifecycle event; nil if there is none, and then lists leave the trace out
	End       time.Time  // latest end of any span
	Main      Main
	Form      Form // FormTrace if it came as one LLM trace

	SpanCount  int64
	LLMCount   int64 // model calls: spans of KindLLMCall that repeat no other
	ErrorCount int64 // spans with StatusError
	DurationUS int64 // sum of the spans' durations in microseconds: an integer, so that order does not matter
	Sources    SourceMask

	// Sums over the model calls, and over what other spans made from OpenTelemetry
	// say of calls that no span stands for (an agent's sum); nil where none said.
	// The cost has that of embeddings and the like in it.
	InputTokens, OutputTokens, CostNanoUSD *int64
	// EmbeddingTokens are the input of embeddings, which is not in InputTokens; nil
	// where none made from OpenTelemetry said.
	EmbeddingTokens *int64

	// ProviderKey and ModelKey are what filters compare with: the largest
	// provider and model of the model calls ("sdk" and "unknown" where such a
	// call names none), or the largest source and "unknown" in a trace without.
	ProviderKey, ModelKey string

	// What the spans made from OpenTelemetry tell beside; empty without any.
	Root                Root
	Failure             Failure
	Services            []string  // ascending; of more than MaxTraceServices the smallest
	Tags                []string  // likewise, MaxTraceTags
	Environment, UserID *string   // the largest value
	Reports             bool      // some span only tells of a call, or holds a part of it (Span.Role)
	AnySession          SessionID // the largest id

	// Spans are filled by reads that ask for them, by start time, then id.
	Spans          []Span
	SpansTruncated bool // there are more spans than were read
}

// Main points at the span that stands for a trace: the first model call, or the
// first span if there is none; ties go to the smaller id.
type Main struct {
	SpanID    SpanID
	SessionID SessionID
	Start     time.Time
	LLMCall   bool
	// FirstTokenMS is the span's TimeToFirstTokenMS.
	FirstTokenMS *float64
}

func mainOf(s *Span) Main {
	return Main{SpanID: s.ID, SessionID: s.SessionID, Start: s.Start, LLMCall: s.Counted(), FirstTokenMS: s.TimeToFirstTokenMS}
}

// before reports whether m stands for the trace rather than o.
func (m Main) before(o Main) bool {
	if m.LLMCall != o.LLMCall {
		return m.LLMCall
	}
	return comesBefore(m.Start, m.SpanID, o.Start, o.SpanID)
}

// Root is the span that the others of a trace hang from: the first without a
// parent, or the first at all while that has not come; ties go to the smaller
// id. SpanID is "" in a trace without spans made from OpenTelemetry.
type Root struct {
	SpanID SpanID
	Name   string
	Start  time.Time
	Orphan bool // it has a parent, or nobody knows yet
}

func rootOf(s *Span) Root {
	return Root{SpanID: s.ID, Name: s.Name, Start: s.Start, Orphan: s.ParentID != "" || s.Patch}
}

// before reports whether r is the root rather than o.
func (r Root) before(o Root) bool {
	if o.SpanID == "" || r.Orphan != o.Orphan {
		return o.SpanID == "" || !r.Orphan
	}
	return comesBefore(r.Start, r.SpanID, o.Start, o.SpanID)
}

// Failure is the first span of a trace that failed. SpanID is "" where none
// made from OpenTelemetry did.
type Failure struct {
	SpanID  SpanID
	Service string // "" for none
	Start   time.Time
}

// failureOf is empty if s did not fail.
func failureOf(s *Span) Failure {
	if s.Status != StatusError {
		return Failure{}
	}
	return Failure{SpanID: s.ID, Service: deref(s.Service), Start: s.Start}
}

// before reports whether f came first.
func (f Failure) before(o Failure) bool {
	if f.SpanID == "" || o.SpanID == "" {
		return f.SpanID != ""
	}
	return comesBefore(f.Start, f.SpanID, o.Start, o.SpanID)
}

// comesBefore orders spans by start, then id.
func comesBefore(start time.Time, id SpanID, otherStart time.Time, other SpanID) bool {
	if c := start.Compare(otherStart); c != 0 {
		return c < 0
	}
	return id < other
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
	if m := mainOf(s); t.SpanCount == 0 || m.before(t.Main) {
		t.Main, t.Form = m, s.Form
	}
	if !s.IsLifecycle() && (t.Start == nil || s.Start.Before(*t.Start)) {
		start := s.Start
		t.Start = &start
	}
	if end := s.End(); t.SpanCount == 0 || end.After(t.End) {
		t.End = end
	}
	c := callOf(s)
	if c.counted && t.LLMCount == 0 { // sources no longer count
		t.ProviderKey, t.ModelKey = "", ""
	}
	if c.counted || t.LLMCount == 0 {
		t.ProviderKey, t.ModelKey = max(t.ProviderKey, c.provider), max(t.ModelKey, c.model)
	}
	if c.counted {
		t.LLMCount++
	}
	t.InputTokens, t.OutputTokens = addOptional(t.InputTokens, c.input), addOptional(t.OutputTokens, c.output)
	t.EmbeddingTokens, t.CostNanoUSD = addOptional(t.EmbeddingTokens, c.embedded), addOptional(t.CostNanoUSD, c.cost)
	t.SpanCount++
	if s.Status == StatusError {
		t.ErrorCount++
	}
	t.DurationUS = Plus(t.DurationUS, s.DurationUS())
	t.Sources |= s.Source.Mask()
	if s.Mapped() {
		t.addMapped(s)
	}
	t.SessionID = cmp.Or(t.Main.SessionID, t.AnySession)
}

func (t *Trace) addMapped(s *Span) {
	if r := rootOf(s); r.before(t.Root) {
		t.Root = r
	}
	if f := failureOf(s); f.before(t.Failure) {
		t.Failure = f
	}
	if s.Service != nil {
		t.Services = addSmallest(t.Services, *s.Service, MaxTraceServices)
	}
	for _, tag := range s.Tags {
		t.Tags = addSmallest(t.Tags, tag, MaxTraceTags)
	}
	t.Environment, t.UserID = larger(t.Environment, s.Environment), larger(t.UserID, s.UserID)
	t.AnySession = max(t.AnySession, s.SessionID)
	t.Reports = t.Reports || s.Reports()
}

// addSmallest adds v to a set that is kept ascending and holds the limit
// smallest of all that were added. It may change list.
func addSmallest(list []string, v string, limit int) []string {
	i, found := slices.BinarySearch(list, v)
	if found || i == limit {
		return list
	}
	if len(list) == limit {
		list = list[:limit-1]
	}
	return slices.Insert(list, i, v)
}

// call is what a span adds to a trace's sums of model calls.
type call struct {
	counted         bool
	provider, model string // what the trace's keys compare with
	spending
}

func callOf(s *Span) call {
	c := call{counted: s.Counted(), provider: string(s.Source), model: unknownModel}
	if c.counted {
		c.provider, c.model = ProviderOf(s), ModelOf(s)
	}
	if c.counted || s.Mapped() {
		c.spending = s.spent()
	}
	return c
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
	// Sums over all spans that repeat no other, unknown as 0. Of spans made from
	// OpenTelemetry, embeddings and the like add their cost only.
	InputTokens, OutputTokens, CostNanoUSD int64
	EndDurationMS                          *float64 // largest duration of a session_end span
	CWD, Model, AgentName                  *string  // the largest value
	// Turns is what the traces of the session add up to. Spans count in it that
	// do not name the session themselves: many programs name it at the root only.
	Turns Turns

	// Filled by reads.
	ToolCalls  int64 // distinct tool use ids (else span ids) among spans of KindToolUse
	TraceCount int64 // distinct trace ids among the spans that TracedCount counts
	FileCount  int64 // distinct files that tools edited
	// End is when the last of its traces ended, no sooner than Last. Only searches
	// fill it; the zero time elsewhere.
	End time.Time
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
	spent := sp.spent()
	s.InputTokens = Plus(s.InputTokens, deref(spent.input))
	s.OutputTokens = Plus(s.OutputTokens, deref(spent.output))
	s.CostNanoUSD = Plus(s.CostNanoUSD, deref(spent.cost))
	if sp.EventType == "session_end" && sp.DurationMS != nil {
		s.EndDurationMS = larger(s.EndDurationMS, sp.DurationMS)
	}
	s.CWD, s.Model, s.AgentName = larger(s.CWD, sp.CWD), larger(s.Model, sp.Model), larger(s.AgentName, sp.AgentName)
}

// Total is what the session's spans, and all spans of its traces, add up to.
func (s *Session) Total() Turns {
	own := Turns{s.SpanCount, s.ErrorCount, s.InputTokens, s.OutputTokens, s.CostNanoUSD}
	return Turns{
		max(own.Spans, s.Turns.Spans), max(own.Errors, s.Turns.Errors), max(own.InputTokens, s.Turns.InputTokens),
		max(own.OutputTokens, s.Turns.OutputTokens), max(own.CostNanoUSD, s.Turns.CostNanoUSD),
	}
}

// Turns are sums over traces.
type Turns struct{ Spans, Errors, InputTokens, OutputTokens, CostNanoUSD int64 }

// MaxAddend bounds what one trace adds to sums that can be taken back, whatever a
// sender makes up: Turns, and the counts of traces. It is more than a million dollars.
const MaxAddend = 1 << 50

// TurnOf is what a trace adds to the Turns of its session.
func TurnOf(t *Trace) Turns {
	if t.SessionID == "" || t.Start == nil {
		return Turns{}
	}
	return Turns{
		min(t.SpanCount, MaxAddend), min(t.ErrorCount, MaxAddend), min(deref(t.InputTokens), MaxAddend), min(deref(t.OutputTokens), MaxAddend),
		min(deref(t.CostNanoUSD), MaxAddend),
	}
}

// Plus adds n times o to t.
func (t Turns) Plus(o Turns, n int64) Turns {
	return Turns{
		t.Spans + n*o.Spans, t.Errors + n*o.Errors, t.InputTokens + n*o.InputTokens, t.OutputTokens + n*o.OutputTokens,
		t.CostNanoUSD + n*o.CostNanoUSD,
	}
}

// DurationMS is the longest session_end's duration, or the time from the first
// span to the last.
func (s *Session) DurationMS() float64 {
	if s.EndDurationMS != nil {
		return *s.EndDurationMS
	}
	return float64(s.Last.Sub(s.First).Milliseconds())
}

// ElapsedUS is the longest session_end's duration, or the time from the first
// span to End; in microseconds.
func (s *Session) ElapsedUS() int64 {
	if s.EndDurationMS != nil {
		return int64(*s.EndDurationMS * 1000)
	}
	return s.End.Sub(s.First).Microseconds()
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
