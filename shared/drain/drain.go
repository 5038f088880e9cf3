// Package drain moves records from the log into the store: many records in one
// transaction, in effect exactly once, with a damaged or impossible record set
// aside without holding up its neighbours. It never opens a connection and knows
// no host.
package drain

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/fault"
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

// Handle stores deliveries in one transaction. If that cannot be, it finds the
// ones to blame by halves: those that can never be stored get a permanent error,
// and their neighbours are stored.
func (d *Drain) Handle(ctx context.Context, deliveries []wal.Delivery) []error {
	errs := make([]error, len(deliveries))
	var good []item
	for i := range deliveries {
		b, err := store.UnmarshalBatch(deliveries[i].Data)
		if err != nil {
			errs[i] = wal.Permanent(fmt.Errorf("decode record: %w", err))
			continue
		}
		good = append(good, item{batch: b, delivery: &deliveries[i], err: &errs[i]})
	}
	d.write(ctx, good)
	return errs
}

type item struct {
	batch    store.Batch
	delivery *wal.Delivery
	err      *error
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
