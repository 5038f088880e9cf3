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

// deadLetters reads and replays what is in the dead stream. An id is a sequence
// there, in decimal.
type deadLetters struct{ log *Log }

// List implements wal.DeadLetters. It reads headers only.
func (d *deadLetters) List(ctx context.Context, limit int) ([]wal.DeadLetter, error) {
	list := []wal.DeadLetter{}
	if limit <= 0 {
		return list, nil
	}
	reader, err := d.log.js.CreateConsumer(ctx, d.log.deadStream(), jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, HeadersOnly: true,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return nil, d.log.asFault(ctx, err)
	}
	defer func() {
		// Should this fail, the server removes it within the minute.
		_ = d.log.js.DeleteConsumer(context.WithoutCancel(ctx), d.log.deadStream(), reader.CachedInfo().Name)
	}()
	batch, err := reader.FetchNoWait(limit)
	if err != nil {
		return nil, d.log.asFault(ctx, err)
	}
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return nil, d.log.asFault(ctx, err)
		}
		list = append(list, letterOf(meta.Sequence.Stream, m.Headers(), meta.Timestamp))
	}
	if err := batch.Error(); err != nil {
		return nil, d.log.asFault(ctx, err)
	}
	return list, nil
}

// letterOf is a dead letter without its data; at is when it was written.
func letterOf(sequence uint64, h nats.Header, at time.Time) wal.DeadLetter {
	l := wal.DeadLetter{
		ID: strconv.FormatUint(sequence, 10), Reason: h.Get(headerReason), FailedAt: at.UTC(), Attempts: attempts(h),
	}
	if t, err := time.Parse(time.RFC3339Nano, h.Get(headerFailedAt)); err == nil {
		l.FailedAt = t
	}
	if n, err := strconv.Atoi(h.Get(headerSize)); err == nil && n >= 0 {
		l.Size = n
	}
	return l
}

// Get implements wal.DeadLetters. The data of a damaged record are its message's
// bytes.
func (d *deadLetters) Get(ctx context.Context, id string) (wal.DeadLetter, error) {
	_, m, err := d.get(ctx, id)
	if err != nil {
		return wal.DeadLetter{}, err
	}
	l := letterOf(m.Sequence, m.Header, m.Time)
	if l.Data, err = wal.Unseal(m.Data); err != nil {
		l.Data, l.Damaged = m.Data, true
	}
	l.Size = len(l.Data)
	return l, nil
}

func (d *deadLetters) get(ctx context.Context, id string) (jetstream.Stream, *jetstream.RawStreamMsg, error) {
	sequence, err := strconv.ParseUint(id, 10, 64)
	if err != nil || sequence == 0 || strconv.FormatUint(sequence, 10) != id {
		return nil, nil, errNoLetter()
	}
	stream, err := d.log.js.Stream(ctx, d.log.deadStream())
	if err != nil {
		return nil, nil, d.log.asFault(ctx, err)
	}
	m, err := stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil, errNoLetter()
	}
	if err != nil {
		return nil, nil, d.log.asFault(ctx, err)
	}
	return stream, m, nil
}

// Replay implements wal.DeadLetters. It gives fault.Invalid for a record that is
// damaged, as this program reads it.
func (d *deadLetters) Replay(ctx context.Context, id string) error {
	stream, m, err := d.get(ctx, id)
	if err != nil {
		return err
	}
	if _, err := wal.Unseal(m.Data); err != nil {
		return fault.Wrap(fault.Invalid, "a damaged record cannot be replayed", err)
	}
	partition := strconv.Itoa(max(partitionOf(m.Subject), 0) % d.log.opts.Partitions)
	if _, err := d.log.publish(ctx, []*nats.Msg{{Subject: d.log.recordSubject(partition), Data: m.Data}}); err != nil {
		return err
	}
	if err := stream.DeleteMsg(ctx, m.Sequence); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return d.log.asFault(ctx, err)
	}
	return nil
}

// Discard implements wal.DeadLetters.
func (d *deadLetters) Discard(ctx context.Context, id string) error {
	stream, m, err := d.get(ctx, id)
	if err != nil {
		return err
	}
	err = stream.DeleteMsg(ctx, m.Sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) { // somebody was faster
		return errNoLetter()
	}
	if err != nil {
		return d.log.asFault(ctx, err)
	}
	return nil
}

func errNoLetter() error { return fault.New(fault.NotFound, "there is no such dead letter") }
