package sqswal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// maxEntries is the most that SQS takes or gives in one call.
	maxEntries = 10
	// maxBytes bounds one message, and the messages of one call together. Bodies
	// and attributes count.
	maxBytes = 1 << 20
	// attributeBytes is what a message keeps free for what is added to it later:
	// how often it was delivered, or why it became a dead letter.
	attributeBytes = 4 << 10
)

// MaxRecordBytes is the largest body that Append takes: what fits a message of
// 1 MiB even if it cannot be compressed, with room for attributes.
const MaxRecordBytes = (maxBytes-attributeBytes)/4*3 - wal.EnvelopeBytes

const (
	// appendTimeout bounds an append with all its tries: a client is better told
	// to come back than kept waiting.
	appendTimeout = 8 * time.Second
	// requestTimeout bounds one request, but for those that receive.
	requestTimeout = 5 * time.Second
	// parallelCalls bounds the calls that one append, one settling of messages, or
	// one look at all queues makes at a time.
	parallelCalls = 8
)

// Options say where a log is and how it is used. QueueURLPrefix, Region,
// Credentials and Logger must be set.
type Options struct {
	// QueueURLPrefix is the URL of the queues up to their number: partition 0 is
	// <prefix>0, and its dead letters are in <prefix>0-dlq.
	QueueURLPrefix string
	Partitions     int // at least 1, which 0 means too
	Region         string
	Endpoint       string // where requests are sent; "" is that of AWS
	Credentials    aws.CredentialsProvider
	// BatchRecords and BatchBytes bound what Consume hands out in one call; 0
	// means 512 records and 8 MiB. They count messages as they travel.
	BatchRecords int
	BatchBytes   int
	// VisibilityTimeout, in whole seconds, is how long a message that Consume has
	// received stays hidden from others if this process dies; while it lives it
	// is prolonged. Ensure gives it to the queues it makes. 0 means a minute.
	VisibilityTimeout time.Duration
	Logger            *slog.Logger
	Now               func() time.Time // stamps dead letters; nil means time.Now
}

// Log is a wal.Log of SQS queues.
type Log struct {
	opts     Options
	client   *sqs.Client
	http     *http.Client
	name     string // of the queues, up to their number
	dead     *deadLetters
	backoff  func(attempt int) time.Duration
	tryFor   time.Duration // appendTimeout
	appended atomic.Int64

	outage outage
	life   *wal.Lifetime
}

var _ wal.Log = (*Log)(nil)

// Open makes a log without a request: whether its queues are there shows when
// they are used.
func Open(o Options) (*Log, error) {
	u, err := url.Parse(o.QueueURLPrefix)
	switch {
	case err != nil || u.Host == "" || u.Path == "" || strings.HasSuffix(u.Path, "/"):
		return nil, errors.New("open queues: their URL up to the number is not of the form https://host/account/name-")
	case o.Region == "":
		return nil, errors.New("open queues: the region is missing")
	case o.Credentials == nil:
		return nil, errors.New("open queues: the credentials are missing")
	}
	o.Partitions = max(o.Partitions, 1)
	if o.BatchRecords <= 0 {
		o.BatchRecords = 512
	}
	if o.BatchBytes <= 0 {
		o.BatchBytes = 8 << 20
	}
	if o.VisibilityTimeout <= 0 {
		o.VisibilityTimeout = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Log{opts: o, life: wal.NewLifetime(), outage: outage{log: o.Logger}, name: path.Base(u.Path), backoff: wal.Backoff, tryFor: appendTimeout, http: newHTTPClient()}
	l.dead = &deadLetters{log: l, passed: map[string]passed{}}
	options := sqs.Options{
		Region: o.Region, Credentials: o.Credentials, HTTPClient: l.http,
		Retryer: aws.NopRetryer{}, // what failed is retried here, by the entry
	}
	if o.Endpoint != "" {
		options.BaseEndpoint = aws.String(o.Endpoint)
	}
	l.client = sqs.New(options)
	return l, nil
}

// newHTTPClient makes a client that keeps a connection for each request that may
// be under way: every queue has a receive that waits.
func newHTTPClient() *http.Client {
	dialer := net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         dialer.DialContext,
			TLSHandshakeTimeout: 3 * time.Second,
			MaxIdleConnsPerHost: 64,
			// Shorter than the other side's, which ends a connection without asking
			// whether a request is on its way.
			IdleConnTimeout:   20 * time.Second,
			ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// queue is one partition's.
type queue struct {
	partition int
	name      string
	url       string
	dead      string // URL of its dead letters
}

func (l *Log) queue(partition int) queue {
	n := strconv.Itoa(partition)
	return queue{partition: partition, name: l.name + n, url: l.opts.QueueURLPrefix + n, dead: l.opts.QueueURLPrefix + n + deadSuffix}
}

const deadSuffix = "-dlq"

// recordID names a message within the log.
func (q queue) recordID(messageID string) string {
	return fmt.Sprintf("p%02d-%s", q.partition+1, messageID)
}

// Partitions is the number that Append spreads over.
func (l *Log) Partitions() int { return l.opts.Partitions }

// MaxRecordBytes implements wal.Log.
func (l *Log) MaxRecordBytes() int { return MaxRecordBytes }

// Append implements wal.Log: it returns nil once SQS has accepted every record.
// What SQS refuses is tried again for some seconds; then the error is
// fault.Unavailable.
func (l *Log) Append(ctx context.Context, records []wal.Record) error {
	for _, r := range records {
		if r.Partition < 0 || r.Partition >= l.opts.Partitions {
			return fault.Newf(fault.Internal, "there is no partition %d of %d", r.Partition, l.opts.Partitions)
		}
		if len(r.Data) > MaxRecordBytes {
			return fault.Newf(fault.TooLarge, "a record of %d bytes passes the limit of %d", len(r.Data), MaxRecordBytes)
		}
	}
	if l.life.IsClosed() {
		return wal.ErrClosed()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.tryFor, errors.New("SQS did not take the records in time"))
	defer cancel()

	byPartition := make([][]outgoing, l.opts.Partitions)
	var sealed []byte
	for _, r := range records {
		sealed = wal.Seal(sealed[:0], r.Data)
		byPartition[r.Partition] = append(byPartition[r.Partition], outgoing{body: base64.StdEncoding.EncodeToString(sealed)})
	}
	// A call that fails ends no other: what is accepted need not come again, since
	// a client's next try is stored once all the same, but it would be sent twice.
	var group errgroup.Group
	group.SetLimit(parallelCalls)
	for p, messages := range byPartition {
		for _, call := range inCalls(messages) {
			group.Go(func() error {
				var failed error
				for _, err := range l.sendCall(ctx, l.queue(p).url, call) {
					if err == nil {
						l.appended.Add(1)
					} else if failed == nil {
						failed = err
					}
				}
				return failed
			})
		}
	}
	return refused(ctx, group.Wait())
}

// refused is the error of an append that SQS did not accept.
func refused(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.Wrap(fault.Unavailable, "The queue did not accept the records in time", errors.Join(context.Cause(ctx), err))
	}
	return fault.Wrap(fault.Unavailable, "The queue does not accept records now", err)
}

// Close implements wal.Log: Consume is ended as if its context had ended, and
// waited for. A handler MUST NOT call it.
func (l *Log) Close() error {
	if !l.life.Close() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	l.dead.giveUp(ctx)
	l.http.CloseIdleConnections()
	return nil
}
