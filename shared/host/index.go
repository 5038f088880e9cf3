package host

import (
	"context"
	"log/slog"
	"time"

	"github.com/pulse-traces/pulse/shared/logging"
)

const (
	// signAtOnce is how many chunks get a signature in one transaction: a writer
	// waits for some milliseconds.
	signAtOnce = 16
	// signShare is the part of the time in which chunks are read for signatures, as
	// one of so many: enough for thousands of spans a second, and not felt beside
	// what ingest and the drain do.
	signShare = 20
	// lookEvery is the pause after which a store that has all signatures is asked
	// again, and failedPause that after a failure.
	lookEvery   = 5 * time.Second
	failedPause = time.Minute
)

// IndexTexts makes the index of searches for texts as payloads are stored, until
// ctx ends; not while busy, which may be nil, says that the store has no time for
// it. It does nothing with PAYLOAD_SEARCH=off.
func (d *Deps) IndexTexts(ctx context.Context, busy func(context.Context) bool) error {
	if !d.Config.PayloadSearch {
		return nil
	}
	for ctx.Err() == nil {
		began := time.Now()
		var signed int
		var err error
		if busy == nil || !busy(ctx) {
			signed, err = d.Store.SignChunks(ctx, signAtOnce)
		}
		pause := lookEvery
		switch {
		case err != nil && ctx.Err() == nil:
			d.Log.WarnContext(ctx, "the index of texts waits; searches read payloads", slog.Any(logging.KeyError, err))
			pause = failedPause
		case signed > 0:
			pause = (signShare - 1) * time.Since(began)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// IndexSomeTexts is IndexTexts for a process that is there for one event: it stops
// once budget is spent, and leaves the rest to the next.
func (d *Deps) IndexSomeTexts(ctx context.Context, budget time.Duration) {
	if !d.Config.PayloadSearch {
		return
	}
	for end := time.Now().Add(budget); time.Now().Before(end); {
		signed, err := d.Store.SignChunks(ctx, signAtOnce)
		if err != nil {
			d.Log.WarnContext(ctx, "the index of texts waits; searches read payloads", slog.Any(logging.KeyError, err))
		}
		if err != nil || signed < signAtOnce {
			return
		}
	}
}
