package sqswal

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// longPoll is how long a receive waits for a message: the longest that SQS
	// allows, since each receive costs.
	longPoll = 20 * time.Second
	// receiveTimeout bounds the rest of a receive: ten messages of a megabyte have
	// to come through, also where the line is slow, since they count as delivered.
	receiveTimeout = 30 * time.Second
	// settleTimeout bounds the settling of what was handed out: as much as the end
	// of a container leaves time for. What is not settled then comes again.
	settleTimeout = 20 * time.Second
	// rescanInterval is how often Consume looks for queues beyond its number of
	// partitions.
	rescanInterval = time.Minute
	// troubleMin and troubleMax bound the pauses after receives that failed.
	troubleMin = 200 * time.Millisecond
	troubleMax = 30 * time.Second
)

// Consume implements wal.Log: it polls each queue, those beyond Partitions too
// as far as they follow one another. Trouble with SQS is logged and waited out.
// The context that handle gets is never cancelled. When ctx ends, messages that
// were received and not handed out are given back at once.
func (l *Log) Consume(ctx context.Context, handle wal.Handler) error {
	ctx, end, err := l.life.Consume(ctx)
	if err != nil {
		return err
	}
	defer end()

	var pollers sync.WaitGroup
	defer pollers.Wait()
	for i := range l.opts.Partitions {
		pollers.Go(func() {
			p := poller{log: l, queue: l.queue(i), handle: handle}
			p.run(ctx)
		})
	}
	var mu sync.Mutex
	polled := map[int]bool{} // beyond Partitions
	for {
		for i := l.opts.Partitions; ; i++ {
			mu.Lock()
			known := polled[i]
			mu.Unlock()
			if known {
				continue
			}
			if _, err := l.arn(ctx, l.queue(i).url); err != nil {
				if _, refusal := errors.AsType[smithy.APIError](err); refusal && !noQueue(err) { // if SQS is away the pollers tell
					l.opts.Logger.Warn("look for further queues", slog.String("queue", l.queue(i).name), slog.Any(logging.KeyError, err))
				}
				break
			}
			mu.Lock()
			polled[i] = true
			mu.Unlock()
			pollers.Go(func() {
				p := poller{log: l, queue: l.queue(i), handle: handle, mayEnd: true}
				p.run(ctx)
				mu.Lock()
				delete(polled, i)
				mu.Unlock()
			})
		}
		if !wal.Pause(ctx, rescanInterval) {
			return nil
		}
	}
}

// poller hands out the messages of one queue.
type poller struct {
	log    *Log
	queue  queue
	handle wal.Handler
	mayEnd bool // once the queue is gone
}

// run polls until ctx ends, or the queue is gone and that may be.
func (p *poller) run(ctx context.Context) {
	defer p.log.outage.mended(p.queue.name)
	trouble := 0
	for ctx.Err() == nil {
		err := p.once(ctx)
		switch {
		case err == nil:
			p.log.outage.mended(p.queue.name)
			trouble = 0
		case ctx.Err() != nil:
		case p.mayEnd && noQueue(err):
			return
		default:
			delay := min(troubleMin<<min(trouble, 16), troubleMax)
			delay -= rand.N(delay / 4)
			trouble++
			p.log.outage.failed(p.queue.name, err)
			wal.Pause(ctx, delay)
		}
	}
}

// once waits for messages, hands them out and settles them. Its error says that
// none could be received.
func (p *poller) once(ctx context.Context) error {
	// What was received is settled, whenever ctx ends.
	calm := context.WithoutCancel(ctx)
	h := p.log.hold(calm, p.queue)
	defer h.release()
	bytes := 0
	for wait := longPoll; len(h.messages) < p.log.opts.BatchRecords && bytes < p.log.opts.BatchBytes; wait = 0 {
		got, err := p.log.receive(ctx, p.queue.url, min(maxEntries, p.log.opts.BatchRecords-len(h.messages)), wait, p.log.opts.VisibilityTimeout)
		if err != nil && len(h.messages) == 0 {
			return err
		}
		if len(got) == 0 {
			break
		}
		h.add(got)
		for i := range got {
			bytes += len(got[i].Body)
		}
	}
	if len(h.messages) == 0 {
		return nil
	}
	var verdicts []error
	stopped := ctx.Err() != nil
	if !stopped {
		verdicts = p.log.judge(calm, p.queue, h.messages, p.handle)
	}
	h.release()
	calm, cancel := context.WithTimeout(calm, settleTimeout)
	defer cancel()
	if stopped {
		p.log.giveBack(calm, p.queue.url, h.handles())
		return nil
	}
	var stored []int
	for i, err := range verdicts {
		if err == nil {
			stored = append(stored, i)
		}
	}
	p.log.delete(calm, p.queue, h.messages, stored)
	p.log.settle(calm, p.queue, h.messages, verdicts)
	return nil
}

// receive asks for messages, waiting for the first of them, which then stay
// hidden from others for a time.
func (l *Log) receive(ctx context.Context, url string, limit int, wait, hide time.Duration) ([]Message, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+receiveTimeout)
	defer cancel()
	out, err := l.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: aws.String(url), MaxNumberOfMessages: int32(limit), WaitTimeSeconds: seconds(wait), VisibilityTimeout: seconds(hide),
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{systemReceiveCount, systemSent},
	})
	if err != nil {
		return nil, plain(err)
	}
	messages := make([]Message, len(out.Messages))
	for i, m := range out.Messages {
		messages[i] = Message{
			ID: aws.ToString(m.MessageId), ReceiptHandle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body), Attributes: m.Attributes,
			MessageAttributes: make(map[string]string, len(m.MessageAttributes)),
		}
		for name, v := range m.MessageAttributes {
			messages[i].MessageAttributes[name] = aws.ToString(v.StringValue)
		}
	}
	return messages, nil
}

// held are messages that this process works on. They are kept hidden from
// others until they are released.
type held struct {
	log     *Log
	queue   queue
	release func() // stops hiding them; again is harmless

	mu       sync.Mutex
	messages []Message // changed by add, with mu, and only read elsewhere
}

// hold begins to hold messages, none yet.
func (l *Log) hold(ctx context.Context, q queue) *held {
	ctx, cancel := context.WithCancel(ctx)
	h := &held{log: l, queue: q}
	var prolonging sync.WaitGroup
	prolonging.Go(func() { h.prolong(ctx) })
	h.release = func() {
		cancel()
		prolonging.Wait()
	}
	return h
}

func (h *held) add(messages []Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, messages...)
}

func (h *held) handles() (s []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.messages {
		s = append(s, h.messages[i].ReceiptHandle)
	}
	return s
}

// prolong hides the messages anew, well before their timeout, until ctx ends.
func (h *held) prolong(ctx context.Context) {
	for wal.Pause(ctx, h.log.opts.VisibilityTimeout/3) {
		var messages []hidden
		for _, handle := range h.handles() {
			messages = append(messages, hidden{handle, h.log.opts.VisibilityTimeout})
		}
		if n, err := summary(h.log.hide(ctx, h.queue.url, messages)); n > 0 && ctx.Err() == nil {
			h.log.opts.Logger.Warn("messages not kept hidden: they may come twice", slog.String("queue", h.queue.name), slog.Any(logging.KeyError, err))
		}
	}
}

// giveBack lets others have messages at once.
func (l *Log) giveBack(ctx context.Context, url string, handles []string) {
	back := make([]hidden, len(handles))
	for i, h := range handles {
		back[i] = hidden{handle: h}
	}
	if n, err := summary(l.hide(ctx, url, back)); n > 0 {
		l.opts.Logger.Warn("messages not given back: they come after their visibility timeout", slog.String("queue", path.Base(url)), slog.Any(logging.KeyError, err))
	}
}
