package fold

import (
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/store"
)

// AddReceipt adds a chunk, which says when it was stored.
func AddReceipt(r *store.Receipt, chunk uuid.UUID, stored time.Time) {
	at := store.AcceptedAt(chunk)
	if r.FirstAccepted.IsZero() || at.Before(r.FirstAccepted) {
		r.FirstAccepted = at
	}
	if at.After(r.LastAccepted) {
		r.LastAccepted = at
	}
	if stored.After(r.Stored) {
		r.Stored = stored
	}
}
