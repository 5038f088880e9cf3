// Package drain moves records from the log into the store: many records in one
// transaction, in effect exactly once, with a damaged or impossible record set
// aside without holding up its neighbours. It never opens a connection and knows
// no host.
package drain

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/record"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/wal"
)

// maxUnexplained is how often a record may fail alone, for a reason that nobody
// foresaw, while the store is otherwise well, before it is set aside. Failures
// that are known to pass never count.
const maxUnexplained = 8

// Store is what the drain needs of a store.
type Store interface {
	store.SpanWriter
	Ping(ctx context.Context) error
}

// Options are what a Drain needs.
type Options struct {
	Store Store
	Log   *slog.Logger
	// Timeout bounds one write, so that a store that hangs is told from one
	// that is slow. 0 means a minute.
	Timeout time.Duration
	// StepBytes is about how many bytes of records are read and written at once,
	// which bounds memory: spans take several times the room of their records.
	// 0 means 16 MiB.
	StepBytes int
	// Go runs a function beside the caller; nil is a go statement.
	Go func(func())
	// Stored, if set, is told of each write that committed.
	Stored func(spans, duplicates int, elapsed time.Duration)
	// Failed, if set, is told of each write that did not.
	Failed func()
}

// Drain stores deliveries. Its Handle is a wal.Handler.
type Drain struct {
	Options
	mu      sync.Mutex
	waiting map[uuid.UUID]chan store.Outcome
}

// New makes a Drain.
func New(o Options) *Drain {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.StepBytes == 0 {
		o.StepBytes = 16 << 20
	}
	if o.Go == nil {
		o.Go = func(f func()) { go f() }
	}
	return &Drain{Options: o, waiting: map[uuid.UUID]chan store.Outcome{}}
}

// Expect gives the outcome of a batch that will be appended: see ingest.Waiter.
func (d *Drain) Expect(batch uuid.UUID) (<-chan store.Outcome, func()) {
	ch := make(chan store.Outcome, 1)
	d.mu.Lock()
	d.waiting[batch] = ch
	d.mu.Unlock()
	return ch, func() {
		d.mu.Lock()
		delete(d.waiting, batch)
		d.mu.Unlock()
	}
}

// Awaited reports whether somebody waits for the outcome of a batch.
func (d *Drain) Awaited() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting) > 0
}

// Handle stores deliveries, in steps of one transaction each: while one is
// written, the next is read. If one cannot be written, it finds the deliveries
// to blame by halves: those that can never be stored get a permanent error, and
// their neighbours are stored. What comes after a fault that passes is not
// tried, so that it does not overtake.
func (d *Drain) Handle(ctx context.Context, deliveries []wal.Delivery) []error {
	errs := make([]error, len(deliveries))
	reader := ahead{d: d, steps: d.cut(deliveries)}
	for done := 0; done < len(errs); {
		step := reader.take(ctx)
		mine := errs[done : done+len(step)]
		done += len(step)
		if err := d.writeStep(ctx, step, mine); err != nil {
			for i := done; i < len(errs); i++ {
				errs[i] = err
			}
			reader.stop() // the data of deliveries is the log's again after this
			return errs
		}
	}
	return errs
}

// cut parts deliveries into steps, of one at least.
func (d *Drain) cut(deliveries []wal.Delivery) (steps [][]wal.Delivery) {
	first, size := 0, 0
	for i := range deliveries {
		mine := record.Size(deliveries[i].Data)
		if size > 0 && size+mine > d.StepBytes {
			steps = append(steps, deliveries[first:i])
			first, size = i, 0
		}
		size += mine
	}
	if first < len(deliveries) {
		steps = append(steps, deliveries[first:])
	}
	return steps
}

// ahead reads steps, each while the one before it is written.
type ahead struct {
	d     *Drain
	steps [][]wal.Delivery
	next  chan []item // of the step that is being read; nil if none is
}

// take gives the next step, and begins to read the one after it.
func (a *ahead) take(ctx context.Context) []item {
	step := a.stop()
	if step == nil {
		step = a.d.read(ctx, a.steps[0])
		a.steps = a.steps[1:]
	}
	if len(a.steps) > 0 {
		then, next := a.steps[0], make(chan []item, 1)
		a.steps, a.next = a.steps[1:], next
		a.d.Go(func() { next <- a.d.read(ctx, then) })
	}
	return step
}

// stop returns once nothing is being read, with what was.
func (a *ahead) stop() (step []item) {
	if a.next != nil {
		step, a.next = <-a.next, nil
	}
	return step
}

// item is a delivery that was read.
type item struct {
	batch    store.Batch
	delivery *wal.Delivery
	unread   error // why the delivery, or some of its spans, could not be read
	err      *error
}

// read reads a step, half of it beside the caller.
func (d *Drain) read(ctx context.Context, deliveries []wal.Delivery) []item {
	items := make([]item, len(deliveries))
	some := func(from, to int) {
		for i := from; i < to; i++ {
			items[i].delivery = &deliveries[i]
			items[i].batch, items[i].unread = d.decode(ctx, &deliveries[i])
		}
	}
	half := len(items) / 2
	if half == 0 {
		some(0, len(items))
		return items
	}
	done := make(chan struct{})
	d.Go(func() {
		defer close(done)
		some(0, half)
	})
	some(half, len(items))
	<-done
	return items
}

// writeStep stores what was read of a step, and gives the first fault that
// passes.
func (d *Drain) writeStep(ctx context.Context, items []item, errs []error) error {
	good := make([]item, 0, len(items))
	for i, it := range items {
		if it.err = &errs[i]; it.unread == nil || len(it.batch.Spans) > 0 {
			good = append(good, it)
		}
	}
	d.write(ctx, good)
	var passing error
	for i := range items {
		switch {
		case errs[i] == nil && items[i].unread != nil:
			errs[i] = wal.Permanent(fmt.Errorf("decode record: %w", items[i].unread))
		case passing == nil && errs[i] != nil && (fault.Transient(errs[i]) || ctx.Err() != nil):
			passing = errs[i]
		}
	}
	return passing
}

// decode is record.Decode, which reads what was sent with rules that are many:
// should one of them panic, it is that record's fault alone.
func (d *Drain) decode(ctx context.Context, delivery *wal.Delivery) (b store.Batch, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.Log.ErrorContext(ctx, "reading a record panicked", slog.String("record", delivery.ID), slog.String("stack", string(debug.Stack())))
			b, err = store.Batch{}, fmt.Errorf("reading its spans panicked: %v", p)
		}
	}()
	return record.Decode(delivery.Data)
}

// write stores items together, or by halves, or says for each why not.
func (d *Drain) write(ctx context.Context, items []item) {
	if len(items) == 0 {
		return
	}
	err := d.store(ctx, items)
	switch {
	case err == nil:
	case fault.Transient(err) || ctx.Err() != nil:
		for _, it := range items {
			*it.err = err
		}
	case len(items) > 1:
		half := len(items) / 2
		d.write(ctx, items[:half])
		d.write(ctx, items[half:])
	default:
		*items[0].err = d.judge(ctx, items[0], err)
	}
}

// judge decides whether a record that fails alone is set aside now.
func (d *Drain) judge(ctx context.Context, it item, err error) error {
	if fault.CodeOf(err) != fault.Internal {
		return wal.Permanent(err)
	}
	d.Log.ErrorContext(ctx, "record cannot be stored", slog.String("record", it.delivery.ID),
		slog.Int("attempt", it.delivery.Attempt), slog.Any("err", err))
	if it.delivery.Attempt >= maxUnexplained && d.Store.Ping(ctx) == nil {
		return wal.Permanent(err)
	}
	return err
}

func (d *Drain) store(ctx context.Context, items []item) error {
	batches := make([]store.Batch, len(items))
	spans := 0
	for i := range items {
		batches[i] = items[i].batch
		spans += len(batches[i].Spans)
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	start := time.Now()
	outcomes, err := d.Store.WriteBatches(ctx, batches)
	if err != nil {
		if d.Failed != nil {
			d.Failed()
		}
		if ctx.Err() != nil {
			err = fault.Wrap(fault.Unavailable, "store did not answer in time", err)
		}
		return err
	}
	inserted := 0
	for i, o := range outcomes {
		for _, in := range o.Inserted {
			if in {
				inserted++
			}
		}
		d.tell(batches[i].ID, o)
	}
	if d.Stored != nil {
		d.Stored(inserted, spans-inserted, time.Since(start))
	}
	return nil
}

func (d *Drain) tell(batch uuid.UUID, o store.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ch, ok := d.waiting[batch]; ok {
		ch <- o
		delete(d.waiting, batch)
	}
}
