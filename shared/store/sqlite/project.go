package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/fault"
)

// projectNumber stands for a project in the data tables: every row and every
// index entry has one, and a small integer makes them a third smaller than the
// id does. Numbers begin at 1; no row has number 0.
type projectNumber int64

// numberOf gives the number of a project, 0 if nothing was ever written to it.
func numberOf(ctx context.Context, q querier, id account.ProjectID) (projectNumber, error) {
	var n projectNumber
	err := q.QueryRowContext(ctx, `SELECT number FROM project_numbers WHERE project_id = ?`, string(id)).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, toFault("look up project", err)
}

// numberFor is numberOf for a write: it gives a project its number with the
// first one. Invalid if there is no such project, or it was removed: that leaves
// the number until its rows are gone.
func numberFor(ctx context.Context, tx *sql.Tx, id account.ProjectID) (projectNumber, error) {
	var n projectNumber
	err := tx.QueryRowContext(ctx, `SELECT n.number FROM project_numbers n JOIN projects p ON p.id = n.project_id WHERE n.project_id = ?`,
		string(id)).Scan(&n)
	if !errors.Is(err, sql.ErrNoRows) {
		return n, toFault("look up project", err)
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO project_numbers (project_id) SELECT id FROM projects WHERE id = ? RETURNING number`,
		string(id)).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fault.New(fault.Invalid, "Unknown project")
	}
	return n, toFault("number project", err)
}

// inProject is inRead with the number of a project.
func (db *DB) inProject(ctx context.Context, id account.ProjectID, fn func(q querier, project projectNumber) error) error {
	return db.inRead(ctx, func(q querier) error {
		n, err := numberOf(ctx, q, id)
		if err != nil {
			return err
		}
		return fn(q, n)
	})
}
