// Package pricebook answers from memory what a project's calls are priced by: the
// prices that the project has set, those of the installation, and the table of
// package pricing, in this order. Every write of spans goes through it (Over): what a span cost is
// decided where it is stored, for spans of every form and from every host.
package pricebook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/pricing"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Options tune a Book. Zero fields take the defaults.
type Options struct {
	// Installation are the prices of all projects that have none of their own for
	// a call.
	Installation []pricing.Custom
	// TTL is how long an answer is trusted without asking the store, and so how
	// long a price that another process changed is not noticed here. Default 10 s.
	TTL time.Duration
	// Size bounds the projects and the prices held; the least recently used
	// projects go first. Default 20,000.
	Size int
	// Log is told of prices that cannot be read. nil: nobody is.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

const (
	defaultTTL  = 10 * time.Second
	defaultSize = 20_000

	// lookupTimeout bounds a look-up, so that a store that hangs counts as down
	// before clients give up.
	lookupTimeout = 1500 * time.Millisecond
)

// Book is a bounded cache of prices over a store. It is safe for concurrent use.
type Book struct {
	prices store.PriceStore
	opts   Options

	flight singleflight.Group // concurrent look-ups of one project share a query

	mu      sync.Mutex
	cache   *lru.Cache[account.ProjectID, entry]
	held    int    // weight of all that cache holds
	forgets uint64 // counts Forget, so that a look-up under way then is not kept
}

type entry struct {
	list []pricing.Custom
	ask  time.Time // when to ask the store again
}

// weight is what an entry counts for: a project without prices takes room too.
func (e entry) weight() int { return 1 + len(e.list) }

// New makes a Book over prices.
func New(prices store.PriceStore, opts Options) *Book {
	if opts.TTL <= 0 {
		opts.TTL = defaultTTL
	}
	if opts.Size <= 0 {
		opts.Size = defaultSize
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	b := &Book{prices: prices, opts: opts}
	cache, err := lru.NewWithEvict(opts.Size, func(_ account.ProjectID, e entry) { b.held -= e.weight() })
	if err != nil {
		panic(err) // only for a size below one
	}
	b.cache = cache
	return b
}

// Pricer prices the spans of one project, by the prices at the time it was made.
type Pricer struct {
	own, installation []pricing.Custom
}

// Price is pricing.Price.
func (p Pricer) Price(s *trace.Span) { pricing.Price(s, pricing.Default(), p.own, p.installation) }

// For gives what prices the spans of a project. While the store is away those
// that were known go on counting; fault.Unavailable if none were.
func (b *Book) For(ctx context.Context, project account.ProjectID) (Pricer, error) {
	b.mu.Lock()
	e, ok := b.cache.Get(project)
	b.mu.Unlock()
	if ok && b.opts.Now().Before(e.ask) {
		return b.pricer(e.list), nil
	}
	// The query outlives its first caller, because others may wait for it.
	shared := context.WithoutCancel(ctx)
	done := b.flight.DoChan(string(project), func() (any, error) { return b.load(shared, project) })
	select {
	case <-ctx.Done():
		return Pricer{}, fault.Wrap(fault.Unavailable, "", ctx.Err())
	case res := <-done:
		if res.Err != nil {
			return Pricer{}, res.Err
		}
		return b.pricer(res.Val.([]pricing.Custom)), nil
	}
}

// Price sets the costs of spans of a project.
func (b *Book) Price(ctx context.Context, project account.ProjectID, spans []trace.Span) error {
	p, err := b.For(ctx, project)
	if err != nil {
		return err
	}
	for i := range spans {
		p.Price(&spans[i])
	}
	return nil
}

// Explain is pricing.Explain for a span of a project, by the prices of today.
func (b *Book) Explain(ctx context.Context, project account.ProjectID, s *trace.Span) (pricing.Account, error) {
	p, err := b.For(ctx, project)
	if err != nil {
		return pricing.Account{}, err
	}
	return pricing.Explain(s, pricing.Default(), p.own, p.installation), nil
}

// Forget drops what is known of a project at once. Call it after the store has
// changed its prices.
func (b *Book) Forget(project account.ProjectID) {
	b.mu.Lock()
	b.forgets++
	b.cache.Remove(project)
	b.mu.Unlock()
	b.flight.Forget(string(project))
}

func (b *Book) pricer(own []pricing.Custom) Pricer { return Pricer{own, b.opts.Installation} }

// load asks the store and keeps the answer.
func (b *Book) load(ctx context.Context, project account.ProjectID) ([]pricing.Custom, error) {
	b.mu.Lock()
	before := b.forgets
	b.mu.Unlock()

	lookup, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	stored, err := b.prices.Prices(lookup, project)
	if err != nil && lookup.Err() != nil {
		err = fault.Wrap(fault.Unavailable, "", err)
	}
	if err != nil {
		return b.stale(project, err)
	}
	list := make([]pricing.Custom, 0, len(stored))
	for _, p := range stored {
		c, err := pricing.ParseCustom(p.Data)
		if err != nil { // written by a later version: the others count all the same
			b.opts.Log.LogAttrs(ctx, slog.LevelError, "price cannot be read; the project's calls are priced without it",
				slog.String(logging.KeyProject, string(project)), slog.String("price_id", p.ID), slog.Any(logging.KeyError, err))
			continue
		}
		list = append(list, c)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.forgets == before {
		b.keepLocked(project, list)
	}
	return list, nil
}

// stale answers from memory while the store is down, and puts the next question
// off, so that one call per TTL waits for it and not every one.
func (b *Book) stale(project account.ProjectID, cause error) ([]pricing.Custom, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.cache.Peek(project)
	if !ok {
		return nil, cause
	}
	b.keepLocked(project, e.list)
	return e.list, nil
}

func (b *Book) keepLocked(project account.ProjectID, list []pricing.Custom) {
	b.cache.Remove(project)
	e := entry{list, b.opts.Now().Add(b.opts.TTL)}
	b.cache.Add(project, e)
	for b.held += e.weight(); b.held > b.opts.Size && b.cache.Len() > 1; {
		b.cache.RemoveOldest()
	}
}

// Over is st, with the spans of every batch priced before they are stored.
func (b *Book) Over(st store.Store) store.Store { return &priced{st, b} }

type priced struct {
	store.Store
	book *Book
}

// WriteBatches implements store.SpanWriter. Costs are set in the caller's spans.
func (p *priced) WriteBatches(ctx context.Context, batches []store.Batch) ([]store.Outcome, error) {
	for i := range batches {
		if err := p.book.Price(ctx, batches[i].Project, batches[i].Spans); err != nil {
			return nil, err
		}
	}
	return p.Store.WriteBatches(ctx, batches)
}
