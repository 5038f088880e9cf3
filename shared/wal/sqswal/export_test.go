package sqswal

import "time"

// SetBackoff changes the pauses of l, which take hours to grow as they do.
func (l *Log) SetBackoff(f func(attempt int) time.Duration) { l.backoff = f }

// SetAppendTimeout changes how long an append of l tries.
func (l *Log) SetAppendTimeout(d time.Duration) { l.tryFor = d }
