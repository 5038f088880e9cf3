package postgres

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store/legacy"
)

// setAsideLegacy renames the earlier service's data tables and their indexes,
// whose names ours may take, in one transaction. It does nothing to a database
// that is new or ours.
func (db *DB) setAsideLegacy(ctx context.Context, progress func(string)) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		// A killed migration has lost the lock of Migrate at once, but the server may
		// still be at its last statement: the two would wait for each other.
		if err := execute(ctx, tx, `SELECT pg_advisory_xact_lock($1)`, lockSetAside); err != nil {
			return err
		}
		for _, t := range legacy.Tables() {
			found, err := isLegacy(ctx, tx, t)
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			indexes, err := collect(ctx, tx, pgx.RowTo[string],
				`SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = $1`, string(t))
			if err != nil {
				return err
			}
			for _, index := range indexes {
				if err := execute(ctx, tx, `ALTER INDEX `+pgx.Identifier{index}.Sanitize()+` RENAME TO `+
					pgx.Identifier{"legacy_" + index}.Sanitize()); err != nil {
					return err
				}
			}
			if err := execute(ctx, tx, `ALTER TABLE `+string(t)+` RENAME TO `+t.Aside()); err != nil {
				return err
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

// columnsOf gives the names of a table's columns; none if there is no such table.
func columnsOf(ctx context.Context, q querier, table string) (map[string]bool, error) {
	names, err := collect(ctx, q, pgx.RowTo[string],
		`SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1`, table)
	columns := make(map[string]bool, len(names))
	for _, name := range names {
		columns[name] = true
	}
	return columns, err
}

// legacyMover moves rows out of the tables that setAsideLegacy renamed. It is
// used under the lock of Migrate: nobody else changes these tables.
type legacyMover struct {
	db    *DB
	after map[legacy.Table]string // by table: the place of the last row that was taken
}

var _ legacy.Engine = legacyMover{}

// firstPlace is before the place of every row.
const firstPlace = "(0,0)"

// CountLegacy implements legacy.Engine.
func (m legacyMover) CountLegacy(ctx context.Context, t legacy.Table) (int64, bool, error) {
	columns, err := columnsOf(ctx, m.db.pool, t.Aside())
	if err != nil || len(columns) == 0 {
		return 0, false, err
	}
	n, err := collectOne(ctx, m.db.pool, pgx.RowTo[int64], `SELECT count(*) FROM `+t.Aside())
	return n, true, err
}

// MoveLegacy implements legacy.Engine. Rows go in the order of their places,
// which is nearly that of their arrival: neighbours in time share a payload
// chunk. Each step begins behind the last one's rows, since deleted rows stay in
// the way until a vacuum.
func (m legacyMover) MoveLegacy(ctx context.Context, t legacy.Table, limits legacy.Limits) (legacy.Step, error) {
	var step legacy.Step
	now := time.Now()
	if err := m.db.ensureDay(ctx, dayOf(now)); err != nil {
		return step, err
	}
	after := cmp.Or(m.after[t], firstPlace)
	err := m.db.inTx(ctx, func(tx pgx.Tx) error {
		rows, places, err := readLegacy(ctx, tx, t, after, limits)
		if err == nil && len(rows) == 0 && after != firstPlace { // rows that a scan in another order has passed over
			rows, places, err = readLegacy(ctx, tx, t, firstPlace, limits)
		}
		if err != nil || len(rows) == 0 {
			return err
		}
		projects, err := allProjects(ctx, tx)
		if err != nil {
			return err
		}
		plan := legacy.NewPlan(t, rows, projects, now)
		outcomes, err := writeAll(ctx, tx, plan.Batches, time.Time{})
		if err != nil {
			return err
		}
		kept := plan.Kept(outcomes)
		if err := keepLegacy(ctx, tx, t, kept, places); err != nil {
			return err
		}
		after, step = places[len(places)-1], legacy.Step{Taken: int64(len(rows)), Kept: int64(len(kept))}
		return execute(ctx, tx, `DELETE FROM `+t.Aside()+` WHERE ctid = ANY($1::text[]::tid[])`, places)
	})
	if err != nil {
		return legacy.Step{}, err
	}
	m.after[t] = after
	return step, nil
}

// DropLegacy implements legacy.Engine.
func (m legacyMover) DropLegacy(ctx context.Context, t legacy.Table) error {
	return execute(ctx, m.db.pool, `DROP TABLE `+t.Aside())
}

// legacyFirstRows is how many rows are asked for before their size is known: all
// that were asked for are sent, and each may hold megabytes.
const legacyFirstRows = 10

// readLegacy reads rows behind a place, and their places.
func readLegacy(ctx context.Context, tx pgx.Tx, t legacy.Table, after string, limits legacy.Limits) ([]legacy.Row, []string, error) {
	found, err := columnsOf(ctx, tx, t.Aside())
	if err != nil {
		return nil, nil, err
	}
	text := `SELECT ctid::text, ` + legacyList(t, found) + ` FROM ` + t.Aside() + ` WHERE ctid > $1::text::tid LIMIT $2`
	var rows []legacy.Row
	var places []string
	size, ask := 0, min(legacyFirstRows, limits.Rows)
	scan := func(r pgx.CollectableRow) (legacy.Row, error) {
		var row legacy.Row
		var place string
		err := r.Scan(append([]any{&place}, row.Fields(t)...)...)
		places, size = append(places, place), size+row.Bytes()
		return row, err
	}
	for size < limits.Bytes && ask > 0 {
		more, err := collect(ctx, tx, scan, text, after, ask)
		if err != nil {
			return nil, nil, err
		}
		if len(more) == 0 {
			break
		}
		rows, after = append(rows, more...), places[len(places)-1]
		fit := max(1, (limits.Bytes-size)/max(1, size/len(rows))) // if the next ones are like these
		ask = min(fit, limits.Rows-len(rows))
	}
	return rows, places, nil
}

// legacyList gives the list of t's columns as legacy.Row takes them, NULL for
// those that are not among found.
func legacyList(t legacy.Table, found map[string]bool) string {
	var list []string
	for _, c := range legacy.Columns(t) {
		expression := `"` + c.Name + `"`
		switch c.Type {
		case legacy.Text, legacy.JSON:
			expression += "::text"
		case legacy.Number:
			expression += "::double precision"
		case legacy.Time: // infinite times become infinite numbers
			expression = "(extract(epoch FROM " + expression + ") * 1000)::double precision"
		case legacy.Boolean:
			expression += "::boolean"
		}
		if !found[c.Name] {
			expression = strings.Replace(expression, `"`+c.Name+`"`, "NULL", 1)
		}
		list = append(list, expression)
	}
	return strings.Join(list, ", ")
}

// keepLegacy copies rows as they are into t.Kept(), with the reason.
func keepLegacy(ctx context.Context, tx pgx.Tx, t legacy.Table, kept []legacy.KeptRow, places []string) error {
	if len(kept) == 0 {
		return nil
	}
	if err := execute(ctx, tx, `CREATE TABLE IF NOT EXISTS `+t.Kept()+` AS SELECT *, ''::text AS reason FROM `+t.Aside()+` WHERE false`); err != nil {
		return err
	}
	for _, k := range kept {
		if err := execute(ctx, tx, `INSERT INTO `+t.Kept()+` SELECT *, $1::text FROM `+t.Aside()+` WHERE ctid = $2::text::tid`,
			k.Reason, places[k.Row]); err != nil {
			return err
		}
	}
	return nil
}

func allProjects(ctx context.Context, q querier) (map[account.ProjectID]bool, error) {
	ids, err := collect(ctx, q, pgx.RowTo[string], `SELECT id FROM projects`)
	projects := make(map[account.ProjectID]bool, len(ids))
	for _, id := range ids {
		projects[account.ProjectID(id)] = true
	}
	return projects, err
}
