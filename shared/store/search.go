package store

import (
	"context"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/filter"
	"github.com/pulse-traces/pulse/shared/trace"
)

// TraceQuery selects traces that have a Start, for people who look for some.
type TraceQuery struct {
	Time   TimeRange // of Trace.Start
	Filter filter.Filter
	// Bound is how many traces of the range, the newest, one call looks at; 0 is
	// MaxScanned, MaxProbed or MaxRead, after what the filter asks for.
	Bound int
}

// How many traces one call looks at, unless roll-ups answer it.
const (
	MaxScanned = 100_000 // where the rows of traces tell
	MaxProbed  = 10_000  // where their spans have to be asked
	MaxRead    = 1_000   // where their payloads have to be read
)

// TextSpans is how many spans of a trace are read for text, errors and metadata:
// the first ones.
const TextSpans = 200

// TraceSort orders what a search finds, the largest first. Ties: newest Start
// first, then larger id. Unknown values come last.
type TraceSort string

// The orders.
const (
	SortStart    TraceSort = "start"
	SortLatency  TraceSort = "duration" // from Start to End
	SortCost     TraceSort = "cost"
	SortTokens   TraceSort = "tokens"
	SortFailures TraceSort = "errors" // failed spans
)

// TraceSorts lists every order.
func TraceSorts() []TraceSort {
	return []TraceSort{SortStart, SortLatency, SortCost, SortTokens, SortFailures}
}

// SearchPage asks for a part of what a search finds.
type SearchPage struct {
	Sort   TraceSort
	Limit  int    // 1 to 1000
	Cursor string // what an earlier answer to the same search gave as Next; another one is fault.Invalid with path "cursor"
}

// TraceHits is a page of a search. It may hold fewer than were asked for, or
// none, and have a next one.
type TraceHits struct {
	Hits []TraceHit
	Next string // "" on the last page
	// Total is how many there are; of a page behind a cursor 0.
	Total int64
	Exact bool // Total is not only the number of those that were looked at
	// ScannedTo, if set, is the start of the last trace that was looked at, where
	// the bound was reached. By SortStart the next pages go on there; by other
	// orders older ones are in none.
	ScannedTo *time.Time
}

// TraceHit is a trace with the spans that a list shows something of; their
// payloads are without Raw, and missing where they are very large.
type TraceHit struct {
	trace.Trace             // without Spans
	MainSpan    trace.Span  // Trace.Main
	RootSpan    *trace.Span // Trace.Root, where it is another one
	Failed      *trace.Span // the first that failed of itself: none of the spans below it did; nil if none failed
}

// TraceSearcher finds traces.
type TraceSearcher interface {
	// SearchTraces gives a page of traces. A page goes on behind the last trace
	// of the one before, whatever has arrived since. fault.Invalid with path
	// "sort" for another order than SortStart where payloads have to be read.
	SearchTraces(ctx context.Context, project account.ProjectID, q TraceQuery, p SearchPage) (TraceHits, error)
}
