package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
)

// RemoveProject deletes a project and leaves its spans to PurgeProject. It takes
// the lock of those who write spans, who look for the project under it: none of
// them adds a span after this.
func (db *DB) RemoveProject(ctx context.Context, project account.ProjectID, by account.UserID, now time.Time) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockProject(ctx, tx, project); err != nil {
			return err
		}
		// Tables of the earlier service may lack the cascade.
		for _, sql := range []string{`DELETE FROM api_keys WHERE project_id = $1`, `DELETE FROM user_projects WHERE project_id = $1`} {
			if err := execute(ctx, tx, sql, string(project)); err != nil {
				return err
			}
		}
		if err := executeOne(ctx, tx, `DELETE FROM projects WHERE id = $1`, string(project)); err != nil {
			return err
		}
		return execute(ctx, tx, `INSERT INTO removed_projects (project_id, removed_by, removed_at) VALUES ($1, $2, $3)`,
			string(project), string(by), now)
	})
}

// RemovedBy tells who removed a project.
func (db *DB) RemovedBy(ctx context.Context, project account.ProjectID) (account.UserID, error) {
	user, err := collectOne(ctx, db.pool, pgx.RowTo[string], `SELECT removed_by FROM removed_projects WHERE project_id = $1`, string(project))
	return account.UserID(user), err
}

// RemovedProjects gives the projects that have something left to purge.
func (db *DB) RemovedProjects(ctx context.Context) ([]account.ProjectID, error) {
	return collect(ctx, db.pool, func(row pgx.CollectableRow) (account.ProjectID, error) {
		var id string
		err := row.Scan(&id)
		return account.ProjectID(id), err
	}, `SELECT project_id FROM removed_projects ORDER BY project_id`)
}

// purges delete some rows of a project each; PurgeProject repeats one until it
// finds none. The first counts spans. Rows of payload_chunks go by their key: of
// several partitions ctid is not unique.
var purges = []struct {
	sql   string
	limit int
}{
	{`DELETE FROM spans WHERE ctid = ANY(ARRAY(SELECT ctid FROM spans WHERE project_id = $1 LIMIT $2))`, retainSpans},
	{`DELETE FROM payload_chunks WHERE project_id = $1 AND (day, chunk_id) IN
		(SELECT day, chunk_id FROM payload_chunks WHERE project_id = $1 LIMIT $2)`, retainChunks},
	{`DELETE FROM traces WHERE ctid = ANY(ARRAY(SELECT ctid FROM traces WHERE project_id = $1 LIMIT $2))`, retainSpans},
	{`DELETE FROM sessions WHERE ctid = ANY(ARRAY(SELECT ctid FROM sessions WHERE project_id = $1 LIMIT $2))`, retainSpans},
	{`DELETE FROM rollups WHERE ctid = ANY(ARRAY(SELECT ctid FROM rollups WHERE project_id = $1 LIMIT $2))`, retainSpans},
	{`DELETE FROM rollup_sessions WHERE ctid = ANY(ARRAY(SELECT ctid FROM rollup_sessions WHERE project_id = $1 LIMIT $2))`, retainSpans},
	{`DELETE FROM trace_counts WHERE ctid = ANY(ARRAY(SELECT ctid FROM trace_counts WHERE project_id = $1 LIMIT $2))`, retainSpans},
}

// PurgeProject deletes what a removed project has left.
func (db *DB) PurgeProject(ctx context.Context, project account.ProjectID, budget time.Duration) (store.Purged, error) {
	if _, err := db.RemovedBy(ctx, project); err != nil {
		return store.Purged{}, err
	}
	out, err := fold.Purge(budget, len(purges), func(i int) (int64, error) { return db.purge(ctx, purges[i].sql, project, purges[i].limit) })
	if err != nil || !out.Done {
		return out, err
	}
	err = execute(ctx, db.pool, `DELETE FROM removed_projects WHERE project_id = $1`, string(project))
	out.Done = err == nil
	return out, err
}

// purge runs one of purges. Under the lock, because RewriteSpans may still be at
// a step that began before the removal.
func (db *DB) purge(ctx context.Context, sql string, project account.ProjectID, limit int) (n int64, err error) {
	err = db.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockProject(ctx, tx, project); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sql, string(project), limit)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}
