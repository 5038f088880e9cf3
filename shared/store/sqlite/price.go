package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
)

// Prices implements store.PriceStore.
func (db *DB) Prices(ctx context.Context, project account.ProjectID) ([]store.Price, error) {
	var out []store.Price
	err := query(ctx, db.r, "read prices", func(rows *sql.Rows) error {
		var p store.Price
		var data string
		var created, updated int64
		err := rows.Scan(&p.ID, &data, &created, &updated)
		p.Data, p.CreatedAt, p.UpdatedAt = json.RawMessage(data), fromMS(created), fromMS(updated)
		out = append(out, p)
		return err
	}, `SELECT id, data, created_at, updated_at FROM prices WHERE project_id = ? ORDER BY id`, string(project))
	return out, err
}

// PutPrice implements store.PriceStore.
func (db *DB) PutPrice(ctx context.Context, project account.ProjectID, p store.Price) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "store price", true, `INSERT INTO prices (project_id, id, data, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (project_id, id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`,
			string(project), p.ID, string(p.Data), ms(p.CreatedAt), ms(p.UpdatedAt))
	})
}

// DeletePrice implements store.PriceStore.
func (db *DB) DeletePrice(ctx context.Context, project account.ProjectID, id string) error {
	return db.inTx(ctx, func(tx *sql.Tx) error {
		return exec(ctx, tx, "delete price", true, `DELETE FROM prices WHERE project_id = ? AND id = ?`, string(project), id)
	})
}
