package sqswal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// maxTries bounds how often an entry is sent, pauses of triesPause, doubled
	// each time, between them: what SQS throttles or stumbles over passes in that
	// time, or takes longer than a caller should wait.
	maxTries   = 5
	triesPause = 100 * time.Millisecond
)

// outgoing is a message to send.
type outgoing struct {
	body       string
	attributes map[string]string
	delay      time.Duration // before it is handed out, in whole seconds, 15 minutes at most
	id         string        // that SQS gave it, once it has it
}

// attributeType is the type of all attributes: text can be read anywhere.
const attributeType = "String"

// size is what o counts for in SQS's limits.
func (o *outgoing) size() int {
	n := len(o.body)
	for name, value := range o.attributes {
		n += len(name) + len(attributeType) + len(value)
	}
	return n
}

// inCalls cuts messages into as many as one call takes.
func inCalls(messages []outgoing) (calls [][]outgoing) {
	start, bytes := 0, 0
	for i := range messages {
		n := messages[i].size()
		if i > start && (i-start == maxEntries || bytes+n > maxBytes) {
			calls = append(calls, messages[start:i])
			start, bytes = i, 0
		}
		bytes += n
	}
	if start < len(messages) {
		calls = append(calls, messages[start:])
	}
	return calls
}

// inParallel makes calls side by side, and gives the errors of all entries in
// their order.
func inParallel[T any](calls [][]T, call func(entries []T) []error) []error {
	errs := make([][]error, len(calls))
	var group errgroup.Group
	group.SetLimit(parallelCalls)
	for i, entries := range calls {
		group.Go(func() error {
			errs[i] = call(entries)
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	return slices.Concat(errs...)
}

// send sends messages, notes their ids in them and gives an error for each, nil for those that SQS has.
func (l *Log) send(ctx context.Context, url string, messages []outgoing) []error {
	return inParallel(inCalls(messages), func(call []outgoing) []error { return l.sendCall(ctx, url, call) })
}

// sendCall is send for what fits one call.
func (l *Log) sendCall(ctx context.Context, url string, messages []outgoing) []error {
	return inTries(ctx, len(messages), func(ctx context.Context, open []int) (result, error) {
		in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(url)}
		for _, i := range open {
			m := &messages[i]
			e := types.SendMessageBatchRequestEntry{Id: entryID(i), MessageBody: aws.String(m.body), DelaySeconds: seconds(m.delay)}
			for name, value := range m.attributes {
				if e.MessageAttributes == nil {
					e.MessageAttributes = map[string]types.MessageAttributeValue{}
				}
				e.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String(attributeType), StringValue: aws.String(value)}
			}
			in.Entries = append(in.Entries, e)
		}
		out, err := l.client.SendMessageBatch(ctx, in)
		if err != nil {
			return result{}, err
		}
		r := result{failed: out.Failed}
		for _, e := range out.Successful {
			r.done = append(r.done, e.Id)
			if i, bad := strconv.Atoi(aws.ToString(e.Id)); bad == nil && i >= 0 && i < len(messages) {
				messages[i].id = aws.ToString(e.MessageId)
			}
		}
		return r, nil
	})
}

// remove deletes messages that were received, and gives an error for each, nil
// for those that are gone.
func (l *Log) remove(ctx context.Context, url string, handles []string) []error {
	return inParallel(slices.Collect(slices.Chunk(handles, maxEntries)), func(call []string) []error {
		return inTries(ctx, len(call), func(ctx context.Context, open []int) (result, error) {
			in := &sqs.DeleteMessageBatchInput{QueueUrl: aws.String(url)}
			for _, i := range open {
				in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: aws.String(call[i])})
			}
			out, err := l.client.DeleteMessageBatch(ctx, in)
			if err != nil {
				return result{}, err
			}
			r := result{failed: out.Failed}
			for _, e := range out.Successful {
				r.done = append(r.done, e.Id)
			}
			return r, nil
		})
	})
}

// hidden is a message that was received, and for how long it is to stay hidden.
type hidden struct {
	handle string
	pause  time.Duration
}

// hide sets when messages are handed out again, 0 at once, and gives an error
// for each.
func (l *Log) hide(ctx context.Context, url string, messages []hidden) []error {
	return inParallel(slices.Collect(slices.Chunk(messages, maxEntries)), func(call []hidden) []error {
		return inTries(ctx, len(call), func(ctx context.Context, open []int) (result, error) {
			in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: aws.String(url)}
			for _, i := range open {
				in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
					Id: entryID(i), ReceiptHandle: aws.String(call[i].handle), VisibilityTimeout: seconds(call[i].pause),
				})
			}
			out, err := l.client.ChangeMessageVisibilityBatch(ctx, in)
			if err != nil {
				return result{}, err
			}
			r := result{failed: out.Failed}
			for _, e := range out.Successful {
				r.done = append(r.done, e.Id)
			}
			return r, nil
		})
	})
}

func entryID(i int) *string { return aws.String(strconv.Itoa(i)) }

// seconds rounds up to what SQS counts in.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

// result is what became of the entries of one call, by their ids.
type result struct {
	done   []*string
	failed []types.BatchResultErrorEntry
}

// inTries makes a call for n entries, and again for those that failed and may do
// better, until none is left, or the tries or ctx end. It gives an error for
// each entry.
func inTries(ctx context.Context, n int, call func(ctx context.Context, open []int) (result, error)) []error {
	errs := make([]error, n)
	open := make([]int, n)
	for i := range open {
		open[i] = i
	}
	for try := 1; ; try++ {
		oneTry(ctx, errs, open, call)
		var again []int
		for _, i := range open {
			if errs[i] != nil && passes(errs[i]) {
				again = append(again, i)
			}
		}
		delay := triesPause << (try - 1)
		if len(again) == 0 || try == maxTries || !wal.Pause(ctx, delay/2+rand.N(delay)) {
			return errs
		}
		open = again
	}
}

// oneTry makes the call once and sets the errors of the open entries.
func oneTry(ctx context.Context, errs []error, open []int, call func(ctx context.Context, open []int) (result, error)) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := call(ctx, open)
	if err = plain(err); err == nil {
		err = errors.New("SQS did not say what became of the entry")
	}
	for _, i := range open {
		errs[i] = err
	}
	set := func(id *string, err error) {
		if i, bad := strconv.Atoi(aws.ToString(id)); bad == nil && i >= 0 && i < len(errs) {
			errs[i] = err
		}
	}
	for _, id := range r.done {
		set(id, nil)
	}
	for _, f := range r.failed {
		kind := smithy.FaultServer
		if f.SenderFault {
			kind = smithy.FaultClient
		}
		set(f.Id, &smithy.GenericAPIError{Code: aws.ToString(f.Code), Message: aws.ToString(f.Message), Fault: kind})
	}
}

// passes reports whether what failed may succeed if it is only repeated.
func passes(err error) bool {
	refusal, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return true // the network, or time
	}
	if throttles(refusal.ErrorCode()) {
		return true
	}
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return r.HTTPStatusCode() >= 500
	}
	return refusal.ErrorFault() != smithy.FaultClient
}

// throttles reports whether a code, with whatever prefix a server gives it, asks
// for patience, though SQS counts it as the caller's fault.
func throttles(code string) bool {
	if strings.Contains(code, "Throttl") {
		return true
	}
	for _, suffix := range []string{"OverLimit", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"} {
		if strings.HasSuffix(code, suffix) {
			return true
		}
	}
	return false
}

// plain makes of an error of the SDK the one of the network where there was no
// answer: what the SDK wraps around it says nothing.
func plain(err error) error {
	if unsent, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return unsent.Err
	}
	if cut, ok := errors.AsType[*aws.RequestCanceledError](err); ok {
		return fmt.Errorf("no answer: %w", cut.Err)
	}
	return err
}

// hasCode reports whether err is SQS's refusal of that code.
func hasCode(err error, code string) bool {
	refusal, ok := errors.AsType[smithy.APIError](err)
	return ok && strings.HasSuffix(refusal.ErrorCode(), code)
}

// noQueue reports whether err says that a queue does not exist.
func noQueue(err error) bool {
	return hasCode(err, "QueueDoesNotExist") || hasCode(err, "NonExistentQueue")
}

// summary is one error for several: how many there are, and the first.
func summary(errs []error) (failed int, err error) {
	for _, e := range errs {
		if e == nil {
			continue
		}
		failed++
		if err == nil {
			err = e
		}
	}
	if err != nil {
		err = fmt.Errorf("%d of %d: %w", failed, len(errs), err)
	}
	return failed, err
}
