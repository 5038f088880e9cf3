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
	// MaxScanned, MaxSought, MaxProbed or MaxRead, after what the filter asks for.
	Bound int
}

// How many traces one call looks at, unless roll-ups answer it: what takes some
// tenths of a second where SQLite has a slow machine.
const (
	MaxScanned = 50_000 // where the rows of traces tell
	MaxSought  = 20_000 // where texts are looked for that signatures tell of
	MaxProbed  = 5_000  // where their spans have to be asked
	MaxRead    = 1_000  // where their payloads have to be read
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

// MaxFailures bounds what FindTrace tells of failures.
const MaxFailures = 100

// TraceSorts lists every order.
func TraceSorts() []TraceSort {
	return []TraceSort{SortStart, SortLatency, SortCost, SortTokens, SortFailures}
}

// SearchPage asks for a part of what a search finds.
type SearchPage struct {
	Sort   TraceSort
	Limit  int    // 1 to 1000
	Cursor string // what an earlier answer to the same search gave as Next; another one is fault.Invalid with path "cursor"
	// Behind, if set, is the trace that the page comes behind, which may be there no
	// more. It is for SortStart, in place of a cursor.
	Behind *TracePlace
}

// TracePlace is the place of a trace in the order of starts.
type TracePlace struct {
	Start time.Time
	ID    trace.TraceID
}

// TraceHits is a page of a search. It may hold fewer than were asked for, or
// none, and have a next one.
type TraceHits struct {
	Hits []TraceHit
	Next string // "" on the last page
	// Total is how many there are; of a page behind a cursor or a trace 0.
	Total int64
	Exact bool // Total is not only the number of those that were looked at
	// ScannedTo, if set, is the start of the last trace that was looked at, where
	// the bound was reached. By SortStart the next pages go on there; by other
	// orders older ones are in none.
	ScannedTo *time.Time
}

// TraceHit is a trace with the spans that a list shows something of; their
// payloads are without Raw, and of very large ones only the head is there
// (HeadOfChunk).
type TraceHit struct {
	trace.Trace             // without Spans
	MainSpan    trace.Span  // Trace.Main
	RootSpan    *trace.Span // Trace.Root, where it is another one
	Failed      *trace.Span // the one that the failure began with: the first that ended so; nil if none failed
}

// TraceSearcher finds traces.
type TraceSearcher interface {
	// SearchTraces gives a page of traces. A page goes on behind the last trace
	// of the one before, whatever has arrived since. fault.Invalid with path
	// "sort" for another order than SortStart where payloads have to be read.
	SearchTraces(ctx context.Context, project account.ProjectID, q TraceQuery, p SearchPage) (TraceHits, error)
	// FindTrace gives one trace as a search does, and the spans of it that failed
	// by start, then id: the first MaxFailures, with payloads as in TraceHit.
	// NotFound if there is no such trace.
	FindTrace(ctx context.Context, project account.ProjectID, id trace.TraceID) (TraceHit, []trace.Span, error)
	// Receipt tells when a trace was accepted and stored, by the payloads of its
	// last ReceiptSpans spans by start; zero for one that is not there, has no
	// payload, or came from an earlier service.
	Receipt(ctx context.Context, project account.ProjectID, id trace.TraceID) (Receipt, error)
	// AnySpan gives one span of whatever form with its payload, without Raw.
	AnySpan(ctx context.Context, project account.ProjectID, id trace.SpanID) (trace.Span, error)
}

// ReceiptSpans is how many spans of a trace its receipt looks at.
const ReceiptSpans = 10_000

// Receipt is what became of a trace. Its spans may have come in several requests.
type Receipt struct {
	FirstAccepted, LastAccepted time.Time // whole milliseconds
	Stored                      time.Time // the last of it
}

// Measure is what a series or a group shows of its traces.
type Measure string

// The measures. Sums are whole numbers, 0 of nothing; quantiles are in
// milliseconds, within 1%, and nil of nothing.
const (
	MeasureCount  Measure = "count"
	MeasureErrors Measure = "errors" // traces with a span that failed
	MeasureCost   Measure = "cost"   // nano-dollars
	MeasureTokens Measure = "tokens"
	MeasureIn     Measure = "in"
	MeasureOut    Measure = "out"
	MeasureP50    Measure = "p50" // of the time from first start to last end
	MeasureP90    Measure = "p90"
	MeasureP95    Measure = "p95"
	MeasureP99    Measure = "p99"
	MeasureTTFT50 Measure = "ttft50" // of the main span's time to the first token
	MeasureTTFT90 Measure = "ttft90"
	MeasureTTFT95 Measure = "ttft95"
	MeasureTTFT99 Measure = "ttft99"
)

// Measures lists every measure.
func Measures() []Measure {
	return []Measure{
		MeasureCount, MeasureErrors, MeasureCost, MeasureTokens, MeasureIn, MeasureOut, MeasureP50, MeasureP90, MeasureP95, MeasureP99, MeasureTTFT50, MeasureTTFT90,
		MeasureTTFT95, MeasureTTFT99,
	}
}

// MetaTraces is how many traces MetaFields looks at: the newest.
const MetaTraces = 200

// MaxMetaBytes bounds a key of metadata that traces are counted by; longer values
// are cut there.
const MaxMetaBytes = 200

// MetaField is a key of metadata.
type MetaField struct {
	Key string
	Top []Count // the most frequent values, then by name; by trace
}

// GroupFields are the fields that traces can be counted by, beside every one of
// the metadata (filter.Field.Meta), for which payloads have to be read. Of kind, tool,
// release, service, source, tag, key and metadata a trace may have several values, and
// counts for each.
func GroupFields() []filter.Field {
	return []filter.Field{
		filter.FieldStatus, filter.FieldName, filter.FieldKind, filter.FieldProvider, filter.FieldModel, filter.FieldTool, filter.FieldSource, filter.FieldService,
		filter.FieldSession, filter.FieldUser, filter.FieldEnv, filter.FieldRelease, filter.FieldTag, filter.FieldKey,
	}
}

// Histogram asks for series over time.
type Histogram struct {
	Edges   []time.Time  // ascending: between each two is a bucket
	By      filter.Field // "" for one series; else one of GroupFields
	Measure Measure
	Top     int // how many series; the rest is added up in one more
}

// TraceSeries answers a Histogram.
type TraceSeries struct {
	Series    []Series // the largest first, then by key; the rest last
	ScannedTo *time.Time
}

// Series is one value's traces over time.
type Series struct {
	Key    string // "" where nobody said, and of the rest
	Other  bool   // the rest
	Values []*float64
}

// Facets are the most frequent values of fields.
type Facets struct {
	Counts    map[filter.Field][]Count // by count descending, then name
	ScannedTo *time.Time               // as in TraceHits
}

// TraceStatus is what a project has.
type TraceStatus struct {
	Traces int64
	First  *time.Time // the earliest Start; nil if there is none
}

// Neighbours are the traces around one; "" for none.
type Neighbours struct {
	Next     trace.TraceID // the next older one that the query finds
	Previous trace.TraceID // the next newer one
	// LastGood is the nearest older one that succeeded, of the same name (or model,
	// where there is no name) and user, whatever the query.
	LastGood trace.TraceID
}

// Located is what an id names in a project.
type Located struct {
	Trace   trace.TraceID // of a trace, or the span's
	Span    trace.SpanID  // of a span of FormSpan
	Session trace.SessionID
}

// TraceCounter adds traces up. As in a search, it looks at the newest of a range
// where roll-ups do not answer.
type TraceCounter interface {
	TraceHistogram(ctx context.Context, project account.ProjectID, q TraceQuery, h Histogram) (TraceSeries, error)
	// TraceFacets counts the values of fields of GroupFields: at most limit of each.
	TraceFacets(ctx context.Context, project account.ProjectID, q TraceQuery, fields []filter.Field, limit int) (Facets, error)
	// MetaFields gives the keys that the newest MetaTraces traces have in their
	// metadata, the most frequent first, then by key: at most limit, each with at
	// most top values.
	MetaFields(ctx context.Context, project account.ProjectID, limit, top int) ([]MetaField, error)
	TraceStatus(ctx context.Context, project account.ProjectID) (TraceStatus, error)
	// TraceNeighbours is NotFound if there is no such trace, or it has no Start.
	TraceNeighbours(ctx context.Context, project account.ProjectID, id trace.TraceID, q TraceQuery) (Neighbours, error)
	// Locate finds a trace, a span or a session of an id: the first that there is.
	// NotFound if there is none.
	Locate(ctx context.Context, project account.ProjectID, id string) (Located, error)
}

// MeasureSeries are measures over time.
type MeasureSeries struct {
	Totals    []*float64   // one for each measure
	Values    [][]*float64 // by measure, then bucket
	ScannedTo *time.Time
}

// Heatmap asks how the values of traces lie over time.
type Heatmap struct {
	Edges []time.Time  // as in Histogram
	Of    filter.Field // latency, ttft (milliseconds), cost (nano-dollars) or tokens
	Rows  int          // how many, each as many times larger than the one below
}

// HeatmapCounts answers a Heatmap.
type HeatmapCounts struct {
	Edges     []float64 // ascending: between each two is a row; none if no trace has a value
	N         [][]int64 // by bucket, then row; smaller values are in the first row
	ScannedTo *time.Time
}

// Breakdown asks for measures of groups of traces.
type Breakdown struct {
	By       []filter.Field // one or two of GroupFields
	Measures []Measure
	Sort     Measure // one of Measures: the largest first, then by keys
	Limit    int
}

// Groups answers a Breakdown.
type Groups struct {
	Groups    []Group
	Rest      []*float64 // of all other groups; nil if there are none
	Total     []*float64 // of all traces, each counted once
	ScannedTo *time.Time
}

// Group are the traces that have the same values.
type Group struct {
	Keys   []string // one for each of By; "" where nobody said
	Values []*float64
}

// Difference compares some traces with the rest.
type Difference struct {
	Selected, Baseline int64
	Fields             []FieldDifference // the largest score first, then by name
	ScannedTo          *time.Time
}

// FieldDifference is how often values come in either.
type FieldDifference struct {
	Field filter.Field
	// Score is the largest difference of a value's shares: 0 to 1.
	Score  float64
	Values []ValueDifference // the largest difference first, then by value
}

// ValueDifference counts a value.
type ValueDifference struct {
	Value              string
	Selected, Baseline int64
}

// TraceExplorer tells how traces differ, in time and from each other. Bounds are
// as in TraceCounter.
type TraceExplorer interface {
	TraceMeasures(ctx context.Context, project account.ProjectID, q TraceQuery, edges []time.Time, measures []Measure) (MeasureSeries, error)
	TraceHeatmap(ctx context.Context, project account.ProjectID, q TraceQuery, h Heatmap) (HeatmapCounts, error)
	TraceBreakdown(ctx context.Context, project account.ProjectID, q TraceQuery, b Breakdown) (Groups, error)
	// TraceDifference compares the traces of q that selection finds with those that
	// it does not, by fields of GroupFields; at most limit values of each.
	TraceDifference(ctx context.Context, project account.ProjectID, q, selection TraceQuery, fields []filter.Field, limit int) (Difference, error)
}

// SortSpending orders sessions by cost, beside the orders of a list.
const SortSpending SessionSort = "cost"

// SessionSorts lists the orders of a search.
func SessionSorts() []SessionSort {
	return []SessionSort{SortRecent, SortOldest, SortDuration, SortErrors, SortVolume, SortSpending}
}

// SessionHits is a page of a search, as TraceHits is; ScannedTo is the Last of
// the last session that was looked at.
type SessionHits struct {
	Hits      []SessionHit
	Next      string
	Total     int64
	Exact     bool
	ScannedTo *time.Time
}

// SessionHit is a session, with its counts of distinct things.
type SessionHit struct {
	trace.Session
	First *TraceHit // its first trace; nil if none has a Start
}

// SessionPage asks for a part of what a search finds.
type SessionPage struct {
	Sort   SessionSort
	Limit  int // 1 to 1000
	Cursor string
}

// Turns is a page of a session's traces, oldest first, ties by smaller id.
type Turns struct {
	Session trace.Session // with its counts of distinct things
	Hits    []TraceHit
	Tools   map[trace.TraceID]ToolCounts // of the hits that called any
	// Answers are the spans that said something last: of the hits of several spans,
	// if a model was called or answered, the last such by start, ties by larger id.
	Answers map[trace.TraceID]*trace.Span
	Total   int64
	Next    string
}

// ToolCounts says how often a trace called tools: distinct tool use ids, else
// span ids.
type ToolCounts struct{ Calls, Failed int64 }

// SessionSearcher finds sessions.
type SessionSearcher interface {
	// SearchSessions finds sessions that have traced spans, at some moment of the
	// time of q, and, where it has terms, a trace of whatever time that meets all
	// of them. fault.Invalid with path "q" for terms about payloads.
	SearchSessions(ctx context.Context, project account.ProjectID, q TraceQuery, p SessionPage) (SessionHits, error)
	// SessionTurns is NotFound if there is no such session.
	SessionTurns(ctx context.Context, project account.ProjectID, id trace.SessionID, p SearchPage) (Turns, error)
}
