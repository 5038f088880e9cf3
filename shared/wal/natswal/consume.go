package natswal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/wal"
)

const (
	// emptyPause is the pause after a request that gave nothing, which the server
	// may also say at once.
	emptyPause = 100 * time.Millisecond
	// retryMin and retryMax bound the pauses of a worker while the store or the
	// server is away.
	retryMin = 250 * time.Millisecond
	retryMax = 5 * time.Second
	// suspectAfter is after how many deliveries a record is handed out alone, so
	// that one that ends the process does not take its neighbours along.
	suspectAfter = 3
)

// Consume implements wal.Log. The context that handle gets is never cancelled. It
// gives no error but that it runs already, or that the log is closed: a server
// that is away is waited for.
func (l *Log) Consume(ctx context.Context, handle wal.Handler) error {
	ctx, end, err := l.life.Consume(ctx)
	if err != nil {
		return err
	}
	defer end()

	var workers sync.WaitGroup
	defer workers.Wait()
	running := map[int]bool{}
	run := func(partition int) {
		if !running[partition] {
			running[partition] = true
			w := &worker{log: l, partition: partition, handle: handle, answered: map[uint64]int{}}
			workers.Go(func() { w.run(ctx) })
		}
	}
	for p := range l.opts.Partitions {
		run(p)
	}
	for {
		interval := l.rescanInterval
		partitions, err := l.filled(ctx)
		if err != nil {
			interval = retryMax // the workers say why
		}
		for _, p := range partitions {
			run(p)
		}
		if !wal.Pause(ctx, interval) {
			return nil
		}
	}
}

// worker hands out one partition, by one call at a time.
type worker struct {
	log       *Log
	partition int
	handle    wal.Handler

	puller *puller // nil: to be made
	faults int     // failures to fetch in a row
	away   int     // calls in a row for which the store was away
	// answered counts, by sequence, the deliveries of messages that were answered
	// for but could not be renewed.
	answered map[uint64]int

	mu sync.Mutex // guards message.settled
}

func (w *worker) run(ctx context.Context) {
	log := w.log.opts.Logger
	for ctx.Err() == nil {
		messages, err := w.fetch(ctx)
		w.deliver(ctx, messages)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.faults++
			w.disconnect()
			delay := w.log.retryFunc(w.faults)
			// Of a lost connection the log tells once, not each of its workers.
			if w.log.conn.IsConnected() {
				log.Warn("log partition cannot be read yet", logging.KeyPartition, w.partition, logging.KeyAttempt, w.faults, "retry_in", delay, logging.KeyError, err)
			}
			w.pause(ctx, delay)
		default:
			w.faults = 0
			switch {
			case w.away > 0:
				wal.Pause(ctx, w.log.retryFunc(w.away))
			case len(messages) == 0:
				wal.Pause(ctx, emptyPause)
			}
		}
	}
	w.disconnect()
	// What was answered without waiting is with the server before the log closes.
	flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	if err := w.log.conn.FlushWithContext(flush); err != nil {
		log.Warn("log answers may be lost, and records come again", logging.KeyPartition, w.partition, logging.KeyError, err)
	}
}

// pause waits for d, or until ctx ends or the connection is back.
func (w *worker) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.log.nextReconnect():
	case <-ctx.Done():
	}
}

func workerDelay(failures int) time.Duration {
	return min(retryMin<<min(failures-1, 16), retryMax)
}

// fetch waits for messages. While the store is away it takes only one, to find
// out whether it is back: all others keep their place, and their pauses do not
// grow.
func (w *worker) fetch(ctx context.Context) ([]*message, error) {
	if w.puller == nil {
		if err := w.log.ensureConsumer(ctx, w.partition); err != nil {
			return nil, err
		}
		p, err := w.log.newPuller(w.partition)
		if err != nil {
			return nil, err
		}
		w.puller = p
	}
	if w.away > 0 {
		return w.puller.pull(ctx, 1)
	}
	return w.puller.pull(ctx, w.log.opts.BatchRecords)
}

// disconnect gives up the puller, and what was on its way to it.
func (w *worker) disconnect() {
	if w.puller == nil {
		return
	}
	for _, m := range w.puller.close() {
		w.giveBack(m, 0)
	}
	w.puller = nil
}

// deliver hands out messages and answers each of them. When ctx ends between two
// calls, the others are given back at once.
func (w *worker) deliver(ctx context.Context, messages []*message) {
	if len(messages) == 0 {
		return
	}
	// A call that has begun runs to its end and its result is recorded, so that a
	// stop does not bring back what is stored.
	calm := context.WithoutCancel(ctx)
	defer w.keepAlive(messages)()

	var fresh, suspects, dead []*message
	for _, m := range messages {
		switch {
		case m.deliveries-w.answered[m.sequence] > wal.MaxDeliveries:
			m.attempt-- // this delivery is none
			m.reason = fmt.Sprintf("it was delivered %d times and never answered for", m.deliveries-1)
			dead = append(dead, m)
		case m.renewed && m.deliveries == 1:
			w.giveBack(m, max(time.Until(m.notBefore), 0))
		case m.deliveries > suspectAfter:
			suspects = append(suspects, m)
		default:
			fresh = append(fresh, m)
		}
	}
	w.bury(calm, dead)
	for len(fresh) > 0 && ctx.Err() == nil {
		fresh = w.call(calm, fresh)
	}
	// In no order: one that ends the process leaves others behind it unanswered,
	// each time others, so that none of those comes near the limit with it.
	rand.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] })
	for len(suspects) > 0 && ctx.Err() == nil {
		w.call(calm, suspects[:1])
		suspects = suspects[1:]
		if w.away > 0 { // it is for these too
			for _, m := range suspects {
				w.giveBack(m, w.log.backoffFunc(m.attempt))
			}
			return
		}
	}
	for _, m := range append(fresh, suspects...) {
		w.giveBack(m, 0)
	}
}

// call hands out as many messages as fit a call, and gives the rest.
func (w *worker) call(ctx context.Context, messages []*message) (rest []*message) {
	var called, damaged []*message
	var deliveries []wal.Delivery
	size := 0
	for len(messages) > 0 {
		m := messages[0]
		data, err := wal.Unseal(m.Data)
		if err == nil && len(called) > 0 && size+len(data) > w.log.opts.BatchBytes {
			break
		}
		messages = messages[1:]
		if err != nil {
			m.reason = "the record is damaged: " + err.Error()
			damaged = append(damaged, m)
			continue
		}
		size += len(data)
		called = append(called, m)
		deliveries = append(deliveries, wal.Delivery{ID: m.id(), Partition: w.partition, Data: data, Attempt: m.attempt})
	}
	w.bury(ctx, damaged)
	if len(called) == 0 {
		return messages
	}
	verdicts := w.handle(ctx, deliveries)
	if len(verdicts) != len(called) {
		verdicts = make([]error, len(called))
		for i := range verdicts {
			verdicts[i] = errors.New("the handler gave a wrong number of results")
		}
	}
	w.settle(ctx, called, verdicts)
	return messages
}

// settle answers messages as the handler judged them.
func (w *worker) settle(ctx context.Context, messages []*message, verdicts []error) {
	var stored, dead, failed []*message
	var cause error
	away := 0
	for i, m := range messages {
		err := verdicts[i]
		switch {
		case err == nil:
			stored = append(stored, m)
		case wal.IsPermanent(err):
			m.reason = err.Error()
			dead = append(dead, m)
		default:
			failed = append(failed, m)
			if cause == nil {
				cause = err
			}
			if fault.Transient(err) {
				away++
			}
		}
	}
	if away == len(messages) {
		w.away++
	} else {
		w.away = 0
	}
	w.ack(ctx, stored)
	w.bury(ctx, dead)
	if len(failed) > 0 {
		delay := w.retryLater(ctx, failed)
		w.log.opts.Logger.Warn("log records not stored yet", logging.KeyPartition, w.partition, logging.KeyCount, len(failed), "retry_in", delay, logging.KeyError, cause)
	}
}

// ack acknowledges messages. Where that fails they come back, which is harmless.
func (w *worker) ack(ctx context.Context, messages []*message) {
	w.mu.Lock()
	for _, m := range messages {
		m.settled = true
		delete(w.answered, m.sequence)
	}
	w.mu.Unlock()
	if err := ackAll(ctx, messages); err != nil {
		w.log.opts.Logger.Warn("log records are done with but come again", logging.KeyPartition, w.partition, logging.KeyCount, len(messages), logging.KeyError, err)
	}
}

// giveBack has the server deliver a message again after delay; 0 means at once.
func (w *worker) giveBack(m *message, delay time.Duration) {
	w.mu.Lock()
	m.settled = true
	w.mu.Unlock()
	if err := m.NakWithDelay(delay); err != nil {
		w.log.opts.Logger.Debug("log record comes back late", logging.KeyPartition, w.partition, logging.KeyError, err)
	}
}

// retryLater brings messages back after pauses, as new ones if they were
// delivered often, and gives the longest pause.
func (w *worker) retryLater(ctx context.Context, messages []*message) (longest time.Duration) {
	var old []*message
	var renewals []*nats.Msg
	for _, m := range messages {
		delay := w.log.backoffFunc(m.attempt)
		longest = max(longest, delay)
		if m.deliveries >= wal.RenewAfter {
			old = append(old, m)
			renewals = append(renewals, m.renewal(delay))
		} else {
			w.giveBack(m, delay)
		}
	}
	if len(old) > 0 {
		w.replace(ctx, old, renewals)
	}
	return longest
}

// bury makes messages dead letters, with their reasons.
func (w *worker) bury(ctx context.Context, messages []*message) {
	if len(messages) == 0 {
		return
	}
	letters := make([]*nats.Msg, len(messages))
	for i, m := range messages {
		letters[i] = m.deadLetter(w.log.deadSubject(strconv.Itoa(w.partition)))
	}
	sequences := w.replace(ctx, messages, letters)
	if sequences == nil {
		return
	}
	for i, m := range messages {
		w.log.opts.Logger.Error("log record is among the dead letters", logging.KeyPartition, w.partition, logging.KeyRecord, m.id(),
			logging.KeyDeadLetter, strconv.FormatUint(sequences[letters[i]], 10), logging.KeyAttempt, m.attempt, logging.KeyReason, wal.ReasonForLog(errors.New(m.reason)))
	}
}

// replace publishes others in the place of messages, and then acknowledges these.
// It gives the sequences of the others in their stream. Where it cannot publish
// all, it gives nil, and all messages come back.
func (w *worker) replace(ctx context.Context, messages []*message, others []*nats.Msg) map[*nats.Msg]uint64 {
	sequences, err := w.log.publish(ctx, others)
	if err != nil {
		w.log.opts.Logger.Error("log records cannot be renewed or buried", logging.KeyPartition, w.partition, logging.KeyCount, len(messages), logging.KeyError, err)
		for _, m := range messages {
			w.answered[m.sequence]++
			w.giveBack(m, w.log.backoffFunc(m.attempt))
		}
		return nil
	}
	w.ack(ctx, messages)
	return sequences
}

// keepAlive tells the server that messages are being worked on, until each is
// settled and the function it gives is called.
func (w *worker) keepAlive(messages []*message) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(w.log.opts.AckWait / 3)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			w.mu.Lock()
			for _, m := range messages {
				if !m.settled {
					// If it is lost the record may be handed out twice.
					_ = m.InProgress()
				}
			}
			w.mu.Unlock()
		}
	})
	return func() { close(done); running.Wait() }
}
