package serverless

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// queue makes a queue on a proxied server, whose messages stay hidden for a
// second once they were received.
func queue(t *testing.T) (name string, proxy *testkit.SQSProxy) {
	t.Helper()
	proxy = testkit.NewSQSProxy(t, testkit.SQS(t))
	name = "mapping-" + uuid.NewString()[:8]
	_, err := NewClient(proxy.URL).CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String(name), Attributes: map[string]string{"VisibilityTimeout": "1", "MaximumMessageSize": strconv.Itoa(1 << 20)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return name, proxy
}

func put(t *testing.T, proxy *testkit.SQSProxy, queue string, bodies ...string) {
	t.Helper()
	client := NewClient(proxy.URL)
	for _, body := range bodies {
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{
			QueueUrl: queueURL(proxy.URL, queue), MessageBody: aws.String(body),
			MessageAttributes: map[string]types.MessageAttributeValue{"attempts": {DataType: aws.String("String"), StringValue: aws.String("3")}},
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// seen collects the bodies of events.
type seen struct {
	mu     sync.Mutex
	events [][]string
	last   sqsEvent
	raw    int // bytes of the largest event
}

func (s *seen) invoke(event []byte) {
	var e sqsEvent
	if err := json.Unmarshal(event, &e); err != nil {
		panic(err)
	}
	var bodies []string
	for _, r := range e.Records {
		bodies = append(bodies, r.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events, s.last, s.raw = append(s.events, bodies), e, max(s.raw, len(event))
}

func (s *seen) count(body string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		for _, b := range e {
			if b == body {
				n++
			}
		}
	}
	return n
}

// run maps a queue to the echo function and to s until the test ends.
func run(t *testing.T, m *Mapping, proxy *testkit.SQSProxy, s *seen) {
	t.Helper()
	p := echo(t, 2, &Output{})
	m.PartialFails = true
	m.Invoke = func(ctx context.Context, event []byte) ([]byte, error) {
		s.invoke(event)
		return p.Invoke(ctx, event)
	}
	m.Start(proxy.URL)
	t.Cleanup(m.Stop)
}

func settled(t *testing.T, proxy *testkit.SQSProxy, queue string, left int) {
	t.Helper()
	testkit.Until(t, fmt.Sprintf("%d messages are left", left), func() bool { return len(proxy.Open(queue)) == left })
}

func TestMappingDeletesWhatSucceeded(t *testing.T) {
	t.Parallel()
	name, proxy := queue(t)
	put(t, proxy, name, "a", "poison", "b", "c")
	var s seen
	run(t, &Mapping{Queue: name, BatchSize: 10}, proxy, &s)
	settled(t, proxy, name, 1)
	testkit.Until(t, "the poison came again", func() bool { return s.count("poison") >= 2 })
	for _, body := range []string{"a", "b", "c"} {
		if n := s.count(body); n != 1 {
			t.Errorf("%s came %d times", body, n)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.last.Records[0]
	if r.MessageID == "" || r.ReceiptHandle == "" || r.MD5OfBody == "" || r.EventSource != "aws:sqs" || r.AWSRegion != testkit.Region ||
		r.EventSourceARN != "arn:aws:sqs:us-east-1:000000000000:"+name || r.Attributes["ApproximateReceiveCount"] == "" || r.Attributes["SentTimestamp"] == "" ||
		aws.ToString(r.MessageAttributes["attempts"].StringValue) != "3" || r.MessageAttributes["attempts"].DataType != "String" {
		t.Errorf("record %+v", r)
	}
}

func TestMappingKeepsWhatFailed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"fail", "exit"} {
		name, proxy := queue(t)
		put(t, proxy, name, "a", body)
		var s seen
		run(t, &Mapping{Queue: name, BatchSize: 10, Window: 100 * time.Millisecond}, proxy, &s)
		testkit.Until(t, "both came again", func() bool { return s.count("a") >= 2 && s.count(body) >= 2 })
		if n := len(proxy.Deleted(name)); n != 0 {
			t.Errorf("%s: %d messages were deleted", body, n)
		}
	}
}

func TestMappingLosesAnswers(t *testing.T) {
	t.Parallel()
	name, proxy := queue(t)
	put(t, proxy, name, "a")
	var s seen
	var lost atomic.Int32
	run(t, &Mapping{Queue: name, BatchSize: 10, Lost: func() bool { return lost.Add(1) <= 2 }}, proxy, &s)
	settled(t, proxy, name, 0)
	if n := s.count("a"); n != 3 {
		t.Errorf("it came %d times", n)
	}
}

func TestMappingGathers(t *testing.T) {
	t.Parallel()
	name, proxy := queue(t)
	var bodies []string
	for i := range 25 {
		bodies = append(bodies, strconv.Itoa(i))
	}
	put(t, proxy, name, bodies...)
	var s seen
	run(t, &Mapping{Queue: name, BatchSize: 20, Window: time.Minute}, proxy, &s)
	settled(t, proxy, name, 5) // they wait for more
	put(t, proxy, name, bodies[:15]...)
	settled(t, proxy, name, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) != 2 || len(s.events[0]) != 20 || len(s.events[1]) != 20 {
		t.Errorf("events %v", s.events)
	}
}

func TestMappingKeepsEventsSmall(t *testing.T) {
	t.Parallel()
	name, proxy := queue(t)
	for i := range 8 {
		put(t, proxy, name, strings.Repeat(strconv.Itoa(i), 1<<20-1000))
	}
	var s seen
	run(t, &Mapping{Queue: name, BatchSize: 1000, Window: 500 * time.Millisecond}, proxy, &s)
	settled(t, proxy, name, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raw > maxEventBytes || len(s.events[0]) != 5 {
		t.Errorf("%d messages in the first event, up to %d bytes", len(s.events[0]), s.raw)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	batch := []types.Message{{MessageId: aws.String("a")}, {MessageId: aws.String("b")}}
	for answer, want := range map[string]int{
		`{}`: 0, `null`: 0, `{"batchItemFailures":null}`: 0, `{"batchItemFailures":[]}`: 0, `{"batchItemFailures":[{"itemIdentifier":"b"}]}`: 1,
		`{"batchItemFailures":[{"itemIdentifier":""}]}`: -1, `{"batchItemFailures":[{"itemIdentifier":null}]}`: -1, `{"batchItemFailures":[{}]}`: -1,
		`{"batchItemFailures":[{"itemIdentifier":"c"}]}`: -1, `{x`: -1, `{"batchItemFailures":5}`: -1, `"text"`: -1,
	} {
		got, err := failures([]byte(answer), batch)
		if (err != nil) != (want < 0) || (err == nil && len(got) != want) {
			t.Errorf("%s: %v, %v", answer, got, err)
		}
	}
}
