package keyring_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/keyring"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
)

// watched is the real store with eyes and brakes: it counts look-ups, and
// before and failTouch let a test hold or break them.
type watched struct {
	store.KeyStore
	lookups   atomic.Int64
	touches   atomic.Int64
	before    func(context.Context) error // before each look-up
	after     func()                      // after each look-up
	failTouch error
}

func (w *watched) KeyByHash(ctx context.Context, hash string) (account.APIKey, error) {
	w.lookups.Add(1)
	if w.before != nil {
		if err := w.before(ctx); err != nil {
			return account.APIKey{}, err
		}
	}
	k, err := w.KeyStore.KeyByHash(ctx, hash)
	if w.after != nil {
		w.after()
	}
	return k, err
}

func (w *watched) TouchKey(ctx context.Context, id account.KeyID, at time.Time) error {
	w.touches.Add(1)
	if w.failTouch != nil {
		return w.failTouch
	}
	return w.KeyStore.TouchKey(ctx, id, at)
}

// clock is a time that stands until a test moves it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type fixture struct {
	db      *sqlite.DB
	store   *watched
	clock   *clock
	project account.ProjectID
	first   account.APIKey
}

func setup(t *testing.T) *fixture {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		db: db, store: &watched{KeyStore: db}, project: account.ProjectID(uuid.NewString()),
		clock: &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
	}
	now := f.clock.Now()
	user := account.UserID(uuid.NewString())
	f.first = account.APIKey{ID: "first", ProjectID: f.project, Hash: account.HashKey("first"), Name: "First", CreatedAt: now}
	if err := db.CreateUser(t.Context(), store.NewUser{
		User:         account.User{ID: user, Name: "Ann", Email: "ann@example.com", CreatedAt: now, UpdatedAt: now},
		CredentialID: uuid.NewString(), PasswordHash: "x:y",
		Project: &store.NewProject{
			Project: account.Project{ID: f.project, Name: "P", CreatedAt: now}, Key: f.first,
			Member: account.Membership{ID: uuid.NewString(), UserID: user, ProjectID: f.project, Role: account.RoleAdmin, CreatedAt: now},
		},
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) addKey(t *testing.T, clear string) account.APIKey {
	t.Helper()
	k := account.APIKey{ID: account.KeyID(uuid.NewString()), ProjectID: f.project, Hash: account.HashKey(clear), Name: clear, CreatedAt: f.clock.Now()}
	if err := f.db.CreateKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	return k
}

func (f *fixture) ring(o keyring.Options) *keyring.Ring {
	o.Now = f.clock.Now
	return keyring.New(f.store, o)
}

func mustFind(t *testing.T, r *keyring.Ring, clear string) {
	t.Helper()
	if _, err := r.Check(t.Context(), clear); err != nil {
		t.Fatalf("Check: %v", err)
	}
}

func mustMiss(t *testing.T, r *keyring.Ring, clear string) {
	t.Helper()
	_, err := r.Check(t.Context(), clear)
	if e, ok := errors.AsType[*fault.Error](err); !ok || e.Code != fault.Unauthenticated || e.Message != "Invalid API key" {
		t.Fatalf("Check: %v, want unauthenticated", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()

	t.Run("OK", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		got, err := f.ring(keyring.Options{}).Check(t.Context(), "first")
		if err != nil || got.ProjectID != f.project || got.ID != f.first.ID {
			t.Errorf("got %v %v, %v", got.ID, got.ProjectID, err)
		}
	})
	t.Run("ErrUnknown", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.ring(keyring.Options{})
		for _, key := range []string{"", "nope", f.first.Hash, "first ", "FIRST"} {
			mustMiss(t, r, key)
		}
	})
	t.Run("UnknownIsNotRemembered", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.ring(keyring.Options{})
		mustMiss(t, r, "later")
		f.addKey(t, "later")
		mustFind(t, r, "later")
	})
	t.Run("AsksOncePerTTL", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.ring(keyring.Options{TTL: 10 * time.Second})
		for range 5 {
			mustFind(t, r, "first")
		}
		f.clock.Add(9 * time.Second)
		mustFind(t, r, "first")
		if n := f.store.lookups.Load(); n != 1 {
			t.Errorf("%d look-ups, want 1", n)
		}
		f.clock.Add(time.Second)
		mustFind(t, r, "first")
		if n := f.store.lookups.Load(); n != 2 {
			t.Errorf("%d look-ups after the TTL, want 2", n)
		}
	})
	t.Run("DeletedElsewhereEndsWithTTL", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.ring(keyring.Options{TTL: 10 * time.Second})
		mustFind(t, r, "first")
		if _, err := f.db.DeleteKey(t.Context(), f.project, f.first.ID); err != nil {
			t.Fatal(err)
		}
		f.clock.Add(10 * time.Second)
		mustMiss(t, r, "first")
	})
	t.Run("LeastRecentlyUsedGoes", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		f.addKey(t, "second")
		f.addKey(t, "third")
		r := f.ring(keyring.Options{Size: 2})
		for _, k := range []string{"first", "second", "first", "third", "first"} { // "third" pushes "second" out
			mustFind(t, r, k)
		}
		before := f.store.lookups.Load()
		mustFind(t, r, "second")
		if before != 3 || f.store.lookups.Load() != 4 {
			t.Errorf("%d look-ups, then %d; want 3, 4", before, f.store.lookups.Load())
		}
	})
}

func TestForget(t *testing.T) {
	t.Parallel()

	t.Run("DeletedKeyFailsAtOnce", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.ring(keyring.Options{})
		mustFind(t, r, "first")
		k, err := f.db.DeleteKey(t.Context(), f.project, f.first.ID)
		if err != nil {
			t.Fatal(err)
		}
		r.Forget(k.Hash)
		mustMiss(t, r, "first")
	})
	t.Run("LookupUnderWayIsNotKept", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		found, release := make(chan struct{}), make(chan struct{})
		f.store.after = func() {
			if f.store.lookups.Load() == 1 {
				close(found)
				<-release
			}
		}
		r := f.ring(keyring.Options{})
		first := make(chan error, 1)
		go func() { _, err := r.Check(t.Context(), "first"); first <- err }()
		<-found // the key was read; it is deleted before the answer is kept
		if _, err := f.db.DeleteKey(t.Context(), f.project, f.first.ID); err != nil {
			t.Fatal(err)
		}
		r.Forget(f.first.Hash)
		mustMiss(t, r, "first") // must neither wait for the old look-up nor share its answer
		close(release)
		if err := <-first; err != nil {
			t.Errorf("the look-up that came first: %v", err)
		}
		mustMiss(t, r, "first")
	})
}

func TestConcurrentLookupsShareOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	release := make(chan struct{})
	f.store.before = func(context.Context) error { <-release; return nil }
	r := f.ring(keyring.Options{})
	var ready, done sync.WaitGroup
	for range 50 {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			if _, err := r.Check(t.Context(), "first"); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
	ready.Wait()
	close(release)
	done.Wait()
	if n := f.store.lookups.Load(); n != 1 {
		t.Errorf("%d look-ups, want 1", n)
	}
}

func TestCancelledCallerLeavesOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	asked, release := make(chan struct{}), make(chan struct{})
	f.store.before = func(context.Context) error { close(asked); <-release; return nil }
	r := f.ring(keyring.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	impatient, patient := make(chan error, 1), make(chan error, 1)
	go func() { _, err := r.Check(ctx, "first"); impatient <- err }()
	<-asked
	go func() { _, err := r.Check(t.Context(), "first"); patient <- err }()
	cancel()
	if err := <-impatient; !fault.Is(err, fault.Unavailable) {
		t.Errorf("cancelled: %v, want unavailable", err)
	}
	close(release)
	if err := <-patient; err != nil {
		t.Errorf("patient: %v", err)
	}
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.addKey(t, "second")
	r := f.ring(keyring.Options{TTL: 10 * time.Second, Grace: time.Minute})
	mustFind(t, r, "first")
	down := fault.New(fault.Unavailable, "")
	f.store.before = func(context.Context) error { return down }

	f.clock.Add(30 * time.Second)
	mustFind(t, r, "first")
	mustFind(t, r, "first")
	if n := f.store.lookups.Load(); n != 2 {
		t.Errorf("%d look-ups, want 2: requests must not all wait for a store that is down", n)
	}
	if _, err := r.Check(t.Context(), "second"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a key that was not known: %v, want unavailable", err)
	}
	f.clock.Add(31 * time.Second)
	if _, err := r.Check(t.Context(), "first"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after the grace: %v, want unavailable", err)
	}
	f.store.before = nil
	mustFind(t, r, "first")
	mustFind(t, r, "second")
}

func TestLookupHasDeadline(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.store.before = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	if _, err := f.ring(keyring.Options{}).Check(t.Context(), "first"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a store that hangs: %v, want unavailable", err)
	}
}

func TestLastUse(t *testing.T) {
	t.Parallel()

	t.Run("StoredOnceAnHour", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		r := f.ring(keyring.Options{TTL: 10 * time.Second})
		begin := f.clock.Now()
		for range 12 * 10 { // two hours, a use each minute
			mustFind(t, r, "first")
			f.clock.Add(time.Minute)
		}
		if n := f.store.touches.Load(); n != 2 {
			t.Errorf("%d writes, want 2", n)
		}
		k, err := f.db.KeyByHash(t.Context(), f.first.Hash)
		if err != nil || k.LastUsedAt == nil || !k.LastUsedAt.Equal(begin.Add(time.Hour)) {
			t.Errorf("stored %v, %v; want %v", k.LastUsedAt, err, begin.Add(time.Hour))
		}
	})
	t.Run("FailureIsLoggedWithoutKey", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		clear := account.MintKey()
		f.addKey(t, clear)
		f.store.failTouch = fault.New(fault.Unavailable, "disk full")
		var log strings.Builder
		mustFind(t, f.ring(keyring.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}), clear)
		if out := log.String(); !strings.Contains(out, "disk full") || strings.Contains(out, clear) || strings.Contains(out, account.HashKey(clear)) {
			t.Errorf("log: %s", out)
		}
	})
}
