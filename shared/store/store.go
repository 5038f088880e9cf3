// Package store is the storage contract: small roles, the values they exchange
// and what an engine promises. The suite in storetest checks each promise on
// every engine; what it does not check is not promised.
//
// For every role: a project's rows are invisible to every other project, and
// "not there" and "not yours" are the same fault.NotFound. Faults used:
// NotFound, Conflict, Invalid (can never succeed), Unavailable (the engine is
// down, full or overloaded: try again). Slices and pointers that are returned
// belong to the caller. A method that writes returns nil only once the write is
// durable.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// ErrRefused is in the chain of a fault.Unavailable where the engine is there
// and does not let this program in as it is configured. A server that runs waits
// for that too, since it may be mended over there; a start need not.
var ErrRefused = errors.New("the database refuses the connection")

// Store is the union of the roles, for wiring and storetest. Handlers ask for
// one role.
type Store interface {
	SpanWriter
	TraceReader
	TraceSearcher
	TraceCounter
	TraceExplorer
	SessionSearcher
	TraceDeleter
	TraceExporter
	SpanReader
	SessionReader
	AnalyticsReader
	Maintainer
	TextIndexer
	PriceStore
	RejectionStore
	UserStore
	SessionStore
	ProjectStore
	ProjectRemover
	MemberStore
	InviteStore
	ViewStore
	SettingsStore
	KeyStore
	Close() error
}

// SpanWriter is what the drain writes with.
type SpanWriter interface {
	// WriteBatches stores all batches in one transaction, or nothing. A span
	// whose (project, id) is stored already, or stands earlier in the call, is
	// skipped, whatever its other fields say: the first one wins. If both were
	// made from OpenTelemetry and their content differs (PayloadRef.Content),
	// trace.Merge of them is stored instead. Which of such spans repeat others
	// (trace.Span.Repeat) is decided anew as they come, late parents and
	// children included: what is stored does not depend on the order, nor on
	// what came in which call.
	//
	// Traces, sessions and roll-ups are changed in the same transaction to be
	// exactly the sums of the spans that are stored (see Recount). One Outcome is
	// returned per batch, in order.
	//
	// fault.Invalid: some record can never be stored (an unknown project
	// among them: its spans could never be read). Unavailable: try again later.
	WriteBatches(ctx context.Context, batches []Batch) ([]Outcome, error)
}

// Outcome tells which spans of a batch were new.
type Outcome struct {
	Inserted []bool // one per span, in order
}

// Detail says how much of a record a read brings.
type Detail int

const (
	// Summary brings narrow fields only: no Payload.
	Summary Detail = iota
	// Outline is for TraceSpans: of the fields of Summary an engine may leave out
	// those that no tree shows, which are all but the id, parent, kind, name (with
	// what stands in for one), start, duration, first token, status, models, tokens,
	// cost, and what Span.Counts asks.
	Outline
	// Full brings the payloads too; Payload.Raw, which doubles them, is brought
	// by Span and by RewriteSpans only.
	Full
)

// Page asks for a part of a list. Cursor, if set, wins over Offset.
type Page struct {
	Limit  int    // 1 to 1000
	Offset int    // rows to pass over
	Cursor string // what an earlier answer gave as Next; a malformed one is fault.Invalid with path "cursor"
	Detail Detail
}

// TimeRange bounds start times: [From, To). A nil bound is open.
type TimeRange struct{ From, To *time.Time }

// TraceFilter selects traces; zero fields select everything, set ones are ANDed.
type TraceFilter struct {
	Time      TimeRange       // of Trace.Start
	SessionID trace.SessionID // equals Trace.SessionID
	Source    trace.Source    // traces with a span of this source
	Service   string          // traces with a span of this service
	Provider  string          // equals Trace.ProviderKey
	Model     string          // equals Trace.ModelKey
	Status    trace.Status
}

// TraceList is a page of traces with Trace.Spans filled (up to
// MaxListedSpans each), newest start first, ties by larger id first.
type TraceList struct {
	Traces []trace.Trace
	Total  int64  // all that match the filter
	Next   string // cursor of the next page; "" on the last
}

// MaxListedSpans bounds the spans that a list or session view carries per
// trace; Trace.SpansTruncated says that there are more. The main span is always
// among them.
const MaxListedSpans = 1000

// MaxTraceSpans bounds the spans that Trace returns.
const MaxTraceSpans = 10_000

// TraceReader reads traces.
type TraceReader interface {
	// ListTraces leaves out traces without a Start.
	ListTraces(ctx context.Context, project account.ProjectID, f TraceFilter, p Page) (TraceList, error)
	// Trace gives one trace with its spans and payloads.
	Trace(ctx context.Context, project account.ProjectID, id trace.TraceID) (trace.Trace, error)
	// TraceSpans gives a page of a trace's spans as a tree, depth first: under
	// each its children, by start, then id. Spans without a parent in the trace
	// are roots, in the same order; of a circle, the first span is one. Arrivals
	// between two pages may move spans, but a page goes on behind the last span
	// of the one before. Memory grows by some 100 bytes for each span of the
	// trace. The cursor is its own kind; Offset counts from the first span.
	// Payloads come without Raw. Limit may be up to MaxTraceSpans.
	TraceSpans(ctx context.Context, project account.ProjectID, id trace.TraceID, p Page) (Tree, error)
	// SessionTraces gives the traces of a session (by Trace.SessionID), oldest start first, ties by
	// smaller id, without those that have no Start, at most limit; Next as in
	// ListTraces. Empty for an unknown session.
	SessionTraces(ctx context.Context, project account.ProjectID, id trace.SessionID, p Page) (TraceList, error)
}

// Tree is a page of a trace's spans, depth first.
type Tree struct {
	Spans []TreeSpan
	First int    // the place of the first of Spans among all
	Total int64  // spans of the trace
	Next  string // cursor of the next page; "" on the last
}

// TreeSpan is a span and its depth below a root.
type TreeSpan struct {
	trace.Span
	Depth  int // 0 for a root
	Parent int // the place of the span above it among all spans; -1 for a root
}

// SpanFilter selects spans; zero fields select everything, set ones are ANDed.
// Spans of trace.FormTrace are never selected.
type SpanFilter struct {
	Time      TimeRange
	SessionID trace.SessionID
	TraceID   trace.TraceID
	Service   string
	Source    trace.Source
	Kind      trace.Kind
	ToolName  string
	Status    trace.Status
}

// SpanList is a page of spans, newest start first, ties by larger id first.
type SpanList struct {
	Spans []trace.Span
	Total int64
	Next  string
}

// SpanReader reads single spans.
type SpanReader interface {
	ListSpans(ctx context.Context, project account.ProjectID, f SpanFilter, p Page) (SpanList, error)
	// Span gives one span with its payload, Raw too; NotFound for one of
	// FormTrace.
	Span(ctx context.Context, project account.ProjectID, id trace.SpanID) (trace.Span, error)
	// SessionSpans gives the spans of a session, oldest first, ties by smaller id.
	SessionSpans(ctx context.Context, project account.ProjectID, id trace.SessionID, p Page) (SpanList, error)
}

// SessionSort orders a list of sessions. Ties: larger Last first, then smaller id.
type SessionSort string

// The orders.
const (
	SortRecent   SessionSort = "recent"   // larger Last first
	SortOldest   SessionSort = "oldest"   // smaller First first
	SortDuration SessionSort = "duration" // larger duration first
	SortErrors   SessionSort = "errors"   // more errors first
	SortVolume   SessionSort = "volume"   // more spans first
)

// SessionFilter selects sessions that have traced spans. A session matches Time
// if any moment from its First to its Last does.
type SessionFilter struct {
	Time   TimeRange
	Source trace.Source
	Sort   SessionSort // "" is SortRecent
}

// SessionList is a page of sessions with ToolCalls, TraceCount and FileCount filled.
type SessionList struct {
	Sessions []trace.Session
	Total    int64
}

// SessionReader lists agent sessions.
type SessionReader interface {
	ListSessions(ctx context.Context, project account.ProjectID, f SessionFilter, p Page) (SessionList, error)
}

// Maintainer is what operators and the host call.
type Maintainer interface {
	// Ping answers nil if the engine can serve.
	Ping(ctx context.Context) error
	// Migrate brings the schema up to date, taking over a database of the
	// earlier service where it finds one. progress, if not nil, is called with
	// lines for a person. It may be killed at any moment and called again. A
	// schema newer than this program is fault.Invalid.
	Migrate(ctx context.Context, progress func(string)) error
	// Retain deletes what arrived (payloads) or started (rows) before the UTC day
	// of cutoff, roll-ups included, in small transactions, and reports the spans
	// deleted. Traces and sessions that keep spans become the sums of those.
	Retain(ctx context.Context, cutoff time.Time) (int64, error)
	// RetainProject is Retain for one project, payloads included.
	RetainProject(ctx context.Context, project account.ProjectID, cutoff time.Time) (int64, error)
	// Retentions gives the projects that set a retention of their own, by id.
	Retentions(ctx context.Context) ([]Retention, error)
	// PurgeExpired deletes sign-in sessions and invites that ended before now, and
	// rejections older than RejectionsKept, and counts the sessions.
	PurgeExpired(ctx context.Context, now time.Time) (int64, error)
	// Recount builds the roll-ups, traces and sessions of a project anew from
	// its spans, after what the spans keep of one another (trace.Repeating), and
	// reports how many rows differed from what was stored. With fix the stored
	// rows are replaced.
	Recount(ctx context.Context, project account.ProjectID, fix bool) (differing int64, err error)
	// Projects gives the ids of all projects, ascending.
	Projects(ctx context.Context) ([]account.ProjectID, error)
	// RewriteSpans takes the next of a project's stored spans through r.Change
	// and stores those that it changed, some in a transaction, sums and all. Its
	// caller repeats it with the cursor of the answer until that is "". Spans of
	// FormTrace come first, then those of FormSpan, each by start, then id. It
	// may be killed at any moment and begun again at any cursor, or at the begin.
	RewriteSpans(ctx context.Context, project account.ProjectID, r Rewrite) (Rewritten, error)
}

// TextIndexer keeps what makes searches for texts fast.
type TextIndexer interface {
	// SignChunks reads up to limit chunks of payloads that have no signature and
	// gives them one; 0 says that all have. A search finds the same with and without:
	// of a chunk without it reads the payloads. Several processes may do it at once.
	SignChunks(ctx context.Context, limit int) (signed int, err error)
}

// Rewrite is what RewriteSpans is to do.
type Rewrite struct {
	Time   TimeRange // of Span.Start
	Mapped bool      // only spans that were made from OpenTelemetry
	Detail Detail    // Full: with payloads, Raw too
	DryRun bool      // store nothing
	Limit  int       // spans of this step; 1 to 100,000
	Cursor string    // where an earlier step stopped; "" begins
	// Change changes some spans of a step and reports of each whether it did. It
	// puts new values in the place of old ones and leaves alone what those point
	// to. ID and Form must stay (Invalid); a span without a payload, or of which
	// none was read, gets none. A span that changes may come twice, the second
	// time under the lock of a write: Change must not wait for anything, and must
	// say the same again.
	Change func(spans []trace.Span) (changed []bool)
	// Changed, if set, is told once of each span that changes, or would if not for
	// DryRun. It must not keep them.
	Changed func(before, after *trace.Span)
}

// Tell tells of a change, if somebody wants to know.
func (r *Rewrite) Tell(before, after *trace.Span) {
	if r.Changed != nil {
		r.Changed(before, after)
	}
}

// Rewritten is what a step of RewriteSpans did.
type Rewritten struct {
	Read, Changed int64
	Next          string // "" at the end
}

// RejectionStore keeps what of a project's data was refused.
type RejectionStore interface {
	// AddRejections adds to the counts of minutes and reasons. Invalid if there is
	// no such project.
	AddRejections(ctx context.Context, project account.ProjectID, r []Rejection) error
	// Rejections gives those since a moment, the latest minute first, then by
	// reason, at most limit.
	Rejections(ctx context.Context, project account.ProjectID, since time.Time, limit int) ([]Rejection, error)
}

// RejectionsKept is for how long rejections are kept.
const RejectionsKept = 7 * 24 * time.Hour

// Rejection is what was refused in one minute for one reason.
type Rejection struct {
	Minute time.Time // its begin
	Reason string    // what the sender was told
	Count  int64     // records, or requests that could not be read
}

// PriceStore keeps the prices that a project sets for itself.
type PriceStore interface {
	// Prices gives a project's prices, by id.
	Prices(ctx context.Context, project account.ProjectID) ([]Price, error)
	// PutPrice stores a price, over the one that has its id, of which it keeps
	// CreatedAt. Invalid if there is no such project.
	PutPrice(ctx context.Context, project account.ProjectID, p Price) error
	// DeletePrice is NotFound if there is none.
	DeletePrice(ctx context.Context, project account.ProjectID, id string) error
}

// Price is a price of a project. What Data says is not the store's business.
type Price struct {
	ID        string // unique within the project
	Data      json.RawMessage
	CreatedAt time.Time // whole milliseconds, as the next
	UpdatedAt time.Time
}
