package sqswal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/wal"
)

// Names of attributes: see the package's description.
const (
	attributeAttempts = "attempts"
	attributeReason   = "reason"
	attributeFailedAt = "failed_at"
	attributeSource   = "source"

	systemReceiveCount = "ApproximateReceiveCount"
	systemSent         = "SentTimestamp" // Unix milliseconds
)

// maxReasonBytes bounds the reason of a dead letter, within attributeBytes.
const maxReasonBytes = 2 << 10

// settleReserve is the part of an event's time that is kept for SQS: its handler
// has to end that much earlier, but never by more than a fourth of the time left.
const settleReserve = 3 * time.Second

// Message is a message as SQS gives it, or Lambda in an event.
type Message struct {
	ID            string
	ReceiptHandle string
	Body          string
	// Attributes are those of the system; ApproximateReceiveCount is used.
	Attributes map[string]string
	// MessageAttributes are the values of its own attributes that are text.
	MessageAttributes map[string]string
}

// receives is how often the queue has delivered m, which it began to count when
// m was sent or renewed.
func (m *Message) receives() int { return count(m.Attributes[systemReceiveCount], 1) }

// attempts is how often the record was delivered, in m and in those that it was
// renewed from.
func (m *Message) attempts() int {
	return min(count(m.MessageAttributes[attributeAttempts], 0), math.MaxInt32) + m.receives()
}

// count reads a number that is at least low.
func count(s string, low int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return low
	}
	return max(n, low)
}

// data opens the envelope of m.
func (m *Message) data() ([]byte, error) {
	sealed, err := base64.StdEncoding.DecodeString(m.Body)
	if err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	data, err := wal.Unseal(sealed)
	if err != nil {
		return nil, fmt.Errorf("open message: %w", err)
	}
	return data, nil
}

// Handle serves one event of a mapping from a queue of this log to a function:
// handle is called once with what messages hold. What it can never store is
// moved to the dead letters and counts as done then; what has to wait stays
// hidden for a pause that grows. failed are the ids of the messages that the
// function must report, so that all others are deleted. An error says that
// queueName is none of this log's: nothing was done.
//
// Where ctx has a deadline, handle's context ends early enough to settle what it
// did. Once ctx has ended, whatever is not stored is reported as failed.
func (l *Log) Handle(ctx context.Context, queueName string, messages []Message, handle wal.Handler) (failed []string, err error) {
	number, ok := strings.CutPrefix(queueName, l.name)
	partition, bad := strconv.Atoi(number)
	if !ok || bad != nil || partition < 0 || l.queue(partition).name != queueName {
		return nil, fault.Newf(fault.Internal, "queue %q is none of %s", queueName, l.name)
	}
	q := l.queue(partition)
	handleCtx, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		handleCtx, cancel = context.WithDeadline(ctx, deadline.Add(-min(settleReserve, left/4)))
	}
	verdicts := l.judge(handleCtx, q, messages, handle)
	cancel()
	for _, i := range l.settle(ctx, q, messages, verdicts) {
		failed = append(failed, messages[i].ID)
	}
	return failed, nil
}

// judge has handle store what messages hold, and gives its verdict on each.
func (l *Log) judge(ctx context.Context, q queue, messages []Message, handle wal.Handler) []error {
	verdicts := make([]error, len(messages))
	var deliveries []wal.Delivery
	var places []int
	for i := range messages {
		data, err := messages[i].data()
		if err != nil {
			verdicts[i] = wal.Permanent(err)
			continue
		}
		places = append(places, i)
		deliveries = append(deliveries, wal.Delivery{
			ID: q.recordID(messages[i].ID), Partition: q.partition, Data: data, Attempt: messages[i].attempts(),
		})
	}
	if len(deliveries) == 0 {
		return verdicts
	}
	given := handle(ctx, deliveries)
	for j, i := range places {
		if len(given) == len(deliveries) {
			verdicts[i] = given[j]
		} else {
			verdicts[i] = errors.New("the handler gave a wrong number of results")
		}
	}
	return verdicts
}

// settle does to the messages that are not stored what their verdicts ask for,
// and gives the places of those that stay in the queue. The moved ones are
// deleted.
func (l *Log) settle(ctx context.Context, q queue, messages []Message, verdicts []error) (stay []int) {
	var bury, renew []int
	var cause error
	waiting := 0
	for i, err := range verdicts {
		switch {
		case err == nil:
			continue
		case wal.IsPermanent(err):
			bury = append(bury, i)
			continue
		case messages[i].receives() >= wal.RenewAfter:
			renew = append(renew, i)
		default:
			stay = append(stay, i)
		}
		waiting++
		if cause == nil {
			cause = err
		}
	}
	if waiting > 0 {
		l.opts.Logger.Warn("log records not stored yet", slog.Int(logging.KeyPartition, q.partition), slog.Int(logging.KeyCount, waiting),
			slog.Any(logging.KeyError, cause))
	}
	stay = append(stay, l.move(ctx, q, q.dead, messages, bury, func(i int) outgoing {
		return outgoing{body: messages[i].Body, attributes: map[string]string{
			attributeReason:   reasonText(verdicts[i]),
			attributeFailedAt: l.opts.Now().UTC().Format(time.RFC3339Nano),
			attributeAttempts: strconv.Itoa(messages[i].attempts()),
			attributeSource:   q.name,
		}}
	}, func(i int, id string) {
		l.opts.Logger.Error("log record is among the dead letters", slog.Int(logging.KeyPartition, q.partition),
			slog.String(logging.KeyRecord, q.recordID(messages[i].ID)), slog.String(logging.KeyDeadLetter, q.recordID(id)),
			slog.Int(logging.KeyAttempt, messages[i].attempts()), slog.String(logging.KeyReason, wal.ReasonForLog(verdicts[i])))
	})...)
	stay = append(stay, l.move(ctx, q, q.url, messages, renew, func(i int) outgoing {
		return outgoing{
			body: messages[i].Body, delay: l.backoff(messages[i].attempts()),
			attributes: map[string]string{attributeAttempts: strconv.Itoa(messages[i].attempts())},
		}
	}, nil)...)
	slices.Sort(stay)
	l.wait(ctx, q, messages, stay)
	return stay
}

// move sends messages on, each as made, and deletes those that have arrived, of
// which arrived, unless nil, is told with their new ids. It gives the places of
// the others.
func (l *Log) move(ctx context.Context, q queue, to string, messages []Message, places []int, made func(i int) outgoing, arrived func(i int, id string)) (left []int) {
	if len(places) == 0 {
		return nil
	}
	out := make([]outgoing, len(places))
	for j, i := range places {
		out[j] = made(i)
	}
	errs := l.send(ctx, to, out)
	var moved []int
	for j, i := range places {
		if errs[j] == nil {
			moved = append(moved, i)
			if arrived != nil {
				arrived(i, out[j].id)
			}
		} else {
			left = append(left, i)
		}
	}
	if n, err := summary(errs); n > 0 {
		l.opts.Logger.Warn("messages not moved", slog.String("queue", path.Base(to)), slog.Any(logging.KeyError, err))
	}
	l.delete(ctx, q, messages, moved)
	return left
}

// delete removes messages from their queue. One that stays comes again, which is
// harmless.
func (l *Log) delete(ctx context.Context, q queue, messages []Message, places []int) {
	handles := make([]string, len(places))
	for j, i := range places {
		handles[j] = messages[i].ReceiptHandle
	}
	if n, err := summary(l.remove(ctx, q.url, handles)); n > 0 {
		l.opts.Logger.Warn("messages not deleted: they come again", slog.String("queue", q.name), slog.Any(logging.KeyError, err))
	}
}

// wait hides messages until their next try. One that cannot be hidden comes back
// when its visibility timeout ends.
func (l *Log) wait(ctx context.Context, q queue, messages []Message, places []int) {
	waits := make([]hidden, len(places))
	for j, i := range places {
		waits[j] = hidden{messages[i].ReceiptHandle, l.backoff(messages[i].attempts())}
	}
	if n, err := summary(l.hide(ctx, q.url, waits)); n > 0 {
		l.opts.Logger.Warn("messages not put off: they come after their visibility timeout", slog.String("queue", q.name), slog.Any(logging.KeyError, err))
	}
}

// reasonText makes of an error what SQS takes for an attribute.
func reasonText(err error) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r > 0xFFFD {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "\uFFFD"))
	for len(s) > maxReasonBytes {
		end := maxReasonBytes
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	if s == "" {
		return "unknown"
	}
	return s
}
