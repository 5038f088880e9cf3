package wal

import (
	"context"
	"sync"
	"time"

	"github.com/pulse-traces/pulse/shared/fault"
)

// Lifetime is what every log keeps of its own course: it is open until it is
// closed, and is consumed once at a time.
type Lifetime struct {
	closed chan struct{}

	mu       sync.Mutex
	cancel   context.CancelFunc // of what consumes; nil if nothing does
	consumed chan struct{}      // closed when the last Consume has returned
}

// NewLifetime begins one.
func NewLifetime() *Lifetime { return &Lifetime{closed: make(chan struct{})} }

// Closed is closed when the log begins to close.
func (l *Lifetime) Closed() <-chan struct{} { return l.closed }

// IsClosed reports whether the log closes, or has.
func (l *Lifetime) IsClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// IsConsumed reports whether a consumption has begun and is not over.
func (l *Lifetime) IsConsumed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cancel != nil
}

// Consume begins a consumption, which is over when end is called. Its context
// ends with ctx, or when the log closes. fault.Internal means that the log is
// being consumed already.
func (l *Lifetime) Consume(ctx context.Context) (consuming context.Context, end func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.IsClosed() {
		return nil, nil, ErrClosed()
	}
	if l.cancel != nil {
		return nil, nil, fault.New(fault.Internal, "the log is being consumed already")
	}
	consuming, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	l.cancel, l.consumed = cancel, done
	return consuming, func() {
		l.mu.Lock()
		l.cancel = nil
		l.mu.Unlock()
		cancel()
		close(done)
	}, nil
}

// Close ends what consumes and waits for it. It gives false if the log was
// closed before.
func (l *Lifetime) Close() bool {
	l.mu.Lock()
	if l.IsClosed() {
		l.mu.Unlock()
		return false
	}
	close(l.closed)
	if l.cancel != nil {
		l.cancel()
	}
	consumed := l.consumed
	l.mu.Unlock()
	if consumed != nil {
		<-consumed
	}
	return true
}

// ErrClosed is the error of a log that was closed.
func ErrClosed() error { return fault.New(fault.Unavailable, "the log is closed") }

// Pause waits for d, or gives false when ctx ends first.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
