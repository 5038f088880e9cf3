package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store/legacy"
)

// setAsideLegacy renames the earlier service's data tables and drops their
// indexes, whose names ours may take, in one transaction. It does nothing to a
// database that is new or ours.
func (db *DB) setAsideLegacy(ctx context.Context, progress func(string)) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		for _, t := range legacy.Tables() {
			found, err := isLegacy(ctx, tx, t)
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			if err := dropIndexes(ctx, tx, t); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `ALTER TABLE `+string(t)+` RENAME TO `+t.Aside()); err != nil {
				return toFault("rename "+string(t), err)
			}
			progress("renamed table " + string(t) + " of the earlier service to " + t.Aside())
		}
		return nil
	})
}

// isLegacy reports whether t has the earlier service's layout. Its traces and
// spans have a column "timestamp", its sessions "created_at"; ours neither.
func isLegacy(ctx context.Context, q querier, t legacy.Table) (bool, error) {
	columns, err := columnsOf(ctx, q, string(t))
	return columns["timestamp"] || columns["created_at"], err
}

func dropIndexes(ctx context.Context, tx *sql.Tx, t legacy.Table) error {
	var names []string
	// Indexes that a constraint made have no SQL; they go with their table.
	err := query(ctx, tx, "list indexes", func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	}, `SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL`, string(t))
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

// legacyMover moves rows out of the tables that setAsideLegacy renamed.
type legacyMover struct{ db *DB }

var _ legacy.Engine = legacyMover{}

// CountLegacy implements legacy.Engine.
func (m legacyMover) CountLegacy(ctx context.Context, t legacy.Table) (int64, bool, error) {
	columns, err := columnsOf(ctx, m.db.w, t.Aside())
	if err != nil || len(columns) == 0 {
		return 0, false, err
	}
	var n int64
	err = m.db.w.QueryRowContext(ctx, `SELECT count(*) FROM `+t.Aside()).Scan(&n)
	return n, true, toFault("count legacy rows", err)
}

// MoveLegacy implements legacy.Engine. Rows go in the order of their rowids,
// which is that of their arrival: neighbours in time share a payload chunk, and
// what a step deletes is the begin of the table.
func (m legacyMover) MoveLegacy(ctx context.Context, t legacy.Table, limits legacy.Limits) (legacy.Step, error) {
	var step legacy.Step
	b, err := m.db.writers(ctx)
	if err != nil {
		return step, err
	}
	err = m.db.inTx(ctx, func(tx *sql.Tx) error {
		rows, ids, err := readLegacy(ctx, tx, t, limits)
		if err != nil || len(rows) == 0 {
			return err
		}
		projects, err := allProjects(ctx, tx)
		if err != nil {
			return err
		}
		plan := legacy.NewPlan(t, rows, projects, time.Now())
		outcomes, err := b.writeAll(ctx, tx, plan.Batches, time.Time{})
		if err != nil {
			return err
		}
		kept := plan.Kept(outcomes)
		if err := keepLegacy(ctx, tx, t, kept, ids); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM `+t.Aside()+` WHERE rowid <= ?`, ids[len(ids)-1]) //nolint:gosec // a table's name, out of two
		step = legacy.Step{Taken: int64(len(rows)), Kept: int64(len(kept))}
		return toFault("delete moved rows", err)
	})
	return step, err
}

// DropLegacy implements legacy.Engine.
func (m legacyMover) DropLegacy(ctx context.Context, t legacy.Table) error {
	_, err := m.db.w.ExecContext(ctx, `DROP TABLE `+t.Aside())
	return toFault("drop legacy table", err)
}

// readLegacy reads the first rows of a table and their rowids, ascending.
func readLegacy(ctx context.Context, tx *sql.Tx, t legacy.Table, limits legacy.Limits) ([]legacy.Row, []int64, error) {
	found, err := columnsOf(ctx, tx, t.Aside())
	if err != nil {
		return nil, nil, err
	}
	result, err := tx.QueryContext(ctx, `SELECT rowid, `+legacyList(t, found)+` FROM `+t.Aside()+` ORDER BY rowid LIMIT ?`, limits.Rows) //nolint:gosec // names of tables and columns that the program lists
	if err != nil {
		return nil, nil, toFault("read legacy rows", err)
	}
	defer result.Close()
	var rows []legacy.Row
	var ids []int64
	for size := 0; size < limits.Bytes && result.Next(); {
		var row legacy.Row
		var id int64
		if err := result.Scan(append([]any{&id}, row.Fields(t)...)...); err != nil {
			return nil, nil, toFault("read legacy rows", err)
		}
		rows, ids = append(rows, row), append(ids, id)
		size += row.Bytes()
	}
	return rows, ids, toFault("read legacy rows", result.Err())
}

// legacyList gives the list of t's columns as legacy.Row takes them, NULL for
// those that are not among found.
func legacyList(t legacy.Table, found map[string]bool) string {
	var list []string
	for _, c := range legacy.Columns(t) {
		expression := `"` + c.Name + `"`
		switch {
		case !found[c.Name]:
			expression = "NULL"
		case c.Type == legacy.Number, c.Type == legacy.Time:
			expression = "CAST(" + expression + " AS REAL)"
		case c.Type == legacy.Boolean:
			expression += " <> 0"
		}
		list = append(list, expression)
	}
	return strings.Join(list, ", ")
}

// keepLegacy copies rows as they are into t.Kept(), with the reason.
func keepLegacy(ctx context.Context, tx *sql.Tx, t legacy.Table, kept []legacy.KeptRow, ids []int64) error {
	if len(kept) == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+t.Kept()+` AS SELECT *, '' AS reason FROM `+t.Aside()+` WHERE 0`); err != nil {
		return toFault("create table of kept rows", err)
	}
	for _, k := range kept {
		if _, err := tx.ExecContext(ctx, `INSERT INTO `+t.Kept()+` SELECT *, ? FROM `+t.Aside()+` WHERE rowid = ?`, k.Reason, ids[k.Row]); err != nil { //nolint:gosec // names of tables, out of two each
			return toFault("keep legacy row", err)
		}
	}
	return nil
}

// columnsOf gives the names of a table's columns; none if there is no such table.
func columnsOf(ctx context.Context, q querier, table string) (map[string]bool, error) {
	names := map[string]bool{}
	err := query(ctx, q, "list columns", func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names[name] = true
		return err
	}, `SELECT name FROM pragma_table_info(?)`, table)
	return names, err
}

func allProjects(ctx context.Context, q querier) (map[account.ProjectID]bool, error) {
	projects := map[account.ProjectID]bool{}
	err := query(ctx, q, "list projects", func(rows *sql.Rows) error {
		var id account.ProjectID
		err := rows.Scan(&id)
		projects[id] = true
		return err
	}, `SELECT id FROM projects`)
	return projects, err
}
