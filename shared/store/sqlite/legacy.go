package sqlite

import (
	"context"
	"database/sql"
	"strings"
)

// Databases of the earlier service have tables with these names and another
// layout. They become "legacy_" tables, whose rows then move into ours.
var legacyTables = []string{"traces", "spans", "sessions"}

// setAsideLegacy renames the earlier service's data tables and drops their
// indexes, whose names ours may take, in one transaction. It does nothing to a
// database that is new or ours.
func (db *DB) setAsideLegacy(ctx context.Context, progress func(string)) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		for _, table := range legacyTables {
			legacy, err := isLegacy(ctx, tx, table)
			if err != nil {
				return err
			}
			if !legacy {
				continue
			}
			if err := dropIndexes(ctx, tx, table); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `ALTER TABLE `+table+` RENAME TO legacy_`+table); err != nil {
				return toFault("rename "+table, err)
			}
			progress("found table " + table + " of an earlier service; renamed to legacy_" + table)
		}
		return nil
	})
}

// isLegacy reports whether table has the earlier service's layout. Its traces
// and spans have a column "timestamp", its sessions "created_at"; ours neither.
func isLegacy(ctx context.Context, q querier, table string) (bool, error) {
	var n int
	err := q.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info(?) WHERE name IN ('timestamp', 'created_at')`, table).Scan(&n)
	return n > 0, toFault("inspect "+table, err)
}

func dropIndexes(ctx context.Context, tx *sql.Tx, table string) error {
	var names []string
	// Indexes that a constraint made have no SQL; they go with their table.
	err := query(ctx, tx, "list indexes", func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	}, `SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL`, table)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := tx.ExecContext(ctx, `DROP INDEX "`+strings.ReplaceAll(name, `"`, `""`)+`"`); err != nil {
			return toFault("drop index", err)
		}
	}
	return nil
}
