package local

import (
	"context"
	"runtime"

	"github.com/pulse-traces/pulse/shared/wal"
)

// inBackground gives a handler that does handle's work on threads of their own,
// to which the system prefers the other threads of the machine: requests are
// answered first, and the drain takes what they leave. While urgent says that
// somebody waits for the work, and once ctx has ended, it is done on the
// caller's thread.
func inBackground(ctx context.Context, handle wal.Handler, urgent func() bool) wal.Handler {
	type call struct {
		ctx        context.Context
		deliveries []wal.Delivery
		errs       chan []error
	}
	calls := make(chan call)
	work := func(c call) {
		yieldToOthers()
		for {
			c.errs <- handle(c.ctx, c.deliveries)
			select {
			case c = <-calls:
			case <-ctx.Done():
				return
			}
		}
	}
	return func(callCtx context.Context, deliveries []wal.Delivery) []error {
		if urgent() || ctx.Err() != nil {
			return handle(callCtx, deliveries)
		}
		c := call{callCtx, deliveries, make(chan []error, 1)}
		select {
		case calls <- c:
		default:
			go work(c)
		}
		return <-c.errs
	}
}

// yieldToOthers gives the calling goroutine a thread of its own with a low
// priority. The thread is never given back, so it ends with the goroutine: an
// ordinary user may lower a priority but not raise it.
func yieldToOthers() {
	runtime.LockOSThread()
	yieldThread()
}

// besideBackground gives a function that runs others beside its caller, with the
// priority that inBackground would give them now.
func besideBackground(urgent func() bool) func(func()) {
	return func(work func()) {
		go func() {
			if !urgent() {
				yieldToOthers()
			}
			work()
		}()
	}
}

// makeRoom lets one goroutine more run at once than there are processors: the
// one of the drain may be in the middle of its work when the system has taken
// its processor away.
func makeRoom() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1) }
