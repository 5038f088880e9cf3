package sqswal

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/wal"
)

// retentionSeconds is the longest that SQS keeps a message, 14 days. What a queue
// moves to its dead letters keeps its age.
const retentionSeconds = 14 * 24 * 60 * 60

// Ensure makes the queues of a log that are missing, each with its dead-letter
// queue, and leaves those that exist as they are. On AWS template.yaml makes
// them; this is for other servers, and for tests.
func Ensure(ctx context.Context, o Options) error {
	l, err := Open(o)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelCalls)
	for p := range l.opts.Partitions {
		group.Go(func() error {
			if err := l.ensure(ctx, l.queue(p)); err != nil {
				return fmt.Errorf("make queue %s: %w", l.queue(p).name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (l *Log) ensure(ctx context.Context, q queue) error {
	kept := map[string]string{
		string(types.QueueAttributeNameMessageRetentionPeriod): strconv.Itoa(retentionSeconds),
		string(types.QueueAttributeNameMaximumMessageSize):     strconv.Itoa(maxBytes),
		string(types.QueueAttributeNameSqsManagedSseEnabled):   "true",
	}
	dead, err := l.ensureQueue(ctx, q.name+deadSuffix, q.dead, kept)
	if err != nil {
		return err
	}
	redrive, err := json.Marshal(map[string]any{"deadLetterTargetArn": dead, "maxReceiveCount": wal.MaxDeliveries})
	if err != nil {
		return err
	}
	kept[string(types.QueueAttributeNameRedrivePolicy)] = string(redrive)
	kept[string(types.QueueAttributeNameVisibilityTimeout)] = strconv.Itoa(int(seconds(l.opts.VisibilityTimeout)))
	_, err = l.ensureQueue(ctx, q.name, q.url, kept)
	return err
}

// ensureQueue makes a queue unless it exists, and gives its ARN.
func (l *Log) ensureQueue(ctx context.Context, name, url string, attributes map[string]string) (arn string, err error) {
	arn, err = l.arn(ctx, url)
	if err == nil || !noQueue(err) {
		return arn, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err = l.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name), Attributes: attributes})
	if err != nil && !hasCode(err, "QueueNameExists") { // somebody else was faster
		return "", plain(err)
	}
	return l.arn(ctx, url)
}

func (l *Log) arn(ctx context.Context, url string) (string, error) {
	attributes, err := l.attributes(ctx, url, types.QueueAttributeNameQueueArn)
	return attributes[string(types.QueueAttributeNameQueueArn)], err
}

// attributes asks for attributes of a queue.
func (l *Log) attributes(ctx context.Context, url string, names ...types.QueueAttributeName) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out, err := l.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(url), AttributeNames: names})
	if err != nil {
		return nil, plain(err)
	}
	return out.Attributes, nil
}
