package serverless

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/pulse-traces/pulse/shared/testkit"
)

// Mapping moves messages from a queue to a function as Lambda's event source
// mapping does: it receives, invokes, and deletes what the function does not
// report as failed. The rest is left to the queue.
type Mapping struct {
	Queue     string // name; one poller takes from it
	BatchSize int
	// Window is how long messages are gathered once there is one.
	Window time.Duration
	// PartialFails says that the function reports single messages
	// (ReportBatchItemFailures); otherwise an event succeeds or fails whole.
	PartialFails bool
	// Invoke calls the function.
	Invoke func(ctx context.Context, event []byte) ([]byte, error)
	// Lost, if set, is asked after each invocation that succeeded whether its
	// answer is lost, as when the function is killed after its work was done.
	Lost func() bool

	client *sqs.Client
	stop   context.CancelFunc
	done   chan struct{}
}

const (
	// receiveMost is the most that SQS gives in one call.
	receiveMost = 10
	// idleWait is how long a receive waits for messages: shorter than Lambda's,
	// so that a mapping stops soon.
	idleWait = time.Second
	// gatherPause is between the receives of an event that is being gathered.
	gatherPause = 10 * time.Millisecond
	// eventMargin is what an event is kept below Lambda's limit.
	eventMargin = 16 << 10
)

// NewClient makes a client of a queue server.
func NewClient(endpoint string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: testkit.Region, BaseEndpoint: aws.String(endpoint), RetryMaxAttempts: 2,
		Credentials: credentials.NewStaticCredentialsProvider(testkit.AccessKeyID, testkit.SecretAccessKey, ""),
	})
}

func queueURL(endpoint, name string) *string {
	return aws.String(endpoint + "/" + testkit.AccountID + "/" + name)
}

// Start begins to poll the queue at endpoint. A mapping that was stopped may be
// started again.
func (m *Mapping) Start(endpoint string) {
	m.client = NewClient(endpoint)
	url := queueURL(endpoint, m.Queue)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	m.stop, m.done = stop, done
	go func() {
		defer close(done)
		m.poll(ctx, url)
	}()
}

// Stop waits until what was received is dealt with. Stopping twice is harmless.
func (m *Mapping) Stop() {
	if m.stop != nil {
		m.stop()
		<-m.done
	}
}

func (m *Mapping) poll(ctx context.Context, url *string) {
	var rest []types.Message // received, and too much for the last event
	for ctx.Err() == nil || len(rest) > 0 {
		var batch []types.Message
		batch, rest = m.gather(ctx, url, rest)
		if len(batch) > 0 {
			m.deliver(url, batch)
		}
	}
}

// gather receives until there is an event's worth: as many messages as it may
// have, or as much as Lambda takes, or what came within the window.
func (m *Mapping) gather(ctx context.Context, url *string, received []types.Message) (batch, rest []types.Message) {
	size, end := eventMargin, time.Now().Add(m.Window)
	for {
		for i := range received {
			n := messageBytes(&received[i])
			if len(batch) > 0 && (len(batch) >= m.BatchSize || size+n > maxEventBytes) {
				return batch, received[i:]
			}
			batch, size = append(batch, received[i]), size+n
		}
		if len(batch) >= m.BatchSize || ctx.Err() != nil || (len(batch) > 0 && !time.Now().Before(end)) {
			return batch, nil
		}
		if len(batch) == 0 {
			if received = m.receive(url, m.BatchSize, idleWait); len(received) > 0 {
				end = time.Now().Add(m.Window)
			}
			continue
		}
		if received = m.receive(url, m.BatchSize-len(batch), 0); len(received) == 0 {
			select {
			case <-ctx.Done():
			case <-time.After(min(gatherPause, max(time.Until(end), 0))):
			}
		}
	}
}

// messageBytes is about what a message takes in an event.
func messageBytes(m *types.Message) int {
	const around = 1 << 10
	n := around + len(aws.ToString(m.Body))
	for name, v := range m.MessageAttributes {
		n += len(name) + len(aws.ToString(v.StringValue)) + 2*len(v.BinaryValue)
	}
	return n
}

// receive is never broken off: a message on its way to nobody would be hidden
// for as long as its queue says.
func (m *Mapping) receive(url *string, most int, wait time.Duration) []types.Message {
	out, err := m.client.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: int32(min(most, receiveMost)), WaitTimeSeconds: int32(wait.Seconds()),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		time.Sleep(gatherPause) // the next receive may do better
		return nil
	}
	return out.Messages
}

// deliver invokes the function and deletes what it dealt with.
func (m *Mapping) deliver(url *string, batch []types.Message) {
	event, err := json.Marshal(m.event(batch))
	if err != nil {
		panic(err) // texts and maps of texts always encode
	}
	answer, err := m.Invoke(context.Background(), event)
	if err != nil || (m.Lost != nil && m.Lost()) {
		return
	}
	var failed map[string]bool
	if m.PartialFails {
		if failed, err = failures(answer, batch); err != nil {
			return
		}
	}
	var entries []types.DeleteMessageBatchRequestEntry
	for i := range batch {
		if !failed[aws.ToString(batch[i].MessageId)] {
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: batch[i].ReceiptHandle})
		}
	}
	for chunk := range slices.Chunk(entries, receiveMost) {
		m.remove(url, chunk)
	}
}

// remove deletes messages. Those that stay come again, which is harmless.
func (m *Mapping) remove(url *string, entries []types.DeleteMessageBatchRequestEntry) {
	for range 3 {
		out, err := m.client.DeleteMessageBatch(context.Background(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: entries})
		if err != nil {
			continue
		}
		left := map[string]bool{}
		for _, f := range out.Failed {
			left[aws.ToString(f.Id)] = true
		}
		entries = slices.DeleteFunc(entries, func(e types.DeleteMessageBatchRequestEntry) bool { return !left[aws.ToString(e.Id)] })
		if len(entries) == 0 {
			return
		}
	}
}

// failures reads an answer as Lambda does: what it cannot read means that all
// failed.
func failures(answer []byte, batch []types.Message) (map[string]bool, error) {
	var report struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return nil, fmt.Errorf("the function's report: %w", err)
	}
	sent := map[string]bool{}
	for i := range batch {
		sent[aws.ToString(batch[i].MessageId)] = true
	}
	failed := map[string]bool{}
	for _, f := range report.BatchItemFailures {
		if !sent[f.ItemIdentifier] {
			return nil, errors.New("the function's report names a message that was not in the event")
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

type sqsEvent struct {
	Records []sqsRecord `json:"Records"`
}

type sqsRecord struct {
	MessageID         string                  `json:"messageId"`
	ReceiptHandle     string                  `json:"receiptHandle"`
	Body              string                  `json:"body"`
	Attributes        map[string]string       `json:"attributes"`
	MessageAttributes map[string]sqsAttribute `json:"messageAttributes"`
	MD5OfBody         string                  `json:"md5OfBody"`
	EventSource       string                  `json:"eventSource"`
	EventSourceARN    string                  `json:"eventSourceARN"`
	AWSRegion         string                  `json:"awsRegion"`
}

type sqsAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      string   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues []string `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

func (m *Mapping) event(batch []types.Message) sqsEvent {
	var e sqsEvent
	for i := range batch {
		b := &batch[i]
		r := sqsRecord{
			MessageID: aws.ToString(b.MessageId), ReceiptHandle: aws.ToString(b.ReceiptHandle), Body: aws.ToString(b.Body), Attributes: b.Attributes,
			MessageAttributes: map[string]sqsAttribute{}, MD5OfBody: aws.ToString(b.MD5OfBody), EventSource: "aws:sqs",
			EventSourceARN: "arn:aws:sqs:" + testkit.Region + ":" + testkit.AccountID + ":" + m.Queue, AWSRegion: testkit.Region,
		}
		for name, v := range b.MessageAttributes {
			r.MessageAttributes[name] = sqsAttribute{
				StringValue: v.StringValue, BinaryValue: base64.StdEncoding.EncodeToString(v.BinaryValue), DataType: aws.ToString(v.DataType),
				StringListValues: []string{}, BinaryListValues: []string{},
			}
		}
		e.Records = append(e.Records, r)
	}
	return e
}
