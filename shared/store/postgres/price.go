package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
)

// Prices gives a project's prices.
func (db *DB) Prices(ctx context.Context, project account.ProjectID) ([]store.Price, error) {
	return collect(ctx, db.pool, func(row pgx.CollectableRow) (store.Price, error) {
		var p store.Price
		var data string
		err := row.Scan(&p.ID, &data, &p.CreatedAt, &p.UpdatedAt)
		p.Data, p.CreatedAt, p.UpdatedAt = []byte(data), millis(p.CreatedAt), millis(p.UpdatedAt)
		return p, err
	}, `SELECT id, data, created_at, updated_at FROM prices WHERE project_id = $1 ORDER BY id`, string(project))
}

// PutPrice stores a price.
func (db *DB) PutPrice(ctx context.Context, project account.ProjectID, p store.Price) error {
	return execute(ctx, db.pool, `INSERT INTO prices (project_id, id, data, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (project_id, id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`,
		string(project), p.ID, string(p.Data), p.CreatedAt, p.UpdatedAt)
}

// DeletePrice deletes a price.
func (db *DB) DeletePrice(ctx context.Context, project account.ProjectID, id string) error {
	return executeOne(ctx, db.pool, `DELETE FROM prices WHERE project_id = $1 AND id = $2`, string(project), id)
}
