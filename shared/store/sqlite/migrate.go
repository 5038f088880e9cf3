package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/pulse-traces/pulse/migrations"
	"github.com/pulse-traces/pulse/shared/fault"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/store/legacy"
)

// Migrate implements store.Maintainer. Of a database of the earlier service it
// keeps a copy beside the file, puts its data tables aside, brings the schema up
// to date and moves the rows; the account tables are taken over where they
// stand.
func (db *DB) Migrate(ctx context.Context, progress func(string)) error {
	return damaged(db.path, db.migrate(ctx, progress))
}

func (db *DB) migrate(ctx context.Context, progress func(string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	if err := db.keepCopy(ctx, progress); err != nil {
		return fmt.Errorf("keep a copy: %w", err)
	}
	if err := db.setAsideLegacy(ctx, progress); err != nil {
		return fmt.Errorf("set legacy tables aside: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.w, migrations.SQLite())
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return toFault("read schema version", err)
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
		return toFault("migrate", err)
	}
	if err := db.countTracesAnew(ctx, progress); err != nil {
		return fmt.Errorf("count traces anew: %w", err)
	}
	return legacy.Move(ctx, legacyMover{db}, legacy.DefaultLimits(), progress)
}

// countTracesAnew makes the counts of traces of the projects for which that is
// due, as migration 9 left them.
func (db *DB) countTracesAnew(ctx context.Context, progress func(string)) error {
	var projects []projectNumber
	err := query(ctx, db.w, "read projects", func(rows *sql.Rows) error {
		var p projectNumber
		err := rows.Scan(&p)
		projects = append(projects, p)
		return err
	}, `SELECT project FROM trace_counts_due`)
	if err != nil || len(projects) == 0 {
		return err
	}
	b, err := db.writers(ctx)
	if err != nil {
		return err
	}
	for _, p := range projects {
		err := db.inTx(ctx, func(tx *sql.Tx) error {
			if err := newWriting(b, tx, p).countTraces(ctx); err != nil {
				return err
			}
			return exec(ctx, tx, "count traces", true, `DELETE FROM trace_counts_due WHERE project = ?`, int64(p))
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
		var next *int64
		err := w.tx.QueryRowContext(ctx, `SELECT min(start_time) FROM traces `+tracesByStart+`WHERE project = ? AND start_time >= ?`, int64(w.project), from).Scan(&next)
		if err != nil {
			return toFault("find next day", err)
		}
		if next == nil {
			return nil
		}
		day := *next - *next%width
		from = day + width
		state := fold.NewState()
		err = query(ctx, w.tx, "count traces", func(rows *sql.Rows) error {
			t, err := scanTrace(rows)
			if err == nil {
				state.CountTrace(&t)
			}
			return err
		}, selectTrace+tracesByStart+`WHERE project = ? AND start_time >= ? AND start_time < ?`, int64(w.project), day, from)
		if err != nil {
			return err
		}
		if err := w.PutTraceCounts(ctx, state.TraceCounts.Counted()); err != nil {
			return err
		}
	}
}
