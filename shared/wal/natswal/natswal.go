// Package natswal is the durable log on NATS JetStream, for clouds without SQS.
// It knows nothing of what its records hold.
//
// # Streams
//
// A log named N, traces or spans, is two streams with file storage:
//
//	pulse-N        subjects pulse.log.N.<partition>: records that wait. A work
//	               queue, so that an acknowledged record is gone; full, it refuses
//	               new records rather than drop old ones.
//	pulse-N-dead   subjects pulse.dead.N.<partition>: what could not be stored
//
// Each partition has a durable pull consumer, partition-<partition>, which
// several processes may share. Partitions count from 0. The payload of a message
// is wal.Seal of its record; its headers, which a record has only once it has
// failed, are the constants in message.go.
//
// Streams are made if they are missing. One that is there is kept as it is, with
// its limits and its placement, but for its replicas: they are raised to
// Options.Replicas and never lowered, since a process that was started without
// the setting must not weaken what another one promises. A stream that could
// lose records (no work queue, in memory, with a maximal age …) is refused.
//
// # Deliveries
//
// JetStream counts deliveries, whether they were answered or not, and would
// leave a message that reached its consumer's limit in the stream without
// delivering it again. So the consumers have no limit, and this package counts:
// a record that failed for a fault that passes is published anew at
// wal.RenewAfter deliveries, so that only a message that nobody answers for
// comes more often than wal.MaxDeliveries times. That one goes to the dead
// letters instead of to the handler. Where a renewal is refused, because the
// stream has reached a limit that somebody gave it, the process remembers which
// deliveries it has answered. So in an outage of hours a record may be buried
// without need if the stream is full all the time, and several processes share
// it or are restarted; it can be replayed like any dead letter.
package natswal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// requestTimeout bounds a question to the server.
	requestTimeout = 5 * time.Second
	// pingInterval is how often the connection is tried while it is idle; it is
	// given up when two answers are missing.
	pingInterval = 10 * time.Second
	// reconnectMin and reconnectMax bound the pauses between attempts to connect.
	reconnectMin = 100 * time.Millisecond
	reconnectMax = 5 * time.Second
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
	// a record it is given to another one; 0 means 30 s.
	AckWait time.Duration
	Logger  *slog.Logger
}

// Log is a wal.Log in a JetStream stream.
type Log struct {
	opts           Options
	conn           *nats.Conn
	js             jetstream.JetStream
	maxRecordBytes int
	dead           *deadLetters
	appended       atomic.Int64
	life           *wal.Lifetime
	// backoffFunc and retryFunc give the pauses of records and of workers.
	backoffFunc, retryFunc func(attempt int) time.Duration
	// rescanInterval is how often the stream is asked for records of partitions
	// that this process does not count: another one may still append to them.
	rescanInterval time.Duration

	mu          sync.Mutex
	reconnected chan struct{} // closed at the next reconnection
}

var _ wal.Log = (*Log)(nil)

// nameChars are what a log's name may consist of: it is part of streams' names
// and of subjects.
const nameChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// Open connects, and makes the streams and consumers that are missing. A server that is away
// is tried until ctx ends, which gives fault.Unavailable; fault.Forbidden is for
// credentials that it refuses, fault.Conflict for streams that cannot be made or
// used.
func Open(ctx context.Context, o Options) (*Log, error) {
	o.Partitions = max(o.Partitions, 1)
	o.Replicas = max(o.Replicas, 1)
	if o.BatchRecords <= 0 {
		o.BatchRecords = 512
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = 8 << 20
	}
	if o.AckWait <= 0 {
		o.AckWait = 30 * time.Second
	}
	if o.Stream == "" || strings.Trim(o.Stream, nameChars) != "" {
		return nil, fault.Newf(fault.Invalid, "%q cannot name a log", o.Stream)
	}
	if u, err := url.Parse(o.URL); err != nil || u.Host == "" { // the error would quote a password
		return nil, fault.New(fault.Invalid, "the log's URL is not of the form nats://host:port")
	}
	l := &Log{
		opts: o, life: wal.NewLifetime(), reconnected: make(chan struct{}),
		backoffFunc: wal.Backoff, retryFunc: workerDelay, rescanInterval: 30 * time.Second,
	}
	l.dead = &deadLetters{log: l}
	for attempt := 1; ; attempt++ {
		err := l.open(ctx)
		if err == nil {
			return l, nil
		}
		if code := fault.CodeOf(err); code == fault.Conflict || code == fault.Forbidden {
			l.disconnect()
			return nil, err
		}
		delay := reconnectDelay(attempt)
		o.Logger.Warn("log cannot be opened yet", "server", l.server(), logging.KeyAttempt, attempt, "retry_in", delay, logging.KeyError, err)
		if !wal.Pause(ctx, delay) {
			l.disconnect()
			return nil, fault.Wrap(fault.Unavailable, "the log does not answer", err)
		}
	}
}

// open does what is left of connecting and making streams.
func (l *Log) open(ctx context.Context) (err error) {
	if l.conn == nil {
		l.conn, err = nats.Connect(l.opts.URL, l.connectOptions()...)
		if errors.Is(err, nats.ErrAuthorization) {
			return fault.Wrap(fault.Forbidden, "the log's server refuses the credentials", err)
		}
		if err != nil {
			l.conn = nil
			return fmt.Errorf("connect: %w", err)
		}
		l.js, err = jetstream.New(l.conn, jetstream.WithPublishAsyncTimeout(appendTimeout), jetstream.WithDefaultTimeout(requestTimeout))
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	limit, err := l.ensureStreams(ctx)
	if err != nil {
		return err
	}
	// Also where this process only appends: an autoscaler that lets the drain rest
	// looks at the consumers.
	for p := range l.opts.Partitions {
		if err := l.ensureConsumer(ctx, p); err != nil {
			return fmt.Errorf("consumer of partition %d: %w", p, streamFault(l.recordStream(), err))
		}
	}
	l.maxRecordBytes = min(limit, int(l.conn.MaxPayload())) - maxHeaderBytes - wal.EnvelopeBytes
	if l.maxRecordBytes <= 0 {
		return fault.Newf(fault.Conflict, "the log's server takes messages of up to %d bytes: raise its max_payload", l.conn.MaxPayload())
	}
	return nil
}

func (l *Log) connectOptions() []nats.Option {
	log := l.opts.Logger.With(slog.String("server", l.server()))
	var lastErr atomic.Value // of errText; why the latest attempt to connect failed
	return []nats.Option{
		nats.Name("pulse " + l.opts.Stream),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // credentials may be right again after a restart
		// What is published while the server is away fails at once, and is retried
		// by those who know how long they want to wait.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(requestTimeout),
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			delay := reconnectDelay(attempts)
			if attempts&(attempts-1) == 0 { // the 1st, 2nd, 4th, 8th …: an outage may last for days
				err, _ := lastErr.Load().(errText)
				log.Warn("log server is away", logging.KeyAttempt, attempts, "retry_in", delay, logging.KeyError, string(err))
			}
			return delay
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { lastErr.Store(errText(err.Error())) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil when Close did it
				log.Warn("log connection lost", logging.KeyError, err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			log.Info("log connection is back")
			l.mu.Lock()
			defer l.mu.Unlock()
			close(l.reconnected)
			l.reconnected = make(chan struct{})
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("log connection", logging.KeyError, err)
		}),
	}
}

// errText is the text of an error, of one type as atomic.Value wants it.
type errText string

// server names the server for messages, without credentials.
func (l *Log) server() string {
	u, err := url.Parse(l.opts.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// nextReconnect gives a channel that is closed at the next reconnection.
func (l *Log) nextReconnect() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reconnected
}

func reconnectDelay(attempt int) time.Duration {
	return min(reconnectMin<<min(max(attempt-1, 0), 16), reconnectMax)
}

// Partitions implements wal.Log.
func (l *Log) Partitions() int { return l.opts.Partitions }

// MaxRecordBytes implements wal.Log: what the server's max_payload was when the
// log was opened, less room for headers.
func (l *Log) MaxRecordBytes() int { return l.maxRecordBytes }

// Ping implements wal.Log: the server answers, and the stream of records is there.
func (l *Log) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := l.state(ctx, l.recordStream())
	return err
}

// Stats implements wal.Log with two requests. PendingAge is the time since the
// oldest record was appended or, after many failures, renewed. Bytes are those
// of the records that wait, on one server.
func (l *Log) Stats(ctx context.Context) (wal.Stats, error) {
	s := wal.Stats{Appended: l.appended.Load()}
	records, err := l.state(ctx, l.recordStream())
	if err != nil {
		return s, err
	}
	dead, err := l.state(ctx, l.deadStream())
	if err != nil {
		return s, err
	}
	s.Pending, s.Bytes, s.DeadLetters = int64(records.Msgs), int64(records.Bytes), int64(dead.Msgs)
	if records.Msgs > 0 {
		s.PendingAge = max(time.Since(records.FirstTime), 0)
	}
	return s, nil
}

func (l *Log) state(ctx context.Context, stream string) (jetstream.StreamState, error) {
	s, err := l.js.Stream(ctx, stream) // asks the server
	if err != nil {
		return jetstream.StreamState{}, l.asFault(ctx, err)
	}
	return s.CachedInfo().State, nil
}

// asFault makes err what callers are told: ctx's own end as it is, all else as a
// log that is away.
func (l *Log) asFault(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case l.life.IsClosed():
		return wal.ErrClosed()
	}
	return fault.Wrap(fault.Unavailable, "the log does not answer", err)
}

// DeadLetters implements wal.Log.
func (l *Log) DeadLetters() wal.DeadLetters { return l.dead }

// Close implements wal.Log: Consume is ended as if its context had ended, and
// waited for. A handler MUST NOT call it. Closing twice is harmless.
func (l *Log) Close() error {
	if !l.life.Close() {
		return nil
	}
	l.disconnect()
	return nil
}

func (l *Log) disconnect() {
	if l.conn != nil {
		l.conn.Close()
	}
}
