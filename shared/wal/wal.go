// Package wal is the durable log between accepting a record and storing it. It
// never looks inside a record. One Log is one stream (traces, or spans), cut
// into partitions; implementations are named for their technology, and waltest
// holds what each must do.
package wal

import (
	"context"
	"errors"
	"hash/fnv"
	"strings"
	"time"
	"unicode/utf8"
)

// Record is what is appended: an opaque body and where it goes.
type Record struct {
	Partition int // 0 ≤ Partition < Log.Partitions()
	Data      []byte
}

// Log appends and hands out records at least once, in any order, possibly
// several at a time: storing is idempotent, and no order of arrival changes what
// is stored. Ordered is for logs that promise more.
type Log interface {
	// Partitions is the number that Append spreads over. Records of partitions
	// that an earlier, larger number made are still handed out.
	Partitions() int
	// MaxRecordBytes is the largest Record.Data that Append takes: a batch that
	// encodes to more must be split. It stays the same for the life of the log.
	MaxRecordBytes() int
	// Append returns nil once every record is on durable media; their Data are the
	// caller's again then, to be written over. On an error
	// none, some or all may have been kept: the caller sends them again, which
	// is harmless, since storing is idempotent. The error is fault.Unavailable
	// if the medium is full or refuses, and fault.TooLarge, with nothing kept, if
	// a record has more than MaxRecordBytes.
	Append(ctx context.Context, records []Record) error
	// Consume hands records to handle until ctx ends, then returns nil once the
	// calls in flight have ended. A record that cannot be stored now holds up
	// no other partition. An error is a fault of the log itself.
	Consume(ctx context.Context, handle Handler) error
	// Ping asks the medium whether it is there, with one request or one file, and
	// promises nothing of the next Append. It ends with ctx, and soon without.
	Ping(ctx context.Context) error
	// Stats asks the medium; on a remote log that is a request for each
	// partition, and the figures may be some seconds old.
	Stats(ctx context.Context) (Stats, error)
	// DeadLetters gives access to what could not be stored.
	DeadLetters() DeadLetters
	// Close stops appends and releases the log. Records stay. Closing twice is
	// harmless; Append then gives fault.Unavailable.
	Close() error
}

// Ordered is a Log that hands out each partition in the order of its appends,
// by one call at a time, so that it can tell when it has passed a point.
type Ordered interface {
	Log
	// Barrier waits until every record whose Append had returned before the
	// call was handed out and acknowledged or dead-lettered. It ends early with
	// ctx's error.
	Barrier(ctx context.Context) error
}

// Delivery is a record handed out. It may come again, also after it was handled.
type Delivery struct {
	ID        string // names the record within the log, for messages
	Partition int
	Data      []byte
	Attempt   int // 1 at first, as far as the log can tell
}

// Handler stores deliveries, all of one partition, and returns one error per
// delivery: nil acknowledges it; a Permanent one sends it to the dead letter
// with its text as the reason; any other one brings it back later, after pauses
// that grow, and however often that happens it never becomes a dead letter.
// The deliveries and their Data belong to the log again once the call has
// returned.
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

// maxLoggedReason bounds ReasonForLog in bytes.
const maxLoggedReason = 256

// ReasonForLog gives the reason of a dead letter as a log line has it: in one
// line, cut.
func ReasonForLog(reason error) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(reason.Error(), "\uFFFD")), " ")
	if len(s) <= maxLoggedReason {
		return s
	}
	end := maxLoggedReason
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// Stats describes a log at one moment.
type Stats struct {
	Appended    int64         // records since the process began
	Pending     int64         // records that are not acknowledged yet, as far as is known
	PendingAge  time.Duration // how long the oldest of them has waited; 0 if none does, or the log cannot tell
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
	// Damaged says that Data are bytes that this program cannot open: they are no
	// record, and cannot be replayed. Only from Get.
	Damaged bool
}

// DeadLetters lists, replays and discards what could not be stored.
type DeadLetters interface {
	// List gives up to limit, oldest first, without Data. A log that cannot look
	// at all at once gives the oldest of those that it saw.
	List(ctx context.Context, limit int) ([]DeadLetter, error)
	// Get gives one with its Data; fault.NotFound if there is none.
	Get(ctx context.Context, id string) (DeadLetter, error)
	// Replay appends the record again and then removes the dead letter.
	Replay(ctx context.Context, id string) error
	// Discard removes the dead letter, whose record is lost then; fault.NotFound
	// if there is none.
	Discard(ctx context.Context, id string) error
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
