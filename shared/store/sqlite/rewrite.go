package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/pulse-traces/pulse/shared/account"
	"github.com/pulse-traces/pulse/shared/store"
	"github.com/pulse-traces/pulse/shared/store/fold"
	"github.com/pulse-traces/pulse/shared/trace"
)

// Projects implements store.Maintainer.
func (db *DB) Projects(ctx context.Context) ([]account.ProjectID, error) {
	var out []account.ProjectID
	err := query(ctx, db.r, "list projects", func(rows *sql.Rows) error {
		var id account.ProjectID
		err := rows.Scan(&id)
		out = append(out, id)
		return err
	}, `SELECT id FROM projects ORDER BY id`)
	return out, err
}

// RewriteSpans implements store.Maintainer. It looks for what changes in a
// snapshot, so that no writer waits while most of a step is read and nothing
// comes of it, and changes that under the lock, of what is stored then. Versions
// are written while the rest of the step is being read.
func (db *DB) RewriteSpans(ctx context.Context, project account.ProjectID, r store.Rewrite) (store.Rewritten, error) {
	step, err := fold.FirstStep(&r)
	if err != nil {
		return store.Rewritten{}, err
	}
	b, err := db.writers(ctx)
	if err != nil {
		return store.Rewritten{}, err
	}
	within := func(ctx context.Context, in func(context.Context, func(*sql.Tx) error) error, do func(w *writing) error) error {
		return in(ctx, func(tx *sql.Tx) error {
			w := newWriting(b, tx, 0)
			var err error
			if w.project, err = numberOf(ctx, tx, project); err != nil {
				return err
			}
			return do(w)
		})
	}
	var found fold.Found
	versions := make(chan []fold.Version)
	group, both := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(versions)
		return within(both, db.inReadTx, func(w *writing) error {
			var err error
			found, err = w.look(both, step, &r, func(some []fold.Version) error {
				select {
				case versions <- some:
					return nil
				case <-both.Done():
					return both.Err()
				}
			})
			return err
		})
	})
	group.Go(func() error {
		for some := range versions {
			if err := within(both, db.inTx, func(w *writing) error { return w.renumber(both, some) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil || r.DryRun {
		return found.Rewritten, err
	}
	for some := range slices.Chunk(found.IDs, fold.RewriteAtOnce) {
		if err := within(ctx, db.inTx, func(w *writing) error {
			n, err := w.rewrite(ctx, some, &r)
			found.Changed += n
			return err
		}); err != nil {
			return store.Rewritten{}, err
		}
	}
	return found.Rewritten, nil
}

// look finds what a step changes. It first finds where the step's payloads are,
// and then reads rows and payloads part by part: a step may have many more rows
// than should be in memory. Versions go to renumber as they are found, at most
// fold.RenumberAtOnce at a time.
func (w *writing) look(ctx context.Context, step fold.Step, r *store.Rewrite, renumber func([]fold.Version) error) (found fold.Found, err error) {
	index := spansByStart + "WHERE form = 'span'"
	if step.Form == trace.FormTrace {
		index = "INDEXED BY spans_call_start_idx WHERE form = 'trace'"
	}
	if r.Mapped {
		index += " AND mapping_version > 0"
	}
	bounds := fold.Bounds(r.Time)
	var rowids []int64
	var places []fold.PayloadAt
	var last fold.Step
	err = query(ctx, w.tx, "find spans", func(rows *sql.Rows) error {
		var rowid int64
		var chunk sql.RawBytes
		err := rows.Scan(&rowid, &last.Start, &last.ID, &chunk)
		at := fold.PayloadAt{}
		copy(at.Chunk[:], chunk)
		rowids, places = append(rowids, rowid), append(places, at)
		return err
	}, `SELECT rowid, start_time, span_id, payload_chunk FROM spans `+index+` AND project = ? AND (start_time, span_id) > (?, ?) AND start_time >= ? AND start_time < ?
		ORDER BY start_time, span_id LIMIT ?`, int64(w.project), step.Start, string(step.ID), bounds.From, bounds.To, r.Limit)
	if err != nil {
		return found, err
	}
	found.Rewritten = store.Rewritten{Read: int64(len(rowids)), Next: step.Next(len(rowids) >= r.Limit, last)}
	read := func(ctx context.Context, part []int) ([]*storedSpan, error) {
		mine := make([]int64, len(part))
		for i, n := range part {
			mine[i] = rowids[n]
		}
		list, err := jsonList(mine)
		if err != nil {
			return nil, err
		}
		rows, err := readStored(ctx, w.tx, w.project, r.Detail, `WHERE rowid IN (SELECT value FROM json_each(?))`, list)
		slices.SortFunc(rows, func(a, b *storedSpan) int { return bySpanStart(&a.Span, &b.Span) })
		return rows, err
	}
	hand := func(least int) error {
		for some := found.TakeVersions(least); some != nil; some = found.TakeVersions(least) {
			if err := renumber(some); err != nil {
				return err
			}
		}
		return nil
	}
	err = fold.ChangeParts(ctx, r, fold.RewriteParts(r.Detail, places), read, func(changes []rowChange) error {
		for i := range changes {
			c := &changes[i]
			found.Add(r, &c.Change, c.Row.content, c.Row.own != nil)
		}
		return hand(fold.RenumberAtOnce)
	})
	if err != nil {
		return found, err
	}
	return found, hand(1)
}

// renumber writes the version of the mapping into rows that are as they were
// found.
func (w *writing) renumber(ctx context.Context, versions []fold.Version) error {
	stmt := w.tx.StmtContext(ctx, w.setVersion) //nolint:sqlclosecheck // ends with the transaction
	for _, v := range versions {
		if _, err := stmt.ExecContext(ctx, v.Now, int64(w.project), string(v.ID), v.Old, int64(v.Content)); err != nil {
			return toFault("set mapping version", err)
		}
	}
	return nil
}

// updateVersion sets the version of one row. A statement for many rows at once
// takes as long: most of it goes into their pages and indexes.
const updateVersion = `UPDATE spans SET mapping_version = ? WHERE project = ? AND span_id = ? AND mapping_version = ? AND content = ? AND own IS NULL`

// rewrite changes spans, and tells how many changed.
func (w *writing) rewrite(ctx context.Context, ids []trace.SpanID, r *store.Rewrite) (int64, error) {
	list, err := jsonList(ids)
	if err != nil {
		return 0, err
	}
	rows, err := w.read(ctx, store.Summary, `WHERE project = ? AND span_id IN (SELECT value FROM json_each(?))`, int64(w.project), list)
	if err != nil {
		return 0, err
	}
	var joined fold.Joined
	err = fold.EachChange(r, rows, w.fillAll(ctx), func(changes []rowChange) error {
		for i := range changes {
			c := &changes[i]
			r.Tell(c.Old, c.Now)
			joined.Changes = append(joined.Changes, fold.Change{Old: c.Row.peer().Shown, Now: c.Now})
			joined.Items = append(joined.Items, fold.Item{Content: c.Row.content})
		}
		return w.repack(ctx, changes)
	})
	if err != nil {
		return 0, err
	}
	return int64(len(joined.Changes)), w.store(ctx, nil, nil, joined)
}

type rowChange = fold.RowChange[*storedSpan]

// fillAll reads the payloads of rows, of whatever size.
func (w *writing) fillAll(ctx context.Context) func([]*storedSpan) error {
	return func(rows []*storedSpan) error { return fillStored(ctx, w.tx, w.project, rows, anySize) }
}

// repack writes changed payloads in the place of what they were.
func (w *writing) repack(ctx context.Context, changes []rowChange) error {
	type chunkAt struct {
		day int64
		id  uuid.UUID
	}
	changed := map[chunkAt]map[int]*trace.Payload{}
	for i := range changes {
		c := &changes[i]
		if at := c.Row.payloadAt(); at != nil && c.PayloadChanged() {
			k := chunkAt{at.day, at.Chunk}
			if changed[k] == nil {
				changed[k] = map[int]*trace.Payload{}
			}
			changed[k][at.Index] = &c.Now.Payload
		}
	}
	for at, payloads := range changed {
		var data []byte
		err := w.tx.QueryRowContext(ctx, `SELECT data FROM payload_chunks WHERE project = ? AND day = ? AND chunk_id = ?`,
			int64(w.project), at.day, at.id[:]).Scan(&data)
		if err != nil {
			return toFault("read payload chunk", err)
		}
		if data, err = store.RepackChunk(data, payloads); err != nil {
			return err
		}
		err = exec(ctx, w.tx, "replace payload chunk", true, `UPDATE payload_chunks SET data = ? WHERE project = ? AND day = ? AND chunk_id = ?`,
			data, int64(w.project), at.day, at.id[:])
		if err != nil {
			return err
		}
	}
	return nil
}
