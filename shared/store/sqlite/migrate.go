package sqlite

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/pulse-traces/pulse/migrations"
	"github.com/pulse-traces/pulse/shared/fault"
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
	return legacy.Move(ctx, legacyMover{db}, legacy.DefaultLimits(), progress)
}
