package natswal

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// appendTimeout bounds an append: the server gets several chances to come
	// back, and the client its answer within a few seconds.
	appendTimeout = 5 * time.Second
	// republishInterval is the pause before messages that failed are sent again.
	republishInterval = 100 * time.Millisecond
)

// Append implements wal.Log: it returns nil once JetStream has acknowledged every
// record. Then each is in the files of Replicas servers (of a majority of them,
// strictly), though their kernels may still hold it in memory: a server flushes
// at its sync_interval, or before each acknowledgement with sync_interval
// "always".
func (l *Log) Append(ctx context.Context, records []wal.Record) error {
	for _, r := range records {
		if r.Partition < 0 || r.Partition >= l.opts.Partitions {
			return fault.Newf(fault.Internal, "there is no partition %d of %d", r.Partition, l.opts.Partitions)
		}
		if len(r.Data) > l.maxRecordBytes {
			return fault.Newf(fault.TooLarge, "a record of %d bytes passes the limit of %d", len(r.Data), l.maxRecordBytes)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	messages := make([]*nats.Msg, len(records))
	for i, r := range records {
		messages[i] = &nats.Msg{Subject: l.recordSubject(strconv.Itoa(r.Partition)), Data: wal.Seal(nil, r.Data)}
	}
	if _, err := l.publish(ctx, messages); err != nil {
		return err
	}
	l.appended.Add(int64(len(records)))
	return nil
}

// publish returns once every message is acknowledged, with the sequence of each
// in its stream. Those that are not are
// sent again, until appendTimeout has passed or the server has refused one.
func (l *Log) publish(ctx context.Context, messages []*nats.Msg) (sequences map[*nats.Msg]uint64, err error) {
	wait, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	sequences = make(map[*nats.Msg]uint64, len(messages))
	for {
		failed, err := l.publishOnce(wait, messages, sequences)
		if err == nil {
			return sequences, nil
		}
		if refused(err) {
			return nil, fault.Wrap(fault.Unavailable, "the log is full, or cannot write", err)
		}
		if l.life.IsClosed() || !wal.Pause(wait, republishInterval) {
			return nil, l.asFault(ctx, err)
		}
		if missing(err) {
			// Somebody has removed the stream, or a server without it took over. If
			// this fails too, the next attempt to publish says so.
			_, _ = l.ensureStreams(wait)
		}
		messages = failed
	}
}

// publishOnce sends messages together and gives those that were not
// acknowledged, with the reason of one.
func (l *Log) publishOnce(ctx context.Context, messages []*nats.Msg, sequences map[*nats.Msg]uint64) (failed []*nats.Msg, cause error) {
	acks := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		var err error
		if acks[i], err = l.js.PublishMsgAsync(m); err != nil {
			failed, cause = append(failed, messages[i:]...), err
			break
		}
	}
	for i, ack := range acks {
		if ack == nil {
			break
		}
		var err error
		select {
		case ok := <-ack.Ok():
			sequences[messages[i]] = ok.Sequence
		case err = <-ack.Err():
		case <-ctx.Done():
			err = ctx.Err()
		case <-l.life.Closed():
			err = wal.ErrClosed()
		}
		if err != nil {
			failed = append(failed, messages[i])
			if cause == nil || refused(err) || errors.Is(cause, context.DeadlineExceeded) {
				cause = err
			}
		}
	}
	return failed, cause
}
