package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/pulse-traces/pulse/migrations"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store/legacy"
)

// Migrate implements store.Maintainer. Of a database of the earlier service it
// puts the data tables aside, brings the schema up to date and moves the rows;
// the account tables are taken over where they stand. It keeps no copy: take a
// dump before.
//
// Of several processes that call it at once one works and the others wait. They
// wait for a lock of an open transaction, not of a session: a pooler that hands
// out a connection per transaction may sit in between. What it needs from the
// pooler is two connections at once.
func (db *DB) Migrate(ctx context.Context, progress func(string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	// A connection of its own, so that even a pool of one can migrate.
	lock, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("migrate: %w", faultOf(err))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = lock.Close(ctx) // ends the transaction and with it the lock
	}()
	tx, err := lock.Begin(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", faultOf(err))
	}
	// The transaction is idle while the work is done, which servers may be set to end.
	if err := execute(ctx, tx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := execute(ctx, tx, `SELECT pg_advisory_xact_lock($1)`, lockMigrate); err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	if err := db.setAsideLegacy(ctx, progress); err != nil {
		return fmt.Errorf("set legacy tables aside: %w", err)
	}
	if err := db.applyMigrations(ctx, progress); err != nil {
		return err
	}
	// Connections may hold descriptions of statements on what has changed.
	db.pool.Reset()
	return legacy.Move(ctx, legacyMover{db, map[legacy.Table]string{}}, legacy.DefaultLimits(), progress)
}

func (db *DB) applyMigrations(ctx context.Context, progress func(string)) error {
	conns := stdlib.OpenDBFromPool(db.pool)
	defer conns.Close() // leaves the pool open
	p, err := goose.NewProvider(goose.DialectPostgres, conns, migrations.Postgres())
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", faultOf(err))
	}
	if current > target {
		return fault.Newf(fault.Invalid, "The database has schema version %d; this program knows versions up to %d. Use a newer program.",
			current, target)
	}
	done, err := p.Up(ctx)
	for _, m := range done {
		progress(fmt.Sprintf("applied migration %s", m.Source.Path))
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", faultOf(err))
	}
	return nil
}
