package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
)

// AddRejections adds to the counts of minutes and reasons.
func (db *DB) AddRejections(ctx context.Context, project account.ProjectID, r []store.Rejection) error {
	return db.inTx(ctx, func(tx pgx.Tx) error {
		for _, one := range r {
			err := execute(ctx, tx, `INSERT INTO rejections AS r (project_id, minute, reason, count) VALUES ($1, $2, $3, $4)
				ON CONFLICT (project_id, minute, reason) DO UPDATE SET count = r.count + excluded.count`,
				string(project), one.Minute.Truncate(time.Minute), one.Reason, one.Count)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Rejections gives what was refused since a moment.
func (db *DB) Rejections(ctx context.Context, project account.ProjectID, since time.Time, limit int) ([]store.Rejection, error) {
	return collect(ctx, db.pool, func(row pgx.CollectableRow) (store.Rejection, error) {
		var r store.Rejection
		err := row.Scan(&r.Minute, &r.Reason, &r.Count)
		r.Minute = millis(r.Minute)
		return r, err
	}, `SELECT minute, reason, count FROM rejections WHERE project_id = $1 AND minute >= $2 ORDER BY minute DESC, reason LIMIT $3`,
		string(project), since, limit)
}
