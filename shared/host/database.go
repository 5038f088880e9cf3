package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
)

const (
	// startPatience is how long a database may be away at the start, as when
	// both come up together, and startRetry how often it is asked.
	startPatience = time.Minute
	startRetry    = time.Second
)

// ErrStopped says that a signal came before the program had begun.
var ErrStopped = errors.New("stopped before the database answered")

// OpenPostgres prepares the pool; it makes no connection.
func OpenPostgres(ctx context.Context, cfg *config.Config) (*postgres.DB, error) {
	db, err := postgres.Open(ctx, cfg.DatabaseURL.Reveal(), postgres.Options{MaxConns: cfg.DatabaseMaxConns})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// Migrate brings the schema up to date. A database that is away is waited for;
// progress is told what a person should know. ErrStopped if ctx ends meanwhile.
func Migrate(ctx context.Context, st store.Maintainer, progress func(string)) error {
	for end := time.Now().Add(startPatience); ; {
		err := st.Migrate(ctx, progress)
		switch {
		case err == nil:
			return nil
		case !fault.Is(err, fault.Unavailable) || time.Now().After(end):
			return fmt.Errorf("migrate database: %w", err)
		}
		progress("The database does not answer yet; trying again: " + err.Error())
		select {
		case <-time.After(startRetry):
		case <-ctx.Done():
			return ErrStopped
		}
	}
}
