package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pulse-traces/pulse/shared/config"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/logging"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/postgres"
)

const (
	// startPatience is how long a database may be away at the start, as when
	// both come up together, startRetry how often it is asked, and startReport how
	// often the log tells of it.
	startPatience = time.Minute
	startRetry    = time.Second
	startReport   = 15 * time.Second
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

// Migrate brings the schema up to date. A database that is away is waited for, a
// minute, and one that refuses what DATABASE_URL says is not; progress is told
// what a person should know. ErrStopped if ctx ends meanwhile.
func Migrate(ctx context.Context, st store.Maintainer, log *slog.Logger, progress func(string)) error {
	var report time.Time // when the log is told next
	for end := time.Now().Add(startPatience); ; {
		err := st.Migrate(ctx, progress)
		switch {
		case err == nil:
			return nil
		case !fault.Is(err, fault.Unavailable) || errors.Is(err, store.ErrRefused) || time.Now().After(end):
			return fmt.Errorf("migrate database: %w", err)
		}
		if now := time.Now(); !now.Before(report) && ctx.Err() == nil {
			report = now.Add(startReport)
			log.WarnContext(ctx, "the database does not answer yet", slog.String("waits_until", end.UTC().Format(time.RFC3339)), slog.Any(logging.KeyError, err))
		}
		select {
		case <-time.After(startRetry):
		case <-ctx.Done():
			return ErrStopped
		}
	}
}
