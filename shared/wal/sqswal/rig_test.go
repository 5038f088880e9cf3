package sqswal_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/pulse-traces/pulse/shared/testkit"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/sqswal"
)

// patience bounds every wait: a test that reaches it has failed.
const patience = 60 * time.Second

// rig is a log behind a proxy, and a client of its own beside the log.
type rig struct {
	*sqswal.Log
	t      *testing.T
	proxy  *testkit.SQSProxy
	opts   sqswal.Options
	client *sqs.Client
	name   string // of the queue of partition 0
}

// setup makes a log of one partition on fauxqs; change changes its options.
func setup(t *testing.T, change func(*sqswal.Options)) *rig {
	t.Helper()
	return setupOn(t, testkit.SQS(t), change)
}

func setupOn(t *testing.T, endpoint string, change func(*sqswal.Options)) *rig {
	t.Helper()
	r := &rig{t: t, proxy: testkit.NewSQSProxy(t, endpoint)}
	r.opts = options(t, r.proxy.URL, nameOf(t.TempDir()), 1)
	if change != nil {
		change(&r.opts)
	}
	r.Log = open(t, r.opts)
	r.client = sqs.New(sqs.Options{Region: testkit.Region, BaseEndpoint: aws.String(endpoint), Credentials: credentials})
	r.name = r.opts.QueueURLPrefix[strings.LastIndex(r.opts.QueueURLPrefix, "/")+1:] + "0"
	return r
}

func (r *rig) within() context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) append(bodies ...string) {
	r.t.Helper()
	var records []wal.Record
	for _, b := range bodies {
		records = append(records, wal.Record{Data: []byte(b)})
	}
	if err := r.Append(r.within(), records); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) url() *string { return aws.String(r.opts.QueueURLPrefix + "0") }

// receive takes what is there, up to limit, beside the log; it waits up to
// waitSeconds for the first and hides what it got for hideSeconds, or for as long
// as the queue does if that is 0.
func (r *rig) receive(url *string, limit, waitSeconds, hideSeconds int) (messages []sqswal.Message) {
	r.t.Helper()
	out, err := r.client.ReceiveMessage(r.within(), &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: int32(limit), WaitTimeSeconds: int32(waitSeconds), VisibilityTimeout: int32(hideSeconds),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range out.Messages {
		own := map[string]string{}
		for name, v := range m.MessageAttributes {
			own[name] = aws.ToString(v.StringValue)
		}
		messages = append(messages, sqswal.Message{ID: *m.MessageId, ReceiptHandle: *m.ReceiptHandle, Body: *m.Body, Attributes: m.Attributes, MessageAttributes: own})
	}
	return messages
}

// event is what Lambda would hand to a function: n messages, hidden for long.
func (r *rig) event(n int) (messages []sqswal.Message) {
	r.t.Helper()
	for end := time.Now().Add(patience); len(messages) < n; {
		messages = append(messages, r.receive(r.url(), min(10, n-len(messages)), 1, 3600)...)
		if time.Now().After(end) {
			r.t.Fatalf("%d messages of %d arrived", len(messages), n)
		}
	}
	return messages
}

// waiting counts the messages of the queue, and how many of them are hidden.
func (r *rig) waiting() (all, hidden int) {
	r.t.Helper()
	out, err := r.client.GetQueueAttributes(r.within(), &sqs.GetQueueAttributesInput{QueueUrl: r.url(), AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		r.t.Fatal(err)
	}
	for name, into := range map[string]*int{"ApproximateNumberOfMessages": &all, "ApproximateNumberOfMessagesNotVisible": &hidden} {
		if _, err := fmt.Sscan(out.Attributes[name], into); err != nil {
			r.t.Fatal(err)
		}
	}
	return all + hidden, hidden
}

// letters gives the dead letters with what they hold, by their data.
func (r *rig) letters() map[string][]wal.DeadLetter {
	r.t.Helper()
	list, err := r.DeadLetters().List(r.within(), 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	byData := map[string][]wal.DeadLetter{}
	for _, d := range list {
		full, err := r.DeadLetters().Get(r.within(), d.ID)
		if err != nil {
			r.t.Fatalf("get %s: %v", d.ID, err)
		}
		byData[string(full.Data)] = append(byData[string(full.Data)], full)
	}
	return byData
}

// handler gives the verdicts of judge and remembers what it was given.
type handler struct {
	judge func(wal.Delivery) error

	mu    sync.Mutex
	calls int
	seen  map[string][]int // data → attempts, in the order of their deliveries
}

func newHandler(judge func(wal.Delivery) error) *handler {
	return &handler{judge: judge, seen: map[string][]int{}}
}

func (h *handler) handle(_ context.Context, deliveries []wal.Delivery) []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	verdicts := make([]error, len(deliveries))
	for i, d := range deliveries {
		h.seen[string(d.Data)] = append(h.seen[string(d.Data)], d.Attempt)
		if h.judge != nil {
			verdicts[i] = h.judge(d)
		}
	}
	return verdicts
}

func (h *handler) attempts(data string) []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen[data])
}

// consume consumes the log with h until the test ends or stop is called.
func (r *rig) consume(h *handler) (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Consume(ctx, h.handle) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				r.t.Errorf("consume: %v", err)
			}
		case <-time.After(patience):
			r.t.Error("consume did not end with its context")
		}
	})
	r.t.Cleanup(stop)
	return stop
}

// eventually waits until complaint has none.
func eventually(t *testing.T, complaint func() string) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		c := complaint()
		if c == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(c)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
