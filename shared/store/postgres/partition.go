package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pulse-traces/pulse/shared/store"
)

// dayOf gives the begin of the UTC day that holds t.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// partitionName names a day's partition of payload_chunks.
func partitionName(day time.Time) string { return "payload_chunks_" + day.Format("20060102") }

// ensureDays makes the payload partitions that batches need. Each is made in a
// transaction of its own before the write, since it locks payload_chunks: in
// the write it would hold up all others until the commit. A day that is known
// costs nothing.
func (db *DB) ensureDays(ctx context.Context, batches []store.Batch) error {
	for b := range batches {
		if len(batches[b].Chunks) == 0 {
			continue
		}
		if err := db.ensureDay(ctx, dayOf(batches[b].Arrived)); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) ensureDay(ctx context.Context, day time.Time) error {
	key := day.Format(time.DateOnly)
	if _, known := db.days.Load(key); known {
		return nil
	}
	err := db.inTx(ctx, func(tx pgx.Tx) error {
		// IF NOT EXISTS alone does not keep two from making it at once.
		if err := execute(ctx, tx, `SELECT pg_advisory_xact_lock($1)`, lockPartitions); err != nil {
			return err
		}
		// No parameters are allowed here; the text is made of digits and hyphens.
		return execute(ctx, tx, `CREATE TABLE IF NOT EXISTS `+partitionName(day)+` PARTITION OF payload_chunks
			FOR VALUES FROM ('`+key+`') TO ('`+day.AddDate(0, 0, 1).Format(time.DateOnly)+`')`)
	})
	if err == nil {
		db.days.Store(key, struct{}{})
	}
	return err
}

// dropDays drops the payload partitions of days that ended by cutoff. One
// transaction each: a drop waits for the readers of payload_chunks, and no one
// else should for long.
func (db *DB) dropDays(ctx context.Context, cutoff time.Time) error {
	names, err := collect(ctx, db.pool, pgx.RowTo[string], `SELECT c.relname FROM pg_inherits i
		JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'payload_chunks'::regclass ORDER BY c.relname`)
	if err != nil {
		return err
	}
	for _, name := range names {
		day, err := time.Parse("payload_chunks_20060102", name)
		if err != nil || day.AddDate(0, 0, 1).After(cutoff) {
			continue // a partition that an operator attached under another name is the operator's
		}
		// The day is forgotten first: a late record makes its partition anew.
		db.days.Delete(day.Format(time.DateOnly))
		if err := execute(ctx, db.pool, `DROP TABLE IF EXISTS `+pgx.Identifier{name}.Sanitize()); err != nil {
			return err
		}
	}
	return nil
}
