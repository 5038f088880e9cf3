package filewal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// retryMin and retryMax bound the pauses between redeliveries.
	retryMin = 50 * time.Millisecond
	retryMax = 5 * time.Second
	// sealAfter is how long a consumed segment lies idle before it is ended and
	// removed.
	sealAfter = 5 * time.Second
)

// Consume implements wal.Log. The context that handle gets is never cancelled.
// The data of a delivery is the log's again once handle has returned.
func (l *Log) Consume(ctx context.Context, handle wal.Handler) error {
	if !l.opts.Role.consumes() {
		return fault.New(fault.Internal, "this process does not consume the log")
	}
	ctx, end, err := l.life.Consume(ctx)
	if err != nil {
		return err
	}
	defer end()

	group, ctx := errgroup.WithContext(ctx)
	run := func(parts []*partition) {
		for _, p := range parts {
			group.Go(func() error {
				c := &consumer{partition: p, handle: handle}
				defer c.stop()
				if err := c.run(ctx); err != nil {
					return fmt.Errorf("consume %s: %w", p.dir, err)
				}
				return nil
			})
		}
	}
	run(l.partitions())
	if !l.opts.Role.appends() {
		group.Go(func() error {
			for wal.Pause(ctx, rescanInterval) {
				parts, err := l.findPartitions()
				if err != nil {
					return err
				}
				run(parts)
			}
			return nil
		})
	}
	return group.Wait()
}

// consumer hands out one partition.
type consumer struct {
	*partition
	handle wal.Handler

	reader     *segmentReader // nil between segments
	past       uint64         // segments that begin before it are done with
	entries    []entry
	deliveries []wal.Delivery
	poll       time.Duration // the next pause, where another process appends
}

func (c *consumer) stop() {
	if c.reader != nil {
		c.reader.close()
	}
}

func (c *consumer) run(ctx context.Context) error {
	for ctx.Err() == nil {
		entries, err := c.nextBatch()
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			c.deliver(ctx, entries)
			c.poll = 0
		} else {
			c.wait(ctx)
		}
	}
	return nil
}

// wait returns when there may be something new, or ctx ends.
func (c *consumer) wait(ctx context.Context) {
	var timeout time.Duration
	switch {
	case !c.log.opts.Role.appends():
		c.poll = min(max(pollMin, c.poll+c.poll/2), pollMax)
		timeout = c.poll
	case c.reader != nil:
		timeout = sealAfter
	}
	if c.reader != nil {
		c.reader.release()
	}
	var expired <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-ctx.Done():
	case <-c.notify:
	case <-expired:
		if c.log.opts.Role.appends() {
			c.sealIfConsumed(c.reader.first)
		}
	}
}

// nextBatch gives what is there to hand out, none if nothing is.
func (c *consumer) nextBatch() ([]entry, error) {
	c.mu.Lock()
	acked := c.acked
	c.mu.Unlock()
	for {
		if c.reader == nil {
			if err := c.nextSegment(acked); c.reader == nil {
				return nil, err
			}
		}
		b, newer, err := c.bounds()
		if err != nil {
			return nil, err
		}
		offset := c.reader.offset
		all, err := c.reader.read(c.entries[:0], b, c.log.opts.BatchRecords, c.log.opts.BatchBytes)
		if err != nil {
			return nil, err
		}
		c.entries = all
		fresh := all
		for len(fresh) > 0 && fresh[0].next <= acked {
			fresh = fresh[1:]
		}
		if len(fresh) > 0 {
			if !c.log.opts.Role.appends() {
				c.sawRecords(fresh[0].sequence, fresh[len(fresh)-1].next)
			}
			return fresh, nil
		}
		if c.reader.offset != offset {
			continue
		}
		if b.state != segmentSealed || !c.endReading(newer) {
			return nil, nil
		}
	}
}

// nextSegment opens the segment that holds the record at acked, or the one
// after it, and removes those before. Without one it leaves the reader nil.
func (c *consumer) nextSegment(acked uint64) error {
	firsts, err := listSegments(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for i, first := range firsts {
		if first < c.past {
			continue
		}
		if i+1 < len(firsts) && firsts[i+1] <= acked {
			c.remove(first)
			continue
		}
		c.reader, err = openSegment(c.dir, first)
		if errors.Is(err, fs.ErrNotExist) {
			c.reader = nil // given up by the appending process at this moment
			continue
		}
		return err
	}
	return nil
}

// bounds tells how far the open segment may be read, and whether there is a
// newer one.
func (c *consumer) bounds() (b bounds, newer bool, err error) {
	if c.log.opts.Role.appends() {
		c.mu.Lock()
		active := c.active
		if active != nil && active.first == c.reader.first {
			b = bounds{active.durable, segmentDurable}
			c.mu.Unlock()
			return b, false, nil
		}
		c.mu.Unlock()
	}
	// Listed before the size is taken: once there is a newer segment, this one
	// does not grow.
	firsts, err := listSegments(c.dir)
	if err != nil {
		return b, false, err
	}
	newer = len(firsts) > 0 && firsts[len(firsts)-1] > c.reader.first
	b.state = segmentSealed
	if !c.log.opts.Role.appends() && !newer {
		b.state = segmentGrowing
	}
	b.limit, err = c.reader.size()
	return b, newer, err
}

// endReading closes and removes a segment that is consumed. The cursor is made
// durable first. If it cannot be, the segment is removed all the same where a
// newer one exists, whose name keeps its sequences from being used again, and
// where the disk is full: removing segments is what makes room, for the cursor
// too. A crash between the two loses nothing, since all of the segment is dealt
// with, and leaves an older cursor, from which sequences are used again.
func (c *consumer) endReading(newer bool) bool {
	c.mu.Lock()
	acked := c.acked
	c.mu.Unlock()
	written := writeCursor(c.dir, acked, true)
	if written != nil && !newer && !noSpace(written) {
		c.logger.Warn("write log cursor", logging.KeyError, written)
		return false
	}
	first := c.reader.first
	c.reader.close()
	c.reader = nil
	c.past = first + 1
	c.remove(first)
	if written != nil {
		if err := writeCursor(c.dir, acked, true); err != nil {
			c.logger.Warn("write log cursor", logging.KeyError, err)
		}
	}
	return true
}

func (c *consumer) remove(first uint64) {
	if err := os.Remove(segmentPath(c.dir, first)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.logger.Warn("remove consumed log segment", logging.KeyError, err)
	}
}

// deliver hands out a batch until each entry is stored or dead-lettered, or ctx
// ends between two calls.
func (c *consumer) deliver(ctx context.Context, open []entry) {
	// A call that has begun runs to its end and its result is recorded, so that
	// a stop does not bring back what is stored.
	calm := context.WithoutCancel(ctx)
	end := open[len(open)-1].next
	for attempt := 1; ; attempt++ {
		left, cause := c.try(calm, open, attempt)
		acked := end
		if len(left) > 0 {
			acked = left[0].sequence
		}
		c.advance(acked)
		if len(left) == 0 {
			return
		}
		delay := min(retryMin<<min(attempt-1, 16), retryMax)
		delay = delay/2 + rand.N(delay/2)
		c.logger.Warn("log records not stored yet", "records", len(left), "attempt", attempt, "retry_in", delay, logging.KeyError, cause)
		if !wal.Pause(ctx, delay) {
			return
		}
		open = left
	}
}

// try hands out entries once and gives those that must come again, with the
// reason of the first.
func (c *consumer) try(ctx context.Context, open []entry, attempt int) (left []entry, cause error) {
	c.deliveries = c.deliveries[:0]
	for _, e := range open {
		if e.damage == "" {
			c.deliveries = append(c.deliveries, wal.Delivery{
				ID: c.recordID(e.sequence), Partition: c.index, Data: e.body, Attempt: attempt,
			})
		}
	}
	var verdicts []error
	if len(c.deliveries) > 0 {
		verdicts = c.handle(ctx, c.deliveries)
	}
	short := len(verdicts) != len(c.deliveries)
	for _, e := range open {
		var err error
		switch {
		case e.damage != "":
			err = wal.Permanent(errors.New(e.damage))
		case short:
			err = errors.New("the handler gave a wrong number of results")
		default:
			err, verdicts = verdicts[0], verdicts[1:]
		}
		if wal.IsPermanent(err) {
			err = c.bury(e, attempt, err)
		}
		if err != nil {
			left = append(left, e)
			if cause == nil {
				cause = err
			}
		}
	}
	clear(c.deliveries)
	return left, cause
}

// bury writes a dead letter.
func (c *consumer) bury(e entry, attempt int, reason error) error {
	id := fmt.Sprintf("%s-%08x", c.recordID(e.sequence), checksum(e.body))
	err := c.log.dead.write(letter{
		ID: id, Partition: c.index, Reason: reason.Error(), FailedAt: c.log.opts.Now().UTC(),
		Attempts: attempt, Damaged: e.damage != "", Data: e.body,
	})
	if err == nil {
		c.logger.Error("log record is among the dead letters", logging.KeyRecord, c.recordID(e.sequence), logging.KeyDeadLetter, id,
			logging.KeyAttempt, attempt, logging.KeyReason, wal.ReasonForLog(reason))
	}
	return err
}

func (c *consumer) recordID(sequence uint64) string {
	return fmt.Sprintf("p%02d-%016d", c.index+1, sequence)
}

// advance records how far the partition is consumed.
func (c *consumer) advance(sequence uint64) {
	c.mu.Lock()
	moved := sequence > c.acked
	c.mu.Unlock()
	if !moved {
		return
	}
	if err := writeCursor(c.dir, sequence, false); err != nil {
		c.logger.Warn("write log cursor", logging.KeyError, err) // it only brings records back
	}
	c.setAcked(sequence)
}
