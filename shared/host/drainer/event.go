package drainer

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/pulse-traces/pulse/shared/host"
	"github.com/pulse-traces/pulse/shared/host/lambda"
	"github.com/pulse-traces/pulse/shared/host/stream"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/wal"
	"github.com/pulse-traces/pulse/shared/wal/filewal"
	"github.com/pulse-traces/pulse/shared/wal/sqswal"
)

// eventHandler stores what events of SQS hold, and reports which messages it
// could not.
type eventHandler struct {
	logs  []*sqswal.Log
	store wal.Handler
	index func(ctx context.Context, budget time.Duration)
	log   *slog.Logger
}

// indexBudget is how long an invocation makes the index of texts, once the messages
// are stored: that of its own spans takes some milliseconds.
const indexBudget = 200 * time.Millisecond

func newEventHandler(ctx context.Context, d *host.Deps) (lambda.Handler, error) {
	logs, err := stream.Open(ctx, d.Config, filewal.RoleConsume, d.Log)
	if err != nil {
		return nil, err
	}
	d.OnClose(logs.Close)
	h := &eventHandler{store: newDrain(d).Handle, index: d.IndexSomeTexts, log: d.Log}
	for _, l := range logs.Named() {
		queues, ok := l.(*sqswal.Log)
		if !ok {
			return nil, errors.New("on Lambda the drain is called with messages of SQS: name its queues by WAL_URL or by TRACE_QUEUE_URL_PREFIX and SPAN_QUEUE_URL_PREFIX")
		}
		h.logs = append(h.logs, queues)
	}
	return h, nil
}

// Invoke implements lambda.Handler. The messages of a queue, which are all of an
// event as Lambda makes them, are stored in one transaction.
func (h *eventHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	queues, err := read(payload)
	if err != nil {
		return nil, err
	}
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for queue, messages := range queues {
		for _, id := range h.handle(ctx, queue, messages) {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
	}
	if len(response.BatchItemFailures) == 0 { // else the database may be what is short
		h.index(ctx, indexBudget)
	}
	return lambda.Encode(response)
}

// read gives the messages of an event by the name of their queue.
func read(payload []byte) (map[string][]sqswal.Message, error) {
	var event events.SQSEvent
	if err := lambda.Decode(payload, &event); err != nil {
		return nil, err
	}
	queues := map[string][]sqswal.Message{}
	for i := range event.Records {
		r := &event.Records[i]
		if r.MessageId == "" { // it cannot be reported, so the whole event comes again
			return nil, errors.New("the event holds what is no message of SQS: it has no id")
		}
		queue := r.EventSourceARN[strings.LastIndexByte(r.EventSourceARN, ':')+1:]
		queues[queue] = append(queues[queue], message(r))
	}
	return queues, nil
}

// handle has the log that has a queue serve its messages, and gives the ids of
// those that stay in it.
func (h *eventHandler) handle(ctx context.Context, queue string, messages []sqswal.Message) []string {
	var errs []error
	for _, l := range h.logs {
		failed, err := l.Handle(ctx, queue, messages, h.store)
		if err == nil {
			return failed
		}
		errs = append(errs, err)
	}
	h.log.ErrorContext(ctx, "messages of a foreign queue", slog.Int(logging.KeyCount, len(messages)), slog.Any(logging.KeyError, errors.Join(errs...)))
	ids := make([]string, len(messages))
	for i := range messages {
		ids[i] = messages[i].ID
	}
	return ids
}

func message(r *events.SQSMessage) sqswal.Message {
	m := sqswal.Message{ID: r.MessageId, ReceiptHandle: r.ReceiptHandle, Body: r.Body, Attributes: r.Attributes, MessageAttributes: map[string]string{}}
	for name, a := range r.MessageAttributes {
		if a.StringValue != nil {
			m.MessageAttributes[name] = *a.StringValue
		}
	}
	return m
}
