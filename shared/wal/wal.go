// Package wal is the durable log between accepting a record and storing it. It
// never looks inside a record. One Log is one stream (traces, or spans), cut
// into partitions; implementations are named for their technology, and waltest
// holds what each must do.
package wal

import (
	"context"
	"errors"
	"hash/fnv"
	"time"
)

// Record is what is appended: an opaque body and where it goes.
type Record struct {
	Partition int // 0 ≤ Partition < Log.Partitions()
	Data      []byte
}

// Log appends and hands out records at least once.
type Log interface {
	// Partitions is the number that Append spreads over. Records of partitions
	// that an earlier, larger number made are still handed out.
	Partitions() int
	// Append returns nil once every record is on durable media. On an error
	// none, some or all may have been kept: the caller sends them again, which
	// is harmless, since storing is idempotent. The error is fault.Unavailable
	// if the medium is full or refuses, fault.TooLarge if a record can never fit.
	Append(ctx context.Context, records []Record) error
	// Consume hands records to handle until ctx ends, then returns nil once the
	// call in flight has ended. Each partition is handed out in the order of its
	// appends, by one call at a time; different partitions run side by side.
	// An error is a fault of the log itself.
	Consume(ctx context.Context, handle Handler) error
	// Barrier waits until every record whose Append had returned before the
	// call was handed out and acknowledged or dead-lettered. It ends early with
	// ctx's error.
	Barrier(ctx context.Context) error
	// Stats is cheap: it touches no record.
	Stats() Stats
	// DeadLetters gives access to what could not be stored.
	DeadLetters() DeadLetters
	// Close stops appends and releases the log. Records stay.
	Close() error
}

// Delivery is a record handed out. It may come again, also after it was handled.
type Delivery struct {
	ID        string // names the record within the log, for messages
	Partition int
	Data      []byte
	Attempt   int // 1 at first, as far as this process knows
}

// Handler stores deliveries of one partition in order and returns one error
// per delivery: nil acknowledges it; a Permanent one sends it to the dead letter
// with its text as the reason; any other one brings it back later. A handler
// never sees two calls for one partition at once. The deliveries and their Data
// belong to the log again once the call has returned.
type Handler func(ctx context.Context, deliveries []Delivery) []error

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks an error that no repetition can mend.
func Permanent(err error) error { return &permanentError{err} }

// IsPermanent reports whether err was marked by Permanent.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}

// Stats describes a log at one moment.
type Stats struct {
	Appended    int64         // records since the process began
	Pending     int64         // records that are not acknowledged yet, as far as is known
	PendingAge  time.Duration // how long the oldest of them has waited; 0 if none does
	DeadLetters int64
	Bytes       int64 // on the medium, where that can be told
}

// DeadLetter is a record that can never be stored as it is.
type DeadLetter struct {
	ID       string
	Reason   string
	FailedAt time.Time
	Attempts int
	Size     int    // bytes of Data
	Data     []byte // only from Get
}

// DeadLetters lists and replays what could not be stored.
type DeadLetters interface {
	// List gives up to limit, oldest first, without Data.
	List(ctx context.Context, limit int) ([]DeadLetter, error)
	// Get gives one with its Data; fault.NotFound if there is none.
	Get(ctx context.Context, id string) (DeadLetter, error)
	// Replay appends the record again and then removes the dead letter.
	Replay(ctx context.Context, id string) error
}

// PartitionOf chooses a record's partition: the same project and trace always
// go to the same one of n. A record without a trace passes its session.
func PartitionOf(project, trace string, n int) int {
	if n <= 1 {
		return 0
	}
	h := fnv.New32a()
	h.Write([]byte(project))
	h.Write([]byte{0})
	h.Write([]byte(trace))
	return int(h.Sum32() % uint32(n))
}
