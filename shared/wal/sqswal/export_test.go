package sqswal

import "time"

// SetBackoff changes the pauses of l, which take hours to grow as they do.
func (l *Log) SetBackoff(f func(attempt int) time.Duration) { l.backoff = f }
