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

// ensureDays makes the payload partitions that batches need, each in a
// transaction of its own before the write. A day that is known costs nothing.
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
		// Two at once would both find that it is not there.
		if err := execute(ctx, tx, `SELECT pg_advisory_xact_lock($1)`, lockPartitions); err != nil {
			return err
		}
		name := partitionName(day)
		exists, err := collectOne(ctx, tx, pgx.RowTo[bool], `SELECT to_regclass($1) IS NOT NULL`, name)
		if err != nil || exists {
			return err
		}
		// Made and attached, not made as a partition, which would wait for all
		// readers of payload_chunks (a backup runs for hours) and hold up those
		// that come after.
		if err := execute(ctx, tx, `CREATE TABLE `+name+` (LIKE payload_chunks INCLUDING ALL)`); err != nil {
			return err
		}
		// No parameters are allowed here; the text is made of digits and hyphens.
		return execute(ctx, tx, `ALTER TABLE payload_chunks ATTACH PARTITION `+name+`
			FOR VALUES FROM ('`+key+`') TO ('`+day.AddDate(0, 0, 1).Format(time.DateOnly)+`')`)
	})
	if err == nil {
		db.days.Store(key, struct{}{})
	}
	return err
}

// dropDays drops the payload partitions of days that ended by cutoff, each in a
// transaction of its own. A drop waits for all readers of payload_chunks, and
// whoever comes after it waits too: it gives up soon, with Unavailable, and the
// next Retain tries again.
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
		err = db.inTx(ctx, func(tx pgx.Tx) error {
			if err := execute(ctx, tx, `SET LOCAL lock_timeout = '2s'`); err != nil {
				return err
			}
			return execute(ctx, tx, `DROP TABLE IF EXISTS `+pgx.Identifier{name}.Sanitize())
		})
		if err != nil {
			return err
		}
	}
	return nil
}
