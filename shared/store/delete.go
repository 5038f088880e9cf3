package store

import (
	"context"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/trace"
)

// MaxDeleteTraces is how many traces one call of DeleteTraces takes at most.
const MaxDeleteTraces = 1000

// TraceDeleter deletes traces for good.
type TraceDeleter interface {
	// DeleteTraces deletes the first of the traces that ids name, with all their
	// spans and payloads, in one transaction that ends after some thousand spans.
	// Its caller repeats it with Rest until that is empty, and may stop at any time:
	// sessions, roll-ups and the traces that others of their calls are in (see
	// trace.Resolve) are the sums of what stays after each step, and so is a very
	// large trace that one step does not delete whole. Ids that name nothing are
	// passed over.
	//
	// Spans that are sent again are new ones. What WriteBatches stored of a span
	// before it came again and was joined (trace.Merge), or beside a batch's other
	// spans although it was there already, stays in its chunk, which nothing reads,
	// until Retain deletes that. A record of the log that is delivered again stores
	// its spans without their payloads.
	DeleteTraces(ctx context.Context, project account.ProjectID, ids []trace.TraceID) (Deleted, error)
}

// Deleted is what a step of DeleteTraces did.
type Deleted struct {
	Traces int64 // that were there and are gone
	Spans  int64
	Rest   []trace.TraceID // of ids: what is left to do, in their order
}
