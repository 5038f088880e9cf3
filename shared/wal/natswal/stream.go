package natswal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pulse-traces/pulse/shared/fault"
)

// maxAckPending is how many records of a partition may be in processes' hands or
// wait for another attempt; the server keeps each of these in memory.
const maxAckPending = 20_000

func (l *Log) recordStream() string { return "pulse-" + l.opts.Stream }
func (l *Log) deadStream() string   { return "pulse-" + l.opts.Stream + "-dead" }

// recordSubject and deadSubject name a partition's messages; "*" names those of
// all partitions.
func (l *Log) recordSubject(partition string) string {
	return "pulse.log." + l.opts.Stream + "." + partition
}

func (l *Log) deadSubject(partition string) string {
	return "pulse.dead." + l.opts.Stream + "." + partition
}

// partitionOf reads the partition at the end of a subject; -1 if there is none.
func partitionOf(subject string) int {
	digits := subject[strings.LastIndexByte(subject, '.')+1:]
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || strconv.Itoa(n) != digits {
		return -1
	}
	return n
}

// streams are what a log consists of.
func (l *Log) streams() []jetstream.StreamConfig {
	of := func(name, subject, description string, retention jetstream.RetentionPolicy) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Subjects: []string{subject}, Description: description, Retention: retention,
			Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew, Replicas: l.opts.Replicas,
		}
	}
	return []jetstream.StreamConfig{
		of(l.recordStream(), l.recordSubject("*"), "Pulse: records that are not stored yet", jetstream.WorkQueuePolicy),
		of(l.deadStream(), l.deadSubject("*"), "Pulse: records that could not be stored", jetstream.LimitsPolicy),
	}
}

// ensureStreams makes what is missing of the log's streams and gives the size of
// the largest message that both take.
func (l *Log) ensureStreams(ctx context.Context) (maxMessageBytes int, err error) {
	maxMessageBytes = math.MaxInt
	for _, want := range l.streams() {
		got, err := l.ensureStream(ctx, want)
		if err != nil {
			return 0, fmt.Errorf("stream %s: %w", want.Name, streamFault(want.Name, err))
		}
		if got.MaxMsgSize > 0 {
			maxMessageBytes = min(maxMessageBytes, int(got.MaxMsgSize))
		}
	}
	return maxMessageBytes, nil
}

func (l *Log) ensureStream(ctx context.Context, want jetstream.StreamConfig) (jetstream.StreamConfig, error) {
	s, err := l.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if s, err = l.js.CreateStream(ctx, want); err == nil {
			l.opts.Logger.Info("log stream made", "nats_stream", want.Name, "replicas", want.Replicas)
		} else if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // by another process, just now
			s, err = l.js.Stream(ctx, want.Name)
		}
	}
	if err != nil {
		return want, err
	}
	got := s.CachedInfo().Config
	if problems := unfit(got, want); len(problems) > 0 {
		return got, fault.Newf(fault.Conflict, "stream %s cannot keep the log: %s", want.Name, strings.Join(problems, ", "))
	}
	if got.Replicas < want.Replicas {
		got.Replicas = want.Replicas
		if _, err := l.js.UpdateStream(ctx, got); err != nil {
			return got, err
		}
		l.opts.Logger.Info("log stream gets more replicas", "nats_stream", want.Name, "replicas", want.Replicas)
	}
	return got, nil
}

// unfit says why a stream that is there could lose or withhold records.
func unfit(got, want jetstream.StreamConfig) (problems []string) {
	for _, p := range []struct {
		is   bool
		text string
	}{
		{got.Retention != want.Retention, fmt.Sprintf("its retention is %s, not %s", got.Retention, want.Retention)},
		{!slices.Contains(got.Subjects, want.Subjects[0]), "it does not take the subjects " + want.Subjects[0]},
		{got.Storage != jetstream.FileStorage, "it keeps messages in memory"},
		{got.PersistMode == jetstream.AsyncPersistMode, "it acknowledges before it writes"},
		{got.NoAck, "it does not acknowledge"},
		{got.Discard != jetstream.DiscardNew, "it drops old messages when it is full"},
		{got.MaxAge > 0, "it drops messages by their age"},
		{got.MaxMsgsPerSubject > 0 && !got.DiscardNewPerSubject, "it drops messages by their number"},
	} {
		if p.is {
			problems = append(problems, p.text)
		}
	}
	return problems
}

// streamFault tells what somebody has to change from what may pass: the server's
// own answers that say that the request is wrong, or asks for too much.
func streamFault(name string, err error) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return err
	}
	switch api.ErrorCode {
	case errNoPeers: // also while a cluster is starting
		return err
	case errReplicasNeedCluster:
	default:
		if api.Code != 400 {
			return err
		}
	}
	return fault.Wrap(fault.Conflict, fmt.Sprintf("stream %s cannot be made as it should be: %s", name, api.Description), err)
}

// Answers of the server that the library has no name for.
const (
	errAccountFull         jetstream.ErrorCode = 10002
	errNoPeers             jetstream.ErrorCode = 10005
	errServerFull          jetstream.ErrorCode = 10023
	errStorageFull         jetstream.ErrorCode = 10047
	errReplicasNeedCluster jetstream.ErrorCode = 10074
	errStoreFailed         jetstream.ErrorCode = 10077 // a full stream, or a disk that fails
)

// refused reports whether the server has answered that it cannot keep a message,
// which the next seconds will not change.
func refused(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && slices.Contains([]jetstream.ErrorCode{errAccountFull, errServerFull, errStorageFull, errStoreFailed}, api.ErrorCode)
}

// missing reports whether err may mean that a stream is gone.
func missing(err error) bool {
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrStreamNotFound)
}

func consumerName(partition int) string { return "partition-" + strconv.Itoa(partition) }

// ensureConsumer makes the consumer of a partition, and the streams if they are
// gone.
func (l *Log) ensureConsumer(ctx context.Context, partition int) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ensure := func() error {
		_, err := l.js.CreateOrUpdateConsumer(ctx, l.recordStream(), jetstream.ConsumerConfig{
			Durable: consumerName(partition), FilterSubject: l.recordSubject(strconv.Itoa(partition)),
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.opts.AckWait, MaxDeliver: -1, MaxAckPending: maxAckPending,
		})
		return err
	}
	err := ensure()
	if missing(err) {
		if _, err = l.ensureStreams(ctx); err == nil {
			err = ensure()
		}
	}
	return err
}

// filled gives the partitions that have records.
func (l *Log) filled(ctx context.Context) (partitions []int, err error) {
	s, err := l.js.Stream(ctx, l.recordStream())
	if err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(l.recordSubject("*")))
	if err != nil {
		return nil, err
	}
	for subject := range info.State.Subjects {
		if p := partitionOf(subject); p >= 0 {
			partitions = append(partitions, p)
		}
	}
	return partitions, nil
}
