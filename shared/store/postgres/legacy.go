package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Databases of the earlier service have tables with these names and another
// layout. They become "legacy_" tables, whose rows then move into ours.
var legacyTables = []string{"traces", "spans", "sessions"}

// setAsideLegacy renames the earlier service's data tables and their indexes,
// whose names ours may take, in one transaction. It does nothing to a database
// that is new or ours.
func (db *DB) setAsideLegacy(ctx context.Context, progress func(string)) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		for _, table := range legacyTables {
			legacy, err := isLegacy(ctx, tx, table)
			if err != nil {
				return err
			}
			if !legacy {
				continue
			}
			indexes, err := collect(ctx, tx, pgx.RowTo[string],
				`SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = $1`, table)
			if err != nil {
				return err
			}
			for _, index := range indexes {
				if err := execute(ctx, tx, `ALTER INDEX `+pgx.Identifier{index}.Sanitize()+` RENAME TO `+
					pgx.Identifier{"legacy_" + index}.Sanitize()); err != nil {
					return err
				}
			}
			if err := execute(ctx, tx, `ALTER TABLE `+table+` RENAME TO legacy_`+table); err != nil {
				return err
			}
			progress("found table " + table + " of an earlier service; renamed to legacy_" + table)
		}
		return nil
	})
}

// isLegacy reports whether table has the earlier service's layout. Its traces
// and spans have a column "timestamp", its sessions "created_at"; ours neither.
func isLegacy(ctx context.Context, q querier, table string) (bool, error) {
	return collectOne(ctx, q, pgx.RowTo[bool], `SELECT EXISTS (SELECT FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = $1 AND column_name IN ('timestamp', 'created_at'))`, table)
}
