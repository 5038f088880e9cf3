package betterauth

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/sqlite"
)

// newStored makes a Service on a database with one user, whose password is
// "password123".
func newStored(t *testing.T, o Options) (*Service, account.User) {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "pulse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(ctx, func(string) {}); err != nil {
		t.Fatal(err)
	}
	o.BaseURL, o.Secret = "http://localhost:3000", strings.Repeat("0123456789abcdef", 3)
	s, err := New(db, db, o)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := s.HashPassword(ctx, "password123")
	if err != nil {
		t.Fatal(err)
	}
	now := s.time()
	u := account.User{ID: account.UserID(NewID()), Name: "Ann", Email: "ann@example.com", CreatedAt: now, UpdatedAt: now}
	if err := db.CreateUser(ctx, store.NewUser{User: u, CredentialID: NewID(), PasswordHash: hash}); err != nil {
		t.Fatal(err)
	}
	return s, u
}

// TestUnknownUserTakesAsLong: whether an account exists must not show in the
// time of an answer, so both kinds of failure wait for a turn at hashing.
func TestUnknownUserTakesAsLong(t *testing.T) {
	t.Parallel()
	s, _ := newStored(t, Options{HashesAtOnce: 1})
	s.hasher.slots <- struct{}{} // nobody else can hash
	for _, email := range []string{"ann@example.com", "nobody@example.com"} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, err := s.CheckCredentials(ctx, email, "wrong"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v, want it to wait for a hash", email, err)
		}
		cancel()
	}
	<-s.hasher.slots
	for email, want := range map[string]error{"ann@example.com": ErrInvalidEmailOrPassword, "nobody@example.com": ErrInvalidEmailOrPassword, "bad": ErrInvalidEmail} {
		if _, err := s.CheckCredentials(t.Context(), email, "wrong"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", email, err, want)
		}
	}
}

// TestGuessesAtOnce: guesses that arrive together count before any is checked.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	s, ann := newStored(t, Options{Limits: Limits{Failures: LimitRule{Max: 3, Window: time.Minute}}})
	const guesses = 20
	var wg sync.WaitGroup
	results := make([]error, guesses)
	for i := range guesses {
		wg.Go(func() {
			if i%2 == 0 {
				_, results[i] = s.CheckCredentials(t.Context(), ann.Email, "wrong")
			} else {
				results[i] = s.CheckPassword(t.Context(), ann, "wrong")
			}
		})
	}
	wg.Wait()
	checked := 0
	for _, err := range results {
		if !fault.Is(err, fault.RateLimited) {
			checked++
		}
	}
	if checked != 3 {
		t.Errorf("%d guesses were checked, want 3", checked)
	}
}
