package sqswal

import (
	"cmp"
	"context"
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
	// maxPassedBytes bounds what Replay keeps for the next call.
	maxPassedBytes = 16 << 20
)

// deadLetters are those of all queues of a log. SQS gives no list: they are
// received, and given back.
type deadLetters struct {
	log *Log

	mu     sync.Mutex
	passed map[string]passed // by the record's id
	bytes  int               // of their bodies
}

// passed is a dead letter that Replay came by while it looked for another one.
// It stays hidden, so that replaying all of them looks at each once.
type passed struct {
	queue   queue
	message Message
	until   time.Time // it is hidden
}

var _ wal.DeadLetters = (*deadLetters)(nil)

// DeadLetters implements wal.Log. While somebody looks at dead letters they are
// hidden from others: what List and Get do not find may be found a minute later.
func (l *Log) DeadLetters() wal.DeadLetters { return l.dead }

// look receives dead letters of a queue, at most about limit of them, until see
// wants no more, and gives back those that it does not take.
func (d *deadLetters) look(ctx context.Context, q queue, limit int, see func(m *Message) (take, more bool)) error {
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
			if known {
				continue
			}
			fresh = true
			take, on := see(m)
			if take {
				delete(seen, m.ID)
			}
			more = more && on
		}
		if !fresh { // none is left, or they begin to come again
			return nil
		}
	}
	return nil
}

// keep keeps a dead letter that was passed, if there is room for it.
func (d *deadLetters) keep(q queue, m *Message) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bytes+len(m.Body) > maxPassedBytes {
		return false
	}
	d.passed[q.recordID(m.ID)] = passed{q, *m, time.Now().Add(lookFor - requestTimeout)}
	d.bytes += len(m.Body)
	return true
}

// kept gives a dead letter that was passed and is hidden still.
func (d *deadLetters) kept(id string) (*Message, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.passed[id]
	if !ok {
		return nil, false
	}
	delete(d.passed, id)
	d.bytes -= len(p.message.Body)
	return &p.message, time.Now().Before(p.until)
}

// giveUp gives back everything that was passed.
func (d *deadLetters) giveUp(ctx context.Context) {
	d.mu.Lock()
	handles := map[string][]string{}
	for _, p := range d.passed {
		handles[p.queue.dead] = append(handles[p.queue.dead], p.message.ReceiptHandle)
	}
	clear(d.passed)
	d.bytes = 0
	d.mu.Unlock()
	for url, h := range handles {
		d.log.giveBack(ctx, url, h)
	}
}

// List implements wal.DeadLetters. Of more than a thousand letters in a queue it
// looks at some.
func (d *deadLetters) List(ctx context.Context, limit int) ([]wal.DeadLetter, error) {
	d.giveUp(ctx)
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
				letter.Data, letter.Damaged = nil, false
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
func (d *deadLetters) Get(ctx context.Context, id string) (wal.DeadLetter, error) {
	q, messageID, err := d.parse(id)
	if err != nil {
		return wal.DeadLetter{}, err
	}
	d.giveUp(ctx)
	m, err := d.find(ctx, q, messageID, false)
	if err != nil {
		return wal.DeadLetter{}, err
	}
	return letterOf(q, m), nil
}

// Replay implements wal.DeadLetters. Others that it comes by stay hidden for a
// minute at most, until a later call of Replay, List, Get or the log's Close.
func (d *deadLetters) Replay(ctx context.Context, id string) error {
	q, m, err := d.take(ctx, id)
	if err != nil {
		return err
	}
	if err := d.log.send(ctx, q.url, []outgoing{{body: m.Body}})[0]; err != nil {
		d.log.giveBack(ctx, q.dead, []string{m.ReceiptHandle})
		return unavailable("send the record to its queue", err)
	}
	if err := d.log.remove(ctx, q.dead, []string{m.ReceiptHandle})[0]; err != nil {
		return unavailable("delete the dead letter, whose record is in its queue again", err)
	}
	return nil
}

// Discard implements wal.DeadLetters. What it comes by is hidden as by Replay.
func (d *deadLetters) Discard(ctx context.Context, id string) error {
	q, m, err := d.take(ctx, id)
	if err != nil {
		return err
	}
	return unavailable("delete the dead letter", d.log.remove(ctx, q.dead, []string{m.ReceiptHandle})[0])
}

// take gives a dead letter, which stays hidden from others.
func (d *deadLetters) take(ctx context.Context, id string) (queue, *Message, error) {
	q, messageID, err := d.parse(id)
	if err != nil {
		return q, nil, err
	}
	if m, ok := d.kept(id); ok {
		return q, m, nil
	}
	m, err := d.find(ctx, q, messageID, true)
	return q, m, err
}

// parse reads the id of a dead letter; fault.NotFound if it can be none.
func (d *deadLetters) parse(id string) (q queue, messageID string, err error) {
	number, messageID, ok := strings.Cut(strings.TrimPrefix(id, "p"), "-")
	n, bad := strconv.ParseInt(number, 10, 16)
	if ok && bad == nil && n >= 1 {
		q = d.log.queue(int(n) - 1)
		if q.recordID(messageID) == id {
			return q, messageID, nil
		}
	}
	return q, "", errUnknownLetter(id)
}

// find looks for a dead letter, and gives it back with all that it came by
// unless it is to be taken.
func (d *deadLetters) find(ctx context.Context, q queue, messageID string, taken bool) (found *Message, err error) {
	err = d.look(ctx, q, math.MaxInt, func(m *Message) (take, more bool) {
		if m.ID == messageID {
			found = m
			return taken, false
		}
		return taken && d.keep(q, m), true
	})
	switch {
	case err != nil && !noQueue(err):
		return nil, unavailable("look for a dead letter", err)
	case found == nil:
		return nil, errUnknownLetter(q.recordID(messageID))
	}
	return found, nil
}

func errUnknownLetter(id string) error {
	return fault.Newf(fault.NotFound, "There is no dead letter %q", id)
}

// letterOf reads a message of a dead-letter queue.
func letterOf(q queue, m *Message) wal.DeadLetter {
	letter := wal.DeadLetter{ID: q.recordID(m.ID), Reason: m.MessageAttributes[attributeReason], Attempts: count(m.MessageAttributes[attributeAttempts], 0)}
	var err error
	if letter.Data, err = m.data(); err != nil {
		letter.Data, letter.Damaged = []byte(m.Body), true // what is damaged is given as it is
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
		letter.FailedAt = time.UnixMilli(int64(count(m.Attributes[systemSent], 0))).UTC()
	}
	return letter
}

// unavailable is the error of what SQS did not do.
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.Unavailable, "The queue does not answer now", fmt.Errorf("%s: %w", what, err))
}
