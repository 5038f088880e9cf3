// Package keyring answers whose API key a request carries, from memory where it
// can: every call of /v1 asks. It knows hashes only; a clear key is hashed on
// the way in and never kept, logged or repeated in an error.
package keyring

import (
	"context"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
)

// Options tune a Ring. Zero fields take the defaults.
type Options struct {
	// TTL is how long an answer is trusted without asking the store, and so how
	// long a key that another process deleted still works here. Default 10 s;
	// negative asks the store every time.
	TTL time.Duration
	// Grace is how long a known key goes on working while the store cannot be
	// asked, so that ingest can go on into the log. Nobody can delete a key in
	// that time either. Default 15 min.
	Grace time.Duration
	// Size bounds the keys held; the least recently used go first. Default 10,000.
	Size int
	// Log is told when a key's last use could not be stored. nil: nobody is.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

const (
	defaultTTL   = 10 * time.Second
	defaultGrace = 15 * time.Minute
	defaultSize  = 10_000

	// touchEvery is how coarse last_used_at is: a write per key and hour costs
	// nothing, one per request would.
	touchEvery = time.Hour
	// lookupTimeout bounds a look-up, so that a store that hangs counts as down
	// before clients give up (the CLI waits 2 s, SDKs 10 s).
	lookupTimeout = 1500 * time.Millisecond
	touchTimeout  = time.Second
)

// Ring is a bounded cache of keys over a store. It is safe for concurrent use.
type Ring struct {
	keys store.KeyStore
	opts Options

	flight singleflight.Group // concurrent look-ups of one hash share a query

	mu      sync.Mutex
	cache   *lru.Cache[string, entry] // by hash
	forgets uint64                    // counts Forget, so that a look-up under way then is not kept
}

type entry struct {
	key    account.APIKey
	loaded time.Time // when the store last confirmed it
	ask    time.Time // when to ask the store again
}

// New makes a Ring over keys.
func New(keys store.KeyStore, opts Options) *Ring {
	if opts.TTL == 0 {
		opts.TTL = defaultTTL
	}
	if opts.Grace <= 0 {
		opts.Grace = defaultGrace
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
	cache, err := lru.New[string, entry](opts.Size)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Ring{keys: keys, opts: opts, cache: cache}
}

// Check gives the key's row: fault.Unauthenticated if there is no such key,
// fault.Unavailable if the store cannot be asked and the key was not known.
func (r *Ring) Check(ctx context.Context, key string) (account.APIKey, error) {
	hash := account.HashKey(key)
	r.mu.Lock()
	e, ok := r.cache.Get(hash)
	r.mu.Unlock()
	if ok && r.opts.Now().Before(e.ask) {
		return e.key, nil
	}
	// The query outlives its first caller, because others may wait for it.
	shared := context.WithoutCancel(ctx)
	done := r.flight.DoChan(hash, func() (any, error) { return r.load(shared, hash) })
	select {
	case <-ctx.Done():
		return account.APIKey{}, fault.Wrap(fault.Unavailable, "", ctx.Err())
	case res := <-done:
		if res.Err != nil {
			return account.APIKey{}, res.Err
		}
		return res.Val.(account.APIKey), nil
	}
}

// Forget drops the key with this hash at once. Call it after the store has
// deleted the key; what asks later finds it gone.
func (r *Ring) Forget(hash string) {
	r.mu.Lock()
	r.forgets++
	r.cache.Remove(hash)
	r.mu.Unlock()
	r.flight.Forget(hash)
}

// load asks the store and keeps the answer.
func (r *Ring) load(ctx context.Context, hash string) (account.APIKey, error) {
	r.mu.Lock()
	before := r.forgets
	r.mu.Unlock()

	lookup, cancel := context.WithTimeout(ctx, lookupTimeout)
	key, err := r.keys.KeyByHash(lookup, hash)
	if err != nil && lookup.Err() != nil {
		err = fault.Wrap(fault.Unavailable, "", err)
	}
	cancel()
	now := r.opts.Now()
	switch {
	case fault.Is(err, fault.NotFound):
		r.mu.Lock()
		r.cache.Remove(hash)
		r.mu.Unlock()
		return account.APIKey{}, fault.New(fault.Unauthenticated, "Invalid API key")
	case fault.Is(err, fault.Unavailable):
		return r.stale(hash, now, err)
	case err != nil:
		return account.APIKey{}, err
	}
	r.touch(ctx, &key, now)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forgets == before {
		r.cache.Add(hash, entry{key: key, loaded: now, ask: now.Add(r.opts.TTL)})
	}
	return key, nil
}

// stale answers from memory while the store is down, and puts the next question
// off, so that one request per TTL waits for it and not every one.
func (r *Ring) stale(hash string, now time.Time, cause error) (account.APIKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.cache.Peek(hash)
	if !ok || now.Sub(e.loaded) > r.opts.Grace {
		return account.APIKey{}, cause
	}
	e.ask = now.Add(r.opts.TTL)
	r.cache.Add(hash, e)
	return e.key, nil
}

// touch stores when the key was last used, at most once in touchEvery. That it
// cannot is no reason to refuse a request.
func (r *Ring) touch(ctx context.Context, key *account.APIKey, now time.Time) {
	if key.LastUsedAt != nil && now.Sub(*key.LastUsedAt) < touchEvery {
		return
	}
	at := now.UTC().Truncate(time.Millisecond)
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	if err := r.keys.TouchKey(ctx, key.ID, at); err != nil {
		r.opts.Log.LogAttrs(ctx, slog.LevelWarn, "last use of api key not stored", slog.String("key_id", string(key.ID)), slog.Any("err", err))
		return
	}
	key.LastUsedAt = &at
}
