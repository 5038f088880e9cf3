package natswal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pulse-traces/pulse/shared/wal"
)

// Headers. Those of a record that was published anew:
const (
	headerAttempts  = "Pulse-Attempts"   // how often it was handed out before; in a dead letter, in all
	headerNotBefore = "Pulse-Not-Before" // RFC 3339: when it is due
)

// And those of a dead letter, whose partition is in its subject:
const (
	headerReason   = "Pulse-Reason"
	headerFailedAt = "Pulse-Failed-At" // RFC 3339
	headerSize     = "Pulse-Size"      // bytes of the record, before it was sealed
)

const (
	// maxReasonBytes bounds a dead letter's reason.
	maxReasonBytes = 1024
	// maxHeaderBytes is room for all headers of a message, which count towards the
	// server's max_payload.
	maxHeaderBytes = 2048
)

// message is a record that was fetched.
type message struct {
	*nats.Msg
	sequence   uint64
	stored     time.Time // when the stream took it
	deliveries int       // of this message
	attempt    int       // to store the record
	renewed    bool      // published anew: the first delivery of this message is no attempt
	notBefore  time.Time // when a renewed message is due
	reason     string    // why it becomes a dead letter
	settled    bool      // answered to; guarded by worker.mu
}

// newMessage reads what JetStream and an earlier renewal say of a message.
func newMessage(m *nats.Msg) (*message, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	d := &message{Msg: m, sequence: meta.Sequence.Stream, stored: meta.Timestamp, deliveries: int(meta.NumDelivered)}
	d.attempt = attempts(m.Header) + d.deliveries
	if d.notBefore, err = time.Parse(time.RFC3339Nano, m.Header.Get(headerNotBefore)); err == nil {
		d.renewed = true
		d.attempt--
	}
	return d, nil
}

// attempts reads headerAttempts; 0 if it is not there or makes no sense.
func attempts(h nats.Header) int {
	n, err := strconv.ParseInt(h.Get(headerAttempts), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
}

// id names a message within the log.
func (m *message) id() string {
	return fmt.Sprintf("%d-%d", partitionOf(m.Subject), m.sequence)
}

// renewal is the message as a new one that is due after delay. JetStream delivers
// it at once, and takes it back for that time: a delay of its own it has not.
func (m *message) renewal(delay time.Duration) *nats.Msg {
	return &nats.Msg{Subject: m.Subject, Data: m.Data, Header: nats.Header{
		headerAttempts:  {strconv.Itoa(m.attempt)},
		headerNotBefore: {time.Now().Add(delay).UTC().Format(time.RFC3339Nano)},
	}}
}

// deadLetter is the message as a dead letter on subject. Its id keeps a letter
// from being written twice where the first answer was lost; a stream that is made
// anew counts its sequences anew.
func (m *message) deadLetter(subject string) *nats.Msg {
	size := len(m.Data)
	if data, err := wal.Unseal(m.Data); err == nil {
		size = len(data)
	}
	return &nats.Msg{Subject: subject, Data: m.Data, Header: nats.Header{
		headerReason:          {headerText(m.reason)},
		headerFailedAt:        {time.Now().UTC().Format(time.RFC3339Nano)},
		headerAttempts:        {strconv.Itoa(m.attempt)},
		headerSize:            {strconv.Itoa(size)},
		jetstream.MsgIDHeader: {fmt.Sprintf("%s-%d", m.id(), m.stored.UnixNano())},
	}}
}

// headerText makes text one line of bounded length, as headers must be.
func headerText(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	if len(text) <= maxReasonBytes {
		return text
	}
	cut := maxReasonBytes
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// ackAll acknowledges messages and waits until the server has read that: it
// reads them in order. An error means that some may come back.
func ackAll(ctx context.Context, messages []*message) error {
	if len(messages) == 0 {
		return nil
	}
	last := len(messages) - 1
	for _, m := range messages[:last] {
		if err := m.Ack(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return messages[last].AckSync(nats.Context(ctx))
}
