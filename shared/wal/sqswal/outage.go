package sqswal

import (
	"log/slog"
	"sync"
	"time"

	"github.com/pulse-traces/pulse/shared/logging"
)

// outageReport is how often an outage that goes on is logged.
const outageReport = time.Minute

// outage tells the log that queues give no messages: all of them fail at once
// when SQS is away, and each of them again and again.
type outage struct {
	log *slog.Logger

	mu     sync.Mutex
	queues map[string]bool // that fail now
	since  time.Time       // when the first of them began to
	told   time.Time       // when it was logged last
	silent int             // failures since then
}

// failed is told of each failure of a queue.
func (o *outage) failed(queue string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if len(o.queues) == 0 {
		o.queues, o.since, o.told, o.silent = map[string]bool{}, now, time.Time{}, 0
	}
	o.queues[queue] = true
	if now.Sub(o.told) < outageReport {
		o.silent++
		return
	}
	o.log.Warn("messages cannot be received", slog.String("queue", queue), slog.Int("failing_queues", len(o.queues)), slog.Int("failures_not_logged", o.silent),
		slog.Duration(logging.KeyElapsed, now.Sub(o.since)), slog.Any(logging.KeyError, err))
	o.told, o.silent = now, 0
}

// mended is told that a queue answers, or is polled no more.
func (o *outage) mended(queue string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.queues[queue] {
		return
	}
	delete(o.queues, queue)
	if len(o.queues) == 0 {
		o.log.Info("messages are received again", slog.Duration(logging.KeyElapsed, time.Since(o.since)))
	}
}
