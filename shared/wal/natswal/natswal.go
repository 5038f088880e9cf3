// Package natswal is the durable log on NATS JetStream, for clouds without SQS.
// It knows nothing of what its records hold.
package natswal

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

// Options say where a log is and how it is used. URL, Stream and Logger must be
// set.
type Options struct {
	URL        string // nats:// or tls://, with user:password@ or token@ before the host where the server asks; never logged
	Stream     string // "traces" or "spans": letters, digits, - and _
	Partitions int    // at least 1, which 0 means too
	Replicas   int    // on how many servers a record is before it counts as appended; 0 means 1
	// BatchRecords and BatchBytes bound what one call of the handler gets; 0
	// means 512 records and 8 MiB. A larger record comes alone.
	BatchRecords int
	BatchBytes   int
	// AckWait is after how long without a sign of life from the process that has
	// a record it is given to another; 0 means 30 s.
	AckWait time.Duration
	Logger  *slog.Logger
}

// Log is a wal.Log in a JetStream stream.
type Log struct {
	opts Options
	conn *nats.Conn
}

var _ wal.Log = (*Log)(nil)

// Open connects, and makes the streams that are missing. It tries until ctx
// ends, and then gives fault.Unavailable.
func Open(_ context.Context, o Options) (*Log, error) {
	conn, err := nats.Connect(o.URL)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "the log does not answer", err)
	}
	return &Log{opts: o, conn: conn}, nil
}

// Partitions implements wal.Log.
func (l *Log) Partitions() int { return max(l.opts.Partitions, 1) }

// MaxRecordBytes implements wal.Log.
func (l *Log) MaxRecordBytes() int { return int(l.conn.MaxPayload()) - wal.EnvelopeBytes }

// Append implements wal.Log.
func (l *Log) Append(context.Context, []wal.Record) error { return errNotYet() }

// Consume implements wal.Log.
func (l *Log) Consume(context.Context, wal.Handler) error { return errNotYet() }

// Stats implements wal.Log.
func (l *Log) Stats(context.Context) (wal.Stats, error) { return wal.Stats{}, errNotYet() }

// DeadLetters implements wal.Log.
func (l *Log) DeadLetters() wal.DeadLetters { return deadLetters{} }

// Close implements wal.Log.
func (l *Log) Close() error { l.conn.Close(); return nil }

type deadLetters struct{}

// List implements wal.DeadLetters.
func (deadLetters) List(context.Context, int) ([]wal.DeadLetter, error) { return nil, errNotYet() }

// Get implements wal.DeadLetters.
func (deadLetters) Get(context.Context, string) (wal.DeadLetter, error) {
	return wal.DeadLetter{}, errNotYet()
}

// Replay implements wal.DeadLetters.
func (deadLetters) Replay(context.Context, string) error { return errNotYet() }

func errNotYet() error { return fault.New(fault.Unavailable, "the log on NATS is not built yet") }
