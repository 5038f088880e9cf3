package testkit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// proxiedQueue is a new queue of a real server behind a proxy.
type proxiedQueue struct {
	*testkit.SQSProxy
	t      *testing.T
	client *sqs.Client
	name   string
	url    *string
}

func setupProxy(t *testing.T) *proxiedQueue {
	t.Helper()
	q := &proxiedQueue{SQSProxy: testkit.NewSQSProxy(t, testkit.SQS(t)), t: t, name: "proxied-" + uuid.NewString()[:8]}
	q.client = sqs.New(sqs.Options{
		Region: testkit.Region, BaseEndpoint: aws.String(q.URL), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(testkit.AccessKeyID, testkit.SecretAccessKey, ""),
	})
	if _, err := q.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(q.name)}); err != nil {
		t.Fatal(err)
	}
	q.url = aws.String(q.URL + "/" + testkit.AccountID + "/" + q.name)
	return q
}

func (q *proxiedQueue) send(n int) (*sqs.SendMessageBatchOutput, error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: q.url}
	for i := range n {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(uuid.NewString())})
	}
	return q.client.SendMessageBatch(q.t.Context(), in)
}

func (q *proxiedQueue) mustSend(n int) {
	q.t.Helper()
	if out, err := q.send(n); err != nil || len(out.Failed) > 0 {
		q.t.Fatalf("send: %v, %+v", err, out)
	}
}

func (q *proxiedQueue) receive() []types.Message {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(q.t.Context(), 20*time.Second)
	defer cancel()
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: q.url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
	if err != nil {
		q.t.Fatal(err)
	}
	return out.Messages
}

func (q *proxiedQueue) delete(messages []types.Message) {
	q.t.Helper()
	in := &sqs.DeleteMessageBatchInput{QueueUrl: q.url}
	for i, m := range messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle})
	}
	if out, err := q.client.DeleteMessageBatch(q.t.Context(), in); err != nil || len(out.Failed) > 0 {
		q.t.Fatalf("delete: %v, %+v", err, out)
	}
}

func ids(messages []types.Message) (s []string) {
	for _, m := range messages {
		s = append(s, *m.MessageId)
	}
	return s
}

func TestSQSProxyPassesAndCounts(t *testing.T) {
	t.Parallel()
	q := setupProxy(t)
	q.mustSend(4)
	accepted := q.Accepted(q.name)
	if len(accepted) != 4 || !slices.Equal(q.Open(q.name), accepted) {
		t.Fatalf("accepted %v, open %v", accepted, q.Open(q.name))
	}
	got := q.receive()
	q.delete(got[:3])
	if gone := q.Deleted(q.name); len(gone) != 3 || len(q.Open(q.name)) != 1 || slices.Contains(gone, *got[3].MessageId) {
		t.Errorf("deleted %v, open %v", gone, q.Open(q.name))
	}
	q.WaitSettled(t, ids(got[:3]), 0)

	// The same body sent anew: the old one's deletion settles nothing.
	if _, err := q.client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: q.url, MessageBody: got[3].Body}); err != nil {
		t.Fatal(err)
	}
	q.delete(got[3:])
	settled := make(chan struct{})
	go func() {
		q.WaitSettled(t, ids(got[3:]), 20*time.Second)
		close(settled)
	}()
	renewed := q.receive()
	select {
	case <-settled:
		t.Error("settled while a message with the same body is there")
	default:
	}
	q.delete(renewed)
	<-settled
}

func TestSQSProxyFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[testkit.SQSFaultKind]struct {
		text     string
		accepted int
	}{
		testkit.SQSRefuse:     {"EOF", 0},
		testkit.SQSLoseAnswer: {"EOF", 2},
		testkit.SQSError:      {"InternalError", 0},
		testkit.SQSThrottle:   {"RequestThrottled", 0},
	} {
		t.Run(want.text, func(t *testing.T) {
			t.Parallel()
			q := setupProxy(t)
			f := q.Fault(testkit.SQSFault{Kind: kind, Action: "SendMessageBatch", Queue: q.name})
			if out, err := q.send(2); err == nil || !strings.Contains(err.Error(), want.text) {
				t.Fatalf("%+v, %v; want %s", out, err, want.text)
			}
			if n := len(q.Accepted(q.name)); n != want.accepted || f.Hits() != 1 {
				t.Errorf("%d accepted after %d hits, want %d", n, f.Hits(), want.accepted)
			}
			f.Stop()
			q.mustSend(1)
			if n := len(q.receive()); n != want.accepted+1 {
				t.Errorf("%d messages arrive", n)
			}
		})
	}
	t.Run("Entries", func(t *testing.T) {
		t.Parallel()
		q := setupProxy(t)
		f := q.Fault(testkit.SQSFault{Kind: testkit.SQSFailEntries, Chance: 0.5})
		sent, failed := 0, 0
		for sent == 0 || failed == 0 {
			out, err := q.send(10)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Successful)+len(out.Failed) != 10 {
				t.Fatalf("of 10 entries %d succeed and %d fail", len(out.Successful), len(out.Failed))
			}
			sent, failed = sent+len(out.Successful), failed+len(out.Failed)
		}
		if n := len(q.Accepted(q.name)); n != sent || f.Hits() != failed {
			t.Errorf("%d accepted of %d, %d hits of %d", n, sent, f.Hits(), failed)
		}
	})
}

func TestSQSProxyRepeatsAndShuffles(t *testing.T) {
	t.Parallel()
	q := setupProxy(t)
	twice := q.Fault(testkit.SQSFault{Kind: testkit.SQSTwice})
	q.mustSend(3)
	first := q.receive()
	q.delete(first)
	twice.Stop()
	second := q.receive()
	a, b := ids(first), ids(second)
	slices.Sort(a)
	slices.Sort(b)
	if len(a) != 3 || !slices.Equal(a, b) {
		t.Errorf("first %v, again %v", a, b)
	}

	shuffle := q.Fault(testkit.SQSFault{Kind: testkit.SQSShuffle, Chance: 0.5})
	q.mustSend(10)
	seen := map[string]bool{}
	for rounds := 0; len(seen) < 10; rounds++ {
		for _, id := range ids(q.receive()) {
			seen[id] = true
		}
		if rounds > 30 {
			t.Fatalf("only %d of 10 messages came", len(seen))
		}
	}
	if shuffle.Hits() == 0 {
		t.Error("nothing was shuffled")
	}
}
