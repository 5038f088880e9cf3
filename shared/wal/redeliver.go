package wal

import (
	"math/rand/v2"
	"time"
)

// A queue counts how often it delivered a message and gives up on one that was
// delivered too often, because what ends each process that takes it must not
// come back for ever. A store that is away must not use up that count: an
// outage may last for days. So a log over a queue appends a record that waits
// for a fault that passes anew, before it removes the message that has become
// old, and only a message that nobody could answer for is given up.
const (
	// MaxDeliveries is how often a queue delivers one message.
	MaxDeliveries = 20
	// RenewAfter is after how many deliveries a record that failed for a passing
	// fault is appended anew. It is more than the drain needs to judge a fault
	// that nobody foresaw, and leaves as many deliveries again for a renewal that
	// does not succeed.
	RenewAfter = 10
)

const (
	backoffMin = 250 * time.Millisecond
	backoffMax = 5 * time.Minute
)

// Backoff is the pause after a delivery that failed for a passing fault:
// attempt is how often the record was delivered, renewals included. It doubles
// from a quarter of a second to five minutes, less up to a quarter at random so
// that many records do not come back at once; a pause is never shorter than an
// earlier one until the limit is reached.
func Backoff(attempt int) time.Duration {
	d := backoffMax
	if n := max(attempt-1, 0); n < 16 {
		d = min(backoffMin<<n, backoffMax)
	}
	return d - rand.N(d/4)
}
