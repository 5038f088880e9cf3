package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
)

// AddRejections implements store.RejectionStore.
func (db *DB) AddRejections(ctx context.Context, project account.ProjectID, r []store.Rejection) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		for _, one := range r {
			err := exec(ctx, tx, "store rejection", true, `INSERT INTO rejections (project_id, minute, reason, count) VALUES (?, ?, ?, ?)
				ON CONFLICT (project_id, minute, reason) DO UPDATE SET count = count + excluded.count`,
				string(project), ms(one.Minute.Truncate(time.Minute)), one.Reason, one.Count)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Rejections implements store.RejectionStore.
func (db *DB) Rejections(ctx context.Context, project account.ProjectID, since time.Time, limit int) ([]store.Rejection, error) {
	var out []store.Rejection
	err := query(ctx, db.r, "read rejections", func(rows *sql.Rows) error {
		var r store.Rejection
		var minute int64
		err := rows.Scan(&minute, &r.Reason, &r.Count)
		r.Minute = fromMS(minute)
		out = append(out, r)
		return err
	}, `SELECT minute, reason, count FROM rejections WHERE project_id = ? AND minute >= ? ORDER BY minute DESC, reason LIMIT ?`,
		string(project), ms(since), limit)
	return out, err
}
