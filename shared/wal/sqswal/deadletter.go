package sqswal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// lookFor is how long a look at dead letters hides them from others, unless
	// it gives them back before.
	lookFor = time.Minute
	// lookWait is how long a look waits for one more: long enough that SQS asks
	// all its machines.
	lookWait = time.Second
	// listScan is the most that List looks at in one queue, or its limit if that
	// is more.
	listScan = 1000
)

// deadLetters are those of all queues of a log. SQS gives no list: they are
// received, and given back.
type deadLetters struct{ log *Log }

var _ wal.DeadLetters = deadLetters{}

// DeadLetters implements wal.Log. While somebody looks at dead letters they are
// hidden from others: what List and Get do not find may be found a minute later.
func (l *Log) DeadLetters() wal.DeadLetters { return deadLetters{l} }

// look receives dead letters of a queue, at most about limit of them, until see
// wants no more, and gives back those that it says are not taken.
func (d deadLetters) look(ctx context.Context, q queue, limit int, see func(m *Message) (take, more bool)) error {
	seen := map[string]string{} // id → receipt handle, of those to give back
	defer func() {
		// They are given back however the look ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		d.log.giveBack(ctx, q.dead, slices.Collect(maps.Values(seen)))
	}()
	for more := true; more && len(seen) < limit; {
		messages, err := d.log.receive(ctx, q.dead, maxEntries, lookWait, lookFor)
		if err != nil {
			return err
		}
		fresh := false
		for i := range messages {
			m := &messages[i]
			_, known := seen[m.ID]
			seen[m.ID] = m.ReceiptHandle
			if known || !more {
				continue
			}
			fresh = true
			var take bool
			if take, more = see(m); take {
				delete(seen, m.ID)
			}
		}
		if !fresh { // none is left, or they begin to come again
			return nil
		}
	}
	return nil
}

// List implements wal.DeadLetters. Of more than a thousand letters in a queue it
// looks at some.
func (d deadLetters) List(ctx context.Context, limit int) ([]wal.DeadLetter, error) {
	queues, err := d.log.queues(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var list []wal.DeadLetter
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelCalls)
	for _, q := range queues {
		group.Go(func() error {
			err := d.look(ctx, q, max(listScan, limit), func(m *Message) (take, more bool) {
				letter := letterOf(q, m)
				letter.Data = nil
				mu.Lock()
				defer mu.Unlock()
				list = append(list, letter)
				return false, true
			})
			if noQueue(err) {
				return nil // one beyond Partitions, which nobody made with dead letters
			}
			return unavailable("list dead letters", err)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b wal.DeadLetter) int {
		return cmp.Or(a.FailedAt.Compare(b.FailedAt), strings.Compare(a.ID, b.ID))
	})
	return list[:min(len(list), max(limit, 0))], nil
}

// Get implements wal.DeadLetters.
func (d deadLetters) Get(ctx context.Context, id string) (wal.DeadLetter, error) {
	q, m, err := d.find(ctx, id, false)
	if err != nil {
		return wal.DeadLetter{}, err
	}
	return letterOf(q, m), nil
}

// Replay implements wal.DeadLetters.
func (d deadLetters) Replay(ctx context.Context, id string) error {
	q, m, err := d.find(ctx, id, true)
	if err != nil {
		return err
	}
	err = d.log.send(ctx, q.url, []outgoing{{body: m.Body}})[0]
	if err != nil {
		err = errors.Join(err, d.log.hide(ctx, q.dead, []hidden{{handle: m.ReceiptHandle}})[0])
		return unavailable("send the record to its queue", err)
	}
	if err := d.log.remove(ctx, q.dead, []string{m.ReceiptHandle})[0]; err != nil {
		return unavailable("delete the dead letter, whose record is in its queue", err)
	}
	return nil
}

// find looks for a dead letter and gives it back, or keeps it if take is set.
func (d deadLetters) find(ctx context.Context, id string, take bool) (q queue, found *Message, err error) {
	unknown := fault.Newf(fault.NotFound, "There is no dead letter %q", id)
	number, messageID, ok := strings.Cut(strings.TrimPrefix(id, "p"), "-")
	n, bad := strconv.ParseInt(number, 10, 16)
	if !ok || bad != nil || n < 1 || d.log.queue(int(n)-1).recordID(messageID) != id {
		return q, nil, unknown
	}
	q = d.log.queue(int(n) - 1)
	err = d.look(ctx, q, math.MaxInt, func(m *Message) (bool, bool) {
		if m.ID != messageID {
			return false, true
		}
		found = m
		return take, false
	})
	switch {
	case noQueue(err):
		return q, nil, unknown
	case err != nil:
		return q, nil, unavailable("look for a dead letter", err)
	case found == nil:
		return q, nil, unknown
	}
	return q, found, nil
}

// letterOf reads a message of a dead-letter queue.
func letterOf(q queue, m *Message) wal.DeadLetter {
	letter := wal.DeadLetter{ID: q.recordID(m.ID), Reason: m.MessageAttributes[attributeReason], Attempts: count(m.MessageAttributes[attributeAttempts], 0)}
	var err error
	if letter.Data, err = m.data(); err != nil {
		letter.Data = []byte(m.Body) // what is damaged is shown as it is
	}
	letter.Size = len(letter.Data)
	if letter.Reason == "" {
		// The queue moved it, with the attributes that it had there.
		letter.Attempts += wal.MaxDeliveries
		letter.Reason = fmt.Sprintf("the queue gave it up after %d deliveries: nobody could say what became of them", letter.Attempts)
	}
	letter.FailedAt, err = time.Parse(time.RFC3339Nano, m.MessageAttributes[attributeFailedAt])
	if err != nil {
		// Its queue does not say when it gave up, only when the message was sent.
		letter.FailedAt = time.UnixMilli(int64(count(m.Attributes[systemSent], 0)))
	}
	letter.FailedAt = letter.FailedAt.UTC()
	return letter
}

// unavailable is the error of what SQS did not do.
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.Unavailable, "The queue does not answer now", fmt.Errorf("%s: %w", what, err))
}
