package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/pulse-traces/pulse/migrations"
	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/store/legacy"
	"github.com/pulse-traces/pulse/shared/trace"
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
	if err := db.countTracesAnew(ctx, progress); err != nil {
		return fmt.Errorf("count traces anew: %w", err)
	}
	return legacy.Move(ctx, legacyMover{db, map[legacy.Table]string{}}, legacy.DefaultLimits(), progress)
}

// countTracesAnew makes the counts of traces of the projects for which that is
// due, as migration 9 left them.
func (db *DB) countTracesAnew(ctx context.Context, progress func(string)) error {
	projects, err := collect(ctx, db.pool, pgx.RowTo[account.ProjectID], `SELECT project_id FROM trace_counts_due`)
	if err != nil || len(projects) == 0 {
		return err
	}
	for _, p := range projects {
		err := db.inTx(ctx, func(tx pgx.Tx) error {
			if err := lockProject(ctx, tx, p); err != nil {
				return err
			}
			if err := newWriting(tx, p).countTraces(ctx); err != nil {
				return err
			}
			return execute(ctx, tx, `DELETE FROM trace_counts_due WHERE project_id = $1`, string(p))
		})
		if err != nil {
			return err
		}
	}
	progress(fmt.Sprintf("counted the traces of %d projects anew", len(projects)))
	return nil
}

// countTraces makes the counts of all traces of the project, day by day: a finer
// bucket belongs to one day.
func (w *writing) countTraces(ctx context.Context) error {
	width := fold.GrainDay.WidthUS()
	for from := int64(0); ; {
		next, err := collectOne(ctx, w.tx, pgx.RowTo[*time.Time], `SELECT min(start_time) FROM traces WHERE project_id = $1 AND start_time >= $2`, string(w.project), micros(from))
		if err != nil || next == nil {
			return err
		}
		day := next.UnixMicro() - next.UnixMicro()%width
		from = day + width
		state := fold.NewState()
		err = each(ctx, w.tx, scanTrace, func(t *trace.Trace) error {
			state.CountTrace(t)
			return nil
		}, `SELECT `+traceTable.list+` FROM traces WHERE project_id = $1 AND start_time >= $2 AND start_time < $3`, string(w.project), micros(day), micros(from))
		if err != nil {
			return err
		}
		if err := w.PutTraceCounts(ctx, state.TraceCounts.Counted()); err != nil {
			return err
		}
	}
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
