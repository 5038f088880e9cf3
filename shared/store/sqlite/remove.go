package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
)

// purgeBuckets is how many buckets of roll-ups, each of some rows, one
// transaction of PurgeProject deletes.
const purgeBuckets = 100

// RemoveProject implements store.ProjectRemover. The project's number stays, so
// that no other project gets it while rows have it.
func (db *DB) RemoveProject(ctx context.Context, project account.ProjectID, by account.UserID, now time.Time) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		// Tables of the earlier service may lack the cascade.
		for _, text := range []string{`DELETE FROM api_keys WHERE project_id = ?`, `DELETE FROM user_projects WHERE project_id = ?`} {
			if err := exec(ctx, tx, "delete keys and members", false, text, string(project)); err != nil {
				return err
			}
		}
		if err := exec(ctx, tx, "delete project", true, `DELETE FROM projects WHERE id = ?`, string(project)); err != nil {
			return err
		}
		return exec(ctx, tx, "note removal", true, `INSERT INTO removed_projects (project_id, removed_by, removed_at) VALUES (?, ?, ?)`,
			string(project), string(by), ms(now))
	})
}

// RemovedBy implements store.ProjectRemover.
func (db *DB) RemovedBy(ctx context.Context, project account.ProjectID) (account.UserID, error) {
	var user account.UserID
	err := db.r.QueryRowContext(ctx, `SELECT removed_by FROM removed_projects WHERE project_id = ?`, string(project)).Scan(&user)
	return user, toFault("read removal", err)
}

// RemovedProjects implements store.ProjectRemover.
func (db *DB) RemovedProjects(ctx context.Context) ([]account.ProjectID, error) {
	var out []account.ProjectID
	err := query(ctx, db.r, "read removals", func(rows *sql.Rows) error {
		var id account.ProjectID
		err := rows.Scan(&id)
		out = append(out, id)
		return err
	}, `SELECT project_id FROM removed_projects ORDER BY project_id`)
	return out, err
}

// purges delete some rows of a project each; a whole call of PurgeProject
// repeats one until it finds none. The first counts spans.
var purges = []struct {
	text  string
	limit int
}{
	{`DELETE FROM spans WHERE rowid IN (SELECT rowid FROM spans WHERE project = ? LIMIT ?)`, retainSpans},
	{`DELETE FROM payload_chunks WHERE rowid IN (SELECT rowid FROM payload_chunks WHERE project = ? LIMIT ?)`, retainChunks},
	{`DELETE FROM traces WHERE rowid IN (SELECT rowid FROM traces WHERE project = ? LIMIT ?)`, retainSpans},
	{`DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE project = ? LIMIT ?)`, retainSpans},
	{`DELETE FROM rollups WHERE (project, grain, bucket) IN (SELECT DISTINCT project, grain, bucket FROM rollups WHERE project = ? LIMIT ?)`, purgeBuckets},
	{`DELETE FROM rollup_sessions WHERE (project, grain, bucket) IN (SELECT project, grain, bucket FROM rollup_sessions WHERE project = ? LIMIT ?)`, purgeBuckets},
	{`DELETE FROM trace_counts WHERE (project, grain, bucket) IN (SELECT DISTINCT project, grain, bucket FROM trace_counts WHERE project = ? LIMIT ?)`, purgeBuckets},
}

// PurgeProject implements store.ProjectRemover.
func (db *DB) PurgeProject(ctx context.Context, project account.ProjectID, budget time.Duration) (store.Purged, error) {
	var out store.Purged
	if _, err := db.RemovedBy(ctx, project); err != nil {
		return out, err
	}
	number, err := numberOf(ctx, db.r, project)
	if err != nil {
		return out, err
	}
	out, err = fold.Purge(budget, len(purges), func(i int) (int64, error) { return db.purge(ctx, purges[i].text, number, purges[i].limit) })
	if err != nil || !out.Done {
		return out, err
	}
	err = db.inTx(ctx, func(tx *sql.Tx) error {
		return errors.Join(
			exec(ctx, tx, "forget api keys", false, `DELETE FROM api_key_numbers WHERE project = ?`, int64(number)),
			exec(ctx, tx, "forget number", false, `DELETE FROM project_numbers WHERE project_id = ?`, string(project)),
			exec(ctx, tx, "forget removal", false, `DELETE FROM removed_projects WHERE project_id = ?`, string(project)))
	})
	out.Done = err == nil
	return out, err
}

func (db *DB) purge(ctx context.Context, text string, project projectNumber, limit int) (n int64, err error) {
	err = db.inTx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, text, int64(project), limit)
		if err != nil {
			return toFault("purge project", err)
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}
