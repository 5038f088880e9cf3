package sqswal

import (
	"context"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

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

// Handle serves one event of a mapping from a queue of this log to a function:
// handle is called once with what messages hold. What it can never store is
// moved to the dead letters and then counts as done; what has to wait stays
// hidden for a pause that grows. failed are the ids of the messages that the
// function must report, so that all others are deleted. An error says that
// queueName is none of this log's; nothing was done then.
func (l *Log) Handle(ctx context.Context, queueName string, messages []Message, handle wal.Handler) (failed []string, err error) {
	return nil, fault.New(fault.Internal, "not built yet")
}

// Consume implements wal.Log.
func (l *Log) Consume(ctx context.Context, handle wal.Handler) error {
	return fault.New(fault.Internal, "not built yet")
}

// Stats implements wal.Log.
func (l *Log) Stats(ctx context.Context) (wal.Stats, error) {
	return wal.Stats{}, fault.New(fault.Internal, "not built yet")
}

// DeadLetters implements wal.Log.
func (l *Log) DeadLetters() wal.DeadLetters { return nil }
