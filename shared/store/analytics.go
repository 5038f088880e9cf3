package store

import (
	"context"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Period is the width of a series.
type Period string

// The periods of a series, in UTC.
const (
	PeriodDay  Period = "day"
	PeriodHour Period = "hour"
)

// AnalyticsReader answers from roll-ups: the cost of a call grows with the
// number of days and groups in the range, not with the rows. The five minutes
// that a range cuts at either end are counted from their rows.
type AnalyticsReader interface {
	// CallAnalytics sums model calls (spans of KindLLMCall of either form that
	// repeat no other).
	CallAnalytics(ctx context.Context, project account.ProjectID, r TimeRange, p Period) (CallAnalytics, error)
	// SpanAnalytics sums spans of FormSpan.
	SpanAnalytics(ctx context.Context, project account.ProjectID, r TimeRange, p Period) (SpanAnalytics, error)
}

// CallSums adds up model calls. Sums add: those of two ranges that do not
// overlap make that of their union.
type CallSums struct {
	Calls        int64
	Errors       int64
	InputTokens  int64
	OutputTokens int64
	CostNanoUSD  int64
	Timed        int64 // calls with a duration
	DurationUS   int64 // their sum
	Latency      Quantiles
	FirstToken   Quantiles // of those that tell
}

// Quantiles are in milliseconds, each within 1% of the true value; nil if
// nothing was measured.
type Quantiles struct{ P50, P90, P95, P99 *float64 }

// CallAnalytics is a range's model calls.
type CallAnalytics struct {
	Sums CallSums
	// Sessions is the number of distinct sessions: exact until some hour or
	// whole day of the range holds more than sketch.ExactDistinct of them, then
	// an estimate with a standard error of 0.8%.
	Sessions int64
	// ByModel holds one entry per provider and model, by calls descending, then
	// provider, then model ascending.
	ByModel []ModelSums
	// ByProvider holds one per provider, by cost descending, then calls
	// descending, then provider ascending.
	ByProvider []ProviderSums
	// Series holds one entry per period and provider that has calls, by period,
	// then provider. Period is UTC "2006-01-02" or "2006-01-02 15:00:00".
	Series []SeriesPoint
}

// ModelSums are the calls of one model of one provider.
type ModelSums struct {
	Provider, Model string
	CallSums
}

// ProviderSums are the calls of one provider.
type ProviderSums struct {
	Provider string
	CallSums
}

// SeriesPoint is one provider's calls in one period. Its quantiles are empty.
type SeriesPoint struct {
	Period, Provider string
	CallSums
}

// SpanAnalytics is a range's spans.
type SpanAnalytics struct {
	Spans, Errors     int64
	Timed, DurationUS int64 // spans with a duration, and their sum
	// SessionTimed and SessionDurationUS are the same over KindSession.
	SessionTimed, SessionDurationUS int64
	ByKind                          []Count // by count descending, then name; what repeats a call is of KindChain
	BySource                        []Count // likewise
	Tools                           []Count // tool names of KindToolUse, at most 100, likewise
	Series                          []Count // by period; Name is the period as in SeriesPoint
}

// Count is how often a name came.
type Count struct {
	Name  string
	Count int64
}

// Rollup is the key of one roll-up row: spans that share a bucket of time and
// these fields. Both engines build it with RollupOf.
type Rollup struct {
	Form            trace.Form
	Kind            trace.Kind
	Source          trace.Source
	Status          trace.Status
	Provider, Model string // of model calls of any sort; "" otherwise, also of what only repeats a call
	ToolName        string // of KindToolUse; "" otherwise
}

// Repeats reports whether r counts spans of KindLLMCall that count as no call.
func (r *Rollup) Repeats() bool { return r.Kind == trace.KindLLMCall && r.Provider == "" }

// RollupOf gives the key under which s is counted.
func RollupOf(s *trace.Span) Rollup {
	r := Rollup{Form: s.Form, Kind: s.Kind, Source: s.Source, Status: s.Status}
	if s.ModelCall() {
		r.Provider, r.Model = trace.ProviderOf(s), trace.ModelOf(s)
	}
	if s.Kind == trace.KindToolUse && s.ToolName != nil {
		r.ToolName = *s.ToolName
	}
	return r
}
