package natswal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// idleWait is how long one request for messages waits at the server, and
	// idleHeartbeat how often the server says meanwhile that it is there.
	idleWait      = 30 * time.Second
	idleHeartbeat = 5 * time.Second
	// restWait is how long the rest of a batch may keep silent, when the server
	// has not said that there is none.
	restWait = 500 * time.Millisecond
)

var errNoHeartbeat = errors.New("the server has forgotten the request for messages")

// puller asks a consumer for messages. It speaks the protocol of pull requests
// itself, since nats.go's Fetch cannot wait for a first message and then take
// just what is there; drops what is on its way when it ends; and, with a limit
// of bytes, loses messages of a replicated consumer, whose "409 Batch Completed"
// overtakes the messages that it counts. Here all answers go to one subscription
// that lives as long as the puller, and what comes late is in the next batch.
type puller struct {
	log      *Log
	subject  string // of requests
	inbox    string // answers come to <inbox>.<number of the request>
	sub      *nats.Subscription
	answers  chan *nats.Msg
	requests int
}

// pullRequest is what the server reads.
type pullRequest struct {
	Batch     int           `json:"batch"`
	MaxBytes  int           `json:"max_bytes"`
	NoWait    bool          `json:"no_wait"` // with Expires: to wait for a first message only
	Expires   time.Duration `json:"expires"` // nanoseconds
	Heartbeat time.Duration `json:"idle_heartbeat"`
}

func (l *Log) newPuller(partition int) (*puller, error) {
	p := &puller{
		log: l, subject: "$JS.API.CONSUMER.MSG.NEXT." + l.recordStream() + "." + consumerName(partition), inbox: l.conn.NewInbox(),
		// Two batches, of which one is late, and what the server says of them.
		answers: make(chan *nats.Msg, 2*l.opts.BatchRecords+100),
	}
	sub, err := l.conn.ChanSubscribe(p.inbox+".*", p.answers)
	if err != nil {
		return nil, err
	}
	sub.SetClosedHandler(func(string) { close(p.answers) })
	p.sub = sub
	return p, nil
}

// pull waits for a message and gives it with those that are there, up to n. It
// gives none when ctx ends, after idleWait, or when the connection was lost.
func (p *puller) pull(ctx context.Context, n int) (messages []*message, err error) {
	reconnected := p.log.nextReconnect()
	reply, err := p.request(n)
	if err != nil {
		return nil, err
	}
	patience := time.NewTimer(2 * idleHeartbeat)
	defer patience.Stop()
	want := n
	for len(messages) < want {
		select {
		case m, ok := <-p.answers:
			switch {
			case !ok:
				return messages, nats.ErrConnectionClosed
			case !isStatus(m):
				d, err := newMessage(m)
				if err != nil {
					return messages, err
				}
				messages = append(messages, d)
			case m.Subject == reply:
				rest, err := readStatus(m)
				if err != nil {
					return messages, err
				}
				want = n - rest
			}
			if len(messages) > 0 {
				patience.Reset(restWait)
			} else {
				patience.Reset(2 * idleHeartbeat)
			}
		case <-patience.C:
			if len(messages) == 0 {
				return nil, errNoHeartbeat
			}
			return messages, nil
		case <-reconnected: // the request is lost with the old connection
			return messages, nil
		case <-ctx.Done():
			return messages, nil
		}
	}
	return messages, nil
}

// request asks for up to n messages and gives the subject of the answers.
func (p *puller) request(n int) (reply string, err error) {
	// A limit under the size of one message would never be met.
	maxBytes := max(p.log.opts.BatchBytes, int(p.log.conn.MaxPayload())+maxHeaderBytes)
	body, err := json.Marshal(pullRequest{Batch: n, MaxBytes: maxBytes, NoWait: true, Expires: idleWait, Heartbeat: idleHeartbeat})
	if err != nil {
		return "", err
	}
	p.requests++
	reply = p.inbox + "." + strconv.Itoa(p.requests)
	return reply, p.log.conn.PublishRequest(p.subject, reply, body)
}

// isStatus tells what the server says of a request from a record, which is never
// empty: it has an envelope.
func isStatus(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") != "" }

// readStatus gives how many of the messages that were asked for will not come,
// or an error if none will because the consumer is not there.
func readStatus(m *nats.Msg) (rest int, err error) {
	status, description := m.Header.Get("Status"), m.Header.Get("Description")
	pending, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	switch {
	case status == "100": // a heartbeat
		return 0, nil
	case (status == "408" || status == "409") && err == nil: // its time, its bytes or its batch is used up
		return max(pending, 0), nil
	case status == "404" || status == "408": // nothing left, or another request is before it
		return maxBatch, nil
	case status == "503":
		return 0, nats.ErrNoResponders
	}
	return 0, fmt.Errorf("the server has ended the request for messages: %s %s", status, description)
}

// maxBatch is more than any request asks for.
const maxBatch = 1 << 30

// close ends the subscription and gives the messages that were on their way.
func (p *puller) close() (late []*message) {
	// A drain asks the server; without one there is nothing on its way.
	if !p.log.conn.IsConnected() || p.sub.Drain() != nil {
		_ = p.sub.Unsubscribe() // closed already
	}
	for m := range p.answers {
		if d, err := newMessage(m); !isStatus(m) && err == nil {
			late = append(late, d)
		}
	}
	return late
}
