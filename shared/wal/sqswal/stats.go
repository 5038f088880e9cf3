package sqswal

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/wal"
)

// queues gives the queues of all partitions, those beyond Partitions too as far
// as they exist.
func (l *Log) queues(ctx context.Context) (queues []queue, err error) {
	for i := range l.opts.Partitions {
		queues = append(queues, l.queue(i))
	}
	for i := l.opts.Partitions; ; i++ {
		_, err := l.arn(ctx, l.queue(i).url)
		if noQueue(err) {
			return queues, nil
		}
		if err != nil {
			return nil, unavailable("look for further queues", err)
		}
		queues = append(queues, l.queue(i))
	}
}

// Ping implements wal.Log: SQS answers, and the first queue is there.
func (l *Log) Ping(ctx context.Context) error {
	_, err := l.arn(ctx, l.queue(0).url)
	return unavailable("look for queue "+l.queue(0).name, err)
}

// Stats implements wal.Log with the figures of SQS, which may be a minute old.
// How long records have waited it does not say, nor how many bytes they are.
func (l *Log) Stats(ctx context.Context) (wal.Stats, error) {
	queues, err := l.queues(ctx)
	if err != nil {
		return wal.Stats{}, err
	}
	s := wal.Stats{Appended: l.appended.Load()}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelCalls)
	for _, q := range queues {
		group.Go(func() error {
			pending, err := l.waiting(ctx, q.url)
			if err != nil {
				return unavailable("count messages", err)
			}
			dead, err := l.waiting(ctx, q.dead)
			if err != nil && !noQueue(err) {
				return unavailable("count dead letters", err)
			}
			mu.Lock()
			defer mu.Unlock()
			s.Pending += pending
			s.DeadLetters += dead
			return nil
		})
	}
	err = group.Wait()
	return s, err
}

// waiting counts the messages of a queue: those that can be received, those that
// somebody has received, and those that wait for their time.
func (l *Log) waiting(ctx context.Context, url string) (n int64, err error) {
	attributes, err := l.attributes(ctx, url, types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible, types.QueueAttributeNameApproximateNumberOfMessagesDelayed)
	for _, v := range attributes {
		n += int64(count(v, 0))
	}
	return n, err
}
